"""Scenes on disk, which are read by windows: rasters of GDAL, netCDF, HDF5, Zarr and NumPy."""

import threading
from functools import cached_property
from pathlib import Path

import numpy as np

from ...utils.dimensions import rows_and_columns
from ...utils.labels import are_known, dimension_labels
from ...utils.optional import require
from .bands import Bands, bands_of_coordinates, bands_of_header, bands_of_raster
from .decoding import decoding_of, with_netcdf_fill
from .envi import data_file_of, raw_layout, read_header, scaling_of
from .gdal import FORMATS, GDAL_CACHE, gdal_cache, open_raster
from .grids import grid_of
from .groups import OPENING, open_variable, variables_of
from .windows import chunk_bytes

_REFLECTANCE_FACTOR = "reflectance_scale_factor"
# Suffixes of HDF5 files without the conventions of netCDF.
_HDF5_SUFFIXES = {".h5", ".he5", ".hdf5", ".hdf"}
_XARRAY_SUFFIXES = {".nc", ".nc4", ".cdf", ".zarr", *_HDF5_SUFFIXES}
# First bytes of netCDF and HDF5 files, for other suffixes.
_XARRAY_SIGNATURES = (b"CDF\1", b"CDF\2", b"CDF\5", b"\x89HDF\r\n\x1a\n")
_HANDLES = {"_local", "_opened"}  # attributes that stay in their process


def is_of_xarray(path):
    """Return whether xarray reads a file or folder: netCDF, HDF5 or Zarr."""
    if path.suffix.lower() in _XARRAY_SUFFIXES or path.is_dir():
        return True
    with open(path, "rb") as file:
        return file.read(8).startswith(_XARRAY_SIGNATURES)


class Source:
    """A scene (rows, cols, n_bands) on disk, from which any process can read windows.

    Attributes
    ----------
    path : pathlib.Path
    shape : tuple of int
        Rows, columns and bands.
    chunk_shape : tuple of int
        Rows and columns of a chunk.
    chunk_bytes : int
        Size of a chunk, which is in memory while any part of it is read.
    in_one_piece : bool
        Whether small windows can be read as efficiently as large ones.
    dims : tuple of str
        Dimensions of rows and columns in the template.
    where : str
        Description of the scene's bands, for error messages.
    kind : str
        The format.
    sensor : str or None
        The sensor or product, if the file tells.
    open_options : tuple of str
        Names of the options of its reader.
    """

    kind = sensor = None
    open_options = ()
    chunk_shape = (1, 1)
    chunk_bytes = 0
    in_one_piece = False
    dims = ("y", "x")

    def __init__(self, path):
        self.path = path
        self._local = threading.local()

    def __getstate__(self):
        # handles belong to one process, and those of GDAL to one thread
        return {name: value for name, value in vars(self).items() if name not in _HANDLES}

    def __setstate__(self, state):
        vars(self).update(state)
        self._local = threading.local()

    def bytes_per_pixel(self):
        """Return the size of the stored values of a pixel, uncompressed."""
        return self.shape[2] * self.dtype.itemsize

    def decoding(self, **overrides):
        """Return the decoding by the file's metadata and the caller's overrides."""
        return decoding_of(self.dtype, self.attributes, decoded=False, **overrides)

    def read(self, window):
        """Return the stored values of a window, (rows, cols, n_bands), and its mask or None."""
        try:
            return self._read(window)
        except OSError as error:
            rows, cols = window
            raise OSError(
                f"{self.path} could not be read in rows {rows.start} to {rows.stop} and columns "
                f"{cols.start} to {cols.stop} ({error}); it may be truncated."
            ) from error

    def files(self):
        """Return the files of the scene."""
        if self.path.is_dir():
            return sorted(path for path in self.path.rglob("*") if path.is_file())
        return [self.path]

    def band_labels(self):
        """Return the labels of the bands, as lists of names, wavelengths or numbers."""
        return []

    def bands(self):
        """Return what the file says about its bands, as `Bands`."""
        return Bands()

    @property
    def output_dims(self):
        """Dimensions of the rows and columns of the abundances in the template."""
        return self.dims

    def placed(self, values):
        """Return the abundances of the scene's pixels in the grid of the output."""
        return values

    def grid(self):
        """Return the georeference of the scene, a dict for rasterio, which may be empty."""
        return {}

    def template(self):
        """Return an unread DataArray of the scene, for its coordinates and attributes."""
        xr = require("xarray", f"Writing the abundances of {self.path.name}")
        return xr.DataArray(np.broadcast_to(np.float32(0), self.shape), dims=("y", "x", "band"))

    template_band_dim = "band"


class NumpySource(Source):
    """A cube (rows, cols, n_bands) in NumPy's format, without a georeference."""

    kind = "NumPy"

    def __init__(self, path):
        super().__init__(path)
        self.attributes = {}
        try:
            cube = np.load(path, mmap_mode="r")
        except (ValueError, EOFError, OSError) as error:
            raise OSError(
                f"{path} could not be opened as a NumPy array of numbers ({error}); check whether "
                f"it is truncated."
            ) from error
        if cube.ndim != 3:
            raise ValueError(
                f"Expected a scene of shape (rows, cols, bands), got {cube.shape} in {path}; "
                f"reshape it."
            )
        self.shape, self.dtype = cube.shape, cube.dtype
        self.in_one_piece = cube.flags.c_contiguous
        self.where = f"the last axis of {path.name}"

    def _read(self, window):
        # a new mapping each time, so that pages do not accumulate
        return np.array(np.load(self.path, mmap_mode="r")[window]), None


class RasterSource(Source):
    """A raster that GDAL reads, such as GeoTIFF and ENVI."""

    def __init__(self, path):
        super().__init__(data_file_of(path))
        rasterio = require("rasterio", f"Reading {path.name}")
        dataset = self._dataset()
        self.shape = (dataset.height, dataset.width, dataset.count)
        self.dtype = np.dtype(np.result_type(*{np.dtype(name) for name in dataset.dtypes}))
        self.where = self.path.name
        self.raw = None
        no_data = {value for value in dataset.nodatavals if value is not None}
        self.attributes = {
            "nodata": sorted(no_data) or None,
            "scales": dataset.scales,
            "offsets": dataset.offsets,
        }
        self.kind = FORMATS[dataset.driver]
        self._is_envi = dataset.driver == "ENVI"
        if self._is_envi:
            header = read_header(self._header_of(dataset, path))
            self._bands = bands_of_header(header, dataset.count)
            self.sensor = header.get("sensor type") or None
            self.attributes |= scaling_of(header, dataset.count, self.path)
            self.raw = raw_layout(dataset, self.path, header)
        else:  # it may have the tags of an ENVI scene
            self._bands = bands_of_raster(dataset)
            tags = {**dataset.tags(), **dataset.tags(ns="ENVI")}
            tags = {name.lower(): value for name, value in tags.items()}
            if _REFLECTANCE_FACTOR in tags:
                self.attributes[_REFLECTANCE_FACTOR] = tags[_REFLECTANCE_FACTOR]
        self.in_one_piece = self.raw is not None
        if self.raw is None:
            self.chunk_shape = dataset.block_shapes[0]
            self.chunk_bytes = int(np.prod(self.chunk_shape)) * self.bytes_per_pixel()
        else:
            self.dtype = self.raw.dtype.newbyteorder("=")
        flags = rasterio.enums.MaskFlags
        self._has_mask = flags.per_dataset in dataset.mask_flag_enums[0]

    def decoding(self, **overrides):
        """Return the decoding by the file's metadata and the caller's overrides."""
        return decoding_of(
            self.dtype, self.attributes, decoded=False, from_envi=self._is_envi, **overrides
        )

    def _header_of(self, dataset, path):
        """Return the header of an ENVI scene, after comparing it with the given path."""
        header = next(Path(file) for file in dataset.files if file.lower().endswith(".hdr"))
        if path.suffix.lower() == ".hdr" and not path.samefile(header):
            raise OSError(
                f"Expected the header {header}, which GDAL reads for {self.path}, got {path}; "
                f"remove one of them, or pass the path of the data."
            )
        return header

    def _dataset(self):
        """Return the handle of this thread."""
        dataset = getattr(self._local, "dataset", None)
        if dataset is None:
            dataset = self._local.dataset = open_raster(self.path)
        return dataset

    def _read(self, window):
        if self.raw is not None:
            values = self.raw.read(window)
        else:
            dataset = self._dataset()
            with gdal_cache(max(GDAL_CACHE, 2 * self.chunk_bytes)):
                values = dataset.read(window=window, out_dtype=self.dtype)
            values = np.moveaxis(values, 0, -1)
        mask = None
        if self._has_mask:
            mask = self._dataset().read_masks(1, window=window) == 0
        return values, mask

    def files(self):
        """Return the files of the scene, including a header."""
        return sorted(Path(name) for name in self._dataset().files)

    def band_labels(self):
        """Return the descriptions and wavelengths of the bands, if all bands have one."""
        dataset = self._dataset()
        tags = [dataset.tags(i) for i in dataset.indexes]
        wavelengths = [
            f"{tag['wavelength']} {tag.get('wavelength_units', '')}".strip()
            for tag in tags
            if "wavelength" in tag
        ]
        found = (list(dataset.descriptions), wavelengths)
        return [labels for labels in found if len(labels) == dataset.count and all(labels)]

    def bands(self):
        """Return what the header or the tags say about the bands."""
        return self._bands

    def grid(self):
        """Return CRS and transform or ground control points, as a dict for rasterio."""
        dataset = self._dataset()
        grid = {"crs": dataset.crs, "transform": dataset.transform}
        points, crs = dataset.gcps
        if points:
            grid = {"gcps": points, "crs": crs}
        return grid

    def template(self):
        """Return an unread DataArray of the scene from rioxarray."""
        rioxarray = require("rioxarray", f"Writing the grid of {self.path.name} to netCDF or Zarr")
        return rioxarray.open_rasterio(self.path, driver=self._dataset().driver)


class XarraySource(Source):
    """A variable of netCDF, HDF5 or Zarr with two dimensions and one of bands."""

    _opened = None

    def __init__(self, path, band_dim, variable):
        super().__init__(path)
        self._band_dim = self.template_band_dim = band_dim
        self._variable = self._find(variable)
        scene = self._scene()
        if band_dim not in scene.dims:
            raise ValueError(
                f"{scene.name!r} of {path.name} has no dimension {band_dim!r}, but "
                f"{dict(scene.sizes)}; pass the name of the bands' dimension as band_dim."
            )
        if scene.ndim != 3:
            raise ValueError(
                f"Expected two dimensions and one of bands, got {dict(scene.sizes)} for "
                f"{scene.name!r} of {path.name}; save a selection of it, or use unmix."
            )
        self.dims = rows_and_columns(scene, band_dim)
        self.shape = tuple(scene.sizes[dim] for dim in (*self.dims, band_dim))
        self.dtype = scene.dtype
        self.attributes = dict(scene.attrs)
        if path.is_file() and path.suffix.lower() not in _HDF5_SUFFIXES:
            self.attributes = with_netcdf_fill(self.attributes, self.dtype)
        self.where = f"dimension {band_dim!r} of {path.name}"
        self.kind = _kind_of(path)
        chunks = scene.encoding.get("preferred_chunks") or {}
        self.chunk_shape = tuple(int(chunks.get(dim, 1)) for dim in self.dims)
        self.chunk_bytes = chunk_bytes(scene)
        self.in_one_piece = scene.dims[-1] == band_dim

    def _find(self, variable):
        """Return the name of the scene's variable, with its group."""
        there = variables_of(self.path)
        if variable is not None:
            name = variable.strip("/")
            if name in there:
                return name
            raise ValueError(
                f"{self.path.name} has no variable {variable!r}; pass one of {_listed(there)}."
            )
        banded = {
            name: dims
            for name, dims in there.items()
            if len(dims) > 1 and self._band_dim in dict(dims)
        }
        found = [name for name, dims in banded.items() if len(dims) == 3] or list(banded)
        if len(found) != 1:
            raise ValueError(
                f"{self.path.name} has {len(found)} variables with a dimension {self._band_dim!r}, "
                f"expected one; pass the scene as variable, and the dimension of its bands as "
                f"band_dim: it has {_listed(there)}."
            )
        return found[0]

    def _scene(self):
        with OPENING:  # one dataset for all threads
            if self._opened is None:
                self._opened = open_variable(self.path, self._variable)
            return self._opened

    def _read(self, window):
        variable = self._scene().variable.isel(dict(zip(self.dims, window)))
        try:
            return variable.transpose(*self.dims, self._band_dim).values, None
        except RuntimeError as error:  # raised by netCDF4 if HDF5 cannot read
            raise OSError(error) from error

    def band_labels(self):
        """Return the coordinates of the bands, or what else the file says about them."""
        found = dimension_labels(self._scene(), self._band_dim)
        return found if any(map(are_known, found)) else [*found, *self.bands().labels()]

    def bands(self):
        """Return what the variables along the bands, in any group, say about them."""
        return self._bands

    @cached_property
    def _bands(self):
        size = self.shape[2]
        beside = {
            name.rsplit("/", 1)[-1]: open_variable(self.path, name)
            for name, dims in variables_of(self.path).items()
            if dims == ((self._band_dim, size),)
        }
        coords = {name: c for name, c in self._scene().coords.items()}
        return bands_of_coordinates({**beside, **coords}, self._band_dim)

    def grid(self):
        """Return CRS and transform from rioxarray, as a dict for rasterio."""
        return grid_of(self._scene(), self.dims, self.path.name)

    def template(self):
        """Return the unread variable."""
        return self._scene()


def _kind_of(path):
    """Return the name of the format of a file or folder that xarray reads."""
    if path.is_dir():
        return "Zarr"
    with open(path, "rb") as file:
        if file.read(3) == b"CDF":
            return "netCDF-3"
    return "HDF5" if path.suffix.lower() in _HDF5_SUFFIXES else "netCDF-4"


def _listed(variables):
    """Return the variables with their dimensions and sizes as text."""
    return "; ".join(
        f"{name!r} ({', '.join(f'{dim}: {size}' for dim, size in dims)})"
        for name, dims in variables.items()
    )
