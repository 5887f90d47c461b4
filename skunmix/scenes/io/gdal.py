"""Use of GDAL: its formats, its cache, and its errors as OSError."""

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from ...utils.optional import require

# GDAL's cache of blocks, in bytes. Its default is a twentieth of the machine's memory.
GDAL_CACHE = 2**26

# Formats that contain their values. Others, such as VRT, name files or addresses from which GDAL
# would read, whatever the suffix.
FORMATS = {
    "GTiff": "GeoTIFF",
    "ENVI": "ENVI",
    "JP2OpenJPEG": "JPEG 2000",
    "PNG": "PNG",
    "EHdr": "ESRI's BIL",
}
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_raster(path):
    """Open a raster of an allowed format, as a rasterio.DatasetReader.

    Raises
    ------
    OSError
        If it has another format, or cannot be read.
    """
    rasterio = require("rasterio", f"Reading {path.name}")
    # GDAL opens these automatically, in any format
    for beside in (Path(f"{path}{suffix}") for suffix in (".msk", ".ovr", ".MSK", ".OVR")):
        if beside.is_file() and not _first_bytes(beside).startswith(_TIFF):
            raise OSError(
                f"{beside}, the mask or the overviews of {path.name}, is expected to be a TIFF "
                f"file, because GDAL might read other files or addresses; remove it."
            )
    reasons = []
    for driver in FORMATS:
        try:
            return rasterio.open(path, driver=driver)
        except rasterio.errors.RasterioIOError as error:
            if "not recognized as being in a supported" not in str(error):
                reasons.append(str(error))
    if _first_bytes(path).lstrip().startswith(b"<VRT"):
        reasons = ["it is a VRT, which may name other files and addresses"]
    raise OSError(
        f"{path} could not be opened as a raster ({', '.join(reasons) or 'its format is another'})"
        f"; scenes are {', '.join(FORMATS.values())}, netCDF (.nc), HDF5 (.h5), Zarr (.zarr) or "
        f"NumPy (.npy); convert it, such as by gdal_translate."
    )


def _first_bytes(path):
    with open(path, "rb") as file:
        return file.read(64)


@contextmanager
def gdal_cache(n_bytes=GDAL_CACHE):
    """Return a context in which GDAL's cache has this size and its errors are OSError."""
    rasterio = require("rasterio", "A raster")
    try:
        with rasterio.Env(GDAL_CACHEMAX=n_bytes):
            yield
    # rasterio raises SystemError for errors that GDAL does not explain, such as a full disk
    except (rasterio.errors.RasterioIOError, SystemError) as error:
        raise OSError(error.__cause__ or error) from error


@contextmanager
def gdal():
    """Return a context, for one thread only, without warnings about missing georeferences."""
    with gdal_cache(), gdal_warnings_off():
        yield


@contextmanager
def gdal_warnings_off():
    """Return a context, for one thread only, without warnings about missing georeferences."""
    with warnings.catch_warnings():
        if find_spec("rasterio"):
            from rasterio.errors import NotGeoreferencedWarning

            warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
