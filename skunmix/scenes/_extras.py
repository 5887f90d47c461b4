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
def gdal(cache=GDAL_CACHE):
    """Return a context in which GDAL keeps so many bytes of blocks, and raises OSError.

    That a raster has no place on the Earth is no matter there.
    """
    rasterio = require("rasterio", "A raster")
    try:
        with rasterio.Env(GDAL_CACHEMAX=cache), warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            yield
    # SystemError is rasterio's for what GDAL does not explain, such as ENVI on a full disk
    except (rasterio.errors.RasterioIOError, SystemError) as error:
        raise OSError(error.__cause__ or error) from error
