"""The fits of many unrolled estimators to many folds, trained together."""

import time
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property

import joblib
import numpy as np
from sklearn import get_config
from sklearn.base import clone

from ..networks import (
    DivergenceError,
    Fold,
    bytes_per_network,
    divergence_error,
    train_stacked,
)
from ..utils import safe_indexing, torch_on_one_thread
from ._base import LARGE_STEP, SCHEDULES

# What the estimators of a stack may differ in, and of these what their start depends on.
_FREE = ("alpha_mse", "alpha_aad", "alpha_aid", "learning_rate", "lam", "mu")
_OF_START = ("lam", "mu")


@dataclass
class _Pairs:
    """What the estimators of a fold have in common: the first of them, and its pairs."""

    model: object
    X: np.ndarray
    y: np.ndarray
    validation: object

    def start(self, model):
        """Bring an estimator to where training starts."""
        [choice] = model._choices()
        model._start(self.X, self.y, *choice)
        return model

    @cached_property
    def training(self):
        return self.model._training_set(self.X, self.y)


@dataclass
class _Fit:
    """One estimator's part in a stack that has been trained."""

    model: object
    pairs: _Pairs
    stack: object
    fold: int
    candidate: int

    def estimator(self):
        """Return the fitted estimator, as its own `fit` would have left it.

        Raises
        ------
        DivergenceError
            If its training diverged.
        """
        model, place = self.model, (self.fold, self.candidate)
        n_epochs = self.stack.n_epochs[place]
        model.n_iter_ = int(n_epochs)
        model.loss_curve_ = self.stack.loss[place][:n_epochs].tolist()
        if self.stack.diverged[place]:
            raise divergence_error(n_epochs, model.loss_curve_[-1], model.learning_rate)
        model.validation_loss_curve_ = (
            self.stack.validation_loss[place][:n_epochs].tolist() if model.early_stopping else None
        )
        model.net_ = model._make_net(self.stack.module(*place))
        if n_epochs:
            model._warn_of_dead_endmembers(self.pairs.training)
        return model


def fit_stacked(estimators, X, y, splits, endmembers=None):
    """Fit estimators to the training part of each split.

    Those which differ only in the weights of the loss, the learning rate, λ and µ are trained
    together, at all folds that have the same number of pixels. A stack takes up to scikit-learn's
    ``working_memory``; where that is too little for all there are several. Those which have to
    choose between views of the spectra, by trials, are fitted alone.

    Parameters
    ----------
    estimators : list of ISTANetRegressor or of UADMMRegressor
        Unfitted.
    X, y : array-like
        Spectra and abundances, as `fit` takes them.
    splits : list of (train, test)
        Rows of each.
    endmembers : array-like, default=None
        As `fit` takes them.

    Returns
    -------
    fits : iterator of estimator or Exception
        The fitted estimators, or what went wrong, of the first estimator at each split, then of
        the second, and so on. Each is made when its turn comes.
    seconds : ndarray of shape (n_estimators, n_splits)
        Each fit's share of the time of its stack.
    """
    fits = np.empty((len(estimators), len(splits)), dtype=object)
    seconds = np.zeros(fits.shape)
    for rows in _alike(estimators, fits):
        start = time.perf_counter()
        members = [estimators[i] for i in rows]
        prepare = _fit_alone if len(members[0]._choices()) > 1 else _prepare
        folds = [
            prepare(members, safe_indexing(X, train), safe_indexing(y, train), endmembers)
            for train, _ in splits
        ]
        for columns, which in _rectangles(folds):
            chosen = [rows[i] for i in which]
            fits[np.ix_(chosen, columns)] = _train([folds[j] for j in columns], which)
        for j, (pairs, models) in enumerate(folds):
            for i, model in zip(rows, models):
                if pairs is None or isinstance(model, Exception):
                    fits[i, j] = model
        seconds[rows] = (time.perf_counter() - start) / (len(rows) * len(splits))
    return _in_turn(fits), seconds


def _in_turn(fits):
    for fit in fits.ravel():
        try:
            yield fit.estimator() if isinstance(fit, _Fit) else fit
        except DivergenceError as error:
            yield error


def _alike(estimators, fits):
    """Yield the indices of estimators that fit into one stack; note what is wrong with others."""
    groups = {}
    for i, estimator in enumerate(estimators):
        try:
            estimator._validate_params()
            estimator._check_loss()
        except Exception as error:
            fits[i].fill(error)
            continue
        fixed = {k: v for k, v in estimator.get_params(deep=False).items() if k not in _FREE}
        groups.setdefault(joblib.hash(fixed), []).append(i)
    return groups.values()


def _prepare(estimators, X, y, endmembers):
    """Bring estimators to where training starts, on the pairs of one fold.

    Returns
    -------
    pairs : _Pairs
    models : list of estimator or Exception
    """
    first = clone(estimators[0])
    try:
        X, y = first._check_pairs(X, y, endmembers, more=False)
        if first.early_stopping:
            training, validation = first._split(len(X))
            pairs = _Pairs(first, X[training], y[training], (X[validation], y[validation]))
        else:
            pairs = _Pairs(first, X, y, None)
        pairs.start(first)
    except Exception as error:
        return None, [error] * len(estimators)
    started, models = {_start_of(first): first}, []
    for estimator in estimators:
        free = {name: getattr(estimator, name) for name in _FREE if hasattr(estimator, name)}
        try:
            start = _start_of(estimator)
            if start not in started:
                started[start] = pairs.start(_copy(first).set_params(**free))
            models.append(_copy(started[start]).set_params(**free))
        except Exception as error:
            models.append(error)
    return pairs, models


def _fit_alone(estimators, X, y, endmembers):
    """Fit estimators one after another; as `_prepare`, less the pairs."""
    fits = []
    for estimator in estimators:
        try:
            fits.append(clone(estimator).fit(X, y, endmembers=endmembers))
        except Exception as error:
            fits.append(error)
    return None, fits


def _copy(estimator):
    """Return a shallow copy; copy.copy would go by the state that is pickled, and copy the net."""
    new = object.__new__(type(estimator))
    vars(new).update(vars(estimator))
    return new


def _start_of(estimator):
    return tuple(getattr(estimator, name, None) for name in _OF_START)


def _rectangles(folds):
    """Yield lists of folds and of candidates that can be trained together, all with all."""
    by_length = {}
    for j, (pairs, _) in enumerate(folds):
        if pairs is not None:
            by_length.setdefault(len(pairs.X), []).append(j)
    for columns in by_length.values():
        by_columns = {}
        for i in range(len(folds[columns[0]][1])):
            ready = tuple(j for j in columns if not isinstance(folds[j][1][i], Exception))
            by_columns.setdefault(ready, []).append(i)
        for ready, which in by_columns.items():
            if ready:
                model = folds[ready[0]][1][which[0]]
                size = bytes_per_network(model.net_.module_, model.batch_size)
                n_networks = max(1, int(get_config()["working_memory"] * 2**20 / size))
                n_folds = min(n_networks, len(ready))
                n_candidates = n_networks // n_folds
                for j in range(0, len(ready), n_folds):
                    for i in range(0, len(which), n_candidates):
                        yield list(ready[j : j + n_folds]), which[i : i + n_candidates]


def _train(folds, which):
    """Train a stack.

    Returns
    -------
    fits : ndarray of shape (n_candidates, n_folds), of _Fit
    """
    models = [[models[i] for i in which] for _, models in folds]
    first = models[0][0]
    n_parameters = sum(p.numel() for p in first.net_.module_.parameters()) * np.size(models)
    with torch_on_one_thread() if n_parameters * first.batch_size < LARGE_STEP else nullcontext():
        stack = train_stacked(
            [[model.net_.module_ for model in row] for row in models],
            [_batches(pairs) for pairs, _ in folds],
            [[model.alpha_mse, model.alpha_aad, model.alpha_aid] for model in models[0]],
            [model.learning_rate for model in models[0]],
            n_epochs=first.max_epochs,
            schedule=SCHEDULES[first.lr_schedule],
            patience=first.n_iter_no_change if first.early_stopping else None,
        )
    fits = np.empty((len(which), len(folds)), dtype=object)
    for j, (pairs, _) in enumerate(folds):
        for i in range(len(which)):
            fits[i, j] = _Fit(models[j][i], pairs, stack, j, i)
    return fits


def _batches(pairs):
    """Return the batches that a net would draw, beginning where the fold's generator stands."""
    model = _copy(pairs.model)
    # another stack of the same fold begins there, too
    model._random_state = deepcopy(model._random_state)
    net = model._make_net(model.net_.module_)
    return Fold(
        net.get_iterator(pairs.training, training=True),
        None
        if pairs.validation is None
        else net.get_iterator(model._dataset(*pairs.validation), training=False),
    )
