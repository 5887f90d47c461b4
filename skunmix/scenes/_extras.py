"""Libraries that not everyone needs, imported where they are used."""

import warnings
from contextlib import contextmanager
from importlib import import_module

# What GDAL may keep of blocks, in bytes; its own default is a twentieth of the machine's memory.
GDAL_CACHE = 2**26


def require(name, purpose, install=None):
    """Import a library, or say in one sentence who needs it and how to get it.

    Parameters
    ----------
    name : str
        Of the module.
    purpose : str
        What needs it, as the start of a sentence.
    install : str, default=None
        What to install, where it is not all that scenes may need.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {name.split('.')[0]}, which is not installed; "
            f"`pip install {install or 'skunmix[scenes]'}`."
        ) from error


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
