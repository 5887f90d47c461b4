"""Fits of all candidates to all splits; networks are trained in stacks."""

import time
from copy import copy
from dataclasses import dataclass
from functools import wraps
from inspect import signature

import joblib
import numpy as np
from sklearn.base import clone

from ..unrolled import UnrolledRegressor, fit_stacked
from ..utils.compat import index_fit_params, safe_indexing
from ..utils.estimators import last_step, steps_of


def fit_candidates(candidates, grid, X, y, splits, fit_params):
    """Fit candidates to the training part of each split.

    Parameters
    ----------
    candidates : list of estimator
        Networks or pipelines. If the last step of a pipeline is a network, the steps before it are
        fitted once for each split and each set of their parameters.
    grid : list of dict
        The parameters of each candidate.
    X, y : array-like
        Spectra and abundances.
    splits : list of (train, test)
        Indices of rows.
    fit_params : dict
        Keyword arguments of `fit`.

    Returns
    -------
    fits : ndarray of shape (n_candidates, n_splits), of callable or None
        Each returns the fitted candidate, or raises the error of its `fit`. None if the last step
        is not a network.
    seconds : ndarray of shape (n_candidates, n_splits)
        Time of each fit so far.
    """
    fits = np.full((len(candidates), len(splits)), None, dtype=object)
    seconds = np.zeros(fits.shape)
    for group in _alike(candidates, grid):
        reached = []  # for each list of the group, on each split
        for rows in group:
            start = time.perf_counter()
            reached += [_reach(candidates[rows[0]], X, y, train, fit_params) for train, _ in splits]
            seconds[rows] += (time.perf_counter() - start) / (len(rows) * len(splits))
        networks = [last_step(candidates[i]) for i in group[0]]
        stacked, shares = fit_stacked(networks, [arguments for _, arguments in reached])
        for j, (pipeline, _) in enumerate(reached):
            which, split = divmod(j, len(splits))
            for place, i in enumerate(group[which]):
                fits[i, split] = _Complete(pipeline, stacked[place, j])
                seconds[i, split] += shares[place, j]
    return fits, seconds


def _alike(candidates, grid):
    """Return groups of the candidates whose last step is a network.

    A group is a list of lists of indices. The candidates of a list share the steps before the last.
    All lists of a group have the same networks in the same order.
    """
    by_prefix = {}
    for i, (candidate, point) in enumerate(zip(candidates, grid)):
        if isinstance(last_step(candidate), UnrolledRegressor):
            path = "__".join(_path(candidate))
            before = {
                name: value
                for name, value in point.items()
                if path and name != path and not name.startswith(f"{path}__")
            }
            by_prefix.setdefault((path, _key(before, i)), []).append(i)
    groups = {}
    for rows in by_prefix.values():
        networks = tuple(_key(vars(last_step(candidates[i])), i) for i in rows)
        groups.setdefault(networks, []).append(rows)
    return list(groups.values())


def _key(values, i):
    """Return a key that is equal for equal values, or `i` if they cannot be compared."""
    try:
        return joblib.hash(values)
    except Exception:  # some values cannot be pickled, such as a function of a script
        return i


def _path(estimator):
    """Return the names of the last step of a pipeline, of that step's last step, and so on."""
    steps = steps_of(estimator)
    return [steps[-1][0], *_path(steps[-1][1])] if steps else []


def _reach(estimator, X, y, train, fit_params):
    """Fit all steps but the last to some rows.

    Returns
    -------
    pipeline : estimator
        With the first steps fitted.
    arguments : (X, y, fit_params) or Exception
        Arguments of the last step's `fit`, or the error of a step before.
    """
    estimator = clone(estimator)
    network = last_step(estimator)
    kind, arguments = type(network), []

    class Catching(kind):
        # replaces the network, to get the arguments that the Pipeline passes to it
        @wraps(kind.fit)
        def fit(self, X, y=None, **params):
            signature(kind.fit).bind(self, X, y, **params)  # raises for unknown parameters
            arguments.extend((X, y, params))
            return self

    network.__class__ = Catching
    try:
        estimator.fit(
            safe_indexing(X, train),
            None if y is None else safe_indexing(y, train),
            **index_fit_params(X, fit_params, train),
        )
    except Exception as error:
        return estimator, error
    finally:
        network.__class__ = kind
    return estimator, tuple(arguments)


@dataclass
class _Complete:
    """A pipeline whose first steps are fitted, and the fit of its last step."""

    estimator: object
    fit: object

    def __call__(self):
        return _with_last_step(self.estimator, self.fit())


def _with_last_step(estimator, fitted):
    """Return a pipeline with a fitted last step, or that step if there is no pipeline."""
    steps = steps_of(estimator)
    if not steps:
        return fitted
    estimator = copy(estimator)
    name, last = steps[-1]
    estimator.steps = [*steps[:-1], (name, _with_last_step(last, fitted))]
    return estimator
