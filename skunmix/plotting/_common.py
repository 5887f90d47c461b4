"""Parts that all Displays use: images, names, maps and colour bars."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from ..scenes.io.gdal import gdal_warnings_off
from ..scenes.io.opening import open_source
from ..scenes.io.thinning import thinned
from ..utils.estimators import last_step
from ..utils.images import check_image_shape, values_last
from ..utils.labels import are_known, column_labels, dimension_labels, order_of

# grey, which neither viridis nor magma contains
MISSING = "0.8"
# With more endmembers than this, and than rows, unnamed endmembers seem to come first.
_MANY = 12


def value_labels(values):
    """Return the labels of the last axis of a frame or a DataArray of pixels or an image, or None.

    A DataArray must have its endmembers or bands last.
    """
    if len(getattr(values, "dims", ())) == 3:
        found = dimension_labels(values, values.dims[2])
        return next(filter(are_known, found), next(iter(found), None))
    return column_labels(values)


def check_endmembers_last(abundances, name):
    """Raise if an image without labels seems to have its endmembers first, as in rasterio and GDAL.

    It seems so if abundances sum to one over the first axis, but not over the last, or if there are
    more than 12 endmembers, and more than rows.
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

    `labels` are a list or None, and `against` describes the object that has them, for the error.
    """
    values = values_last(values, name)
    order = order_of(value_labels(values), labels, f"the columns of {name}", against)
    image = as_image(values, shape, name)
    return image if order is None else image[..., order]


def as_image(values, shape, name):
    """Return pixels as an image of shape (n_rows, n_columns, n_values), a copy in float64.

    The values have shape (n_pixels,), (n_pixels, n_values) or (n_rows, n_columns, n_values). Masked
    values become NaN. `shape` is (n_rows, n_columns), and may be None for an image.
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


def read_maps(path, max_side):
    """Return the maps in a file, thinned to at most `max_side` rows and columns, and their names.

    Returns
    -------
    maps : ndarray of shape (n_rows, n_columns, n_maps)
    names : list of str
    """
    check_scalar(max_side, "max_side", Integral, min_val=1)
    with gdal_warnings_off():
        source = open_source(path, band_dim="endmember")
        known = [labels for labels in source.band_labels() if are_known(labels)]
        names = check_names(known[0] if known else None, source.shape[2])
        return thinned(source, max_side), names


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
    pointed = (values < image.norm.vmin).any(), (values > image.norm.vmax).any()
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[pointed]
    if n_rows == 1 and is_flat(image.get_array().shape):
        where = {"location": "bottom", "aspect": 30}
    else:
        where = {"aspect": 15 * n_rows, "fraction": 0.15 / axes.shape[1] ** 0.5}
    figure = axes[0, 0].figure
    return figure.colorbar(image, ax=list(axes.ravel()), label=label, extend=extend, **where)
