"""What `endmembers=` may be, brought to rows in the bands of the spectra."""

import numpy as np
from sklearn.utils import check_array

from .utils import (
    axis_labels,
    band_axis,
    check_unique,
    order_of,
    refuse_masked,
    same_labels,
    string_labels,
)


def check_endmembers(endmembers, n_bands, bands=None):
    """Return the endmembers as rows, in the bands of the spectra, and their names.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or (n_bands, n_endmembers)
        One spectrum a row. Labels tell which axis holds the bands; without them a matrix is
        transposed if only its first axis has `n_bands`.
    n_bands : int
        Bands of the spectra that are to be unmixed.
    bands : list, default=None
        Their labels.

    Returns
    -------
    endmembers : ndarray of shape (n_endmembers, n_bands), float64
        A copy, with the bands in the order of `bands`.
    names : list of str or None
        The labels of the endmembers, if they are strings.

    Raises
    ------
    ValueError
        If the shape fits neither layout, the bands have other labels, a name stands twice, there
        is a NaN or a masked value, a spectrum is zero or stands twice.
    """
    refuse_masked(endmembers, "endmembers")
    endmembers, rows, columns = _values_and_labels(endmembers)
    transposed = _holds_bands_in_rows(endmembers, rows, columns, n_bands, bands)
    endmembers = check_array(
        endmembers, dtype=np.float64, order="C", copy=True, input_name="endmembers"
    )
    if transposed:
        endmembers, rows, columns = np.ascontiguousarray(endmembers.T), columns, rows
    if endmembers.shape[1] != n_bands:
        raise ValueError(
            f"endmembers of shape {endmembers.shape} do not fit spectra of {n_bands} bands: "
            f"expected (n_endmembers, {n_bands}), one spectrum a row; endmembers must be in "
            f"the space of the spectra, after the same preprocessing: a Pipeline with "
            f"transform_input=['endmembers'] takes those given to its fit there."
        )
    order = order_of(columns, bands, "the bands of the endmembers", "those of the spectra")
    if order is not None:
        endmembers = np.ascontiguousarray(endmembers[:, order])
    names = string_labels(rows)
    if names is not None:
        check_unique(names, "the endmembers")
    zero = np.flatnonzero(~endmembers.any(axis=1))
    if len(zero):
        raise ValueError(
            f"endmember {zero[0]} is zero in all {n_bands} bands, so that no abundance of it can "
            f"be found; leave it out of `endmembers`."
        )
    _, first, inverse = np.unique(endmembers, axis=0, return_index=True, return_inverse=True)
    twice = np.flatnonzero(first[np.ravel(inverse)] != np.arange(len(endmembers)))
    if len(twice):
        raise ValueError(
            f"endmembers {first[np.ravel(inverse)][twice[0]]} and {twice[0]} have the same "
            f"spectrum, so that their abundances cannot be told apart; keep one of them."
        )
    return endmembers, names


def _values_and_labels(endmembers):
    """Return endmembers, and the labels of their rows and columns or None.

    A first column of strings names the rows of a polars frame, which has no index.
    """
    rows, columns = axis_labels(endmembers)
    if rows is None and columns and hasattr(endmembers, "get_column"):
        first = endmembers.get_column(columns[0]).to_list()
        if string_labels(first) is not None:
            return endmembers.drop(columns[0]), first, columns[1:]
    return endmembers, rows, columns


def _holds_bands_in_rows(endmembers, rows, columns, n_bands, bands):
    """Return whether the first axis holds the bands: by labels, then by names, then by shape."""
    shape = np.shape(endmembers)
    if len(shape) != 2:
        return False
    by_label = [same_labels(labels, bands) for labels in (rows, columns)]
    if sum(by_label) == 1:
        return by_label[0]
    axis = band_axis(endmembers)
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
            f"spectrum cannot be estimated from the pairs; leave its column out or pass "
            f"`endmembers`."
        )
    spectra = np.asarray(spectra, dtype=np.float64)
    endmembers, _, rank, _ = np.linalg.lstsq(abundances, spectra, rcond=None)
    if rank < n_endmembers:
        raise ValueError(
            f"The abundances of the {n_pixels} pixels span {rank} of {n_endmembers} dimensions, so "
            f"that the endmembers cannot be estimated from n_samples = {n_pixels} pairs; pass "
            f"`endmembers` or more varied pixels."
        )
    return endmembers
