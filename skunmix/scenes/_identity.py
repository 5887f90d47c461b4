"""What tells a run from another: its scene, its options and its model."""

import hashlib
import os
import warnings
import zlib

import joblib
import numpy as np

from ..utils.estimators import best_of, steps_of

_PROBES = 16
# Fitted or not, these change no prediction, or differ between two fits that give the same.
_IRRELEVANT = {
    *("n_jobs", "verbose", "callbacks", "memory", "random_state", "_random_state", "device"),
    *("refit_time_", "loss_curve_", "validation_loss_curve_", "n_iter_", "choice_scores_"),
    *("adam", "history"),
}


def scene_identity(source):
    """Return what tells a scene from another, or from itself after a change.

    Of each of its files the path, device, inode, size and times of change.

    Parameters
    ----------
    source : Source
    """
    files = []
    for path in source.files():
        try:
            stat = os.stat(path)
        except OSError:
            continue
        files.append(
            [
                os.path.realpath(path),
                *(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns),
            ]
        )
    return {
        "path": os.path.realpath(source.path),
        "shape": list(source.shape),
        "dtype": str(source.dtype),
        "files": hashlib.sha256(repr(files).encode()).hexdigest(),
    }


def mask_identity(mask):
    """Return what tells a mask from another; it is an array, a source or None."""
    if mask is None:
        return None
    if isinstance(mask, np.ndarray):
        return zlib.crc32(np.packbits(mask))
    return scene_identity(mask)


def model_identity(unmixer, n_bands):
    """Return what tells a model from another: its fitted state, and what it makes of some spectra.

    The state is the same after a model was saved and loaded, or fitted again with the same seed.
    The spectra show a change of code that the state refers to by name.

    Parameters
    ----------
    unmixer : BlockUnmixer
    n_bands : int
    """
    rng = np.random.RandomState(0)
    spectra = rng.uniform(size=(_PROBES, n_bands)) * 10.0 ** rng.uniform(-3, 4, (_PROBES, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe, _ = unmixer.compute(spectra.astype(np.float32), None)
    return {
        "kind": type(unmixer.estimator).__name__,
        "endmembers": unmixer.names,
        "dtype": str(unmixer.dtype),
        "state": state_hash(unmixer.estimator),
        "probe": probe.tolist(),
    }


def same_model(before, ours):
    """Return whether two models are the same, except for the rounding of what they make."""
    if {**before, "probe": None} != {**ours, "probe": None} or ours["state"] is None:
        return False
    before, ours = np.asarray(before["probe"]), np.asarray(ours["probe"])
    return before.shape == ours.shape and np.allclose(
        before, ours, rtol=1e-6, atol=1e-6, equal_nan=True
    )


def state_hash(estimator):
    """Return a hash of the fitted state of every step of an estimator.

    Returns
    -------
    hash : str or None
        None if there is a state that cannot be compared.
    """
    try:
        return joblib.hash(_state(estimator))
    except Exception:  # what cannot be pickled cannot be compared
        return None


def _state(estimator):
    """Return the class and the state of an estimator, or of each step of a pipeline."""
    estimator = best_of(estimator)
    steps = steps_of(estimator)
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    if steps:
        return [kind, [_state(step) for _, step in steps]]
    state = estimator.__getstate__() if hasattr(estimator, "__getstate__") else vars(estimator)
    return [kind, _relevant(state)]


def _relevant(state):
    if isinstance(state, dict):
        return {k: _relevant(v) for k, v in state.items() if k not in _IRRELEVANT}
    if isinstance(state, np.ndarray):
        return np.ascontiguousarray(state)  # as it is after it was saved
    return state
