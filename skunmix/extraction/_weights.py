"""Weights of pixels."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from ..utils.labels import refuse_masked


def check_weight(sample_weight, X):
    """Return the weights of the pixels as float64, or None if all are equal.

    Parameters
    ----------
    sample_weight : array-like of shape (n_pixels,), or None
    X : ndarray of shape (n_pixels, n_bands)

    Returns
    -------
    weight : ndarray of shape (n_pixels,), or None

    Raises
    ------
    ValueError
        If the shape is another, a weight is negative or NaN, or all are 0.
    """
    if sample_weight is None:
        return None
    refuse_masked(sample_weight, "sample_weight")
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got shape {weight.shape}; pass one weight "
            f"per pixel."
        )
    check_consistent_length(X, weight)
    if weight.min() < 0:
        pixel = int(weight.argmin())
        raise ValueError(
            f"Negative values in sample_weight: expected weights of at least 0, got "
            f"{weight[pixel]:g} for pixel {pixel}; use 0 to leave a pixel out."
        )
    if not weight.any():
        raise ValueError("All sample weights are zero, so there is no pixel; pass weights above 0.")
    return None if (weight == weight[0]).all() else weight
