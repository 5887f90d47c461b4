"""Loading of models from skops files, whose types are checked, and from pickles."""

import zipfile
from importlib import import_module
from pathlib import Path

from sklearn.base import BaseEstimator

from ..utils.estimators import (
    best_of,
    best_searched,
    endmember_names,
    fitted_bands,
    last_step,
    steps_of,
)
from ..utils.intervals import interval_estimator
from ..utils.optional import require

_EXPECTED = "expected a fitted estimator or pipeline saved by skops.io.dump(model, path)"

# Modules with the classes that estimators hold, apart from estimators.
_HOLDERS = ("solvers", "libraries", "model_selection", "uncertainty.spread")


def describe_model(model):
    """Return the facts of a fitted estimator or pipeline as a dict."""
    unmixer = last_step(model)
    bands = fitted_bands(model)
    parameters = unmixer.get_params(deep=False) if hasattr(unmixer, "get_params") else {}
    changed = {
        name: value
        for name, value in parameters.items()
        if isinstance(value, (bool, int, float, str))
    }
    return {
        "kind": "model",
        "estimator": _kind_of(model),
        "n_bands": getattr(best_of(model), "n_features_in_", None),
        "bands": [str(label) for label in bands[0]] if bands else None,
        "names": endmember_names(model),
        "intervals": _intervals_of(model),
        "parameters": changed,
    }


def _kind_of(estimator):
    """Return the classes of an estimator, of its steps and of what it wraps, as text."""
    estimator = best_searched(estimator)
    steps = steps_of(estimator)
    if steps:
        return " → ".join(_kind_of(step) for _, step in steps)
    kind, inner = type(estimator).__name__, best_of(estimator)
    return kind if inner is estimator else f"{kind}({_kind_of(inner)})"


def _intervals_of(model):
    """Return what the intervals of a model rest on, as text, or None if it has none."""
    try:
        part = interval_estimator(model, "intervals")
    except TypeError:
        return None
    if hasattr(part, "n_calibration_"):
        return f"{part.method}, from {part.n_calibration_} labelled pixels"
    return "of noise alone" if getattr(part, "positive", True) else None


def load_model(path, *, allow_pickle=False, trusted=()):
    """Load a fitted estimator or pipeline.

    Parameters
    ----------
    path : str or path-like
        A file of skops, joblib or pickle.
    allow_pickle : bool, default=False
        Whether to load a pickle, which can run any code. Allow it only for files that you trust.
    trusted : sequence of str, default=()
        Types in a skops file to trust, in addition to those of scikit-learn, NumPy and skunmix.

    Returns
    -------
    estimator : object

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If it is a skops file, and skops is not installed.
    ValueError
        If it does not hold an estimator, holds an unknown type, or is a pickle that is not allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no model at {path}; {_EXPECTED}.")
    if zipfile.is_zipfile(path):
        model = _load_skops(path, trusted)
    elif allow_pickle:
        model = _load_pickle(path)
    else:
        raise ValueError(
            f"{path} is not a skops file; {_EXPECTED}; if it is a pickle that you trust, which can "
            f"run any code, pass allow_pickle=True."
        )
    if not callable(getattr(model, "predict", None)):
        raise ValueError(f"{path} holds a {type(model).__name__} without `predict`; {_EXPECTED}.")
    return model


def _load_skops(path, trusted):
    sio = require("skops.io", f"Loading {path.name}", "skops")
    try:
        unknown = sio.get_untrusted_types(file=path)
    except Exception as error:  # other zip files raise various errors
        raise ValueError(
            f"{path} could not be read as a skops file ({type(error).__name__}: {error}); "
            f"{_EXPECTED}."
        ) from error
    strange = sorted(name for name in unknown if not _is_known(name) and name not in trusted)
    if strange:
        raise ValueError(
            f"{path} holds types that are not known to be safe, {', '.join(strange)}, expected "
            f"those of scikit-learn, NumPy and skunmix; if you trust them, pass "
            f"trusted={strange[0]}."
        )
    return sio.load(path, trusted=list(unknown))


def _is_known(name):
    """Return whether a name is a class of scikit-learn, or an estimator or metric of skunmix.

    The classes of solvers, libraries, splitters and the spread of intervals, which estimators hold,
    have nothing but arrays, numbers and text.
    """
    module, _, name = name.rpartition(".")
    package = module.split(".")[0]
    if package not in ("sklearn", "skunmix"):
        return False
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError):
        return False
    if isinstance(found, type):
        if package == "sklearn" or issubclass(found, BaseEstimator):
            return True
        holders = (import_module(f"skunmix.{room}") for room in _HOLDERS)
        return any(found in vars(holder).values() for holder in holders)
    return package == "skunmix" and name in import_module("skunmix.metrics").__all__


def _load_pickle(path):
    import joblib

    try:
        return joblib.load(path)
    except Exception as error:  # other bytes raise various errors
        raise ValueError(
            f"{path} could not be loaded as a model ({type(error).__name__}: {error}); "
            f"{_EXPECTED}, or by joblib.dump, with the same versions of the libraries."
        ) from error
