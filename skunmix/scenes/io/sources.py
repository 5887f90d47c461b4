"""Scenes on disk, read by windows: what GDAL reads, netCDF and Zarr, NumPy's own files."""

import os
import threading
from pathlib import Path

import numpy as np

from ...utils import require
from .decoding import decoding_of
from .envi import data_file_of, raw_layout
from .gdal import GDAL_CACHE, gdal_cache

_XARRAY_SUFFIXES = {".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".zarr"}
_HANDLES = {"_local", "_opened"}  # attributes that stay in their process
_OPENING = threading.Lock()


def open_source(path, *, band_dim="band", variable=None):
    """Open a scene on disk.

    Parameters
    ----------
    path : str or path-like
    band_dim : str, default="band"
        The dimension of the bands in netCDF and Zarr.
    variable : str, default=None
        The variable in netCDF and Zarr, where there are several.

    Returns
    -------
    source : RasterSource, XarraySource or NumpySource

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If a library that reads it is not installed.
    OSError
        If it cannot be read as what it says it is, or is truncated.
    """
    path = Path(path).absolute()
    if not path.exists():
        raise FileNotFoundError(f"There is no scene at {path}; check the path.")
    if path.suffix == ".npy":
        return NumpySource(path)
    if path.suffix.lower() in _XARRAY_SUFFIXES:
        return XarraySource(path, band_dim, variable)
    return RasterSource(path)


class Source:
    """A scene on disk of (rows, cols, n_bands), which any process can read windows of.

    Attributes
    ----------
    path : pathlib.Path
    shape : tuple of int
        Rows, columns and bands.
    chunk_shape : tuple of int
        Rows and columns that are stored together.
    in_one_piece : bool
        Whether it costs no more to read by small windows.
    where : str
        What to call the scene's bands in an error.
    """

    chunk_shape = (1, 1)
    in_one_piece = False

    def __init__(self, path):
        self.path = path
        self._local = threading.local()

    def __getstate__(self):
        # handles belong to a process, and those of GDAL to a thread
        return {name: value for name, value in vars(self).items() if name not in _HANDLES}

    def __setstate__(self, state):
        vars(self).update(state)
        self._local = threading.local()

    def bytes_per_pixel(self):
        """Return what a pixel takes as it is stored, uncompressed."""
        return self.shape[2] * self.dtype.itemsize

    def decoding(self, **overrides):
        """Return how stored values become spectra, from the file and what the caller says."""
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
        """Return the files that the scene is made of."""
        if self.path.is_dir():
            return sorted(path for path in self.path.rglob("*") if path.is_file())
        return [self.path]

    def band_labels(self):
        """Return the labels of the bands as a list, or None."""
        return None

    def grid(self):
        """Return what places the scene on the Earth: a dict for rasterio, empty if nothing does."""
        return {}

    def template(self):
        """Return a DataArray of the scene, unread, for its coordinates and attributes."""
        xr = require("xarray", f"Writing the abundances of {self.path.name}")
        return xr.DataArray(np.broadcast_to(np.float32(0), self.shape), dims=("y", "x", "band"))

    template_band_dim = "band"


class NumpySource(Source):
    """A cube (rows, cols, n_bands) in NumPy's own format, without a place on the Earth."""

    def __init__(self, path):
        super().__init__(path)
        self.attributes = {}
        try:
            cube = np.load(path, mmap_mode="r")
        except (ValueError, EOFError, OSError) as error:
            raise OSError(
                f"{path} could not be opened as a NumPy array ({error}); it may be truncated, or "
                f"hold objects."
            ) from error
        if cube.ndim != 3:
            raise ValueError(
                f"{path} holds an array of shape {cube.shape}, but a scene has (rows, cols, "
                f"bands); reshape it."
            )
        self.shape, self.dtype = cube.shape, cube.dtype
        self.in_one_piece = cube.flags.c_contiguous
        self.where = f"the last axis of {path.name}"

    def _read(self, window):
        # mapped anew each time, so that pages do not pile up
        return np.array(np.load(self.path, mmap_mode="r")[window]), None


class RasterSource(Source):
    """A raster that GDAL reads, such as GeoTIFF or ENVI."""

    def __init__(self, path):
        super().__init__(data_file_of(path))
        rasterio = require("rasterio", f"Reading {path.name}")
        try:
            dataset = self._dataset()
        except rasterio.errors.RasterioIOError as error:
            raise OSError(
                f"{self.path} could not be opened as a raster ({error}); scenes are ENVI, GeoTIFF "
                f"or what else GDAL reads, netCDF (.nc), Zarr (.zarr) and NumPy (.npy)."
            ) from error
        if not dataset.count:
            raise ValueError(
                f"{self.path} has no bands of its own but {len(dataset.subdatasets)} subdatasets; "
                f"convert one of them to GeoTIFF."
            )
        self.shape = (dataset.height, dataset.width, dataset.count)
        self.dtype = np.dtype(np.result_type(*{np.dtype(name) for name in dataset.dtypes}))
        self.where = self.path.name
        self.raw = raw_layout(dataset, self.path)
        self.in_one_piece = self.raw is not None
        if self.raw is None:
            self.chunk_shape = dataset.block_shapes[0]
        no_data = {value for value in dataset.nodatavals if value is not None}
        self.attributes = {
            "nodata": sorted(no_data) or None,
            "scales": dataset.scales,
            "offsets": dataset.offsets,
        }
        flags = rasterio.enums.MaskFlags
        self._has_mask = flags.per_dataset in dataset.mask_flag_enums[0]

    def _dataset(self):
        """Return a handle of this thread's own."""
        dataset = getattr(self._local, "dataset", None)
        if dataset is None:
            dataset = self._local.dataset = require("rasterio", "Reading a raster").open(self.path)
        return dataset

    def _read(self, window):
        if self.raw is not None:
            values = self.raw.read(window)
        else:
            dataset = self._dataset()
            tile = int(np.prod(dataset.block_shapes[0])) * self.bytes_per_pixel()
            with gdal_cache(max(GDAL_CACHE, 2 * tile)):
                values = dataset.read(window=window, out_dtype=self.dtype)
            values = np.moveaxis(values, 0, -1)
        mask = None
        if self._has_mask:
            mask = self._dataset().read_masks(1, window=window) == 0
        return values, mask

    def files(self):
        """Return the files that the scene is made of, header and all."""
        return sorted(Path(name) for name in self._dataset().files)

    def band_labels(self):
        """Return the descriptions of the bands, or None where one has none."""
        descriptions = self._dataset().descriptions
        return list(descriptions) if all(descriptions) else None

    def grid(self):
        """Return CRS, transform and ground control points, as rasterio names them."""
        dataset = self._dataset()
        grid = {"crs": dataset.crs, "transform": dataset.transform}
        points, crs = dataset.gcps
        if points:
            grid = {"gcps": points, "crs": crs}
        return grid

    def template(self):
        """Return a DataArray of the scene as rioxarray sees it, unread."""
        rioxarray = require("rioxarray", f"Writing the grid of {self.path.name} to netCDF or Zarr")
        return rioxarray.open_rasterio(self.path)


class XarraySource(Source):
    """A variable of netCDF or Zarr, of two dimensions and one of bands."""

    _opened = None

    def __init__(self, path, band_dim, variable):
        super().__init__(path)
        self._band_dim = self.template_band_dim = band_dim
        self._variable = variable
        scene = self._scene()
        if band_dim not in scene.dims:
            raise ValueError(
                f"{scene.name!r} of {path.name} has no dimension {band_dim!r}, but "
                f"{dict(scene.sizes)}; name the one that holds the bands as band_dim."
            )
        if scene.ndim != 3:
            raise ValueError(
                f"{scene.name!r} of {path.name} has the dimensions {dict(scene.sizes)}, expected "
                f"two and the bands'; select from it and save that, or use unmix."
            )
        self.dims = tuple(dim for dim in scene.dims if dim != band_dim)
        self.shape = tuple(scene.sizes[dim] for dim in (*self.dims, band_dim))
        self.dtype = scene.dtype
        self.attributes = dict(scene.attrs)
        self.where = f"dimension {band_dim!r} of {path.name}"
        chunks = scene.encoding.get("preferred_chunks") or {}
        self.chunk_shape = tuple(int(chunks.get(dim, 1)) for dim in self.dims)

    def _scene(self):
        # One dataset for all threads: netCDF4 crashes if a thread opens a file while another one
        # opens or reads, and xarray locks reading only.
        with _OPENING:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self):
        xr = require("xarray", f"Reading {self.path.name}")
        options = {"engine": "zarr", "consolidated": False} if self.path.is_dir() else {}
        if options:
            require("zarr", f"Reading {self.path.name}")
        try:
            # stored values, as `decoding` is to know of all that is done to them
            dataset = xr.open_dataset(
                self.path,
                chunks=None,
                cache=False,
                mask_and_scale=False,
                decode_times=False,
                decode_coords="all",
                **options,
            )
        except ValueError as error:
            if "engine" in str(error) or "IO backends" in str(error):
                raise ImportError(
                    f"xarray could not open {self.path}: it is damaged, or reading it needs "
                    f"netCDF4 or h5netcdf; `pip install skunmix[scenes]`."
                ) from error
            raise OSError(f"{self.path} could not be opened ({error}).") from error
        except OSError as error:
            raise OSError(
                f"{self.path} could not be opened ({error}); it may be truncated."
            ) from error
        if self._variable is not None:
            if self._variable not in dataset:
                raise ValueError(
                    f"{self.path.name} has no variable {self._variable!r}, but "
                    f"{list(dataset.data_vars)}."
                )
            return dataset[self._variable]
        found = [name for name, v in dataset.data_vars.items() if self._band_dim in v.dims]
        found = [name for name in found if dataset[name].ndim == 3] or found
        if len(found) != 1:
            raise ValueError(
                f"{self.path.name} has {len(found)} variables with a dimension {self._band_dim!r} "
                f"of {dict(dataset.sizes)}; name the scene as variable, one of "
                f"{list(dataset.data_vars)}, and the dimension of its bands as band_dim."
            )
        return dataset[found[0]]

    def _read(self, window):
        variable = self._scene().variable.isel(dict(zip(self.dims, window)))
        try:
            return variable.transpose(*self.dims, self._band_dim).values, None
        except RuntimeError as error:  # netCDF4's for what HDF5 cannot read
            raise OSError(error) from error

    def band_labels(self):
        """Return the coordinate of the bands, or None."""
        scene = self._scene()
        if self._band_dim not in scene.coords:
            return None
        return scene.coords[self._band_dim].values.tolist()

    def grid(self):
        """Return CRS and transform, which rioxarray finds."""
        scene = self._scene()
        if not hasattr(scene, "rio"):
            require("rioxarray", f"Writing the grid of {self.path.name} to a raster")
        scene = scene.rio.set_spatial_dims(x_dim=self.dims[1], y_dim=self.dims[0])
        return {"crs": scene.rio.crs, "transform": scene.rio.transform()}

    def template(self):
        """Return the variable, unread."""
        return self._scene()


def identity(source):
    """Return what tells a scene from another, or from itself after a change."""
    files = [path for path in source.files() if path.exists()]
    stats = [os.stat(path) for path in files]
    return {
        "name": source.path.name,
        "shape": list(source.shape),
        "dtype": str(source.dtype),
        "files": len(files),
        "bytes": sum(stat.st_size for stat in stats),
        "changed": max(stat.st_mtime_ns for stat in stats),
    }
