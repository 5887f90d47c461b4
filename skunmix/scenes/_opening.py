"""A scene on disk as a DataArray that is read when it is used."""

from typing import Any

import numpy as np

from ..utils.optional import require
from ._blocks import decode_block
from .io.opening import open_source
from .io.windows import block_slices

# Size of a chunk of spectra, of which dask computes several at once.
_CHUNK_BYTES = 2**24
# Coordinates for what a file says about its bands, which `unmix` and `sample_pixels` understand.
_COORDINATES = {"wavelength": "wavelengths", "fwhm": "fwhm", "good_bands": "good", "name": "names"}


def open_scene(
    scene: Any, *, band_dim: str = "band", variable: str | None = None, open_options: Any = None
) -> Any:
    """Open a scene file as a lazy DataArray of spectra, for :func:`unmix`, plots and selections.

    Parameters
    ----------
    scene : str or path-like
        A file, or a product of a sensor, as for :func:`unmix_file`.

    band_dim : str, default="band"
        Dimension of the bands in netCDF, HDF5 and Zarr.

    variable : str, default=None
        Variable that holds the scene in netCDF, HDF5 and Zarr, if several have bands.

    open_options : dict, default=None
        Options of the reader of a sensor's product, as for :func:`unmix_file`. A scene in the
        geometry of the sensor stays in it: "orthorectify" is for :func:`unmix_file`.

    Returns
    -------
    spectra : xarray.DataArray of shape (rows, cols, n_bands)
        Over dask. Scale and offset are applied, and pixels without data are NaN. The dimension of
        the bands has the coordinates "wavelength" and "fwhm" (in nm), "good_bands" and "name", as
        far as the file gives them.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If a library that reads the file is not installed.
    OSError
        If the file cannot be read.
    ValueError
        If several variables may be the scene, or the units of the values are ambiguous.

    See Also
    --------
    unmix_file : Unmix a file into a file, which needs less memory.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skunmix.scenes import open_scene
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "scene.npy"), np.ones((4, 5, 198), dtype=np.float32))
    ...     spectra = open_scene(Path(folder, "scene.npy"))
    ...     float(spectra[0, 0].mean())
    1.0
    """
    xr = require("xarray", "Opening a scene")
    da = require("dask.array", "Opening a scene")
    source = open_source(scene, band_dim=band_dim, variable=variable, options=open_options)
    if source.output_dims != source.dims:
        raise ValueError(
            "Expected open_options without orthorectify, which places abundances and not spectra; "
            "use unmix_file, or drop it."
        )
    spectra = _Spectra(source)
    n_pixels = max(1, _CHUNK_BYTES // (source.shape[2] * spectra.dtype.itemsize))
    height, width = (
        axis.stop for axis in block_slices(source.shape[:2], n_pixels, source.chunk_shape)[0]
    )
    template = source.template()
    dims = (*source.dims, source.template_band_dim)
    array = xr.DataArray(
        da.from_array(
            spectra, chunks=(height, width, -1), name=False, meta=np.empty((0, 0, 0), spectra.dtype)
        ),
        dims=dims,
        coords={n: c for n, c in template.coords.items() if dims[2] not in c.dims},
        name=template.name or "spectra",
    )
    if "grid_mapping" in template.encoding:
        array.encoding["grid_mapping"] = template.encoding["grid_mapping"]
    bands = source.bands()
    for name, fact in _COORDINATES.items():
        values = getattr(bands, fact)
        if values is not None:
            units = {"units": "nm"} if fact in ("wavelengths", "fwhm") else {}
            array = array.assign_coords({name: (dims[2], np.asarray(values), units)})
    return array


class _Spectra:
    """Spectra (rows, cols, n_bands) of a source, NaN where a pixel has no data."""

    ndim = 3

    def __init__(self, source):
        self._source, self._decoding = source, source.decoding()
        good = source.bands().good
        self._used = np.ones(source.shape[2], dtype=bool) if good is None else good
        self.shape = source.shape
        self.dtype = np.result_type(self._decoding.spectra_dtype, np.float32)

    def __getitem__(self, key):
        rows, cols = (np.arange(n)[k] for k, n in zip(key[:2], self.shape))  # also numbers
        if not rows.size or not cols.size:
            return np.broadcast_to(np.zeros((), self.dtype), self.shape)[key]
        window = tuple(slice(int(at.min()), int(at.max()) + 1) for at in (rows, cols))
        stored, hidden = self._source.read(window)
        spectra, valid, *_ = decode_block(stored, hidden, self._decoding, self._used)
        spectra = spectra.astype(self.dtype, copy=spectra.base is not None)
        if valid is not None:
            spectra[~valid] = np.nan
        spectra = spectra.reshape(stored.shape)[:, :, key[2]]
        return spectra[:, cols - window[1].start][rows - window[0].start]
