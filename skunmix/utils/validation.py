"""Checks that several rooms share."""

from numbers import Real

import numpy as np
from sklearn.utils import check_array

from .labels import refuse_masked

# Values that files use for "no measurement", apart from values that are too large for any unit.
USUAL_FILLS = np.array([-999.0, -9999.0, -99999.0, -32767.0, -32768.0])
_BEYOND_ALL_UNITS = 1e30


def check_same_bands(spectra, endmembers):
    """Check that spectra and endmembers have the same number of bands.

    Parameters
    ----------
    spectra : array of shape (n_pixels, n_bands)
    endmembers : array of shape (n_endmembers, n_bands)

    Raises
    ------
    ValueError
        If the numbers differ.
    """
    if spectra.shape[1] != endmembers.shape[1]:
        raise ValueError(
            f"Expected spectra and endmembers with the same number of bands, got shapes "
            f"{spectra.shape} and {endmembers.shape}; pass both with one spectrum per row."
        )


def check_numbers(values, name):
    """Check that the type of an array is one of measurements: integers or floats.

    Raises
    ------
    ValueError
        If it is another type, such as bool.
    """
    if values.dtype.kind not in "iuf":
        raise ValueError(
            f"Expected {name} as integers or floats, got values of type {values.dtype}; pass the "
            f"measured values, not a mask or a comparison."
        )


def check_sample_weight(sample_weight, n_rows):
    """Return weights as an array of float64, or None.

    Raises
    ------
    ValueError
        If there is not one for each row, one is negative, NaN or masked, or all are 0.
    """
    if sample_weight is None:
        return None
    refuse_masked(sample_weight, "sample_weight")
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.shape != (n_rows,):
        raise ValueError(
            f"Expected sample_weight of shape ({n_rows},), got {weight.shape}; pass one weight for "
            f"each row."
        )
    if weight.min() < 0 or not weight.any():
        raise ValueError(
            f"Expected non-negative sample_weight with a positive value, got {weight.min():g} to "
            f"{weight.max():g}; set negative weights to 0, or drop the weights."
        )
    return weight


def fill_values(spectra):
    """Return a mask of fill values: numbers that mean "no measurement".

    Fill values are

    - values with a magnitude of 1e30 or more, such as -1.23e34 in the libraries of the USGS;
    - -999, -9999, -99999, -32767 and -32768, if all other values are above a tenth of them;
    - another whole number, if its magnitude is at least 50 times (if positive, 10,000 times) that
      of all others.

    Measurements do not repeat a whole number at such a distance from all others, so that negative
    noise, radiances in thousands and integers are not fill values.

    Parameters
    ----------
    spectra : ndarray of shape (n_spectra, n_bands)
        Finite numbers.

    Returns
    -------
    mask : ndarray of shape (n_spectra, n_bands), bool
    """
    spectra = np.asarray(spectra)
    lowest, highest = float(spectra.min(initial=0)), float(spectra.max(initial=0))
    if max(-lowest, highest) >= _BEYOND_ALL_UNITS:
        return np.abs(spectra) >= _BEYOND_ALL_UNITS
    if lowest in USUAL_FILLS:
        fills = np.isin(spectra, USUAL_FILLS)
        if (spectra[~fills] > lowest / 10).all():
            return fills
    for value, factor in ((lowest, 50), (highest, 10_000)):
        if abs(value) >= factor and value == np.round(value):
            fills = spectra == value
            others = spectra[~fills]
            others = max(-float(others.min(initial=0)), float(others.max(initial=0)))
            if 0 < factor * others <= abs(value):
                return fills
    return np.zeros(spectra.shape, dtype=bool)


def check_coverage(coverage):
    """Raise a ValueError if a coverage of intervals is no share between 0 and 1."""
    if not (isinstance(coverage, Real) and 0 < coverage < 1):
        raise ValueError(
            f"Expected coverage between 0 and 1, got {coverage!r}; pass 0.9 for intervals that "
            f"hold 90 % of the abundances."
        )
