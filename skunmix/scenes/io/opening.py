"""Opening of a scene on disk: which reader, by what the file or folder holds."""

from pathlib import Path

from .groups import variables_of
from .sensors import aviris, dlr, emit, pace, prisma, sentinel2
from .sources import NumpySource, RasterSource, XarraySource, is_of_xarray

_BAND_DIM = "band"
_IN_GROUPS = (emit, prisma, pace, aviris)
# What a folder may hold instead of being a scene itself, and what marks a store of Zarr.
_SCENE_SUFFIXES = (".nc", ".he5", ".h5", ".hdr", ".tif", ".tiff", ".npy", ".zarr", ".safe")
_ZARR_MARKS = (".zgroup", ".zarray", ".zmetadata", "zarr.json")


def open_source(path, *, band_dim=_BAND_DIM, variable=None, options=None):
    """Open a scene on disk.

    Parameters
    ----------
    path : str or path-like
        A file, or the folder of a product.
    band_dim : str, default="band"
        Dimension of the bands in netCDF, HDF5 and Zarr.
    variable : str, default=None
        Variable in netCDF, HDF5 and Zarr, if several have bands. In a group, it is "group/name".
    options : dict, default=None
        Options of the reader of a sensor.

    Returns
    -------
    source : Source

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If a library that reads it is not installed.
    OSError
        If the file cannot be read or is truncated.
    ValueError
        If the reader has no such option.
    """
    path = Path(path).absolute()
    if not path.exists():
        raise FileNotFoundError(f"There is no scene at {path}; check the path.")
    options = dict(options or {})
    source = _open(path, band_dim, variable, options)
    if options:  # the reader has taken its own
        known = ", ".join(source.open_options) or "none"
        raise ValueError(
            f"The reader of {path.name} has no option {next(iter(options))!r}, expected one of its "
            f"open_options: {known}; drop it."
        )
    return source


def _open(path, band_dim, variable, options):
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".zarr" and not any((path / m).exists() for m in _ZARR_MARKS):
        return _open_folder(path, band_dim, variable, options)
    if suffix == ".npy":
        return NumpySource(path)
    if suffix == ".xml":
        for sensor in (sentinel2, dlr):
            if sensor.matches(path):
                return sensor.open_product(path, options)
        raise OSError(
            f"{path} is not the metadata of a product that skunmix reads (EnMAP, DESIS, "
            f"Sentinel-2 L2A); pass the file of the data."
        )
    if is_of_xarray(path):
        variables = variables_of(path)
        for sensor in _IN_GROUPS:
            if sensor.matches(variables):
                return sensor.open_product(path, variables, band_dim, variable, options)
        return XarraySource(path, band_dim, variable)
    if dlr.is_spectral_image(path):
        return dlr.open_product(path, options)
    return RasterSource(path)


def _open_folder(path, band_dim, variable, options):
    """Open the product in a folder, or the only scene that it holds."""
    for sensor in (sentinel2, dlr):
        metadata = sensor.metadata_in(path)
        if metadata is not None:
            return sensor.open_product(metadata, options)
    scenes = sorted(p for p in path.iterdir() if p.suffix.lower() in _SCENE_SUFFIXES)
    if len(scenes) != 1:
        found = f"{len(scenes)} ({', '.join(p.name for p in scenes[:4])})" if scenes else "none"
        raise OSError(
            f"Expected the folder {path} to hold one scene, got {found}; pass the path of a file."
        )
    return _open(scenes[0], band_dim, variable, options)
