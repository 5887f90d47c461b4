"""GDAL: the formats it opens, what it may keep in memory, and its errors as OSError."""

import warnings
from contextlib import contextmanager
from pathlib import Path

from ...utils.optional import require

# What GDAL may keep of blocks, in bytes; its own default is a twentieth of the machine's memory.
GDAL_CACHE = 2**26

# Formats that hold their values themselves. Others, such as VRT, name files or addresses from which
# GDAL would read, whatever the suffix of their own file.
_FORMATS = {
    "GTiff": "GeoTIFF",
    "ENVI": "ENVI",
    "JP2OpenJPEG": "JPEG 2000",
    "PNG": "PNG",
    "EHdr": "ESRI's BIL",
}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_raster(path):
    """Open a raster of a format that holds its values itself.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dataset : rasterio.DatasetReader

    Raises
    ------
    OSError
        If it is none, or cannot be read.
    """
    rasterio = require("rasterio", f"Reading {path.name}")
    # GDAL opens these by themselves, as whatever they are
    for beside in (Path(f"{path}{suffix}") for suffix in (".msk", ".ovr", ".MSK", ".OVR")):
        if beside.is_file() and not _first_bytes(beside).startswith(_TIFF):
            raise OSError(
                f"{beside}, the mask or the overviews of {path.name}, is not a TIFF file, so that "
                f"GDAL might read from other files or addresses; remove it."
            )
    reasons = []
    for driver in _FORMATS:
        try:
            return rasterio.open(path, driver=driver)
        except rasterio.errors.RasterioIOError as error:
            if "not recognized as being in a supported" not in str(error):
                reasons.append(str(error))
    if _first_bytes(path).lstrip().startswith(b"<VRT"):
        reasons = ["it is a VRT, which may name other files and addresses"]
    raise OSError(
        f"{path} could not be opened as a raster ({', '.join(reasons) or 'its format is another'})"
        f"; scenes are {', '.join(_FORMATS.values())}, netCDF (.nc), HDF5 (.h5), Zarr (.zarr) or "
        f"NumPy (.npy); convert it, such as by gdal_translate."
    )


def _first_bytes(path):
    with open(path, "rb") as file:
        return file.read(64)


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
