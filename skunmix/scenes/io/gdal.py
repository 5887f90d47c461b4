"""Contexts in which GDAL works: what it may keep in memory, and its errors as OSError."""

import warnings
from contextlib import contextmanager

from ...utils import require

# What GDAL may keep of blocks, in bytes; its own default is a twentieth of the machine's memory.
GDAL_CACHE = 2**26


@contextmanager
def gdal_cache(n_bytes=GDAL_CACHE):
    """Return a context in which GDAL keeps so many bytes of blocks, and raises OSError."""
    rasterio = require("rasterio", "A raster")
    try:
        with rasterio.Env(GDAL_CACHEMAX=n_bytes):
            yield
    # SystemError is rasterio's for what GDAL does not explain, such as ENVI on a full disk
    except (rasterio.errors.RasterioIOError, SystemError) as error:
        raise OSError(error.__cause__ or error) from error


@contextmanager
def gdal():
    """Return a context, for one thread only, in which a raster need not be anywhere on Earth."""
    rasterio = require("rasterio", "A raster")
    with gdal_cache(), warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        yield
