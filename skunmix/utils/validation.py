"""Checks that several rooms make in the same words."""

import numpy as np

# What stands in files where there is no measurement, apart from values beyond all units.
_FILLS = np.array([-999.0, -9999.0, -99999.0, -32767.0, -32768.0])
_BEYOND_ALL_UNITS = 1e30


def check_same_bands(spectra, endmembers):
    """Check that spectra and endmembers have as many bands as each other.

    Parameters
    ----------
    spectra : array of shape (n_pixels, n_bands)
    endmembers : array of shape (n_endmembers, n_bands)

    Raises
    ------
    ValueError
        If they do not.
    """
    if spectra.shape[1] != endmembers.shape[1]:
        raise ValueError(
            f"spectra and endmembers must have the same number of bands, but the shapes are "
            f"{spectra.shape} and {endmembers.shape}; both hold one spectrum a row."
        )


def fill_values(spectra):
    """Return where spectra hold fill values: numbers that stand for "no measurement".

    These are

    - values of 1e30 and more in size, such as -1.23e34 in the libraries of the USGS;
    - -999, -9999, -99999, -32767 and -32768, if all other values are above a tenth of them;
    - another whole number, if it is 50 times (if positive, 10000 times) the size of all others.

    Measurements have a dozen digits, and neither repeat a whole number nor keep such a distance:
    negative noise, radiances in thousands and integers are left alone.

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
    if lowest in _FILLS:
        fills = np.isin(spectra, _FILLS)
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
