"""What `endmembers=` may be, brought to rows in the bands of the spectra."""

import numpy as np
from sklearn.utils import check_array


def check_endmembers(endmembers, n_bands):
    """Return the endmembers as rows, and their names.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or (n_bands, n_endmembers)
        One spectrum a row. The layout with one spectrum a column is turned, when its first axis
        has `n_bands` and its second has not.
    n_bands : int
        Bands of the spectra that are to be unmixed.

    Returns
    -------
    endmembers : ndarray of shape (n_endmembers, n_bands), float64
        A copy.
    names : list of str or None
        Those of a DataFrame, if they are strings.

    Raises
    ------
    ValueError
        If the shape fits neither layout, there is a NaN, a spectrum is zero or stands twice.
    """
    names = string_labels(getattr(endmembers, "index", None))
    columns = string_labels(getattr(endmembers, "columns", None))
    endmembers = check_array(
        endmembers, dtype=np.float64, order="C", copy=True, input_name="endmembers"
    )
    if endmembers.shape[1] != n_bands:
        if endmembers.shape[0] != n_bands:
            raise ValueError(
                f"endmembers of shape {endmembers.shape} do not fit spectra of {n_bands} bands: "
                f"expected (n_endmembers, {n_bands}), one spectrum a row; endmembers must be in "
                f"the space of the spectra, after the same preprocessing: a Pipeline with "
                f"transform_input=['endmembers'] takes those given to its fit there."
            )
        endmembers, names = np.ascontiguousarray(endmembers.T), columns
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


def string_labels(labels):
    """Return the labels of a DataFrame's axis as a list if all are strings, else None."""
    if labels is None or callable(labels):  # a list has a method of the name "index"
        return None
    labels = list(labels)
    return labels if all(isinstance(label, str) for label in labels) else None
