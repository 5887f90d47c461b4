"""Parts that all Displays use: pixels as images, names, maps and colour bars."""

from numbers import Integral

import numpy as np

from ..utils.compat import safe_indexing
from ..utils.dimensions import axis_kind, rows_and_columns
from ..utils.estimators import fitted_bands, last_step
from ..utils.labels import (
    BAND_NAMES,
    ENDMEMBER_NAMES,
    are_known,
    column_labels,
    dimension_labels,
    order_among,
    order_of,
)

# grey, which neither viridis nor magma contains
MISSING = "0.8"
# With more endmembers than this, and than rows, and without names, the endmembers seem to come
# first.
_MANY = 12


def values_last(values, name="values"):
    """Return a DataArray with its rows before its columns, and endmembers or bands last.

    Parameters
    ----------
    values : object
        Other objects, and DataArrays with default names of dimensions, are returned unchanged.
    name : str
        Name of the values, for error messages.

    Raises
    ------
    ValueError
        If the names of three dimensions do not identify that of the endmembers or bands.
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


def value_labels(values):
    """Return the labels of the last axis of a frame or a DataArray of pixels or an image, or None.

    Parameters
    ----------
    values : object
        A DataArray must have its endmembers or bands last.
    """
    if len(getattr(values, "dims", ())) == 3:
        found = dimension_labels(values, values.dims[2])
        return next(filter(are_known, found), next(iter(found), None))
    return column_labels(values)


def check_endmembers_last(abundances, name):
    """Raise if an image without labels seems to have its endmembers first, as in rasterio and GDAL.

    Parameters
    ----------
    abundances : ndarray of shape (n_rows, n_columns, n_endmembers)
    name : str
        Name of the abundances, for the error message.

    Raises
    ------
    ValueError
        If abundances sum to one over the first axis, but not over the last, or if there are more
        than 12 endmembers, and more than rows.
    """
    n_rows, n_columns, n_endmembers = abundances.shape
    if _sum_to_one(abundances, 2):
        return
    if (n_rows > 1 and _sum_to_one(abundances, 0)) or n_endmembers > max(n_rows, _MANY):
        raise ValueError(
            f"Expected {name} of shape (n_rows, n_columns, n_endmembers), got {abundances.shape}, "
            f"which would be {n_endmembers} maps of {n_rows} × {n_columns} pixels; if endmembers "
            f"come first, pass np.moveaxis({name}, 0, -1), otherwise pass endmember_names."
        )


def _sum_to_one(abundances, axis):
    sums = abundances.sum(axis=axis)
    sums = sums[np.isfinite(sums)]
    return sums.size > 0 and bool((np.abs(sums - 1) < 1e-3).all())


def as_image_like(values, labels, shape, name, against):
    """Return an image as `as_image` does, with its values in the order of the expected labels.

    Parameters
    ----------
    values : array-like
    labels : list or None
        The expected labels.
    shape, name
        As for `as_image`.
    against : str
        The object with these labels, for the error message.
    """
    values = values_last(values, name)
    order = order_of(value_labels(values), labels, f"the columns of {name}", against)
    image = as_image(values, shape, name)
    return image if order is None else image[..., order]


def as_image(values, shape, name):
    """Return pixels as an image, a copy in float64.

    Parameters
    ----------
    values : array-like of shape (n_pixels,), (n_pixels, n_values) or (n_rows, n_columns, n_values)
        Masked values become NaN.
    shape : (int, int) or None
        Rows and columns. None is only allowed for an image.
    name : str
        Name of the values, for error messages.

    Returns
    -------
    image : ndarray of shape (n_rows, n_columns, n_values), float64

    Raises
    ------
    ValueError
        If the values have another shape, or their number does not fit `shape`.
    """
    values = as_floats(values_last(values, name))
    if values.ndim not in (1, 2, 3):
        raise ValueError(
            f"Expected {name} as pixels in rows, or as an image of shape (n_rows, n_columns, "
            f"n_values), got {values.ndim} dimensions; reshape it."
        )
    shape = check_image_shape(shape, values.shape, name)
    return values.reshape(*shape, values.shape[-1] if values.ndim > 1 else 1)


def as_floats(values):
    """Return a copy of values in float64, NaN where they are masked."""
    if np.ma.isMaskedArray(values):
        values = values.astype(np.float64).filled(np.nan)
    return np.array(values, dtype=np.float64)


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


def split_pixels(X, shape, estimator, name="X"):
    """Return pixels in rows, the shape of their image, and which of them are finite.

    Parameters
    ----------
    X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
    shape : (int, int) or None
    estimator : estimator
        Fitted. If an image has labels, its bands are ordered as those of the estimator.
    name : str

    Returns
    -------
    pixels : array-like of shape (n_finite, n_bands)
        The pixels that are finite in every band, of the type of X.
    shape : tuple of (int, int)
    finite : ndarray of bool of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If X does not fit `shape`, or no pixel is finite in every band.
    """
    if np.ma.isMaskedArray(X):
        X = X.astype(np.float64).filled(np.nan)
    X = values_last(X, name)
    values = np.asarray(X)
    if values.ndim == 3 and hasattr(X, "dims"):
        order = order_among(
            dimension_labels(X, X.dims[2]),
            fitted_bands(estimator),
            f"the bands of {name}",
            "those that the model was fitted on",
        )
        values = values if order is None else values[..., order]
    if values.ndim not in (2, 3):
        raise ValueError(
            f"Expected {name} of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands), got "
            f"{values.shape}; reshape it."
        )
    shape = check_image_shape(shape, values.shape, name)
    pixels = values.reshape(-1, values.shape[-1]) if values.ndim == 3 else X
    finite = np.isfinite(np.asarray(pixels, dtype=np.float64)).all(axis=1)
    if not finite.any():
        raise ValueError(
            f"Expected pixels that are finite in every band, got none among the {len(finite)} "
            f"pixels of {name}; drop the bands without data."
        )
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


def estimator_names(estimator, n_endmembers):
    """Return the names of an estimator's endmembers, or None."""
    estimator = last_step(estimator)
    if not hasattr(estimator, "n_endmembers_"):
        return None  # the features of other regressors are not endmembers
    names = estimator.get_feature_names_out()
    return list(names) if len(names) == n_endmembers else None


def check_names(names, n_endmembers):
    """Return the names of the endmembers as strings. None gives default names."""
    if names is None:
        return [f"endmember{i}" for i in range(n_endmembers)]
    names = [names] if isinstance(names, str) else [str(name) for name in names]
    if len(names) != n_endmembers:
        raise ValueError(
            f"Expected {n_endmembers} endmember_names, one for each endmember, got {len(names)}; "
            f"pass one name for each."
        )
    return names


def draw_image(ax, image, *, cmap, **im_kw):
    """Draw an image without ticks, with missing pixels in grey."""
    import matplotlib

    cmap = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=MISSING)
    drawn = ax.imshow(image, **{"interpolation": "nearest", "cmap": cmap, **im_kw})
    ax.set(xticks=[], yticks=[])
    return drawn


def is_flat(shape):
    """Return whether an image is too low for vertical text beside it."""
    return shape[0] < shape[1] / 2


def draw_colorbar(axes, image, values, label):
    """Draw the colour bar of an image beside axes, or below a single row of flat images.

    Its width does not depend on the number of rows. An end is pointed if `values` lie beyond it.
    """
    axes = np.atleast_2d(np.asarray(axes, dtype=object))
    n_rows = len({round(panel.get_position().y0, 3) for panel in axes.ravel()})
    low, high = (values < image.norm.vmin).any(), (values > image.norm.vmax).any()
    if n_rows == 1 and is_flat(image.get_array().shape):
        where = {"location": "bottom", "aspect": 30}
    else:
        where = {"aspect": 15 * n_rows, "fraction": 0.15 / axes.shape[1] ** 0.5}
    return axes[0, 0].figure.colorbar(
        image,
        ax=list(axes.ravel()),
        label=label,
        extend={(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[low, high],
        **where,
    )
