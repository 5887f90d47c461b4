"""Scenes in memory, memory-mapped, or in xarray: the same kind comes out that went in."""

from numbers import Real

import numpy as np
from sklearn.utils import check_scalar

from ._blocks import BlockUnmixer, check_mask
from ._cubes import bands_last, block_reader, is_dataarray
from ._run import run_blocks
from ._sampling import fit_to, must_be_fitted, sample_pixels
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
        Estimator or pipeline with `predict`, from (n_pixels, n_bands) to (n_pixels, n_endmembers).
        If it is not fitted, and needs no abundances, a clone is fitted to the pixels of
        :func:`sample_pixels`, which are computed at once, also over dask. To keep the model, fit
        it before: ``model.fit(sample_pixels(scene))``.

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
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted, and needs abundances.
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
    sample_pixels : Pixels of a scene to fit an estimator to.

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
    if is_dataarray(scene) and out is not None:
        raise TypeError("out is for NumPy cubes; a DataArray gets a new one, leave it out.")
    if must_be_fitted(estimator):
        pixels = sample_pixels(
            scene, estimator=estimator, band_dim=band_dim, mask=mask, **overrides
        )
        estimator = fit_to(estimator, pixels)
    if is_dataarray(scene):
        from ._xarray import unmix_dataarray

        return unmix_dataarray(estimator, scene, band_dim, mask, overrides, options)
    return _unmix_cube(estimator, scene, band_dim, mask, overrides, options, out)


def _unmix_cube(estimator, scene, band_dim, mask, overrides, options, out):
    cube, axis = bands_last(scene, band_dim)
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
    run_blocks(unmixer, block_reader(cube), mask, np.moveaxis(out, axis, -1), **options)
    if isinstance(scene, np.ma.MaskedArray):
        return np.ma.masked_invalid(out, copy=False)
    return out
