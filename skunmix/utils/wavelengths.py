"""Wavelengths and their units."""

import re

import numpy as np
from sklearn.utils import check_array

from .labels import _numbers, are_known, check_wavelength_labels

# number of nanometres in each unit
_NANOMETRES = {"nm": 1.0, "um": 1000.0, "µm": 1000.0, "μm": 1000.0}
UNITS = frozenset(_NANOMETRES)
# From the ultraviolet to the far infrared, so that a unit that is wrong by 1000 is detected.
_SHORTEST, _LONGEST = 100.0, 60_000.0
_SPELLINGS = {
    "cm-1": {"cm-1", "cm^-1", "cm⁻¹", "1/cm", "wavenumber", "wavenumbers"},
    "nm": {"nm", "nanometer", "nanometers", "nanometre", "nanometres"},
    "um": {"um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"}
    | {"micrometre", "micrometres"},
    "angstrom": {"angstrom", "angstroms", "ångström", "å"},
    "m": {"m", "meter", "meters", "metre", "metres"},
}
_OTHER_UNITS = {"angstrom": 0.1, "m": 1e9}
# number of nanometres in each unit that files may have
FILE_UNITS = {"nm": 1.0, "um": 1e3, **_OTHER_UNITS}


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


def check_wavelengths_of_bands(wavelengths, unit, X, n_bands, name):
    """Check the wavelengths of the bands of spectra, against their labels, too.

    Parameters
    ----------
    wavelengths : array-like of shape (n_bands,)
    unit : str or None
    X : array-like of shape (n_pixels, n_bands)
        The spectra as given, whose labels may be wavelengths.
    n_bands : int
    name : str
        Name of the wavelengths in error messages.

    Returns
    -------
    nanometres : ndarray of shape (n_bands,)
    labels : list of str
        With the unit, as band labels.
    """
    nanometres = check_wavelengths(wavelengths, unit, name)
    if len(nanometres) != n_bands:
        what = "wavelengths" if name == "wavelengths" else f"{name} wavelengths"
        raise ValueError(
            f"Expected {n_bands} {what}, one for each band of the spectra, got {len(nanometres)}; "
            f"pass one for each band."
        )
    labels = with_unit(wavelengths, unit)
    check_wavelength_labels(X, labels, name)
    return nanometres, labels


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


def unit_of(text):
    """Return the unit that a text names, as "nm", "um", "m", "angstrom" or "cm-1", or None.

    Parameters
    ----------
    text : str or None
        As files spell it: "Nanometers", "Wavelength (micrometers)", "wvl_nm", "µm".
    """
    words = re.split(r"[^a-zµμåö0-9^/⁻¹-]+", str(text or "").lower().replace("_", " "))
    return next((unit for unit, spellings in _SPELLINGS.items() if spellings & set(words)), None)


def unit_spelt(text):
    """Return the unit that a text in lower case is, and not only names, or None."""
    return next((unit for unit, spellings in _SPELLINGS.items() if text in spellings), None)


def are_optical(nanometres):
    """Return whether numbers are wavelengths of optical sensors."""
    return bool(((nanometres >= _SHORTEST) & (nanometres <= _LONGEST)).all())


def to_nanometres(values, unit, name, *, allow_wavenumbers=False):
    """Return wavelengths in nm.

    Parameters
    ----------
    values : array-like of shape (n_bands,)
    unit : str or None
        A unit, or a text that names one. With None, the magnitude decides: numbers from 0.1 to 60
        are micrometres, and numbers from 100 to 60,000 are nanometres.
    name : str
        What the wavelengths are, for error messages.
    allow_wavenumbers : bool, default=False
        Whether to convert wavenumbers in cm⁻¹.

    Returns
    -------
    wavelengths : ndarray of shape (n_bands,)

    Raises
    ------
    ValueError
        If they are wavenumbers without permission, or are not finite, or are no wavelengths in this
        unit or, without a unit, in any.
    """
    values = np.asarray(values, dtype=np.float64)
    known = unit_of(unit)
    if known == "cm-1":
        if not allow_wavenumbers:
            raise ValueError(
                f"Expected {name} as wavelengths in nm or µm, got wavenumbers in {unit!r}; pass "
                f"unit='cm-1' to convert them."
            )
        if not (values > 0).all():
            raise ValueError(
                f"Expected positive wavenumbers as {name}, got {values.min():g}; correct them."
            )
        return check_wavelengths(1e7 / values, "nm", name)
    if known is None:
        fitting = [u for u in ("nm", "um") if _fit(values, u)]
        if not fitting:
            raise ValueError(
                f"Expected {name} in nm (100 to 60000) or µm (0.1 to 60), got values from "
                f"{np.min(values):g} to {np.max(values):g} without a unit; pass `unit` as 'nm', "
                f"'um' or 'cm-1', or pass `wavelengths`."
            )
        known = fitting[0]
    if known in _OTHER_UNITS:
        values, known = values * _OTHER_UNITS[known], "nm"
    return check_wavelengths(values, known, name)


def _fit(values, unit):
    """Return whether numbers are wavelengths in a unit."""
    return are_optical(values * _NANOMETRES[unit])


def may_be_wavelengths(values):
    """Return whether numbers are wavelengths in nm or in µm."""
    return any(_fit(np.asarray(values), unit) for unit in ("nm", "um"))


def wavelengths_in(labels):
    """Return the wavelengths in nm that band labels are, or None if they are none.

    Parameters
    ----------
    labels : list or None
        Numbers, or strings such as "450", "450 nm" and "0.45 µm". Numbers that only count are no
        wavelengths.
    """
    if not are_known(labels):
        return None
    found = _numbers(labels)
    if found is None:
        return None
    values, in_nm = found
    units = ("nm",) if in_nm else ("nm", "um")
    if (values == np.round(values)).all():  # numbers of bands, rather than micrometres
        units = ("nm",)
    unit = next((u for u in units if _fit(values, u)), None)
    return None if unit is None else values * _NANOMETRES[unit]
