"""Wavelengths that are what they are said to be."""

import numpy as np
from sklearn.utils import check_array

# nanometres in one
_NANOMETRES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "μm": 1000.0}
UNITS = frozenset(_NANOMETRES)
# From the ultraviolet to the microwave, so that a unit which is wrong by a thousand shows.
_SHORTEST, _LONGEST = 100.0, 60_000.0


def check_wavelengths(values, unit, name):
    """Return wavelengths in nm.

    Parameters
    ----------
    values : array-like of shape (n_bands,)
        Positive and finite.
    unit : {"nm", "um", "µm"}
    name : str
        What to call them in an error.

    Returns
    -------
    wavelengths : ndarray of shape (n_bands,), float64

    Raises
    ------
    ValueError
        If one is not positive and finite, or they cannot be in this unit.
    """
    values = check_array(
        values, ensure_2d=False, dtype=np.float64, copy=True, input_name=name, ensure_min_samples=1
    )
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, but has the shape {values.shape}.")
    nanometres = values * nanometres_in(unit)
    lowest, highest = nanometres.min(), nanometres.max()
    if not _SHORTEST <= lowest <= highest <= _LONGEST:
        raise ValueError(
            f"{name} goes from {values.min():g} to {values.max():g} {unit}, which is not between "
            f"{_SHORTEST:g} and {_LONGEST:g} nm; the unit may be another, 'nm' or 'um'."
        )
    return nanometres


def nanometres_in(unit):
    """Return how many nm a unit is.

    Raises
    ------
    ValueError
        If no unit was given.
    """
    if unit is None:
        raise ValueError("The unit of the wavelengths must be said, 'nm' or 'um'; None was given.")
    return _NANOMETRES[unit]


def with_unit(wavelengths, unit):
    """Return wavelengths as labels of bands, such as "0.49 um", or None if there are none."""
    if wavelengths is None or unit is None:
        return None
    return [f"{float(value)!r} {unit}" for value in np.ravel(wavelengths)]
