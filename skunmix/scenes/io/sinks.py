"""Writing of abundances to GeoTIFF, ENVI, netCDF, Zarr or NumPy's format."""

import logging
import os
import warnings
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ...utils.optional import require
from .envi import list_of_names
from .gdal import gdal
from .groups import netcdf_engine
from .windows import block_slices

_TILE = 256
_PARTS = 16
_NETCDF = (".nc", ".nc4")
_ENVI_DATA = (".img", ".dat", ".raw", ".bin", ".bil", ".bip", ".bsq")
_DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", **dict.fromkeys((".hdr", *_ENVI_DATA), "ENVI")}
# Options that the scene determines.
_TAKEN = {"driver", "height", "width", "count", "dtype", "crs", "transform", "nodata", "gcps"}


def check_output(path, creation_options=None):
    """Check, before the work starts, that the output can be written.

    Raises
    ------
    ImportError
        If a library that writes it is not installed.
    ValueError
        If the suffix or a creation option is unknown.
    FileNotFoundError
        If the folder does not exist.
    """
    purpose = f"Writing {path.name}"
    suffix = path.suffix.lower()
    if suffix in _DRIVERS:
        require("rasterio", purpose)
    elif suffix in _NETCDF or suffix == ".zarr":
        require("xarray", purpose)
        require("dask.array", purpose)
        if suffix == ".zarr":
            require("zarr", purpose)
        elif netcdf_engine() is None:
            require("netCDF4", purpose)
    elif suffix != ".npy":
        raise ValueError(
            f"Expected an output with the suffix .tif (GeoTIFF), .hdr (ENVI), .nc (netCDF), .zarr "
            f"or .npy (NumPy), got {path.suffix!r} in {path}; rename it."
        )
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for {path.name}; create it.")
    if creation_options:
        if suffix in _DRIVERS:
            _check_raster_options(_DRIVERS[suffix], creation_options)
        else:
            _check_xarray_options(suffix, creation_options)


def _check_raster_options(driver, options):
    """Check options by creating a small raster; warnings of GDAL are errors."""
    rasterio = require("rasterio", "A raster")
    given = ", ".join(f"{key}={value}" for key, value in options.items())
    taken = sorted(_TAKEN & {key.lower() for key in options})
    if taken:
        raise ValueError(f"creation_options has {taken[0]!r}, which the scene determines; drop it.")
    profile = {"driver": driver, "height": 256, "width": 256, "count": 1, "dtype": "float32"}
    warned = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warned.append(record.getMessage())
    logger = logging.getLogger("rasterio")
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        with TemporaryDirectory() as folder, gdal():
            suffix = ".tif" if driver == "GTiff" else ".img"
            with rasterio.open(Path(folder, f"trial{suffix}"), "w", **profile, **options) as trial:
                trial.write(np.zeros((1, 256, 256), np.float32))
    except Exception as error:
        warned.append(str(error))
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagate
    if warned:
        raise ValueError(
            f"GDAL's driver {driver} does not accept creation_options {given} ({warned[0]}); see "
            f"GDAL's documentation of the driver for its options."
        )


def _check_xarray_options(suffix, options):
    """Check options by the signature of xarray's writer."""
    if suffix == ".npy":
        raise ValueError(f"NumPy's format has no creation_options, got {list(options)}; drop them.")
    xr = require("xarray", "Writing")
    writer = xr.Dataset.to_zarr if suffix == ".zarr" else xr.Dataset.to_netcdf
    fixed = {"self", "path", "store", "mode", "engine", "compute"}
    known = set(signature(writer).parameters) - fixed
    unknown = sorted(set(options) - known)
    if unknown:
        raise ValueError(
            f"creation_options has {unknown[0]!r}, which xarray's {writer.__name__} does not know; "
            f"use one of {', '.join(sorted(known))}."
        )


def check_grid(path, source):
    """Check, before the work starts, that the output can hold the scene's grid.

    Raises
    ------
    ValueError
        If a raster cannot hold the grid, or ENVI cannot, whose pixels may be rotated, but not
        sheared or mirrored.
    """
    suffix = path.suffix.lower()
    if suffix not in _DRIVERS:
        return
    grid = source.grid()
    transform = grid.get("transform")
    if _DRIVERS[suffix] != "ENVI" or transform is None:
        return
    rasterio = require("rasterio", f"Writing {path.name}")
    with TemporaryDirectory() as folder:
        trial = Path(folder, "trial.img")
        profile = {"driver": "ENVI", "height": 1, "width": 1, "count": 1, "dtype": "uint8"}
        with gdal(), rasterio.open(trial, "w", **profile, **grid) as dataset:
            dataset.write(np.zeros((1, 1, 1), np.uint8))
        with gdal(), rasterio.open(trial) as dataset:
            found = dataset.transform
    # a thousandth of a pixel over the whole scene
    most = 1e-3 / max(source.shape)
    size = max(map(abs, (transform.a, transform.b, transform.d, transform.e)))
    wrong = any(abs(getattr(found, n) - getattr(transform, n)) > most * size for n in "abde")
    # of pixels that are not square, GDAL rotates before it scales, and ENVI scales first
    width, height = np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e)
    rotated = max(abs(transform.b), abs(transform.d)) > most * size
    if wrong or (rotated and abs(width - height) > most * size):
        raise ValueError(
            f"{path.name} cannot hold the scene's grid, whose transform is "
            f"{tuple(transform)[:6]}: ENVI's map info can only rotate square pixels, and cannot "
            f"shear or mirror them; write GeoTIFF (.tif) instead."
        )


def outputs_of(path):
    """Return the files of an output, the given path last."""
    if _DRIVERS.get(path.suffix.lower()) == "ENVI":
        data, header = _envi_files(path)
        return [data, header] if path == header else [header, data]
    return [path]


def _envi_files(path):
    """Return the data and the header of an ENVI output, given one of them."""
    if path.suffix.lower() == ".hdr":
        return path.with_suffix(".img"), path
    return path, path.with_suffix(".hdr")


def write_output(
    path, values, source, names, *, working_memory, creation_options=None, description=None
):
    """Write abundances, and read them again as a check.

    Parameters
    ----------
    path : pathlib.Path
        Output in an empty folder.
    values : RawAbundances
    source : Source
        The scene, with the grid.
    names : list of str
        Names of the endmembers.
    working_memory : float
        Memory in MiB.
    creation_options : dict, default=None
        Options of rasterio or of xarray's writer.
    description : str, default=None
        How the abundances came about. It is written into the metadata, except those of .npy, which
        has none: as the tag "unmixing" of GeoTIFF, the description of ENVI and the attribute
        "unmixing" of netCDF and Zarr.

    Returns
    -------
    made : list of pathlib.Path
        The files, in the order in which to move them.

    Raises
    ------
    OSError
        If the files do not hold the abundances.
    """
    pixel = values.shape[2] * values.dtype.itemsize
    # several copies of a window are in memory at once
    max_pixels = max(1, int(working_memory * 2**20 / (_PARTS * pixel)))
    windows = block_slices(values.shape[:2], max_pixels, (_TILE, _TILE))
    suffix = path.suffix.lower()
    options = dict(creation_options or {})
    if suffix in _DRIVERS:
        driver = _DRIVERS[suffix]
        read = _write_raster(path, values, source, names, windows, driver, options, description)
    elif suffix == ".npy":
        read = _write_npy(path, values, windows)
    else:
        read = _write_xarray(path, values, source, names, max_pixels, options, description)
    for window in windows:
        if not _same(read(window), values.read(window)):
            raise OSError(
                f"{path.name} does not hold what was written; check whether the disk is full."
            )
    return [*sorted(p for p in path.parent.iterdir() if p != path), path]


def _same(a, b):
    """Return whether two arrays hold the same numbers or NaN; the comparison of bits is faster."""
    bits = f"u{a.itemsize}"
    equal = a.dtype == b.dtype and np.array_equal(a.view(bits), b.view(bits))
    return equal or np.array_equal(a, b, equal_nan=True)


def _write_raster(path, values, source, names, windows, driver, options, description):
    rasterio = require("rasterio", f"Writing {path.name}")
    rows, cols, n_endmembers = values.shape
    names = [" ".join(name.split()) for name in names]  # a header holds one per line
    target = path
    profile = {}
    if driver == "ENVI":
        target, header = _envi_files(path)
    else:
        profile = {"interleave": "band", "bigtiff": "if_safer"}
        if min(rows, cols) >= _TILE:
            profile |= {"tiled": True, "blockxsize": _TILE, "blockysize": _TILE}
    profile |= {
        "driver": driver,
        "height": rows,
        "width": cols,
        "count": n_endmembers,
        "dtype": values.dtype.name,
        "nodata": np.nan,
        **source.grid(),
        **options,
    }
    with gdal(), rasterio.open(target, "w", **profile) as dataset:
        dataset.descriptions = names
        if description and driver != "ENVI":  # whose header has it
            dataset.update_tags(unmixing=description)
        for window in windows:
            dataset.write(np.moveaxis(values.read(window), -1, 0), window=window)
    if driver == "ENVI":
        target.with_suffix(".hdr").replace(header)  # with the suffix as given, such as .HDR
        text = header.read_text(encoding="utf-8", errors="surrogateescape")
        # the description by GDAL is the path of the temporary folder
        text = text.replace(os.fspath(target), _one_line(description) or target.name)
        # other readers split names at commas, while GDAL reads them from .aux.xml
        lists = (",\n".join(names), list_of_names(names))
        given, clean = (f"band names = {{\n{some}}}" for some in lists)
        header.write_text(text.replace(given, clean), encoding="utf-8", errors="surrogateescape")

    def read(window):
        with gdal(), rasterio.open(target) as dataset:
            return np.moveaxis(dataset.read(window=window), 0, -1)

    return read


def _one_line(description):
    """Return a description as a header can hold it."""
    return " ".join((description or "").translate(str.maketrans("{}", "()")).split())


def _write_npy(path, values, windows):
    with open(path, "wb") as file:
        header = {"descr": values.dtype.str, "fortran_order": False, "shape": values.shape}
        np.lib.format.write_array_header_1_0(file, header)
        for rows in range(0, values.shape[0], windows[0][0].stop):
            window = (slice(rows, min(rows + windows[0][0].stop, values.shape[0])),)
            values.read((*window, slice(0, values.shape[1]))).tofile(file)
    return lambda window: np.load(path, mmap_mode="r")[window]


def _write_xarray(path, values, source, names, max_pixels, options, description):
    xr = require("xarray", f"Writing {path.name}")
    da = require("dask.array", f"Writing {path.name}")
    import dask

    from .xarrays import abundance_array

    template, band_dim = source.template(), source.template_band_dim
    dims = source.output_dims
    side = max(1, min(4 * _TILE, int(max_pixels**0.5)))
    lazy = da.from_array(
        values, chunks=(side, side, -1), name=False, meta=np.empty((0, 0, 0), values.dtype)
    )
    abundances = abundance_array(lazy, dims, template, band_dim, names)
    if description:
        abundances.attrs["unmixing"] = description
    chunks = tuple(max(sizes) for sizes in abundances.chunks)
    # not on a cluster, which may not see the values
    with dask.config.set(scheduler="synchronous"), _os_errors():
        dataset = abundances.to_dataset()
        if path.suffix.lower() == ".zarr":
            # as objects, because Zarr has no stable format for strings of fixed length
            dataset["endmember"] = dataset["endmember"].astype(object)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Consolidated metadata")  # xarray's default
                dataset.to_zarr(path, mode="w", **options)
        else:
            dataset["abundance"].encoding["chunksizes"] = chunks
            dataset.to_netcdf(path, engine=netcdf_engine(), **options)

    def read(window):
        kind = {"engine": "zarr", "consolidated": False} if path.is_dir() else {}
        with _os_errors(), xr.open_dataset(path, chunks=None, cache=False, **kind) as dataset:
            written = dataset["abundance"].isel(dict(zip(dims, window)))
            return written.transpose(*dims, "endmember").values

    return read


@contextmanager
def _os_errors():
    """Return a context in which errors of HDF5, such as a full disk, are OSErrors."""
    try:
        yield
    except RuntimeError as error:  # raised by netCDF4
        raise OSError(str(error)) from error
