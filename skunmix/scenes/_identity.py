"""Identity of a run: its scene, mask and model."""

import hashlib
import os
import warnings
import zlib

import joblib
import numpy as np

from ..utils.estimators import best_searched, steps_of

_PROBES = 16
# Attributes that do not change predictions, or that differ between two equal fits.
_IRRELEVANT = {
    *("n_jobs", "verbose", "callbacks", "memory", "random_state", "_random_state", "device"),
    *("refit_time_", "loss_curve_", "validation_loss_curve_", "n_iter_", "choice_scores_"),
    *("adam", "history"),
}
# Of an unfitted estimator, these change nothing that it learns.
_WITHOUT_EFFECT = {"n_jobs", "verbose", "callbacks", "memory", "device"}


def scene_identity(source):
    """Return the identity of a source: paths, inodes, sizes and times of its files."""
    files = []
    for path in source.files():
        try:
            stat = os.stat(path)
        except OSError:
            continue
        times = stat.st_mtime_ns, stat.st_ctime_ns
        files.append([os.path.realpath(path), stat.st_dev, stat.st_ino, stat.st_size, *times])
    return {
        "path": os.path.realpath(source.path),
        "shape": list(source.shape),
        "dtype": str(source.dtype),
        "files": hashlib.sha256(repr(files).encode()).hexdigest(),
    }


def mask_identity(mask):
    """Return the identity of a mask: an array, a source or None."""
    if mask is None:
        return None
    if isinstance(mask, np.ndarray):
        return zlib.crc32(np.packbits(mask))
    return scene_identity(mask)


def model_identity(unmixer, n_bands):
    """Return the identity of a model: a hash of its fitted state, and predictions as a probe.

    The state is equal after saving and loading, or after another fit with the same seed. The probe
    detects changes of the code.
    """
    rng = np.random.RandomState(0)
    spectra = rng.uniform(size=(_PROBES, n_bands)) * 10.0 ** rng.uniform(-3, 4, (_PROBES, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        probe, *_ = unmixer.compute(spectra.astype(np.float32), None)
    return {
        "kind": type(unmixer.estimator).__name__,
        "endmembers": unmixer.names,
        "dtype": str(unmixer.dtype),
        "state": state_hash(unmixer.estimator),
        "probe": probe.tolist(),
    }


def unfitted_identity(estimator):
    """Return what tells an unfitted estimator from another: its parameters.

    Parameters
    ----------
    estimator : estimator
    """
    try:
        state = joblib.hash(_parameters(estimator))
    except Exception:  # what cannot be pickled cannot be compared
        state = None
    return {"kind": type(estimator).__name__, "unfitted": True, "state": state, "probe": []}


def same_model(before, ours):
    """Return whether two models are equal, except for rounding of their predictions."""
    if {**before, "probe": None} != {**ours, "probe": None} or ours["state"] is None:
        return False
    before, ours = np.asarray(before["probe"]), np.asarray(ours["probe"])
    return before.shape == ours.shape and np.allclose(
        before, ours, rtol=1e-6, atol=1e-6, equal_nan=True
    )


def state_hash(estimator):
    """Return a hash of the fitted state of all steps, or None if it cannot be compared."""
    try:
        return joblib.hash(_state(estimator))
    except Exception:  # the state cannot be pickled
        return None


def _state(estimator):
    """Return the class and the state of an estimator, or of each step of a pipeline."""
    estimator = best_searched(estimator)
    steps = steps_of(estimator)
    kind = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    if steps:
        return [kind, [_state(step) for _, step in steps]]
    state = estimator.__getstate__() if hasattr(estimator, "__getstate__") else vars(estimator)
    return [kind, _relevant(state)]


def _relevant(state):
    if hasattr(state, "get_params") and not isinstance(state, type):  # such as an extractor
        return _state(state)
    if isinstance(state, dict):
        return {k: _relevant(v) for k, v in state.items() if k not in _IRRELEVANT}
    if isinstance(state, (list, tuple)):  # such as the models of folds
        return [_relevant(item) for item in state]
    if isinstance(state, np.ndarray):
        return np.ascontiguousarray(state)  # as after saving and loading
    return state


def _parameters(value):
    """Return a parameter, or the class and the parameters of an estimator, without the rest."""
    if isinstance(value, (list, tuple)):
        return [_parameters(item) for item in value]
    if isinstance(value, dict):
        return {name: _parameters(item) for name, item in value.items()}
    if not hasattr(value, "get_params") or isinstance(value, type):
        return np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
    found = value.get_params(deep=False)
    kept = {name: _parameters(v) for name, v in found.items() if name not in _WITHOUT_EFFECT}
    return [f"{type(value).__module__}.{type(value).__qualname__}", kept]
