"""How large spectra are: values that no spectrum has, other units, values that stand for none."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

# No spectrum, in whatever unit, has a value beyond; squares of it still fit into float64.
LARGEST = 1e18
# Spectra and endmembers whose magnitudes differ by more are taken to be in other units.
_SAME_UNITS = 30.0
# A pixel is taken for no data if at least this part of its bands is negative.
_MOST_BANDS = 0.9
_SAMPLE = 256

_silent = ContextVar("silent", default=False)


@contextmanager
def values_seen_to():
    """Return a context in which estimators do not warn of values, because the caller does."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def check_magnitudes(X, name):
    """Check that no value is larger than that of any spectrum.

    Raises
    ------
    ValueError
        If one is; it names the first.
    """
    usable = np.abs(X, dtype=np.float64) <= LARGEST
    if not usable.all():
        pixel, band = np.argwhere(~usable)[0]
        raise ValueError(
            f"Input {name} contains a value that is too large: pixel {pixel} has "
            f"{float(X[pixel, band]):g} in band {band}, expected magnitudes up to {LARGEST:g}; "
            f"leave such pixels out, or pass the value as nodata to skunmix.scenes.unmix."
        )


def magnitudes(spectra):
    """Return the largest magnitude of each of some pixels, evenly drawn from the rows."""
    some = spectra[:: max(1, -(-len(spectra) // _SAMPLE))]
    return np.abs(some.astype(np.float64)).max(axis=1) if len(some) else np.empty(0)


def typical(values):
    """Return the magnitude that bright pixels have, of the magnitudes of pixels."""
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.quantile(values, 0.9)) if len(values) else 0.0


def warn_of_units(pixels, endmembers, stacklevel):
    """Warn if spectra and endmembers seem to be in other units.

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


def count_negative(spectra):
    """Return how many pixels are negative in most bands.

    Three bands are looked at first, so that it costs little where there are none.
    """
    n_bands = spectra.shape[1]
    if spectra.dtype.kind == "u" or not len(spectra):
        return 0
    few = [n_bands // 4, n_bands // 2, 3 * n_bands // 4]
    candidates = np.flatnonzero((spectra[:, few] < 0).any(axis=1))
    if not len(candidates):
        return 0
    return int(np.count_nonzero((spectra[candidates] < 0).mean(axis=1) >= _MOST_BANDS))


def warn_of_negative(X, endmembers, stacklevel):
    """Warn of pixels that are negative in most bands, where endmembers are not."""
    if _silent.get() or (endmembers < 0).any():
        return
    n_negative = count_negative(X)
    if n_negative:
        warnings.warn(message_negative(n_negative, len(X)), UserWarning, stacklevel=stacklevel + 1)


def message_negative(n_negative, n_pixels):
    """Return what to say of pixels that are negative in most bands."""
    return (
        f"{n_negative} of {n_pixels} pixels are negative in most bands, as where a no-data value "
        f"such as -9999 was stored, and their abundances mean nothing; leave them out, or pass "
        f"the value as nodata to skunmix.scenes.unmix or unmix_file."
    )
