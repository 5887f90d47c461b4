"""Wavelengths and their units."""

import numpy as np
from sklearn.utils import check_array

# number of nanometres in each unit
_NANOMETRES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "μm": 1000.0}
UNITS = frozenset(_NANOMETRES)
# From the ultraviolet to the far infrared, so that a unit that is wrong by 1000 is detected.
_SHORTEST, _LONGEST = 100.0, 60_000.0


def check_wavelengths(values, unit, name):
    """Return wavelengths in nm; raise a ValueError if they are not finite, or do not fit the unit.

    `name` is their name in error messages.
    """
    values = check_array(
        values, ensure_2d=False, dtype=np.float64, copy=True, input_name=name, ensure_min_samples=1
    )
    if values.ndim != 1:
        raise ValueError(
            f"Expected {name} as a one-dimensional array, got shape {values.shape}; flatten it."
        )
    nanometres = values * nanometres_in(unit)
    lowest, highest = nanometres.min(), nanometres.max()
    if not _SHORTEST <= lowest <= highest <= _LONGEST:
        raise ValueError(
            f"Expected {name} between {_SHORTEST:g} and {_LONGEST:g} nm, got {values.min():g} to "
            f"{values.max():g} {unit}; check the unit, 'nm' or 'um'."
        )
    return nanometres


def check_range(low, high, unit, name):
    """Check that a range of wavelengths can be one in its unit.

    Raises
    ------
    ValueError
        If it lies outside all wavelengths, or an end is NaN.
    """
    factor = nanometres_in(unit)
    if not (high * factor >= _SHORTEST and low * factor <= _LONGEST):
        raise ValueError(
            f"Expected {name} between {_SHORTEST:g} and {_LONGEST:g} nm, got ({low:g}, {high:g}) "
            f"{unit}; check the unit, 'nm' or 'um'."
        )


def nanometres_in(unit):
    """Return the number of nanometres in a unit; raise a ValueError if the unit is None."""
    if unit is None:
        raise ValueError(
            "Expected the unit of the wavelengths, 'nm' or 'um', got None; pass the unit."
        )
    return _NANOMETRES[unit]


def with_unit(wavelengths, unit):
    """Return wavelengths as band labels, such as "0.49 um", or None if there are none."""
    if wavelengths is None or unit is None:
        return None
    return [f"{float(value)!r} {unit}" for value in np.ravel(wavelengths)]
