"""Fits of many unrolled estimators to many folds, trained together."""

import time
from dataclasses import dataclass

import joblib
import numpy as np
from sklearn.base import clone

from ..utils import has_callbacks, validate_parameters
from ._base import UnrolledRegressor
from ._pairs import TrainingPairs
from ._stacks import Failed, shallow_copy, train_stacks
from ._training import UnrolledUnmixer

# Parameters in which the estimators of a stack may differ, and those that the start depends on.
_FREE = ("alpha_mse", "alpha_aad", "alpha_aid", "learning_rate", "lam", "mu")
_OF_START = ("lam", "mu")


def reason_to_fit_alone(estimator):
    """Return why an estimator cannot be part of a stack, as the end of a sentence, or None."""
    if isinstance(estimator, UnrolledUnmixer) and not isinstance(estimator, UnrolledRegressor):
        return "learns without abundances"
    if not isinstance(estimator, UnrolledRegressor):
        return "is not a network of skunmix"
    if estimator.callbacks or has_callbacks(estimator):
        return "has callbacks, which follow one training at a time"
    return None


def fit_stacked(estimators, folds):
    """Fit each estimator to each fold.

    Estimators that differ only in the weights of the loss, the learning rate, λ and µ are trained
    together, on all folds with the same number of pixels. A choice of "auto" does not depend on
    these, so that it is made once for each fold. They are split into several stacks if one
    would need more than scikit-learn's ``working_memory``. Estimators with a `reason_to_fit_alone`
    are fitted when the result is requested.

    Parameters
    ----------
    estimators : list of UnrolledRegressor
        Unfitted.
    folds : list of (X, y, fit_params) or Exception
        Spectra, abundances and keyword arguments of `fit`; or an error that occurred before, which
        each fit then raises.

    Returns
    -------
    fits : ndarray of shape (n_estimators, n_folds), of callables
        Each returns the fitted estimator, or raises the error of its `fit`.
    seconds : ndarray of shape (n_estimators, n_folds)
        Each fit's share of the time of its stack.
    """
    fits = np.empty((len(estimators), len(folds)), dtype=object)
    seconds = np.zeros(fits.shape)
    alone, alike = _sort(estimators, fits)
    for i in alone:
        for j, fold in enumerate(folds):
            failed = isinstance(fold, Exception)
            fits[i, j] = Failed(fold) if failed else _Alone(estimators[i], *fold)
    for rows in alike:
        start = time.perf_counter()
        members = [estimators[i] for i in rows]
        prepared = [_prepare(members, fold) for fold in folds]
        fits[rows] = train_stacks(prepared)
        seconds[rows] = (time.perf_counter() - start) / (len(rows) * len(folds))
    return fits, seconds


@dataclass
class _Alone:
    """An estimator that is fitted when the result is requested."""

    estimator: object
    X: object
    y: object
    fit_params: dict

    def __call__(self):
        return clone(self.estimator).fit(self.X, self.y, **self.fit_params)


def _sort(estimators, fits):
    """Return indices to fit alone and groups of indices to stack, and enter the failures."""
    alone, groups = [], {}
    for i, estimator in enumerate(estimators):
        try:
            validate_parameters(estimator)
            estimator._check_loss()
        except ValueError as error:
            fits[i].fill(Failed(error))
            continue
        if reason_to_fit_alone(estimator):
            alone.append(i)
            continue
        fixed = {k: v for k, v in estimator.get_params(deep=False).items() if k not in _FREE}
        groups.setdefault((type(estimator), joblib.hash(fixed)), []).append(i)
    return alone, groups.values()


def _prepare(estimators, fold):
    """Return the pairs of a fold, or None, and its untrained estimators or their errors."""
    if isinstance(fold, Exception):
        return None, [fold] * len(estimators)
    X, y, fit_params = fold
    first = clone(estimators[0])
    try:
        whole = pairs = TrainingPairs(*first._check_pairs(X, y, **fit_params))
        if first.early_stopping:
            pairs = first._split(whole)
        choice = first._choose(whole)
        first._start(pairs, *choice)
    except Exception as error:
        return None, [error] * len(estimators)
    started, models = {_start_of(first): first}, []
    for estimator in estimators:
        free = {name: getattr(estimator, name) for name in _FREE if hasattr(estimator, name)}
        try:
            start = _start_of(estimator)
            if start not in started:
                started[start] = shallow_copy(first).set_params(**free)
                started[start]._start(pairs, *choice)
            models.append(shallow_copy(started[start]).set_params(**free))
        except Exception as error:
            models.append(error)
    return pairs, models


def _start_of(estimator):
    return tuple(getattr(estimator, name, None) for name in _OF_START)
