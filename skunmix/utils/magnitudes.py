"""Checks of the size of spectra: impossible values, different units, no-data values."""

import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from functools import reduce
from typing import NamedTuple

import numpy as np

from .validation import USUAL_FILLS, fill_values

# Larger than any value of a spectrum, in any unit. Its square still fits into float64.
LARGEST = 1e18
# If the magnitudes of spectra and endmembers differ by a larger factor, their units seem to differ.
# Spectra of water and shadows are darker by larger factors, and a few pixels by any factor below
# those of common units.
_SAME_UNITS, _SAME_UNITS_DARK, _SAME_UNITS_FEW = 30.0, 60.0, 1000.0
_FEW_PIXELS = 20
# Bands from here on are the brightest ones of a spectrum, of which a few may be saturated.
_BRIGHT_BANDS = 0.9
# The magnitude of bright pixels is this quantile.
_BRIGHT_PIXELS = 0.9
# The mean over bands is a smaller fraction of the magnitude if a spectrum is noise around zero.
_SIGNAL = 0.3
# A pixel seems to have no data if more than this fraction of its bands is negative, by more than
# this fraction of the magnitude of the endmembers. Shadows may be slightly negative in all bands.
_MOST_BANDS = 0.5
_NOISE = 0.1
# No measurement exceeds all endmembers by this factor: not glint, and not noise of a dark band.
_BEYOND = 500.0
# In units in which endmembers are larger than this, some of the usual fill values are not beyond.
_LARGE_UNITS = 1.5
# If the endmembers do not tell, a constant pixel from the largest value of 8 bits on has no data.
_FULL = 254.0
# Values below this fraction of the endmembers are zero. Detectors resolve about 1e-5.
_ZERO = 1e-6
# Pixels with fewer bands may be constant, or zero, by chance.
_FEW_BANDS = 3
# Fractions of a pixel do not sum to more.
_LARGE_SUM = 10.0
# No spectrum of as many bands is constant.
_MANY_BANDS = 16
_SAMPLE = 256
# The pixels themselves tell limits if at most this fraction is negative in the mean, unlike after
# centring: pixels in a larger sample, and further from the others than they are from endmembers.
_SAMPLE_OF_PIXELS = 1024
_CENTRED = 0.1
_NEGATIVE, _SATURATED = 0.5, 3.0
# Numbers in a part of an array whose largest magnitude is estimated at once.
_PART = 2**16

_KINDS = {
    "negative": "are negative in most bands, most often {value}, like a no-data value",
    "beyond": f"go beyond all endmembers by a factor of more than {_BEYOND:g}, most often to "
    f"{{value}}, like a no-data value",
    "constant": "hold {value} in all bands, which is more than all endmembers, like a no-data "
    "value or saturation",
    "filled": "hold {value} in some bands, like a no-data value",
    "zero": "are zero in all bands, like the border of a scene",
}

_KINDS_AMONG_PIXELS = {
    **_KINDS,
    "beyond": f"go beyond most other pixels by a factor of more than {_BEYOND:g}, most often to "
    f"{{value}}, like a no-data value",
    "constant": "hold {value} in all bands, like a no-data value or saturation",
}

_silent = ContextVar("silent", default=False)


@contextmanager
def values_seen_to():
    """Return a context in which estimators do not check values, because the caller does."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def are_values_seen_to():
    """Return whether the caller of an estimator warns about values, so that it need not."""
    return _silent.get()


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


def largest_bound(values):
    """Return a number that no magnitude in an array exceeds, or NaN if there is a NaN.

    For floats it is the root of the sum of squares of each part, which is quicker to compute than
    the largest magnitude, and at most 256 times as large.
    """
    flat = values.ravel(order="K")
    if not flat.size:
        return 0.0
    if flat.dtype.kind != "f" or flat.itemsize < 4:
        return max(-float(flat.min()), float(flat.max()))
    parts = (flat[start : start + _PART] for start in range(0, flat.size, _PART))
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sqrt(np.max([np.dot(part, part) for part in parts])))


def magnitudes(spectra, n_rows=_SAMPLE):
    """Return the magnitude of each pixel in an even sample of the rows, NaN if it is only noise.

    Saturated or damaged bands do not count, if they are few. Negative and constant pixels, such as
    those without data, are left out.
    """
    found, mean, some = _brightness(spectra, n_rows)
    if not len(found):
        return found
    left_out = mean <= -_SIGNAL * np.abs(found)
    if some.shape[1] >= _FEW_BANDS:
        left_out |= (some == some[:, :1]).all(axis=1)
    return np.where(np.abs(mean) >= _SIGNAL * found, found, np.nan)[~left_out]


def usual_magnitude(endmembers):
    """Return the magnitude of bright endmembers, or 0 if most are only noise."""
    found, mean, _ = _brightness(endmembers, _SAMPLE)
    return typical(np.where(np.abs(mean) >= _SIGNAL * found, found, np.nan))


def _brightness(spectra, n_rows):
    """Return the magnitudes and means of a sample of the rows, and these rows."""
    some = spectra[:: max(1, -(-len(spectra) // n_rows))].astype(np.float64)
    if not some.size:
        return np.empty(0), np.empty(0), some
    bright = int(_BRIGHT_BANDS * (some.shape[1] - 1))
    return np.partition(np.abs(some), bright, axis=1)[:, bright], np.mean(some, axis=1), some


def typical(values):
    """Return the magnitude of bright pixels, given those of pixels, or 0 if most are only noise."""
    known = values[np.isfinite(values) & (values > 0)]
    if 2 * len(known) < max(len(values), 1):
        return 0.0
    bright = int(_BRIGHT_PIXELS * (len(known) - 1) + 0.5)  # quicker than np.quantile
    return float(np.partition(known, bright)[bright])


def warn_of_units(pixels, endmembers, stacklevel, *, dark=_SAME_UNITS_DARK):
    """Warn if spectra and endmembers seem to be in different units.

    Parameters
    ----------
    pixels : ndarray of shape (n_pixels,)
        From `magnitudes`.
    endmembers : ndarray of shape (n_endmembers, n_bands)
    stacklevel : int
    dark : float
        Largest factor by which spectra in the same units may be darker.

    Returns
    -------
    differ : bool
    """
    ours, theirs = typical(pixels), usual_magnitude(endmembers)
    if not ours or not theirs:
        return False
    dark = _SAME_UNITS_FEW if len(pixels) < _FEW_PIXELS else dark
    if 1 / dark <= ours / theirs <= _SAME_UNITS:
        return False
    factor = 10.0 ** round(np.log10(ours / theirs))
    warnings.warn(
        f"The spectra go up to about {ours:.3g} and the endmembers up to about {theirs:.3g}, which "
        f"is a factor of about {factor:g}: they seem to be in different units; multiply the "
        f"spectra by {1 / factor:g} (for scenes, pass that as scale_factor).",
        UserWarning,
        stacklevel=stacklevel + 1,
    )
    return True


def warn_of_sums(y_true, y_pred, stacklevel):
    """Warn if abundances and their estimates seem to be in different units, such as percent.

    Parameters
    ----------
    y_true, y_pred : ndarray of shape (n_pixels, n_endmembers)
    stacklevel : int
    """
    if np.ndim(y_true) != 2 or np.shape(y_true)[1] < 2 or not len(y_true):
        return
    true, pred = (float(np.median(np.sum(y, axis=1))) for y in (y_true, y_pred))
    # sums below one may be those of a strong penalty
    if min(true, pred) > 0 and max(true, pred) > max(_SAME_UNITS * min(true, pred), _LARGE_SUM):
        warnings.warn(
            f"The true abundances of a pixel sum to about {true:.3g}, and the estimates to about "
            f"{pred:.3g}: they seem to be in different units, such as percent; divide one of them.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def warn_of_mixtures(abundances, endmembers, spectra, stacklevel):
    """Warn if the mixtures of endmembers have another magnitude than their spectra."""
    mixed, seen = (typical(magnitudes(s)) for s in (abundances @ endmembers, spectra))
    if mixed and seen and not 1 / _SAME_UNITS <= mixed / seen <= _SAME_UNITS:
        warnings.warn(
            f"The endmembers, mixed by y, go up to about {mixed:.3g}, and the spectra up to about "
            f"{seen:.3g}: y seems to be in other units than the abundances of these endmembers, "
            f"such as percent; divide y.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


class Limits(NamedTuple):
    """Values that spectra may have, as far as the endmembers tell.

    Parameters
    ----------
    noise : float
        Negative values of smaller magnitude may be noise.
    largest : float
        Largest magnitude of the endmembers, infinite if unknown.
    shade : bool
        Whether an endmember is zero in all bands.
    known : bool
        Whether spectra are in the units of the endmembers and not centred.
    full : float
        Pixels of one larger value in all bands are saturated, or have no data.
    """

    noise: float = 0.0
    largest: float = np.inf
    shade: bool = False
    known: bool = False
    full: float = _FULL

    @classmethod
    def of(cls, endmembers):
        """Return the limits for spectra in the units of the endmembers."""
        endmembers = np.asarray(endmembers)
        noise = _NOISE * usual_magnitude(endmembers)
        largest = float(np.abs(endmembers).max()) or np.inf
        shade = not endmembers.any(axis=1).all()
        if (endmembers < -noise).any():  # as after centring
            return cls(0.0, largest, shade)
        return cls(noise, largest, shade, known=True, full=largest)

    @classmethod
    def among(cls, spectra):
        """Return the limits that most spectra themselves tell.

        Pixels without data do not count, even if they are most: those that hold one value in half
        of the bands. The largest magnitude is that of bright pixels in the brightest band.
        """
        some = spectra[:: max(1, -(-len(spectra) // _SAMPLE_OF_PIXELS))].astype(np.float64)
        middle = some.shape[1] // 2
        ordered = np.sort(some, axis=1)
        # of sorted values, one that fills half of the bands is `middle` apart
        repeated = (ordered[:, some.shape[1] - middle :] == ordered[:, :middle]).any(axis=1)
        varied = some if some.shape[1] < _FEW_BANDS or repeated.all() else some[~repeated]
        bright = np.quantile(np.abs(varied), _BRIGHT_PIXELS, axis=0, method="lower")
        largest = float(bright.max()) or np.inf
        usual = usual_magnitude(varied)
        if not usual or (varied.mean(axis=1) < 0).mean() > _CENTRED:
            return cls(np.inf, largest)
        full = _SATURATED * largest if some.shape[1] < _MANY_BANDS else -np.inf
        return cls(_NEGATIVE * usual, largest, known=True, full=full)


def suspect_pixels(spectra, limits, bound, bands=None, stored=None):
    """Return the pixels that seem to hold no measurement, by kind.

    Parameters
    ----------
    spectra : ndarray of shape (n_pixels, n_bands)
        Finite numbers.
    limits : Limits
    bound : float
        As from `largest_bound`.
    bands : ndarray of int, default=None
        The bands to look at. None looks at all.
    stored : ndarray of shape (n_pixels, n_bands), default=None
        Values before scaling, which may be usual fill values. None means that they are the spectra.

    Returns
    -------
    suspects : dict of {str: (rows, bands)}
        Kinds: "negative" in most bands, by more than noise; "beyond" the endmembers in some band;
        "constant" and larger than the endmembers (if unknown, than 254); "filled" in some band by
        a usual fill value; "zero", unless that is an endmember. For each, the positions of the
        pixels and of a suspicious band of each.
    """
    bands = np.arange(spectra.shape[1]) if bands is None else bands
    n_bands = len(bands)
    if not len(spectra) or not n_bands:
        return {}
    # three bands are enough to find all pixels that may be negative, constant or zero
    few = [spectra[:, bands[k * n_bands // 4]] for k in (1, 2, 3)]
    lowest, highest = reduce(np.minimum, few), reduce(np.maximum, few)
    beyond = _BEYOND * limits.largest
    tiny = _ZERO * limits.largest if limits.known else 0.0
    enough = n_bands >= _FEW_BANDS

    tests = {
        "negative": (
            lowest < -limits.noise,  # up to half of the bands may be positive
            lambda rows: (rows < -limits.noise).mean(axis=1) > _MOST_BANDS,
        ),
        "constant": (
            (lowest == highest)
            & (highest > limits.full)
            & enough
            & ((lowest < -tiny) | (highest > tiny)),
            lambda rows: (rows == rows[:, :1]).all(axis=1),
        ),
        "beyond": (
            _holding(spectra, beyond, bound),
            lambda rows: (np.abs(rows) > beyond).any(axis=1),
        ),
        "zero": (
            (lowest >= -tiny) & (highest <= tiny) & (enough and not limits.shade),
            lambda rows: (np.abs(rows) <= tiny).all(axis=1),
        ),
    }
    found, taken = {}, None
    for kind, (candidates, test) in tests.items():
        rows = np.flatnonzero(candidates if taken is None else candidates & ~taken)
        if not len(rows):
            continue
        values = spectra[rows][:, bands].astype(np.float64)
        are = test(values)
        rows, values = rows[are], values[are]
        if len(rows):
            worst = values if kind == "negative" else -np.abs(values)
            found[kind] = rows, bands[np.argmin(worst, axis=1)]
            taken = np.zeros(len(spectra), dtype=bool) if taken is None else taken
            taken[rows] = True
    stored = spectra if stored is None else stored
    # the fill values are beyond the endmembers in usual units of floats
    if stored.dtype.kind == "i" or _LARGE_UNITS < limits.largest < np.inf:
        rows, of_rows = _filled(stored, bands)
        free = slice(None) if taken is None else ~taken[rows]
        if len(rows[free]):
            found["filled"] = rows[free], of_rows[free]
    return found


def _filled(stored, bands):
    """Return the pixels that hold a usual fill value, and a band of each that does."""
    none = np.empty(0, dtype=int)
    if stored.min() not in USUAL_FILLS:
        return none, none
    stored = stored if len(bands) == stored.shape[1] else stored[:, bands]
    fills = fill_values(stored) & np.isin(stored, USUAL_FILLS)
    rows = np.flatnonzero(fills.any(axis=1))
    return rows, bands[np.argmax(fills[rows], axis=1)]


def _holding(spectra, beyond, bound):
    """Return a mask of rows among which are all that hold a value beyond a limit."""
    mask = np.zeros(len(spectra), dtype=bool)
    if bound <= beyond:
        return mask
    step = max(1, _PART // spectra.shape[1])
    for start in range(0, len(spectra), step):
        part = spectra[start : start + step]
        if not largest_bound(part) <= beyond:
            mask[start : start + step] = (np.abs(part, dtype=np.float64) > beyond).any(axis=1)
    return mask


def suspect_message(kind, n_suspects, n_pixels, value):
    """Return the message about pixels of a kind that seem to hold no measurement."""
    return (
        f"{n_suspects} of {n_pixels} pixels {_KINDS[kind].format(value=_shown(value))}, so that "
        f"their abundances are meaningless; drop them, or pass the value as nodata to "
        f"skunmix.scenes.unmix or unmix_file."
    )


def warn_of_suspects(X, endmembers, abundances, bound, stacklevel):
    """Warn about spectra that seem to be in other units, or to hold no measurement.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
    endmembers : ndarray of shape (n_endmembers, n_bands)
    abundances : ndarray of shape (n_pixels, n_endmembers), or None
        The result for X, for pixels of zeros. None, in `fit`, does not look for other units.
    bound : float
        As from `largest_bound`.
    stacklevel : int
    """
    if are_values_seen_to():
        return
    limits = Limits.of(endmembers)
    may_differ = abundances is not None and _may_differ_in_units(X, limits)
    if may_differ and warn_of_units(
        magnitudes(X), endmembers, stacklevel + 1, dark=_SAME_UNITS_FEW
    ):
        return
    if not limits.known:  # spectra may be negative
        limits = limits._replace(noise=np.inf)
    suspects = suspect_pixels(X, limits, bound)
    drop_zero_without_abundances(suspects, abundances)
    for kind, (rows, bands) in suspects.items():
        message = suspect_message(kind, len(rows), len(X), most_frequent(X[rows, bands]))
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


def warn_of_extremes(X, weight, stacklevel):
    """Warn about spectra that seem to hold no measurement, before endmembers are looked for.

    Such pixels are the most extreme ones, and would become endmembers.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
    weight : ndarray of shape (n_pixels,), or None
        Pixels of weight 0 are ignored.
    stacklevel : int
    """
    if are_values_seen_to():
        return
    weighted = slice(None) if weight is None else np.flatnonzero(weight)
    if weight is not None:
        weighted = weighted[:: max(1, len(weighted) // _SAMPLE_OF_PIXELS)]
    limits = Limits.among(X[weighted])
    for kind, (rows, bands) in suspect_pixels(X, limits, largest_bound(X)).items():
        if weight is not None:
            present = weight[rows] > 0
            rows, bands = rows[present], bands[present]
        if not len(rows):
            continue
        n_pixels = len(X) if weight is None else np.count_nonzero(weight)
        value = _shown(most_frequent(X[rows, bands]))
        warnings.warn(
            f"{len(rows)} of {n_pixels} pixels {_KINDS_AMONG_PIXELS[kind].format(value=value)}, so "
            f"that they are taken for extreme spectra; drop them, or draw the pixels by "
            f"skunmix.scenes.sample_pixels with nodata={value}.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def _may_differ_in_units(X, limits):
    """Return whether one row is so much brighter or darker than the endmembers, at least."""
    if not limits.known or not X.size:
        return False
    few = X[:: max(1, len(X) // _SAMPLE), [X.shape[1] // 2]].astype(np.float64)
    largest = np.abs(few).max()
    return largest > limits.largest or largest < limits.largest / _SAME_UNITS_DARK


def drop_zero_without_abundances(suspects, abundances):
    """Leave out pixels of zeros whose abundances are all zero, or unknown, which is right."""
    if "zero" in suspects:
        rows, bands = suspects.pop("zero")
        has = (
            np.zeros(len(rows), dtype=bool) if abundances is None else abundances[rows].any(axis=1)
        )
        if has.any():
            suspects["zero"] = rows[has], bands[has]


def warn_of_fills(X, stacklevel):
    """Warn of training pixels that hold a fill value."""
    fills = fill_values(X)
    n_filled = np.count_nonzero(fills.any(axis=1))
    if n_filled:
        warnings.warn(
            f"{n_filled} of {len(X)} training pixels hold the value "
            f"{_shown(most_frequent(X[fills]))}, which seems to mean no data; drop these pixels, "
            f"or the bands that hold it.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def most_frequent(values):
    """Return the value that most numbers have."""
    found, counts = np.unique(values, return_counts=True)
    return found[np.argmax(counts)]


def _shown(value):
    """Return a number as text that, as `nodata`, is equal to it."""
    short = f"{value:g}"
    return short if type(value)(float(short)) == value else str(value)
