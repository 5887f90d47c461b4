"""Variables of netCDF, HDF5 and Zarr, in any group."""

import threading
import warnings
from importlib.util import find_spec

from ...utils.optional import require

# netCDF4 crashes if a thread opens a file while another one opens or reads; xarray locks reading
# only. This lock guards the opening of what the threads of a source share.
OPENING = threading.Lock()


def netcdf_engine():
    """Return xarray's name of the installed library for netCDF-4, or None."""
    if find_spec("netCDF4"):
        return "netcdf4"
    return "h5netcdf" if find_spec("h5netcdf") and find_spec("h5py") else None


def open_group(path, group="", decode_coords="all"):
    """Return a group as an unread xarray.Dataset of stored values.

    `decode_coords` is xarray's.

    Raises
    ------
    ImportError
        If a library that reads it is not installed.
    OSError
        If it cannot be read.
    """
    xr = require("xarray", f"Reading {path.name}")
    options = {}
    if path.is_dir():
        require("zarr", f"Reading {path.name}")
        options = {"engine": "zarr", "consolidated": False}
    elif group:
        options = {"engine": netcdf_engine()}
    if group:
        options["group"] = group
    try:
        # values are decoded later, by a Decoding
        return xr.open_dataset(
            path,
            chunks=None,
            cache=False,
            mask_and_scale=False,
            decode_times=False,
            decode_coords=decode_coords,
            **options,
        )
    except ValueError as error:
        if "engine" in str(error) or "IO backends" in str(error):
            raise ImportError(
                f"xarray could not open {path}, which is damaged or HDF4, or needs netCDF4 or "
                f"h5netcdf; `pip install skunmix[scenes]`."
            ) from error
        raise OSError(f"{path} could not be opened ({error}).") from error
    except OSError as error:
        raise OSError(f"{path} could not be opened ({error}); it may be truncated.") from error


def variables_of(path):
    """Return the dimensions of each variable: {"group/name": ((dimension, size), …)}.

    Raises
    ------
    ImportError
        If a library that reads the file is not installed.
    OSError
        If it cannot be read.
    """
    root = open_group(path)  # raises if the file is damaged
    try:
        if path.is_dir():
            zarr = require("zarr", f"Reading {path.name}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about other files in the folder
                return dict(_walk_zarr(zarr.open_group(str(path), mode="r")))
        engine = netcdf_engine()
        with open(path, "rb") as file:
            is_netcdf3 = file.read(3) == b"CDF"  # without groups
        if engine is None or is_netcdf3:
            return {name: tuple(v.sizes.items()) for name, v in root.variables.items()}
        with _open_netcdf(path, engine) as file:
            return dict(_walk_netcdf(file))
    finally:
        root.close()


def _open_netcdf(path, engine):
    if engine == "netcdf4":
        return require("netCDF4", f"Reading {path.name}").Dataset(path)
    return require("h5netcdf", f"Reading {path.name}").File(path, "r", phony_dims="sort")


def _walk_netcdf(group, prefix=""):
    for name, variable in group.variables.items():
        yield f"{prefix}{name}", tuple(zip(variable.dimensions, map(int, variable.shape)))
    for name, inner in group.groups.items():
        yield from _walk_netcdf(inner, f"{prefix}{name}/")


def _walk_zarr(group, prefix=""):
    for name, array in group.arrays():
        named = getattr(getattr(array, "metadata", None), "dimension_names", None)
        dims = named or array.attrs.get("_ARRAY_DIMENSIONS")
        if dims is not None and None not in dims:
            yield f"{prefix}{name}", tuple(zip(dims, array.shape))
    for name, inner in group.groups():
        yield from _walk_zarr(inner, f"{prefix}{name}/")


def open_variable(path, name):
    """Return a variable as an unread DataArray, with the coordinates of its parent groups.

    Values are stored values, and coordinates are decoded.
    """
    xr = require("xarray", f"Reading {path.name}")
    *groups, name = name.split("/")
    group = "/".join(groups)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Variable.* referenced in grid_mapping not in variables")
        array = open_group(path, group)[name]
    mapping = array.attrs.get("grid_mapping", array.encoding.get("grid_mapping"))
    if groups and mapping is None:  # xarray drops the name of a variable in another group
        mapping = open_group(path, group, decode_coords=False)[name].attrs.get("grid_mapping")
    coords = dict(array.coords)
    for depth in reversed(range(len(groups))):
        around = open_group(path, "/".join(groups[:depth]))
        for found, coord in around.variables.items():
            meant = found in around.coords or found == mapping
            fits = all(array.sizes.get(dim) == size for dim, size in coord.sizes.items())
            if meant and fits and found not in coords:
                coords[found] = around[found].variable
    # otherwise packed coordinates would be wrong
    decoded = xr.decode_cf(xr.Dataset(coords=coords), decode_times=False, decode_coords=False)
    array = array.assign_coords(decoded.coords)
    if mapping in array.coords:
        array.attrs.pop("grid_mapping", None)
        array.encoding["grid_mapping"] = mapping
    return array
