"""The facts of a scene on disk, without reading its values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .io.gdal import gdal_warnings_off
from .io.opening import open_source

_NAMES_SHOWN = 6


@dataclass(frozen=True, eq=False)
class SceneDescription:
    """The facts of a scene file, which prints them one per line.

    Attributes
    ----------
    path : pathlib.Path
        The file or folder that holds the values.

    format : str
        Such as "ENVI", "GeoTIFF" or "netCDF-4".

    sensor : str or None
        The sensor or product, if the file tells.

    shape : (int, int, int)
        Rows, columns and bands.

    dtype : dtype
        Type of the stored values.

    wavelengths, fwhm : ndarray of shape (n_bands,), or None
        Centres and widths of the bands in nm, if the file gives them.

    names : list of str or None
        Names of the bands.

    bad_bands : ndarray of int
        Indices of the bands that the file marks as bad.

    units : str or None
        Unit of the spectra, as the file spells it.

    scale_factor, add_offset : float or tuple of float
        Spectra are stored · scale_factor + add_offset. One number, or one per band. None if the
        file is ambiguous: see `problem`.

    nodata : tuple of float
        Stored values that mean no data.

    crs : object or None
        Coordinate reference system, as of rasterio.

    transform : object or None
        Affine transform from (column, row) to coordinates. None without a georeference.

    problem : str or None
        Why the file cannot be unmixed without further arguments.
    """

    path: Path
    format: str
    sensor: str | None
    shape: tuple
    dtype: np.dtype
    wavelengths: np.ndarray | None
    fwhm: np.ndarray | None
    names: list | None
    bad_bands: np.ndarray
    units: str | None
    scale_factor: float | tuple | None
    add_offset: float | tuple | None
    nodata: tuple
    crs: object = None
    transform: object = None
    problem: str | None = None

    @property
    def n_bands(self) -> int:
        """Number of bands."""
        return self.shape[2]

    def __str__(self):
        rows, cols, n_bands = self.shape
        facts = {
            "scene": self.path,
            "format": self.format,
            "sensor": self.sensor,
            "size": f"{rows} rows × {cols} columns × {n_bands} bands",
            "values": self._values(),
            "units": self.units,
            "no data": ", ".join(f"{value:g}" for value in self.nodata) or None,
            "wavelengths": _interval(self.wavelengths, "nm", "not given by the file"),
            "fwhm": _interval(self.fwhm, "nm", None),
            "bad bands": self._bad(),
            "names": self._names(),
            "crs": self.crs,
            "pixel size": self._pixel_size(),
            "problem": self.problem,
        }
        return "\n".join(f"{name + ':':<13}{v}" for name, v in facts.items() if v is not None)

    def _values(self):
        if self.scale_factor is None:
            return str(self.dtype)
        if np.all(np.equal(self.scale_factor, 1)) and not np.any(self.add_offset):
            return f"{self.dtype}, not scaled"
        scale, offset = (_numbers(v) for v in (self.scale_factor, self.add_offset))
        return f"{self.dtype}, spectra = stored · {scale} + {offset}"

    def _bad(self):
        if not len(self.bad_bands):
            return None
        runs = np.split(self.bad_bands, np.flatnonzero(np.diff(self.bad_bands) > 1) + 1)
        shown = ", ".join(f"{r[0]}" if len(r) == 1 else f"{r[0]} to {r[-1]}" for r in runs)
        return f"{len(self.bad_bands)} of {self.n_bands} (from 0: {shown})"

    def _names(self):
        if self.names is None:
            return None
        more = ", …" if len(self.names) > _NAMES_SHOWN else ""
        return ", ".join(self.names[:_NAMES_SHOWN]) + more

    def _pixel_size(self):
        if self.transform is None:
            return None
        width = np.hypot(self.transform.a, self.transform.d)
        height = np.hypot(self.transform.b, self.transform.e)
        return f"{width:g} × {height:g}"


def describe_scene(
    scene: Any, *, band_dim: str = "band", variable: str | None = None, open_options: Any = None
) -> SceneDescription:
    """Return the facts of a scene file: its size, bands, wavelengths, units and georeference.

    The values are not read.

    Parameters
    ----------
    scene : str or path-like
        A file as for :func:`unmix_file`.

    band_dim : str, default="band"
        Dimension of the bands in netCDF, HDF5 and Zarr.

    variable : str, default=None
        Variable that holds the scene in netCDF, HDF5 and Zarr, if several have bands.

    open_options : dict, default=None
        Options of the reader of a sensor's product, as for :func:`unmix_file`.

    Returns
    -------
    description : SceneDescription
        ``print(description)`` shows it.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If a library that reads the file is not installed.
    OSError
        If the file cannot be read, or contradicts its header.
    ValueError
        If several variables may be the scene.

    See Also
    --------
    unmix_file : Unmix the scene.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skunmix.scenes import describe_scene
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "scene.npy"), np.zeros((4, 5, 198), dtype=np.float32))
    ...     description = describe_scene(Path(folder, "scene.npy"))
    >>> description.shape, description.n_bands
    ((4, 5, 198), 198)
    >>> print(description)
    scene:       ...scene.npy
    format:      NumPy
    size:        4 rows × 5 columns × 198 bands
    values:      float32, not scaled
    wavelengths: not given by the file
    """
    with gdal_warnings_off():
        source = open_source(scene, band_dim=band_dim, variable=variable, options=open_options)
        bands, problem = source.bands(), None
        scale = offset = None
        nodata = ()
        try:
            decoding = source.decoding()
            scale, offset, nodata = decoding.scale, decoding.offset, decoding.nodata
        except (TypeError, ValueError) as error:
            problem = str(error)
        try:
            grid = source.grid()
        except (ImportError, ValueError):  # coordinates that no raster can have
            grid = {}
    crs, transform = grid.get("crs"), grid.get("transform")
    if transform is not None and transform.is_identity:
        transform = None
    units = source.attributes.get("units")
    return SceneDescription(
        path=source.path,
        format=source.kind,
        sensor=source.sensor,
        shape=tuple(map(int, source.shape)),
        dtype=source.dtype,
        wavelengths=bands.wavelengths,
        fwhm=bands.fwhm,
        names=bands.names,
        bad_bands=bands.bad(),
        units=units if isinstance(units, str) else None,
        scale_factor=scale,
        add_offset=offset,
        nodata=nodata,
        crs=crs or None,
        transform=transform,
        problem=problem,
    )


def _numbers(value):
    low, high = np.min(value), np.max(value)
    return f"{low:g}" if low == high else f"({low:g} to {high:g}, by band)"


def _interval(values, unit, otherwise):
    if values is None:
        return otherwise
    return f"{values.min():.6g} to {values.max():.6g} {unit}"
