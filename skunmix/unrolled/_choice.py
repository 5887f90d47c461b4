"""Choice of what answers, by cross-validation: a view of the spectra, or a solver."""

import warnings

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold

from ..endmembers import estimate_endmembers
from ..networks import DivergenceError
from ..regression import SunSALRegressor
from ._pairs import TrainingPairs
from ._stacks import train_stacks

_BATCH_SIZE = 64
# With few pairs, the solvers won too often after 400 steps, and with 5 folds.
_FEW = 128
_STEPS, _STEPS_OF_FEW = 400, 800
_N_FOLDS, _N_FOLDS_OF_FEW = 5, 10


def solvers_for(sum_to_one):
    """Return the untrained solvers that have the constraints of a network, by name.

    Parameters
    ----------
    sum_to_one : {"auto", False, True, "normalize"}
        Of the network.

    Returns
    -------
    solvers : dict of str to SunSALRegressor
    """
    if sum_to_one is False:
        return {"SunSAL": SunSALRegressor()}
    return {
        "FCLS": SunSALRegressor(lam=0.0, sum_to_one=True),
        "SunSAL": SunSALRegressor(sum_to_one="normalize"),
    }


def cross_validate(estimator, choices, solvers, pairs, endmembers, seed):
    """Return the errors of each network and solver on pairs that it was not fitted to.

    The networks of all choices and folds are trained together. They have the structure of the
    estimator, and the default loss, learning rate and start.

    Parameters
    ----------
    estimator : UnrolledRegressor
    choices : list of (norm, noise_augmentation)
    solvers : dict of str to SunSALRegressor
    pairs : TrainingPairs
        At least two.
    endmembers : ndarray of shape (n_endmembers, n_bands) or None
        None estimates them from the pairs of each fold.
    seed : int
        Draws the folds and the trainings.

    Returns
    -------
    errors : dict of ndarray of shape (n_pixels,)
        The RMSE of each pixel, by choice and by name of a solver, infinite if it fails.
    """
    n_pixels = len(pairs.X)
    n_folds = min(_N_FOLDS_OF_FEW if n_pixels <= _FEW else _N_FOLDS, n_pixels)
    splits = list(KFold(n_folds, shuffle=True, random_state=seed).split(pairs.X))
    n_training = min(len(training) for training, _ in splits)
    folds = []
    for training, _ in splits:
        training = training[:n_training]  # of one length, for one stack
        X, y = pairs.X[training], pairs.y[training]
        folds.append((X, y, _endmembers_of(X, y) if endmembers is None else endmembers))
    estimates = {key: np.full(pairs.y.shape, np.nan) for key in [*choices, *solvers]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the training of the choice repeats them
        of_all = _endmembers_of(pairs.X, pairs.y) if endmembers is None else endmembers
        trials = [_trial(estimator, *choice, n_training, seed) for choice in choices]
        for trial in trials:  # the start that all pairs would choose
            for model in _start(trial, pairs.X, pairs.y, of_all)[1]:
                if not isinstance(model, Exception):
                    trial.set_params(**model._chosen_start())
        started = [_start(trial, *fold) for trial in trials for fold in folds]
        owners = [(choice, held_out) for choice in choices for _, held_out in splits]
        for fit, (choice, held_out) in zip(train_stacks(started)[0], owners):
            try:
                estimates[choice][held_out] = fit().predict(pairs.X[held_out])
            except (DivergenceError, ValueError):
                continue
        for name, solver in solvers.items():
            for (X, _, of_fold), (_, held_out) in zip(folds, splits):
                try:
                    fitted = solver.fit(X, endmembers=of_fold)
                    estimates[name][held_out] = fitted.predict(pairs.X[held_out])
                except ValueError:
                    continue
    errors = {
        key: np.sqrt(np.mean((estimate - pairs.y) ** 2, axis=1))
        for key, estimate in estimates.items()
    }
    return {
        key: error if np.isfinite(error).all() else np.full(n_pixels, np.inf)
        for key, error in errors.items()
    }


def is_better(errors, others):
    """Return whether errors are smaller than others by more than one standard error.

    Both are of the same pixels, (n_pixels,). Errors of infinity are never better.
    """
    if not np.isfinite(errors).all():
        return False
    if not np.isfinite(others).all():
        return True
    gains = others - errors
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains)))


def _endmembers_of(X, y):
    """Return the endmembers that a fold estimates, or None if it lacks one."""
    try:
        return estimate_endmembers(X, y)
    except ValueError:
        return None


def _trial(estimator, norm, noise_augmentation, n_pixels, seed):
    """Return an estimator for a short training."""
    batch_size = min(_BATCH_SIZE, estimator.batch_size)
    n_batches = -(-n_pixels // batch_size)
    n_steps = _STEPS_OF_FEW if n_pixels <= _FEW else _STEPS
    n_steps = min(n_steps, estimator._n_steps(n_pixels))
    parameters = {
        name: getattr(estimator, name) for name in ("n_layers", "tied", "sum_to_one", "device")
    }
    return type(estimator)(
        **parameters,
        norm=norm,
        noise_augmentation=noise_augmentation,
        fallback=None,
        batch_size=batch_size,
        max_epochs=-(-n_steps // n_batches),
        random_state=seed,
    )


def _start(trial, X, y, endmembers):
    """Return pairs and the started trial on them, or its error, as `train_stacks` takes them."""
    if endmembers is None:
        return None, [ValueError("no pixel of a fold has some endmember")]
    trial = clone(trial)
    try:
        pairs = TrainingPairs(*trial._check_pairs(X, y, endmembers))
        trial._start(pairs, trial.norm, trial.noise_augmentation)
    except ValueError as error:
        return None, [error]
    return pairs, [trial]
