"""What a file says about its bands: wavelengths, widths, names, and which of them are bad."""

import re
from dataclasses import dataclass

import numpy as np

from ...utils.wavelengths import FILE_UNITS, are_optical, unit_spelt
from .envi import split_list

# Coordinates of xarray that hold wavelengths, widths and bad-band lists.
_WAVELENGTHS = ("wavelength", "wavelengths", "wavelength_3d", "wl", "center_wavelength")
_WIDTHS = ("fwhm", "FWHM", "bandwidth")
_GOOD = ("good_wavelengths", "good_bands", "bbl")


@dataclass(frozen=True, eq=False)
class Bands:
    """What a file says about its bands.

    Parameters
    ----------
    wavelengths, fwhm : ndarray of shape (n_bands,) or None
        In nm.
    good : ndarray of shape (n_bands,), of bool, or None
        False for bands that the file marks as bad. None if it marks none.
    names : list of str or None
    """

    wavelengths: np.ndarray | None = None
    fwhm: np.ndarray | None = None
    good: np.ndarray | None = None
    names: list | None = None

    def labels(self):
        """Return the labels of the bands as lists: names, and wavelengths with their unit."""
        found = [] if self.names is None else [list(self.names)]
        if self.wavelengths is not None:
            found.append([f"{value:.10g} nm" for value in self.wavelengths])
        return found

    def bad(self):
        """Return the indices of the bands that the file marks as bad."""
        return np.flatnonzero(() if self.good is None else ~self.good)

    def describe(self, indices):
        """Return bands as text: ranges of wavelengths, or of indices."""
        runs = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
        if self.wavelengths is None:
            ends = [(str(run[0]), str(run[-1])) for run in runs]
            unit = ""
        else:
            ends = [[f"{self.wavelengths[i]:.0f}" for i in (run[0], run[-1])] for run in runs]
            unit = " nm"
        return ", ".join(a if a == b else f"{a} to {b}" for a, b in ends) + unit


def in_nanometres(wavelengths, unit=None, fwhm=None):
    """Return wavelengths and widths in nm, or None where the unit cannot be known.

    Parameters
    ----------
    wavelengths : array-like of shape (n_bands,) or None
    unit : str, default=None
        As files spell it. None, or a spelling that names no unit, leaves it to the magnitude.
    fwhm : array-like of shape (n_bands,), default=None
        In the same unit.

    Returns
    -------
    wavelengths, fwhm : ndarray of shape (n_bands,) or None
    """
    wavelengths = _numbers(wavelengths)
    if wavelengths is None or not len(wavelengths):
        return None, None
    fwhm = _numbers(fwhm)
    if fwhm is not None and (len(fwhm) != len(wavelengths) or not (fwhm > 0).all()):
        fwhm = None
    unit = (unit or "").strip().lower()
    known = unit_spelt(unit)
    if known == "cm-1":
        if not (wavelengths > 0).all():
            return None, None
        if fwhm is not None:
            fwhm = fwhm * 1e7 / wavelengths**2
        return 1e7 / wavelengths, fwhm
    factors = [FILE_UNITS["nm"], FILE_UNITS["um"]] if known is None else [FILE_UNITS[known]]
    factor = next((f for f in factors if are_optical(wavelengths * f)), None)
    if factor is None:
        return None, None
    return wavelengths * factor, None if fwhm is None else fwhm * factor


def _numbers(values):
    """Return values as floats, or None if one of them is no finite number."""
    try:
        values = np.ravel(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        return None
    return values if np.isfinite(values).all() else None


def good_bands(values, n_bands):
    """Return a bad-band list (1 is good) as a mask, or None if there is none or all are good."""
    values = _numbers(values)
    if values is None or len(values) != n_bands or values.all():
        return None
    return values != 0


def bands_of_header(header, n_bands):
    """Return what an ENVI header says about its bands.

    Raises
    ------
    OSError
        If a bad-band list does not have one number per band.
    """
    lists = {name: split_list(header.get(name, "")) for name in ("wavelength", "fwhm", "bbl")}
    names = split_list(header.get("band names", ""))
    wavelengths, fwhm = in_nanometres(
        lists["wavelength"], header.get("wavelength units"), lists["fwhm"]
    )
    if lists["bbl"] and (_numbers(lists["bbl"]) is None or len(lists["bbl"]) != n_bands):
        raise OSError(
            f"The header gives {header['bbl']!r} as 'bbl', expected {n_bands} numbers, 1 for a "
            f"good band and 0 for a bad one; correct the header."
        )
    return Bands(
        wavelengths if wavelengths is not None and len(wavelengths) == n_bands else None,
        fwhm if fwhm is not None and len(fwhm) == n_bands else None,
        good_bands(lists["bbl"], n_bands) if lists["bbl"] else None,
        names if len(names) == n_bands else None,
    )


def bands_of_raster(dataset):
    """Return what the tags of a raster of GDAL say about its bands."""
    n_bands = dataset.count
    tags = [
        {name.lower(): value for name, value in tag.items()}
        for tag in ({**dataset.tags(i), **dataset.tags(i, ns="IMAGERY")} for i in dataset.indexes)
    ]
    whole = {**dataset.tags(), **dataset.tags(ns="ENVI")}
    whole = {" ".join(name.lower().split("_")): value for name, value in whole.items()}
    names = list(dataset.descriptions)
    good = None
    if whole.get("bbl"):
        good = good_bands(split_list(whole["bbl"].strip("{}[] ")), n_bands)
    elif all("bbl" in tag for tag in tags):
        good = good_bands([tag["bbl"] for tag in tags], n_bands)
    # the domain IMAGERY of GDAL, then the tags that it copies from ENVI
    for center, width, unit in (
        ("central_wavelength_um", "fwhm_um", "um"),
        ("wavelength", "fwhm", tags[0].get("wavelength_units")),
    ):
        if all(center in tag for tag in tags):
            fwhm = [tag.get(width, np.nan) for tag in tags]
            wavelengths, fwhm = in_nanometres([tag[center] for tag in tags], unit, fwhm)
            break
    else:
        lists = [split_list(whole.get(name, "").strip("{}[] ")) for name in ("wavelength", "fwhm")]
        wavelengths, fwhm = in_nanometres(lists[0], whole.get("wavelength units"), lists[1])
    if wavelengths is not None and len(wavelengths) != n_bands:
        wavelengths = fwhm = None
    return Bands(wavelengths, fwhm, good, names if all(names) else None)


def bands_of_coordinates(coords, band_dim):
    """Return what variables of xarray over the dimension of the bands say about them."""
    along = {str(name): c for name, c in coords.items() if c.dims == (band_dim,)}
    n_bands = next((c.size for c in along.values()), 0)
    center = next((along[n] for n in (*_WAVELENGTHS, band_dim) if n in along), None)
    width = next((along[name] for name in _WIDTHS if name in along), None)
    wavelengths = fwhm = None
    if center is not None and center.dtype.kind in "iuf":
        unit = center.attrs.get("units")
        if center.name in _WAVELENGTHS or _is_unit(unit):
            values = None if width is None else width.values
            wavelengths, fwhm = in_nanometres(center.values, unit, values)
    good = next((good_bands(along[n].values, n_bands) for n in _GOOD if n in along), None)
    names = next((c.values.tolist() for c in along.values() if c.dtype.kind in "UO"), None)
    if names is not None and not all(isinstance(name, str) for name in names):
        names = None
    return Bands(wavelengths, fwhm, good, names)


def _is_unit(unit):
    text = re.sub(r"\s", "", str(unit or "").lower())
    return text != "m" and unit_spelt(text) is not None
