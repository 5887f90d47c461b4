"""Conversion of `endmembers=` to an array of rows in the bands of the spectra."""

import logging

import numpy as np
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import check_array

from .utils import HasMethods
from .utils.labels import (
    BAND_NAMES,
    are_known,
    axis_labels,
    band_axis,
    check_unique,
    is_library,
    name_labels,
    order_of,
    refuse_masked,
    same_labels,
    string_labels,
    take_columns,
)
from .utils.validation import check_numbers, fill_values
from .utils.wavelengths import wavelengths_in

_logger = logging.getLogger(__name__)
# Constraints of the parameter `endmembers`.
ENDMEMBERS = ("array-like", HasMethods("fit"), None)


def is_extractor(endmembers):
    """Return whether `endmembers=` is an estimator that finds endmembers, rather than spectra."""
    is_table = hasattr(endmembers, "__array__") or hasattr(endmembers, "__len__")
    return callable(getattr(endmembers, "fit", None)) and not is_table


def extract_endmembers(extractor, X):
    """Fit a clone of an extractor to spectra.

    Parameters
    ----------
    extractor : estimator
        With `endmembers_` after ``fit(X)``.
    X : array-like of shape (n_pixels, n_bands)
        Spectra.

    Returns
    -------
    extractor : estimator
        Fitted.
    endmembers : ndarray of shape (n_endmembers, n_bands)
    names : list of str or None
        Names of the endmembers, if the extractor has some.

    Raises
    ------
    TypeError
        If it is a class, or has no `endmembers_` after `fit`.
    """
    if isinstance(extractor, type):
        raise TypeError(
            f"endmembers is the class {extractor.__name__}, expected spectra or an instance of an "
            f"extractor; pass {extractor.__name__}()."
        )
    with config_context(skip_parameter_validation=False):  # within a fit that skips it
        fitted = clone(extractor).fit(X)
    endmembers = getattr(fitted, "endmembers_", None)
    if endmembers is None:
        raise TypeError(
            f"{type(fitted).__name__} has no endmembers_ after fit, expected an extractor such as "
            f"those of skunmix.extraction; pass one, or an array of spectra."
        )
    if not hasattr(fitted, "get_feature_names_out"):
        return fitted, endmembers, None
    names = list(fitted.get_feature_names_out())
    return fitted, endmembers, names if len(names) == len(endmembers) else None


def _in_bands(library, n_bands, bands):
    """Return a library with unique names, resampled to the bands of spectra with wavelengths."""
    library = library.unique_names()
    wavelengths = wavelengths_in(bands)
    if wavelengths is not None and library.wavelengths is not None:
        if same_labels(library.columns, bands):
            return library
        try:
            resampled = library.resample(wavelengths)
        except ValueError as error:
            raise ValueError(
                f"The library does not fit the bands of the spectra ({error}); select the bands "
                f"that it covers with BandSelector, and pass library.resample(…) to these."
            ) from error
        _logger.info("%r is resampled to the %d bands of the spectra", library, n_bands)
        return resampled
    if library.shape[1] != n_bands:
        lacking = "library" if library.wavelengths is None else "spectra"
        raise ValueError(
            f"Expected a library in the {n_bands} bands of the spectra, got {library!r}, and the "
            f"{lacking} have no wavelengths by which to resample it; "
            + (
                "pass wavelengths=… when you read or make the library."
                if lacking == "library"
                else "pass library.resample(…) to the wavelengths of the spectra, or spectra with "
                "wavelengths as labels."
            )
        )
    return library


def check_endmembers(endmembers, n_bands, bands=None, names=None, *, shade=False):
    """Return the endmembers as rows, in the bands of the spectra, and their names.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or (n_bands, n_endmembers)
        One spectrum per row. Labels determine which axis holds the bands. Without labels, a matrix
        is transposed if only its first axis has the length `n_bands`. A spectral library is
        resampled to `bands` if they are wavelengths, and its repeated names are numbered.
    n_bands : int
        Number of bands of the spectra to be unmixed.
    bands : list, default=None
        Labels of the bands of the spectra.
    names : list, default=None
        Labels of the abundances, which may determine the axis of the endmembers.
    shade : bool, default=False
        Whether a spectrum may be zero in all bands. This is allowed if the sum is constrained to
        one, so that its abundance is the rest of the sum.

    Returns
    -------
    endmembers : ndarray of shape (n_endmembers, n_bands), float64
        A copy, with the bands in the order of `bands`.
    names : list of str or None
        Labels of the endmembers, if they are not only numbers 0, 1, ….

    Raises
    ------
    ValueError
        If the shape fits neither layout, the bands have other labels, a name or a spectrum appears
        twice, a value is NaN, masked or a fill value, or a spectrum is zero without `shade`.
    """
    if is_library(endmembers):
        endmembers = _in_bands(endmembers, n_bands, bands)
    table, rows, columns = _oriented(endmembers, n_bands, bands, names)
    if np.asarray(table).dtype.kind == "b":
        check_numbers(np.asarray(table), "endmembers")
    endmembers = check_array(table, dtype=np.float64, order="C", copy=True, input_name="endmembers")
    if endmembers.shape[1] != n_bands:
        raise ValueError(
            f"endmembers of shape {endmembers.shape} do not fit spectra of {n_bands} bands: "
            f"expected (n_endmembers, {n_bands}), one spectrum per row; preprocess endmembers like "
            f"the spectra: a Pipeline with transform_input=['endmembers'] does so if you pass them "
            f"to its fit."
        )
    order = order_of(columns, bands, "the bands of the endmembers", "those of the spectra")
    if order is not None:
        endmembers = np.ascontiguousarray(endmembers[:, order])
    names = name_labels(rows)
    if names is not None:
        check_unique(names, "the endmembers")
    _check_no_fills(endmembers, names)
    zero = np.flatnonzero(~endmembers.any(axis=1))
    if len(zero) and not shade:
        raise ValueError(
            f"endmember {_name(zero[0], names)} is zero in all {n_bands} bands, so that its "
            f"abundance has no effect; drop it from `endmembers`, or set sum_to_one=True, with "
            f"which it is the shade."
        )
    _, first, inverse = np.unique(endmembers, axis=0, return_index=True, return_inverse=True)
    twice = np.flatnonzero(first[np.ravel(inverse)] != np.arange(len(endmembers)))
    if len(twice):
        raise ValueError(
            f"endmembers {first[np.ravel(inverse)][twice[0]]} and {twice[0]} have the same "
            f"spectrum, so that their abundances are not unique; keep one of them."
        )
    return endmembers, names


def _check_no_fills(endmembers, names):
    fills = fill_values(endmembers)
    holders = np.flatnonzero(fills.any(axis=1))
    if len(holders):
        first = holders[0]
        bands = np.flatnonzero(fills[first])
        total = np.count_nonzero(fills.any(axis=0))
        raise ValueError(
            f"endmember {_name(first, names)} holds the fill value "
            f"{endmembers[first, bands[0]]:g} in {len(bands)} of {endmembers.shape[1]} bands "
            f"({len(holders)} of {len(endmembers)} endmembers hold one, in {total} bands in all), "
            f"which is not a measurement; drop these bands from spectra and endmembers with "
            f"BandSelector, or interpolate them."
        )


def _name(index, names):
    return f"{index}" if names is None else f"{index} ({names[index]!r})"


def band_labels(endmembers, n_bands, bands=None, names=None):
    """Return the labels of the bands of spectra and endmembers, in the order of the spectra.

    Labels of the spectra take precedence, because spectra to be unmixed later have the same labels,
    unless they are only numbers 0, 1, ….
    """
    columns = None if endmembers is None else _oriented(endmembers, n_bands, bands, names)[2]
    if are_known(bands) or not are_known(columns) or same_labels(columns, bands):
        return bands
    return columns


def _oriented(endmembers, n_bands, bands, names):
    """Return endmembers as a table with spectra in rows, and its row and column labels."""
    refuse_masked(endmembers, "endmembers")
    table, rows, columns = _labelled_table(endmembers)
    if _holds_bands_in_rows(table, rows, columns, n_bands, bands, names):
        return np.asarray(table).T, columns, rows
    return table, rows, columns


def _labelled_table(endmembers):
    """Return endmembers of any type as a table, and its row and column labels or None.

    If the rows of a frame have no labels (polars has no index), they are taken from a column: the
    only one of strings, or one that is named for wavelengths or bands.
    """
    rows, columns = axis_labels(endmembers)
    if are_known(rows) or not columns or hasattr(endmembers, "dims"):
        return endmembers, rows, columns
    of_strings = [i for i in range(len(columns)) if string_labels(_column(endmembers, i))]
    named = [i for i, label in enumerate(columns) if str(label).lower() in BAND_NAMES]
    holder = (of_strings or named)[:1]
    if not holder or len(of_strings) > 1:
        return endmembers, rows, columns
    rows = _column(endmembers, holder[0])
    others = np.delete(np.arange(len(columns)), holder)
    return take_columns(endmembers, others), rows, [columns[i] for i in others]


def _column(frame, i):
    return np.asarray(take_columns(frame, np.array([i])))[:, 0].tolist()


def _holds_bands_in_rows(table, rows, columns, n_bands, bands, names):
    """Return whether the first axis holds the bands: by labels, then by shape."""
    shape = np.shape(table)
    if len(shape) != 2:
        return False
    for in_rows, in_columns in (
        (same_labels(rows, bands), same_labels(columns, bands)),
        (same_labels(columns, names), same_labels(rows, names)),
    ):
        if in_rows != in_columns and are_known(rows if in_rows else columns):
            return in_rows
    axis = band_axis(table, rows, columns)
    if axis is not None and shape[axis] == n_bands:
        return axis == 0
    return shape[1] != n_bands and shape[0] == n_bands


def estimate_endmembers(spectra, abundances):
    """Estimate endmembers from pairs by least squares: argmin ‖spectra − abundances·E‖.

    Parameters
    ----------
    spectra : ndarray of shape (n_pixels, n_bands)
    abundances : ndarray of shape (n_pixels, n_endmembers)

    Returns
    -------
    endmembers : ndarray of shape (n_endmembers, n_bands), float64

    Raises
    ------
    ValueError
        If an endmember has no abundance anywhere, or the abundances are linearly dependent.
    """
    n_pixels, n_endmembers = abundances.shape
    absent = np.flatnonzero(~abundances.any(axis=0))
    if len(absent):
        raise ValueError(
            f"endmember {absent[0]} has no abundance in any of the {n_pixels} pixels, so that its "
            f"spectrum cannot be estimated from the pairs; drop its column or pass `endmembers`."
        )
    spectra = np.asarray(spectra, dtype=np.float64)
    endmembers, _, rank, _ = np.linalg.lstsq(abundances, spectra, rcond=None)
    if rank < n_endmembers:
        raise ValueError(
            f"The abundances of the {n_pixels} pixels have rank {rank}, expected {n_endmembers} to "
            f"estimate the endmembers from n_samples = {n_pixels} pairs; pass `endmembers`, or "
            f"pixels with other abundances."
        )
    return endmembers
