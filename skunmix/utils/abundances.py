"""Checks of abundances that are given for training."""

import warnings

import numpy as np
from scipy.sparse import issparse

# Negative abundances of smaller magnitude are rounding errors of float32.
_ROUNDING = 1e-6
# Abundances of a pixel sum to more than this times the median sum only if they are no abundances.
_LARGEST_SUM = 50.0


def check_abundances(y, *, strict):
    """Return abundances as a float64 matrix.

    scikit-learn requires that a multi-output regressor accepts negative targets, so that these are
    an error only if the targets are abundances.

    Parameters
    ----------
    y : ndarray of shape (n_pixels, n_endmembers) or (n_pixels,)
        Finite numbers.
    strict : bool
        Whether the targets certainly are abundances, because the endmembers are given. Otherwise
        they are if most rows sum to one.

    Returns
    -------
    y : ndarray of shape (n_pixels, n_endmembers)

    Raises
    ------
    TypeError
        If the matrix is sparse.
    ValueError
        If an abundance is negative by more than rounding, which is set to zero.
    """
    if issparse(y):
        raise TypeError("Sparse abundances were passed as y, but a dense array is required.")
    y = np.asarray(y, dtype=np.float64)
    y = y[:, np.newaxis] if y.ndim == 1 else y
    _warn_of_large_sums(y)
    if y.min() < 0 and (strict or abs(np.median(y.sum(axis=1)) - 1.0) < 0.1):
        if y.min() >= -_ROUNDING * max(1.0, np.median(y.sum(axis=1))):
            return np.maximum(y, 0.0)
        pixel, endmember = np.argwhere(y < 0)[0]
        raise ValueError(
            f"Negative values in y: abundances are at least 0, but pixel {pixel} has "
            f"{y[pixel, endmember]:g} of endmember {endmember}; clip them or check the scaling."
        )
    return y


def _warn_of_large_sums(y):
    """Warn of pixels whose abundances sum to far more than those of others."""
    sums = y.sum(axis=1)
    usual = np.median(sums)
    large = np.flatnonzero(sums > _LARGEST_SUM * usual)
    if usual > 0 and len(large):
        warnings.warn(
            f"The abundances of {len(large)} of {len(y)} pixels sum to more than "
            f"{_LARGEST_SUM:g} times those of most others ({sums[large[0]]:g} for pixel "
            f"{large[0]}, {usual:g} in the median), like a no-data value; drop these pixels.",
            UserWarning,
            stacklevel=5,
        )
