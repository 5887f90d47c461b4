"""Unmixers by the names that the command line gives them."""

from pathlib import Path

import numpy as np

from ..libraries import read_library
from ..regression import MESMARegressor, SunSALRegressor
from ._kinds import is_model

# name -> class, and its parameters
METHODS = {
    "fcls": (SunSALRegressor, {"lam": 0, "sum_to_one": True}),
    "nnls": (SunSALRegressor, {"lam": 0}),
    "sunsal": (SunSALRegressor, {}),
    "mesma": (MESMARegressor, {}),
}


def make_unmixer(endmembers, *, method=None, lam=None, seed=0, **library):
    """Return an unmixer that is not fitted yet.

    Parameters
    ----------
    endmembers : str
        Path of a spectral library, or a number of endmembers to extract.
    method : str, default=None
        None means "fcls".
    lam : float, default=None
        λ of "sunsal".
    seed : int, default=0
        Of the extractor.
    **library : dict
        `wavelengths` and `unit` of the library.

    Returns
    -------
    estimator : object
    """
    kind, parameters = METHODS[method or "fcls"]
    parameters = parameters | ({} if lam is None else {"lam": lam})
    if is_count(endmembers):
        from ..extraction import VCA

        return kind(VCA(int(endmembers), random_state=seed), **parameters)
    spectra = load_library(endmembers, **library)
    if method == "mesma":
        # libraries without classes have the same name for the spectra of a material
        parameters["groups"] = list(spectra.classes or spectra.names)
    return kind(spectra, **parameters)


def is_count(endmembers):
    """Return whether --endmembers is a number, not a file."""
    return endmembers.isascii() and endmembers.lstrip("+-").isdecimal()


def load_library(path, wavelengths=None, unit=None):
    """Read a spectral library, after checking that it is none of the other kinds of files."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"There is no spectral library at {path}; check the path, or pass a whole number to "
            f"extract as many endmembers from the scene."
        )
    if is_model(path):
        raise ValueError(
            f"Expected a spectral library, got {path}, which is a model; pass it as --model."
        )
    if wavelengths is not None:
        wavelengths = _read_numbers(wavelengths)
    library = read_library(path, wavelengths=wavelengths, unit=unit)
    zero = np.flatnonzero(~np.nan_to_num(library.spectra).any(axis=1))
    if len(zero):
        raise ValueError(
            f"Expected spectra that are not zero in all bands, got {library.names[zero[0]]!r} in "
            f"{path}; drop it from the library."
        )
    return library


def _read_numbers(path):
    """Return the numbers of a text file."""
    try:
        return np.loadtxt(path, delimiter=None, comments=("#", ";"), ndmin=1, dtype=float).ravel()
    except ValueError as error:
        raise ValueError(
            f"Expected wavelengths in {path}, one number per line, got text that is not ({error}); "
            f"correct the file."
        ) from error
