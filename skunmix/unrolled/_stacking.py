"""Fits of many unrolled estimators to many folds, trained together."""

import time
from copy import deepcopy
from dataclasses import dataclass

import joblib
import numpy as np
from sklearn import get_config
from sklearn.base import clone

from ..networks import Fold, bytes_per_network, divergence_error, train_stacked
from ..utils import has_callbacks, validate_parameters
from ._base import UnrolledRegressor
from ._pairs import TrainingPairs, few_threads
from ._training import SCHEDULES, UnrolledUnmixer

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
    if len(estimator._choices()) > 1:
        return "chooses norm='auto' or noise_augmentation='auto' by its own trials"
    return None


def fit_stacked(estimators, folds):
    """Fit each estimator to each fold.

    Estimators that differ only in the weights of the loss, the learning rate, λ and µ are trained
    together, on all folds with the same number of pixels. They are split into several stacks if one
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
            fits[i, j] = _Failed(fold) if failed else _Alone(estimators[i], *fold)
    for rows in alike:
        start = time.perf_counter()
        members = [estimators[i] for i in rows]
        prepared = [_prepare(members, fold) for fold in folds]
        for columns, which in _rectangles(prepared):
            chosen = [rows[i] for i in which]
            fits[np.ix_(chosen, columns)] = _train([prepared[j] for j in columns], which)
        for j, (_, models) in enumerate(prepared):
            for i, model in zip(rows, models):
                if isinstance(model, Exception):
                    fits[i, j] = _Failed(model)
        seconds[rows] = (time.perf_counter() - start) / (len(rows) * len(folds))
    return fits, seconds


@dataclass
class _Stacked:
    """One estimator of a stack that has been trained."""

    model: object
    pairs: TrainingPairs
    stack: object
    place: tuple  # fold and candidate

    def __call__(self):
        model, stack, place = self.model, self.stack, self.place
        n_epochs = int(stack.n_epochs[place])
        losses = stack.loss[place][:n_epochs].tolist()
        if stack.diverged[place]:
            raise divergence_error(n_epochs, losses[-1], model.learning_rate)
        validation_losses = stack.validation_loss[place][:n_epochs].tolist()
        model._finish(stack.module(*place), self.pairs, losses, validation_losses)
        return model


@dataclass
class _Alone:
    """An estimator that is fitted when the result is requested."""

    estimator: object
    X: object
    y: object
    fit_params: dict

    def __call__(self):
        return clone(self.estimator).fit(self.X, self.y, **self.fit_params)


class _Failed:
    """An estimator whose fit failed before any training."""

    def __init__(self, error):
        self.error, self.traceback = error, error.__traceback__

    def __call__(self):
        # with the original traceback, because raising extends it
        raise self.error.with_traceback(self.traceback)


def _sort(estimators, fits):
    """Return indices to fit alone and groups of indices to stack, and enter the failures."""
    alone, groups = [], {}
    for i, estimator in enumerate(estimators):
        try:
            validate_parameters(estimator)
            estimator._check_loss()
        except ValueError as error:
            fits[i].fill(_Failed(error))
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
    [choice] = first._choices()
    try:
        pairs = TrainingPairs(*first._check_pairs(X, y, **fit_params))
        if first.early_stopping:
            pairs = first._split(pairs)
        first._start(pairs, *choice)
    except Exception as error:
        return None, [error] * len(estimators)
    started, models = {_start_of(first): first}, []
    for estimator in estimators:
        free = {name: getattr(estimator, name) for name in _FREE if hasattr(estimator, name)}
        try:
            start = _start_of(estimator)
            if start not in started:
                started[start] = _copy(first).set_params(**free)
                started[start]._start(pairs, *choice)
            models.append(_copy(started[start]).set_params(**free))
        except Exception as error:
            models.append(error)
    return pairs, models


def _copy(estimator):
    """Return a shallow copy; copy.copy would use __getstate__, and copy the net."""
    new = object.__new__(type(estimator))
    vars(new).update(vars(estimator))
    return new


def _start_of(estimator):
    return tuple(getattr(estimator, name, None) for name in _OF_START)


def _rectangles(prepared):
    """Yield lists of folds and of candidates, whose product can be trained together."""
    by_length = {}
    for j, (pairs, _) in enumerate(prepared):
        if pairs is not None:
            by_length.setdefault(pairs.X.shape, []).append(j)
    for columns in by_length.values():
        by_columns = {}
        for i in range(len(prepared[columns[0]][1])):
            ready = tuple(j for j in columns if not isinstance(prepared[j][1][i], Exception))
            by_columns.setdefault(ready, []).append(i)
        for ready, which in by_columns.items():
            if ready:
                model = prepared[ready[0]][1][which[0]]
                size = bytes_per_network(model.net_.module_, model.batch_size)
                n_networks = max(1, int(get_config()["working_memory"] * 2**20 / size))
                n_folds = min(n_networks, len(ready))
                n_candidates = n_networks // n_folds
                for j in range(0, len(ready), n_folds):
                    for i in range(0, len(which), n_candidates):
                        yield list(ready[j : j + n_folds]), which[i : i + n_candidates]


def _train(prepared, which):
    """Train a stack, and return its fits as an array of shape (n_candidates, n_folds)."""
    models = [[models[i] for i in which] for _, models in prepared]
    first = models[0][0]
    with few_threads(first.net_.module_, first.batch_size, np.size(models)):
        stack = train_stacked(
            [[model.net_.module_ for model in row] for row in models],
            [Fold(*_batches(row[0], pairs)) for row, (pairs, _) in zip(models, prepared)],
            [[model.alpha_mse, model.alpha_aad, model.alpha_aid] for model in models[0]],
            [model.learning_rate for model in models[0]],
            n_epochs=first.max_epochs,
            schedule=SCHEDULES[first.lr_schedule],
            patience=first.n_iter_no_change if first.early_stopping else None,
        )
    fits = np.empty((len(which), len(prepared)), dtype=object)
    for j, (pairs, _) in enumerate(prepared):
        for i in range(len(which)):
            fits[i, j] = _Stacked(models[j][i], pairs, stack, (j, i))
    return fits


def _batches(model, pairs):
    """Return the batches that a net would draw, from the state of the fold's generator."""
    model = _copy(model)
    # a copy, because another stack of this fold starts from the same state
    model._random_state = deepcopy(model._random_state)
    model.net_ = model._make_net(model.net_.module_)
    return model._batches(pairs)
