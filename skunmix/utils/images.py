"""Pixels as the rows of a matrix, and as images."""

from numbers import Integral

import numpy as np

from . import safe_indexing
from .dimensions import axis_kind, rows_and_columns
from .estimators import fitted_bands
from .labels import BAND_NAMES, ENDMEMBER_NAMES, dimension_labels, order_among


def values_last(values, name="values"):
    """Return a DataArray with its rows before its columns, and endmembers or bands last.

    Other objects, and DataArrays with default names of dimensions, are returned unchanged. A
    ValueError is raised if the names of three dimensions do not identify the endmembers or bands.
    """
    dims = getattr(values, "dims", ())
    if not hasattr(values, "coords") or all(str(dim).startswith("dim_") for dim in dims):
        return values
    last = [dim for dim in dims if str(dim).lower() in BAND_NAMES | ENDMEMBER_NAMES]
    in_image = [dim for dim in dims if axis_kind(values, dim)]
    if len(dims) == 2 and len(in_image) == 2:  # a single map
        return values_last(values.expand_dims("endmember"), name)
    if len(dims) == 2 and len(last) == 1:
        return values.transpose(..., last[0])
    if len(dims) != 3:
        return values
    if not last and len(in_image) == 2:
        last = [dim for dim in dims if dim not in in_image]
    if len(last) != 1:
        raise ValueError(
            f"Expected {name} with the dimensions rows, columns, and endmembers or bands, got "
            f"{dict(values.sizes)}; rename that of the values to 'endmember' or 'band'."
        )
    return values.transpose(*rows_and_columns(values, last[0]), last[0])


def check_image_shape(shape, values_shape, name):
    """Return rows and columns of the image whose pixels are in an array of `values_shape`."""
    if shape is None:
        if len(values_shape) != 3:
            raise ValueError(
                f"Expected the shape of the image, as {name} has shape {values_shape}, with pixels "
                f"in rows, got None; pass shape=(n_rows, n_columns)."
            )
        return values_shape[:2]
    sides = tuple(np.atleast_1d(shape))
    if len(sides) != 2 or not all(isinstance(side, Integral) and side > 0 for side in sides):
        raise ValueError(
            f"Expected shape as two positive integers, got {shape!r}; pass "
            f"shape=(n_rows, n_columns)."
        )
    shape = tuple(int(side) for side in sides)
    n_pixels = int(np.prod(values_shape[:2] if len(values_shape) == 3 else values_shape[:1]))
    if shape[0] * shape[1] != n_pixels or (len(values_shape) == 3 and shape != values_shape[:2]):
        raise ValueError(
            f"Expected a shape for the {n_pixels} pixels of {name}, an array of shape "
            f"{tuple(values_shape)}, got shape={shape} with {shape[0] * shape[1]} pixels; pass "
            f"shape=(n_rows, n_columns) of the image."
        )
    return shape


def flat_pixels(X, estimator):
    """Return the pixels of an array or image as rows, and the rows and columns of an image or None.

    Parameters
    ----------
    X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
        If an image has labels, its bands are ordered as those of the fitted estimator. Masked
        values become NaN.

    Returns
    -------
    pixels : array-like of shape (n_pixels, n_bands)
        Of the type of X, if it is not an image.
    shape : tuple of (int, int) or None

    Raises
    ------
    ValueError
        If it has another number of dimensions, or other bands.
    """
    if np.ma.isMaskedArray(X):
        X = X.astype(np.float64).filled(np.nan)
    X = values_last(X, "X")
    values = np.asarray(X)
    if values.ndim == 3 and hasattr(X, "dims"):
        order = order_among(
            dimension_labels(X, X.dims[2]),
            fitted_bands(estimator),
            "the bands of X",
            "those that the model was fitted on",
        )
        values = values if order is None else values[..., order]
    if values.ndim not in (2, 3):
        raise ValueError(
            f"Expected X of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands), got "
            f"{values.shape}; reshape it."
        )
    if values.ndim == 2:
        return X, None
    return values.reshape(-1, values.shape[-1]), values.shape[:2]


def finite_pixels(pixels):
    """Return which pixels are finite in every band.

    Raises
    ------
    ValueError
        If there is none.
    """
    finite = np.isfinite(np.asarray(pixels, dtype=np.float64)).all(axis=1)
    if not finite.any():
        raise ValueError(
            f"Expected pixels that are finite in every band, got none among the {len(finite)} "
            f"pixels of X; drop the bands without data."
        )
    return finite


def split_pixels(X, shape, estimator):
    """Return the pixels that are finite in every band, the shape of the image, and where they are.

    Parameters
    ----------
    X, estimator
        As for `flat_pixels`.
    shape : tuple of (int, int) or None
        Rows and columns, if X is not an image.

    Returns
    -------
    pixels : array-like of shape (n_finite, n_bands)
        Of the type of X, if it is not an image.
    shape : tuple of (int, int)
    finite : ndarray of bool of shape (n_rows, n_columns)
    """
    pixels, image_shape = flat_pixels(X, estimator)
    shape = check_image_shape(shape, (*(image_shape or (len(pixels),)), np.shape(pixels)[1]), "X")
    finite = finite_pixels(pixels)
    if not finite.all():
        pixels = safe_indexing(pixels, np.flatnonzero(finite))
    return pixels, shape, finite.reshape(shape)


def place(values, finite):
    """Return an image with the values at the pixels that are `finite`, and NaN elsewhere."""
    values = np.asarray(values, dtype=np.float64)
    values = values.reshape(len(values), -1)
    image = np.full((*finite.shape, values.shape[1]), np.nan)
    image[finite] = values
    return image
