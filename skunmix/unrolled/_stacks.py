"""Training of many started estimators at once, as stacks of networks."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from sklearn import get_config

from ..networks import Fold, bytes_per_network, divergence_error, train_stacked
from ._pairs import TrainingPairs, few_threads
from ._training import SCHEDULES


def train_stacks(started):
    """Train estimators whose networks have been started, as many as possible in one stack.

    Parameters
    ----------
    started : list of n_folds (TrainingPairs or None, list of n_candidates estimators)
        The pairs of each fold, and its candidates. Instead of a candidate there may be the
        exception that its start raised. Candidates differ only in what a stack can hold: the
        weights of the loss, the learning rate, and the start.

    Returns
    -------
    fits : ndarray of shape (n_candidates, n_folds), of callables
        Each returns the trained estimator, or raises the error of its start or training.
    """
    fits = np.empty((len(started[0][1]), len(started)), dtype=object)
    for j, (_, models) in enumerate(started):
        for i, model in enumerate(models):
            if isinstance(model, Exception):
                fits[i, j] = Failed(model)
    for columns, which in _rectangles(started):
        fits[np.ix_(which, columns)] = _train([started[j] for j in columns], which)
    return fits


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


class Failed:
    """An estimator whose fit failed before any training."""

    def __init__(self, error):
        self.error, self.traceback = error, error.__traceback__

    def __call__(self):
        # with the original traceback, because raising extends it
        raise self.error.with_traceback(self.traceback)


def shallow_copy(estimator):
    """Return a shallow copy; copy.copy would use __getstate__, and copy the net."""
    new = object.__new__(type(estimator))
    vars(new).update(vars(estimator))
    return new


def _rectangles(started):
    """Yield lists of folds and of candidates, whose product can be trained together."""
    alike = {}
    for j, (pairs, models) in enumerate(started):
        for model in models:
            if not isinstance(model, Exception):
                alike.setdefault(_shapes(model, pairs), []).append(j)
                break
    for columns in alike.values():
        by_columns = {}
        for i in range(len(started[columns[0]][1])):
            ready = tuple(j for j in columns if not isinstance(started[j][1][i], Exception))
            by_columns.setdefault(ready, []).append(i)
        for ready, which in by_columns.items():
            if ready:
                model = started[ready[0]][1][which[0]]
                size = bytes_per_network(model.net_.module_, model.batch_size)
                n_networks = max(1, int(get_config()["working_memory"] * 2**20 / size))
                n_folds = min(n_networks, len(ready))
                n_candidates = n_networks // n_folds
                for j in range(0, len(ready), n_folds):
                    for i in range(0, len(which), n_candidates):
                        yield list(ready[j : j + n_folds]), which[i : i + n_candidates]


def _shapes(model, pairs):
    """Return the shapes that the networks and batches of a stack have in common."""
    parameters = tuple(parameter.shape for parameter in model.net_.module_.parameters())
    return pairs.X.shape, model.noise_augmentation_, parameters


def _train(started, which):
    """Train a stack, and return its fits as an array of shape (n_candidates, n_folds)."""
    models = [[models[i] for i in which] for _, models in started]
    first = models[0][0]
    with few_threads(first.net_.module_, first.batch_size, np.size(models)):
        stack = train_stacked(
            [[model.net_.module_ for model in row] for row in models],
            [Fold(*_batches(row[0], pairs)) for row, (pairs, _) in zip(models, started)],
            [[model.alpha_mse, model.alpha_aad, model.alpha_aid] for model in models[0]],
            [model.learning_rate for model in models[0]],
            n_epochs=first._n_epochs(len(started[0][0].X)),
            schedule=SCHEDULES[first.lr_schedule],
            patience=first.n_iter_no_change if first.early_stopping else None,
        )
    fits = np.empty((len(which), len(started)), dtype=object)
    for j, (pairs, _) in enumerate(started):
        for i in range(len(which)):
            fits[i, j] = _Stacked(models[j][i], pairs, stack, (j, i))
    return fits


def _batches(model, pairs):
    """Return the batches that a net would draw, from the state of the fold's generator."""
    model = shallow_copy(model)
    # a copy, because another stack of this fold starts from the same state
    model._random_state = deepcopy(model._random_state)
    model.net_ = model._make_net(model.net_.module_)
    return model._batches(pairs)
