"""What the Displays share: pixels as images, names, and matplotlib when it is there."""

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

# distinct from every colour of viridis and magma
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
        A DataArray has its endmembers or bands last.
    """
    if len(getattr(values, "dims", ())) == 3:
        return next(iter(dimension_labels(values, values.dims[2])), None)
    return column_labels(values)


def as_image_like(values, labels, shape, name, against):
    """Return an image as `as_image` does, with its values in the order of labels that it has, too.

    Parameters
    ----------
    values : array-like
    labels : list or None
        The expected labels.
    shape, name
        As for `as_image`.
    against : str
        What has these labels, for the error.
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
        What is masked becomes NaN.
    shape : (int, int) or None
        Rows and columns; None only for an image.
    name : str
        Of the values, for errors.

    Returns
    -------
    image : ndarray of shape (n_rows, n_columns, n_values), float64

    Raises
    ------
    ValueError
        If the values are none of these, or their number does not fit the shape.
    """
    values = as_floats(values_last(values))
    if values.ndim not in (1, 2, 3):
        raise ValueError(
            f"{name} has {values.ndim} dimensions, expected pixels in rows or an image of shape "
            f"(n_rows, n_columns, n_values)."
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
    """Return rows and columns of an image whose pixels come in an array of `values_shape`."""
    if shape is None:
        if len(values_shape) != 3:
            raise ValueError(
                f"{name} has shape {values_shape}, pixels in rows, which does not tell how many "
                f"rows and columns the image has; pass shape=(n_rows, n_columns)."
            )
        return values_shape[:2]
    sides = tuple(np.atleast_1d(shape))
    if len(sides) != 2 or not all(isinstance(side, Integral) and side > 0 for side in sides):
        raise ValueError(
            f"shape={shape!r} is not that of an image, expected two positive integers: "
            f"(n_rows, n_columns)."
        )
    shape = tuple(int(side) for side in sides)
    n_pixels = int(np.prod(values_shape[:2] if len(values_shape) == 3 else values_shape[:1]))
    if shape[0] * shape[1] != n_pixels or (len(values_shape) == 3 and shape != values_shape[:2]):
        raise ValueError(
            f"shape={shape} has {shape[0] * shape[1]} pixels, but {name} has {n_pixels}, in an "
            f"array of shape {tuple(values_shape)}; expected shape=(n_rows, n_columns) of the "
            f"image."
        )
    return shape


def split_pixels(X, shape, estimator, name="X"):
    """Return pixels in rows, the shape of their image, and which of them are finite.

    Parameters
    ----------
    X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
    shape : (int, int) or None
    estimator : estimator
        Fitted, on whose bands an image is brought that has labels.
    name : str

    Returns
    -------
    pixels : array-like of shape (n_finite, n_bands)
        Those that are finite in every band, of the type of X.
    shape : tuple of (int, int)
    finite : ndarray of bool of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If X does not fit the shape, or no pixel is finite.
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
            f"{name} has shape {values.shape}, expected (n_pixels, n_bands) or "
            f"(n_rows, n_columns, n_bands)."
        )
    shape = check_image_shape(shape, values.shape, name)
    pixels = values.reshape(-1, values.shape[-1]) if values.ndim == 3 else X
    finite = np.isfinite(np.asarray(pixels, dtype=np.float64)).all(axis=1)
    if not finite.any():
        raise ValueError(
            f"None of the {len(finite)} pixels of {name} is finite in every band, so that there "
            f"is nothing to draw; leave out the bands that have no data."
        )
    if not finite.all():
        pixels = safe_indexing(pixels, np.flatnonzero(finite))
    return pixels, shape, finite.reshape(shape)


def place(values, finite):
    """Return an image with the values in the pixels that are `finite`, and NaN in the others."""
    values = np.asarray(values, dtype=np.float64)
    values = values.reshape(len(values), -1)
    image = np.full((*finite.shape, values.shape[1]), np.nan)
    image[finite] = values
    return image


def estimator_names(estimator, n_endmembers):
    """Return the names that an estimator gives its endmembers, or None."""
    estimator = last_step(estimator)
    if not hasattr(estimator, "n_endmembers_"):
        return None  # another regressor's features are not endmembers
    names = estimator.get_feature_names_out()
    return list(names) if len(names) == n_endmembers else None


def check_names(names, n_endmembers):
    """Return the names of the endmembers as strings, default ones for None."""
    if names is None:
        return [f"endmember{i}" for i in range(n_endmembers)]
    names = [names] if isinstance(names, str) else [str(name) for name in names]
    if len(names) != n_endmembers:
        raise ValueError(
            f"endmember_names has {len(names)} names, but there are {n_endmembers} endmembers; "
            f"expected one name an endmember."
        )
    return names


def draw_image(ax, image, *, cmap, **im_kw):
    """Draw an image with its missing pixels in grey, without ticks."""
    import matplotlib

    cmap = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=MISSING)
    drawn = ax.imshow(image, **{"interpolation": "nearest", "cmap": cmap, **im_kw})
    ax.set(xticks=[], yticks=[])
    return drawn


def is_flat(shape):
    """Whether an image is too low for upright words beside it."""
    return shape[0] < shape[1] / 2


def draw_colorbar(axes, image, values, label):
    """Draw the scale of an image beside axes, or below a single row of flat ones.

    It is as wide beside many rows as beside one. Its ends are pointed where `values` lie beyond it.
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
