"""Checks of the size of spectra: impossible values, different units, no-data values."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from .validation import fill_values

# Larger than any value of a spectrum, in any unit. Its square still fits into float64.
LARGEST = 1e18
# If the magnitudes of spectra and endmembers differ by a larger factor, their units seem to differ.
# Spectra of water and shadows are darker by larger factors, and a few pixels by any factor below
# those of common units.
_SAME_UNITS, _SAME_UNITS_DARK, _SAME_UNITS_FEW = 30.0, 60.0, 1000.0
_FEW_PIXELS = 20
# Bands from here on are the brightest ones of a spectrum, of which a few may be saturated.
_BRIGHT_BANDS = 0.9
# The mean over bands is a smaller fraction of the magnitude if a spectrum is noise around zero.
_SIGNAL = 0.3
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


def check_few_magnitudes(X, name):
    """Do the same if one of three bands has such a value, which is fast on scenes."""
    few = X[:, _few_bands(X.shape[1])]
    if few.dtype.kind == "f" and not (np.abs(few) <= LARGEST).all():
        check_magnitudes(X, name)


def magnitudes(spectra):
    """Return the magnitude of each pixel in an even sample of the rows, NaN if it is only noise.

    Saturated or damaged bands do not count, if they are few.
    """
    some = spectra[:: max(1, -(-len(spectra) // _SAMPLE))].astype(np.float64)
    if not some.size:
        return np.empty(0)
    found = np.quantile(np.abs(some), _BRIGHT_BANDS, axis=1, method="lower")
    return np.where(np.abs(np.mean(some, axis=1)) >= _SIGNAL * found, found, np.nan)


def typical(values):
    """Return the magnitude of bright pixels, given those of pixels, or 0 if most are only noise."""
    known = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(known, 0.9)) if 2 * len(known) >= max(len(values), 1) else 0.0


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
    if not ours or not theirs:
        return
    dark = _SAME_UNITS_FEW if len(pixels) < _FEW_PIXELS else _SAME_UNITS_DARK
    if 1 / dark <= ours / theirs <= _SAME_UNITS:
        return
    factor = 10.0 ** round(np.log10(ours / theirs))
    warnings.warn(
        f"The spectra go up to about {ours:.3g} and the endmembers up to about {theirs:.3g}, which "
        f"is a factor of about {factor:g}: they seem to be in different units; multiply the "
        f"spectra by {1 / factor:g} (for scenes, pass that as scale_factor).",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def negative_pixels(spectra, least=0.0):
    """Return the spectra that are negative in most bands, by more than noise.

    Three bands are checked first, so that the check is fast if there are no such pixels.

    Parameters
    ----------
    spectra : ndarray of shape (n_pixels, n_bands)
    least : float, default=0.0
        Smallest magnitude that is more than noise.
    """
    if spectra.dtype.kind == "u" or not len(spectra):
        return spectra[:0]
    some = (spectra[:, _few_bands(spectra.shape[1])] < -least).any(axis=1)
    if not some.any():
        return spectra[:0]
    some = spectra[some]
    return some[(some < -least).mean(axis=1) > _MOST_BANDS]


def _few_bands(n_bands):
    return [n_bands // 4, n_bands // 2, 3 * n_bands // 4]


def noise_level(endmembers):
    """Return a magnitude below which negative values of spectra may be noise."""
    return _NOISE * typical(magnitudes(endmembers))


def may_be_negative(endmembers):
    """Return whether endmembers are negative by more than noise, as after centring."""
    endmembers = np.asarray(endmembers)
    return bool((endmembers < -noise_level(endmembers)).any())


def warn_of_negative(X, endmembers, stacklevel):
    """Warn of pixels that are negative in most bands, unless endmembers are negative too."""
    if _silent.get() or may_be_negative(endmembers):
        return
    found = negative_pixels(X, noise_level(endmembers))
    if len(found):
        message = message_negative(len(found), len(X), most_frequent(found))
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


def warn_of_fills(X, stacklevel):
    """Warn of training pixels that hold a fill value."""
    fills = fill_values(X)
    n_filled = np.count_nonzero(fills.any(axis=1))
    if n_filled:
        warnings.warn(
            f"{n_filled} of {len(X)} training pixels hold the value {most_frequent(X[fills]):g}, "
            f"which seems to mean no data; drop these pixels, or the bands that hold it.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def most_frequent(values):
    """Return the value that most numbers have."""
    found, counts = np.unique(values, return_counts=True)
    return found[np.argmax(counts)]


def message_negative(n_negative, n_pixels, value):
    """Return the message about pixels that are negative in most bands."""
    return (
        f"{n_negative} of {n_pixels} pixels are negative in most bands, most often {value:g}, like "
        f"a no-data value, so that their abundances are meaningless; drop them, or pass the value "
        f"as nodata to skunmix.scenes.unmix or unmix_file."
    )
