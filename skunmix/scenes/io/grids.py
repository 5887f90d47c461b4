"""The grid in which the pixels of a DataArray are."""

import numpy as np

from ...utils.optional import require

# Of a pixel, by which coordinates may be off.
_TOLERANCE = 0.1


def grid_of(array, dims, name):
    """Return CRS and transform of a DataArray, as rasterio names them.

    Parameters
    ----------
    array : xarray.DataArray
    dims : (str, str)
        Rows and columns.
    name : str
        Of the scene, for errors.

    Raises
    ------
    ValueError
        If its coordinates are not those of a grid.
    """
    require("rioxarray", f"Writing the grid of {name} to a raster")
    array = array.rio.set_spatial_dims(x_dim=dims[1], y_dim=dims[0])
    steps = [_even_step(array, dim, name) for dim in dims]
    transform = array.rio.transform()  # what is stored, if anything is
    if None not in steps and not _agrees(transform, array, dims, steps):
        transform = array.rio.transform(recalc=True)  # it is that of a larger scene
    single = any(array.sizes[dim] == 1 and _numbers(array, dim) is not None for dim in dims)
    if single and transform.is_identity:
        raise ValueError(
            f"{name} has a single row or column and coordinates, but nothing says how large its "
            f"pixels are, as a raster needs; write netCDF (.nc) or Zarr (.zarr)."
        )
    return {"crs": array.rio.crs, "transform": transform}


def _agrees(transform, array, dims, steps):
    """Whether a transform has the first and the last pixel where coordinates have them."""
    for place in (0, -1):
        y, x = (float(array.coords[dim].values[place]) for dim in dims)
        row, col = (0.5 + range(array.sizes[dim])[place] for dim in dims)
        off_x = transform.c + transform.a * col + transform.b * row - x
        off_y = transform.f + transform.d * col + transform.e * row - y
        if abs(off_x) > _TOLERANCE * abs(steps[1]) or abs(off_y) > _TOLERANCE * abs(steps[0]):
            return False
    return True


def _even_step(array, dim, name):
    """Return the step of a coordinate, or None if there is none to see."""
    values = _numbers(array, dim)
    if values is None or len(values) < 2:
        return None
    line, step = np.linspace(values[0], values[-1], len(values), retstep=True)
    # coordinates of float32 are coarse beside pixels of some metres
    coarse = 4 * np.spacing(np.abs(values).max()) if values.dtype.kind == "f" else 0.0
    if not np.abs(values - line).max() <= _TOLERANCE * abs(step) + coarse or not step:
        raise ValueError(
            f"The coordinate {dim!r} of {name} is not evenly spaced, so that a raster cannot hold "
            f"where its pixels are; write netCDF (.nc) or Zarr (.zarr), which keep it."
        )
    return step


def _numbers(array, dim):
    """Return the coordinate of a dimension if it is one of numbers, else None."""
    values = np.asarray(array.coords[dim].values) if dim in array.coords else np.empty(0, "O")
    return values if values.dtype.kind in "iuf" else None
