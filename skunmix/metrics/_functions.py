"""Errors of estimated abundances and spectra.

The functions take arrays with one pixel or one spectrum per row, and know no estimator. If the
columns of both arguments have labels, they are matched by label.
"""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_array

from ..utils import Interval, validate_params
from ..utils.labels import (
    ABUNDANCE_NAMES,
    BAND_NAMES,
    axis_labels,
    check_axes,
    check_rows,
    column_labels,
    order_of_columns,
    take_columns,
)
from ..utils.magnitudes import warn_of_sums
from ..utils.spectra import row_rmse
from ..utils.validation import check_sample_weight

_ABUNDANCES = {
    "y_true": ["array-like"],
    "y_pred": ["array-like"],
    "sample_weight": ["array-like", None],
}


@validate_params({**_ABUNDANCES, "average": ["boolean"]}, prefer_skip_nested_validation=True)
def abundance_rmse(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    average: bool = True,
) -> Any:
    r"""Root mean squared error of abundances, as the unmixing field defines it.

    The mean over pixels of each pixel's own root mean squared error:

    .. math:: \frac1N \sum_{i=1}^N \sqrt{\frac1{N_E} \|x_i - \hat x_i\|_2^2}

    It is not larger than :func:`sklearn.metrics.root_mean_squared_error` of the flattened arrays,
    which takes one root of the mean over all pixels.

    Parameters
    ----------
    y_true : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
        True abundances. A one-dimensional array holds those of a single endmember.
    y_pred : array-like of the shape of `y_true`
        Estimated abundances.
    sample_weight : array-like of shape (n_pixels,), default=None
        Weights of the pixels in the mean, non-negative.
    average : bool, default=True
        Whether to return the mean. False returns the error of each pixel, as for an error map.

    Returns
    -------
    rmse : float, or ndarray of shape (n_pixels,) if not `average`
        In the unit of the abundances. The best value is 0.

    Raises
    ------
    ValueError
        If the shapes differ, a value is NaN or infinite, or `sample_weight` does not fit.

    Examples
    --------
    >>> from skunmix.metrics import abundance_rmse
    >>> y_true = [[1.0, 0.0], [0.5, 0.5]]
    >>> y_pred = [[0.9, 0.1], [0.2, 0.8]]
    >>> print(round(abundance_rmse(y_true, y_pred), 3))
    0.2
    >>> abundance_rmse(y_true, y_pred, average=False).round(3)
    array([0.1, 0.3])
    """
    y_true, y_pred = _check_abundances(y_true, y_pred, sample_weight)
    warn_of_sums(y_true, y_pred, stacklevel=3)
    return _mean(row_rmse(y_true, y_pred), sample_weight, average)


@validate_params(
    {**_ABUNDANCES, "degrees": ["boolean"], "average": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def abundance_angle_distance(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    degrees: bool = False,
    average: bool = True,
) -> Any:
    r"""Abundance angle distance (AAD): the mean angle between abundance vectors.

    .. math:: \frac1N \sum_{i=1}^N
              \arccos \frac{x_i^\top \hat x_i}{\|x_i\|_2 \|\hat x_i\|_2}

    It is computed as :math:`2\,\mathrm{atan2}(\|u - v\|, \|u + v\|)` of the unit vectors
    :math:`u` and :math:`v`, which is also accurate for small angles; the arc cosine is not.

    Parameters
    ----------
    y_true : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
        True abundances. A one-dimensional array holds those of a single endmember.
    y_pred : array-like of the shape of `y_true`
        Estimated abundances.
    sample_weight : array-like of shape (n_pixels,), default=None
        Weights of the pixels in the mean, non-negative.
    degrees : bool, default=False
        Whether to return degrees instead of radians.
    average : bool, default=True
        Whether to return the mean. False returns the angle of each pixel.

    Returns
    -------
    aad : float, or ndarray of shape (n_pixels,) if not `average`
        From 0, the best value, to π. The angle between a pixel without abundances (all zero) and
        another pixel is π/2, and 0 if both have none.

    Raises
    ------
    ValueError
        If the shapes differ, a value is NaN or infinite, or `sample_weight` does not fit.

    Examples
    --------
    >>> from skunmix.metrics import abundance_angle_distance
    >>> y_true = [[1.0, 0.0], [0.5, 0.5]]
    >>> y_pred = [[0.5, 0.5], [0.2, 0.2]]
    >>> print(round(abundance_angle_distance(y_true, y_pred, degrees=True), 6))
    22.5
    """
    y_true, y_pred = _check_abundances(y_true, y_pred, sample_weight)
    return _mean(row_angles(y_true, y_pred, degrees), sample_weight, average)


@validate_params(
    {**_ABUNDANCES, "eps": [Interval(Real, 0, 1, closed="neither")], "average": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def abundance_information_divergence(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    eps: float = 1e-6,
    average: bool = True,
) -> Any:
    r"""Abundance information divergence (AID): the mean symmetric Kullback-Leibler divergence.

    .. math:: \frac1N \sum_{i=1}^N KL(x_i | \hat x_i) + KL(\hat x_i | x_i)
              = \frac1N \sum_{i=1}^N \sum_j (x_{ij} - \hat x_{ij})
                \log \frac{x_{ij}}{\hat x_{ij}}

    Parameters
    ----------
    y_true : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
        True abundances. A one-dimensional array holds those of a single endmember.
    y_pred : array-like of the shape of `y_true`
        Estimated abundances.
    sample_weight : array-like of shape (n_pixels,), default=None
        Weights of the pixels in the mean, non-negative.
    eps : float, default=1e-6
        Added to every abundance, after setting negative ones to 0, so that exact zeros (pure
        pixels) give a finite divergence. An endmember of abundance `a` whose estimate is 0 adds
        about ``a * log(a / eps)``: compare only values with the same `eps`.
    average : bool, default=True
        Whether to return the mean. False returns the divergence of each pixel.

    Returns
    -------
    aid : float, or ndarray of shape (n_pixels,) if not `average`
        In nats. The best value is 0.

    Raises
    ------
    ValueError
        If the shapes differ, a value is NaN or infinite, or `sample_weight` does not fit.

    Notes
    -----
    Rows are not rescaled to sum to one. No term of the sum is negative, so that the divergence is
    at least 0 for any non-negative rows.

    Examples
    --------
    >>> from skunmix.metrics import abundance_information_divergence
    >>> y_true = [[0.5, 0.5], [1.0, 0.0]]
    >>> y_pred = [[0.2, 0.8], [1.0, 0.0]]
    >>> print(round(abundance_information_divergence(y_true, y_pred), 4))
    0.2079
    """
    y_true, y_pred = _check_abundances(y_true, y_pred, sample_weight)
    y_true, y_pred = np.maximum(y_true, 0) + eps, np.maximum(y_pred, 0) + eps
    divergence = np.sum((y_true - y_pred) * (np.log(y_true) - np.log(y_pred)), axis=1)
    return _mean(divergence, sample_weight, average)


@validate_params(
    {
        "spectra_true": ["array-like"],
        "spectra_pred": ["array-like"],
        "sample_weight": ["array-like", None],
        "degrees": ["boolean"],
        "average": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def spectral_angle_distance(
    spectra_true: ArrayLike,
    spectra_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    degrees: bool = False,
    average: bool = True,
) -> Any:
    r"""Spectral angle distance (SAD): the mean angle between the rows of two matrices of spectra.

    .. math:: \frac1N \sum_{i=1}^N
              \arccos \frac{y_i^\top \hat y_i}{\|y_i\|_2 \|\hat y_i\|_2}

    It does not depend on brightness: the angle between a spectrum and any positive multiple of it
    is 0. Use it between pixels and their reconstructions, or between endmembers and their
    estimates.

    Parameters
    ----------
    spectra_true : array-like of shape (n_spectra, n_bands) or (n_bands,)
        Spectra, in any unit. A one-dimensional array is a single spectrum.
    spectra_pred : array-like of the shape of `spectra_true`
        Spectra to compare with them, row by row.
    sample_weight : array-like of shape (n_spectra,), default=None
        Weights of the rows in the mean, non-negative.
    degrees : bool, default=False
        Whether to return degrees instead of radians.
    average : bool, default=True
        Whether to return the mean. False returns the angle of each row.

    Returns
    -------
    sad : float, or ndarray of shape (n_spectra,) if not `average`
        From 0, the best value, to π. The angle between a spectrum of zeros and another spectrum is
        π/2, and 0 if both are zero.

    Raises
    ------
    ValueError
        If the shapes differ, a value is NaN or infinite, or `sample_weight` does not fit.

    Examples
    --------
    >>> from skunmix.metrics import spectral_angle_distance
    >>> print(round(spectral_angle_distance([1.0, 1.0, 0.0], [2.0, 2.0, 0.0]), 6))
    0.0
    >>> true, estimated = [[1.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
    >>> spectral_angle_distance(true, estimated, degrees=True, average=False)
    array([90., 45.])
    """
    names = "spectra_true", "spectra_pred"
    spectra_true, spectra_pred = _check_pair(
        spectra_true, spectra_pred, sample_weight, names, vector_shape=(1, -1)
    )
    return _mean(row_angles(spectra_true, spectra_pred, degrees), sample_weight, average)


@validate_params(_ABUNDANCES, prefer_skip_nested_validation=True)
def signal_to_reconstruction_error(
    y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> float:
    r"""Signal to reconstruction error (SRE) in decibels.

    .. math:: 10 \log_{10} \frac{\sum_i \|x_i\|_2^2}{\sum_i \|x_i - \hat x_i\|_2^2}

    Parameters
    ----------
    y_true : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
        True abundances (or spectra). A one-dimensional array holds those of a single endmember.
    y_pred : array-like of the shape of `y_true`
        Their estimates.
    sample_weight : array-like of shape (n_pixels,), default=None
        Weights of the pixels in both sums, non-negative.

    Returns
    -------
    sre : float
        In dB. Larger is better. ``inf`` if the estimate is exact, also if both are zero; 0 if the
        estimate is zero; ``-inf`` if only the true abundances are zero.

    Raises
    ------
    ValueError
        If the shapes differ, a value is NaN or infinite, or `sample_weight` does not fit.

    Examples
    --------
    >>> from skunmix.metrics import signal_to_reconstruction_error
    >>> print(round(signal_to_reconstruction_error([[1.0, 0.0]], [[0.9, 0.0]]), 6))
    20.0
    """
    y_true, y_pred = _check_abundances(y_true, y_pred, sample_weight)
    warn_of_sums(y_true, y_pred, stacklevel=3)
    weight = check_sample_weight(sample_weight, len(y_true))
    if weight is not None:
        root = np.sqrt(weight)[:, np.newaxis]
        y_true, y_pred = root * y_true, root * y_pred
    error = y_true - y_pred
    if not error.any():
        return float("inf")
    if not y_true.any():
        return float("-inf")
    return 20.0 * (_log10_norm(y_true) - _log10_norm(error))


def row_angles(u, v, degrees):
    """Return the angle between each row of u and the same row of v, shape (n_rows,)."""
    u, v = _unit_rows(u), _unit_rows(v)
    # zero vectors need no special case: atan2(1, 1) = π/4 and atan2(0, 0) = 0
    angles = 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))
    return np.degrees(angles) if degrees else angles


def _log10_norm(X):
    scale = np.abs(X).max()  # squares of tiny or huge values leave the range of float64
    return float(np.log10(scale) + np.log10(np.linalg.norm(X / scale)))


def _unit_rows(X):
    # divide by the largest value first, as squares of tiny or huge values leave the range
    for length in (lambda X: np.abs(X).max(axis=1), lambda X: np.linalg.norm(X, axis=1)):
        scale = length(X)[:, np.newaxis]
        X = np.divide(X, scale, out=np.zeros_like(X), where=scale > 0)
    return X


def _mean(values, sample_weight, average):
    if average:
        weight = check_sample_weight(sample_weight, len(values))
        return float(np.average(values, weights=weight))
    if sample_weight is not None:
        raise ValueError(
            "Expected average=True with sample_weight, which weights the mean over pixels, got "
            "average=False; pass one of the two."
        )
    return values


def _check_abundances(y_true, y_pred, sample_weight):
    return _check_pair(y_true, y_pred, sample_weight, ("y_true", "y_pred"), vector_shape=(-1, 1))


def _check_pair(true, pred, sample_weight, names, vector_shape):
    """Return two matrices of the same shape, with their columns aligned if both have labels."""
    name_true, name_pred = names
    held = ABUNDANCE_NAMES if name_true == "y_true" else BAND_NAMES
    check_axes(true, name_true, held)
    check_axes(pred, name_pred, held)
    order = order_of_columns(
        axis_labels(pred),
        column_labels(true),
        f"the columns of {name_pred}",
        f"those of {name_true}",
    )
    check_rows(pred, true, name_pred, name_true)
    check_rows(sample_weight, true, "sample_weight", name_true)
    true, pred = (
        _check_matrix(values, name, vector_shape)
        for values, name in ((true, name_true), (take_columns(pred, order), name_pred))
    )
    if true.shape != pred.shape:
        raise ValueError(
            f"Expected {name_pred} of the shape {true.shape} of {name_true}, got {pred.shape}; "
            f"pass the same rows and columns in both."
        )
    return true, pred


def _check_matrix(values, name, vector_shape):
    values = check_array(values, ensure_2d=False, allow_nd=True, dtype=np.float64, input_name=name)
    if values.ndim not in (1, 2):
        raise ValueError(
            f"Expected {name} as a matrix, got shape {values.shape}; flatten an image to one "
            f"pixel per row."
        )
    return values.reshape(vector_shape) if values.ndim == 1 else values
