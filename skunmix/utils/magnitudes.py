"""Checks of the size of spectra: impossible values, different units, no-data values."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

# Larger than any value of a spectrum, in any unit. Its square still fits into float64.
LARGEST = 1e18
# If the magnitudes of spectra and endmembers differ by a larger factor, their units seem to differ.
_SAME_UNITS = 30.0
# A pixel seems to have no data if more than this fraction of its bands is negative, by more than
# this fraction of the magnitude of the endmembers. Shadows may be slightly negative in all bands.
_MOST_BANDS = 0.5
_NOISE = 0.1
_SAMPLE = 256

_silent = ContextVar("silent", default=False)


@contextmanager
def values_seen_to():
    """Return a context in which estimators do not warn about values, because the caller does."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def check_magnitudes(X, name):
    """Check that no value is too large for a spectrum.

    Raises
    ------
    ValueError
        If a value is too large. The message names the first one.
    """
    usable = np.abs(X, dtype=np.float64) <= LARGEST
    if not usable.all():
        pixel, band = np.argwhere(~usable)[0]
        raise ValueError(
            f"Input {name} contains a value that is too large: pixel {pixel} has "
            f"{float(X[pixel, band]):g} in band {band}, expected magnitudes up to {LARGEST:g}; "
            f"drop such pixels, or pass the value as nodata to skunmix.scenes.unmix."
        )


def magnitudes(spectra):
    """Return the largest magnitude of each pixel in an even sample of the rows."""
    some = spectra[:: max(1, -(-len(spectra) // _SAMPLE))]
    return np.abs(some.astype(np.float64)).max(axis=1) if len(some) else np.empty(0)


def typical(values):
    """Return the magnitude of bright pixels, given the magnitudes of pixels."""
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(values, 0.9)) if len(values) else 0.0


def warn_of_units(pixels, endmembers, stacklevel):
    """Warn if spectra and endmembers seem to be in different units.

    Parameters
    ----------
    pixels : ndarray of shape (n_pixels,)
        From `magnitudes`.
    endmembers : ndarray of shape (n_endmembers, n_bands)
    stacklevel : int
    """
    ours, theirs = typical(pixels), typical(magnitudes(endmembers))
    if not ours or not theirs or 1 / _SAME_UNITS <= ours / theirs <= _SAME_UNITS:
        return
    factor = 10.0 ** round(np.log10(ours / theirs))
    warnings.warn(
        f"The spectra go up to about {ours:.3g} and the endmembers up to about {theirs:.3g}, which "
        f"is a factor of about {factor:g}: they seem to be in different units; multiply the "
        f"spectra by {1 / factor:g} (for scenes, pass that as scale_factor).",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def count_negative(spectra, least=0.0):
    """Return how many pixels are negative in most bands, by more than noise.

    Three bands are checked first, so that the check is fast if there are no such pixels.

    Parameters
    ----------
    spectra : ndarray of shape (n_pixels, n_bands)
    least : float, default=0.0
        Smallest magnitude that is more than noise.
    """
    n_bands = spectra.shape[1]
    if spectra.dtype.kind == "u" or not len(spectra):
        return 0
    few = [n_bands // 4, n_bands // 2, 3 * n_bands // 4]
    candidates = np.flatnonzero((spectra[:, few] < -least).any(axis=1))
    if not len(candidates):
        return 0
    return int(np.count_nonzero((spectra[candidates] < -least).mean(axis=1) > _MOST_BANDS))


def noise_level(endmembers):
    """Return a magnitude below which negative values of spectra may be noise."""
    return _NOISE * typical(magnitudes(endmembers))


def warn_of_negative(X, endmembers, stacklevel):
    """Warn of pixels that are negative in most bands, unless endmembers are negative too."""
    if _silent.get() or (endmembers < 0).any():
        return
    n_negative = count_negative(X, noise_level(endmembers))
    if n_negative:
        warnings.warn(message_negative(n_negative, len(X)), UserWarning, stacklevel=stacklevel + 1)


def message_negative(n_negative, n_pixels):
    """Return the message about pixels that are negative in most bands."""
    return (
        f"{n_negative} of {n_pixels} pixels are negative in most bands, like a no-data value such "
        f"as -9999, so that their abundances are meaningless; drop them, or pass the value as "
        f"nodata to skunmix.scenes.unmix or unmix_file."
    )
