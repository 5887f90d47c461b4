"""Parts that all Displays use: pixels as images, names, maps and colour bars."""

from numbers import Integral

import numpy as np

from ..utils import (
    BAND_NAMES,
    ENDMEMBER_NAMES,
    column_labels,
    dimension_labels,
    fitted_bands,
    last_step,
    order_among,
    order_of,
    safe_indexing,
)

# grey, which neither viridis nor magma contains
MISSING = "0.8"
# Maps that one figure may have.
_MOST_MAPS = 20


def values_last(values):
    """Return an image of xarray with the dimension of its bands or endmembers last."""
    dims = getattr(values, "dims", ())
    last = [dim for dim in dims if str(dim).lower() in BAND_NAMES | ENDMEMBER_NAMES]
    return values.transpose(..., last[0]) if len(dims) == 3 and len(last) == 1 else values


def value_labels(values):
    """Return the labels of the last axis of a frame or a DataArray of pixels or an image, or None.

    Parameters
    ----------
    values : object
        A DataArray must have its endmembers or bands last.
    """
    if len(getattr(values, "dims", ())) == 3:
        return next(iter(dimension_labels(values, values.dims[2])), None)
    return column_labels(values)


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
    values = values_last(values)
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
    values = as_floats(values_last(values))
    if values.ndim not in (1, 2, 3):
        raise ValueError(
            f"Expected {name} as pixels in rows, or as an image of shape (n_rows, n_columns, "
            f"n_values), got {values.ndim} dimensions; reshape it."
        )
    shape = check_image_shape(shape, values.shape, name)
    return values.reshape(*shape, values.shape[-1] if values.ndim > 1 else 1)


def check_values_last(image, name):
    """Check that an image does not have its values first, as rasterio reads a file.

    It has if it sums to one along the first axis and not along the last, or if it has more values
    than anyone draws, and few rows.

    Parameters
    ----------
    image : array-like of shape (n_rows, n_columns, n_values)
    name : str
        Of the values, for the error.

    Raises
    ------
    ValueError
        If it has.
    """
    if np.ndim(image) != 3 or hasattr(image, "dims"):
        return
    image = as_floats(image)
    n_rows, n_columns, n_values = image.shape
    one_along_first, one_along_last = (
        bool(n > 1 and np.mean(np.abs(np.nansum(image, axis=axis) - 1) < 1e-3) > 0.5)
        for n, axis in ((n_rows, 0), (n_values, 2))
    )
    too_many = n_rows <= _MOST_MAPS < n_values and n_rows < n_columns
    if not one_along_last and (one_along_first or too_many):
        raise ValueError(
            f"{name} of shape {image.shape} would be {n_values} maps of {n_rows} × {n_columns} "
            f"pixels, expected (n_rows, n_columns, n_values), and it seems to be {n_rows} maps of "
            f"{n_columns} × {n_values}; pass numpy.moveaxis(values, 0, -1), or pixels in rows with "
            f"`shape` if it is not."
        )


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
    X = values_last(X)
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
