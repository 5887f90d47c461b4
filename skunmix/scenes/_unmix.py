"""Scenes in memory, memory-mapped, or in xarray: the same kind comes out that went in."""

import mmap
import sys
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar

from ._blocks import BlockUnmixer, check_mask
from ._run import run_blocks
from .io.decoding import decoding_of


def unmix(
    estimator,
    scene,
    *,
    band_dim="band",
    mask=None,
    nodata=None,
    scale_factor=None,
    add_offset=None,
    n_jobs=None,
    working_memory=256,
    progress=True,
    out=None,
):
    """Unmix a whole scene: abundances in its grid.

    Pixels are unmixed in blocks, each for itself, so that the result does not depend on how the
    scene is cut or chunked. Those without data are left out, and NaN in the result: where a band
    is NaN, infinite or a no-data value, and where `mask` says so. Bands that a pipeline drops in
    its first step (:class:`skunmix.preprocessing.BandSelector`) have no say in that.

    Parameters
    ----------
    estimator : object
        Fitted estimator or pipeline with `predict`, from (n_pixels, n_bands) to
        (n_pixels, n_endmembers).

    scene : ndarray of shape (rows, cols, n_bands), or xarray.DataArray
        A cube, memory-mapped or masked too, or an array with a dimension of bands and any others,
        in any order. A DataArray over dask stays lazy: the result is computed when it is asked
        for, by threads, or on a cluster where there is a :class:`dask.distributed.Client`. One
        that has not been read yet is read a block at a time.

    band_dim : str or int, default="band"
        The dimension that holds the bands: its name in a DataArray. For a NumPy cube, the axis:
        an int, or the last of them.

    mask : array-like of shape (rows, cols), default=None
        True where a pixel is left out, as in :mod:`numpy.ma`; a DataArray is aligned by its
        dimensions.

    nodata : float or sequence of float, default=None
        Stored values that stand for no data, in any band. None takes `_FillValue`,
        `missing_value` and `nodata` of a DataArray's attributes, and its valid range
        (`valid_min`, `valid_max`, `valid_range`).

    scale_factor, add_offset : float or array-like of shape (n_bands,), default=None
        Spectra are stored · scale_factor + add_offset. None takes them from a DataArray's
        attributes, where they stand as long as they have not been applied: xarray moves them to
        `encoding` when it applies them. Integers are divided by ENVI's
        `reflectance_scale_factor`.

    n_jobs : int, default=None
        Number of threads that share the blocks; None means 1 unless in a
        :obj:`joblib.parallel_config` context, -1 means all processors. With 1, there are two,
        one to read while another computes, and an estimator may use threads of its own. Has no
        meaning over dask.

    working_memory : float, default=256
        MiB that the blocks under way may take, besides the scene and the result. Has no meaning
        over dask, where chunks say it.

    progress : bool, default=True
        Whether to show a progress bar for what takes more than a second, if tqdm is installed.

    out : ndarray of shape (rows, cols, n_endmembers), default=None
        Where to write the abundances of a NumPy cube, such as a memory-mapped file.

    Returns
    -------
    abundances : ndarray or xarray.DataArray
        Of the scene's kind, with its bands replaced by endmembers. A DataArray keeps its
        coordinates, attributes (but those of the stored values) and spatial reference, and names
        its dimension "endmember" with the estimator's names. float32 for float32 (and float16)
        spectra where the estimator has it so, as skunmix's have, else float64.

    Raises
    ------
    TypeError
        If the estimator has no `predict`, or the scene is none of these kinds.
    ValueError
        If the scene's bands are not as many as the estimator was fitted on, there is no valid
        pixel (dask: none is looked for), or a shape or a parameter does not fit.
    ImportError
        If the scene needs a library that is not installed.

    Warns
    -----
    UserWarning
        If a dask scene has its bands in several chunks, which must be merged.

    See Also
    --------
    unmix_file : From file to file, larger than memory.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.scenes import unmix
    >>> scene = make_scene(random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers).fit(scene.spectra)
    >>> cube = scene.spectra.reshape(*scene.shape, -1)
    >>> cube[0, 0] = -9999
    >>> abundances = unmix(model, cube, nodata=-9999)
    >>> cube.shape, abundances.shape
    ((100, 100, 224), (100, 100, 6))
    >>> bool(np.isnan(abundances[0, 0]).all() and np.isfinite(abundances[0, 1]).all())
    True
    """
    check_scalar(working_memory, "working_memory", Real, min_val=0, include_boundaries="neither")
    overrides = {"nodata": nodata, "scale_factor": scale_factor, "add_offset": add_offset}
    options = {"n_jobs": n_jobs, "working_memory": working_memory, "progress": progress}
    xr = sys.modules.get("xarray")  # without it there can be no DataArray
    if xr is not None:
        if isinstance(scene, xr.DataArray):
            from ._xarray import unmix_dataarray

            if out is not None:
                raise TypeError("out is for NumPy cubes; a DataArray gets a new one, leave it out.")
            return unmix_dataarray(estimator, scene, band_dim, mask, overrides, options)
        if isinstance(scene, xr.Dataset):
            raise TypeError(
                f"A scene is one DataArray, but this is a Dataset of {list(scene.data_vars)}; "
                f"pass one of them, or scene.to_dataarray('band') where each is a band."
            )
    if not isinstance(scene, np.ndarray):
        raise TypeError(
            f"A scene is a NumPy array or an xarray.DataArray, but this is a "
            f"{type(scene).__name__}; use unmix_file for a path, or numpy.asarray."
        )
    return _unmix_cube(estimator, scene, band_dim, mask, overrides, options, out)


def _unmix_cube(estimator, scene, band_dim, mask, overrides, options, out):
    axis = -1 if isinstance(band_dim, str) else band_dim
    check_scalar(axis, "band_dim", Integral)
    if scene.ndim < 2 or not -scene.ndim <= axis < scene.ndim:
        raise ValueError(
            f"A scene has a shape (rows, cols, bands), but this has {scene.shape} and band_dim is "
            f"{band_dim!r}; reshape it."
        )
    axis %= scene.ndim
    cube = np.moveaxis(scene, axis, -1)
    unmixer = BlockUnmixer(
        estimator,
        cube.shape[-1],
        decoding_of(scene.dtype, {}, decoded=True, **overrides),
        f"axis {axis} of the scene of shape {scene.shape}",
    )
    shape = (*cube.shape[:-1], len(unmixer.names))
    mask = check_mask(mask, shape[:-1])
    result_shape = np.moveaxis(np.empty(shape, dtype=bool), -1, axis).shape
    if out is None:
        out = np.empty(result_shape, unmixer.dtype)
    elif out.shape != result_shape:
        raise ValueError(
            f"out must have the shape {result_shape} of the abundances, but has {out.shape}; leave "
            f"it to None to get an array that fits."
        )

    release = _page_release(np.ma.getdata(cube))

    def read(block):
        if release is None:
            return cube[block]
        values = cube[block].copy(order="C")
        release()
        return values

    run_blocks(unmixer, read, mask, np.moveaxis(out, axis, -1), **options)
    if isinstance(scene, np.ma.MaskedArray):
        return np.ma.masked_invalid(out, copy=False)
    return out


def _page_release(array):
    """Return what gives the pages of a memory-mapped array back, or None for another array.

    The system keeps what was read of a mapped file as long as it has memory, and counts it as the
    process's. Pages of a private copy are not touched: they may hold what is nowhere else.
    """
    while isinstance(array, np.ndarray):
        mapped, mode = getattr(array, "_mmap", None), getattr(array, "mode", None)
        if mapped is not None and mode in ("r", "r+") and hasattr(mapped, "madvise"):
            return lambda: mapped.madvise(mmap.MADV_DONTNEED)
        array = array.base
    return None
