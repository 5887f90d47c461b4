"""Unmixing of scenes in memory, memory-mapped, or in xarray."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_scalar

from ..utils.intervals import check_intervals
from ..utils.labels import dimension_labels
from ._blocks import BlockUnmixer, check_mask
from ._cubes import bands_last, block_reader, is_dataarray
from ._matching import described, match_bands
from ._run import run_blocks
from ._sampling import fit_to, must_be_fitted, sample_pixels
from .io.bands import bands_of_coordinates
from .io.decoding import decoding_of


def unmix(
    estimator: Any,
    scene: Any,
    *,
    band_dim: str = "band",
    coverage: float | None = None,
    mask: Any = None,
    nodata: Any = None,
    scale_factor: Any = None,
    add_offset: Any = None,
    n_jobs: int | None = None,
    working_memory: float = 256,
    progress: bool = True,
    out: Any = None,
) -> Any:
    """Unmix a whole scene into abundances in its grid.

    Pixels are unmixed in blocks, independently of each other, so that the result does not depend
    on the blocks or chunks. Pixels without data are NaN in the result: a band is NaN, infinite or a
    no-data value, or `mask` is True. Bands that the first step of a pipeline drops
    (:class:`skunmix.preprocessing.BandSelector`) are ignored in this.

    Parameters
    ----------
    estimator : object
        Estimator or pipeline with `predict`, from (n_pixels, n_bands) to (n_pixels, n_endmembers).
        If it is not fitted, and needs no abundances, a clone is fitted to the pixels of
        :func:`sample_pixels`, which are computed at once, also over dask. To keep the model, fit
        it before: ``model.fit(sample_pixels(scene))``. If its endmembers and a DataArray have
        wavelengths, the endmembers are resampled to the scene's bands, as in :func:`unmix_file`.

    scene : ndarray of shape (rows, cols, n_bands), or xarray.DataArray
        A cube, also memory-mapped or masked, or a DataArray with a dimension of bands and any other
        dimensions, in any order. For a DataArray of dask, the result is lazy, and is computed by
        threads, or on a cluster if there is a :class:`dask.distributed.Client`. A DataArray that
        has not been read yet is read block by block.

    band_dim : str or int, default="band"
        Dimension of the bands: its name in a DataArray, or the axis of a NumPy cube as an int. For
        a NumPy cube, a name means the last axis.

    coverage : float, default=None
        Also estimate intervals, which hold the true abundances in this share of the pixels,
        between 0 and 1. The estimator needs `predict_interval`, as
        :class:`skunmix.uncertainty.ConformalUnmixer` has. The lower and then the upper bounds
        of all endmembers follow the abundances: ``np.split(result, 3, axis=-1)`` separates them.

    mask : array-like of shape (rows, cols), default=None
        True for pixels to leave out, as in :mod:`numpy.ma`. A DataArray is aligned by its
        dimensions.

    nodata : float or sequence of float, default=None
        Stored values that mean no data, in any band. None takes `_FillValue`, `missing_value` and
        `nodata` from the attributes of a DataArray, and its valid range (`valid_min`, `valid_max`,
        `valid_range`).

    scale_factor, add_offset : float or array-like of shape (n_bands,), default=None
        Spectra are stored · scale_factor + add_offset. None takes them from the attributes of a
        DataArray. xarray moves them to `encoding` when it applies them. Integers are divided by
        ENVI's `reflectance_scale_factor`.

    n_jobs : int, default=None
        Number of threads; None means 1 unless in a :obj:`joblib.parallel_config` context, -1 means
        all processors. With 1, two threads share the blocks, so that one reads while the other
        computes, and an estimator may use more threads. Ignored for dask.

    working_memory : float, default=256
        Memory in MiB for the blocks that are processed at once, without the scene and the result.
        Ignored for dask, which uses the chunks.

    progress : bool, default=True
        Whether to show a progress bar after one second, if tqdm is installed.

    out : ndarray of shape (rows, cols, n_endmembers), default=None
        Array for the abundances of a NumPy cube, such as a memory-mapped file. With `coverage`, of
        shape (rows, cols, 3 · n_endmembers).

    Returns
    -------
    abundances : ndarray or xarray.DataArray
        The same type as the scene, with endmembers in place of bands. A DataArray keeps its
        coordinates, attributes (except those of the stored values) and spatial reference, and has a
        dimension "endmember" with the estimator's names, and "<name> lower" and "<name> upper" if
        there is a `coverage`. float32 for float32 (and float16) spectra if the estimator predicts
        that, as those of skunmix do, else float64.

    Raises
    ------
    TypeError
        If the estimator has no `predict`, or no `predict_interval` for a `coverage`, or the scene
        has another type.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted, and needs abundances.
    ValueError
        If the estimator was fitted on another number of bands, no pixel is valid (not checked for
        dask), or a shape or a parameter is invalid.
    ImportError
        If the scene needs a library that is not installed.

    Warns
    -----
    UserWarning
        If the bands of a dask scene are in several chunks, which must be merged, or the labelled
        pixels of a ConformalUnmixer are too few for `coverage`.

    See Also
    --------
    unmix_file : Unmixing of files, also larger than memory.
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
    check_intervals(estimator, coverage)
    overrides = {"nodata": nodata, "scale_factor": scale_factor, "add_offset": add_offset}
    options = {"n_jobs": n_jobs, "working_memory": working_memory, "progress": progress}
    in_xarray = is_dataarray(scene)
    if in_xarray and out is not None:
        raise TypeError("out is for NumPy cubes, got a DataArray as scene; drop out.")
    report = None
    if must_be_fitted(estimator):
        estimator, report = _matched(estimator, scene, band_dim)
        pixels = sample_pixels(
            scene, estimator=estimator, band_dim=band_dim, mask=mask, **overrides
        )
        estimator = fit_to(estimator, pixels)
    if in_xarray:
        from ._xarray import unmix_dataarray

        abundances = unmix_dataarray(estimator, scene, band_dim, coverage, mask, overrides, options)
        description = described(report, coverage)
        if description:
            abundances.attrs["unmixing"] = description
        return abundances
    return _unmix_cube(estimator, scene, band_dim, coverage, mask, overrides, options, out)


def _matched(estimator, scene, band_dim):
    """Return an unfitted estimator with endmembers in the bands of a DataArray, and a report."""
    if not is_dataarray(scene) or band_dim not in scene.dims:
        return estimator, None
    labels, facts = dimension_labels(scene, band_dim), bands_of_coordinates(scene.coords, band_dim)
    where = f"dimension {band_dim!r} of the scene"
    return match_bands(estimator, scene.sizes[band_dim], where, labels, facts)


def _unmix_cube(estimator, scene, band_dim, coverage, mask, overrides, options, out):
    cube, axis = bands_last(scene, band_dim)
    unmixer = BlockUnmixer(
        estimator,
        cube.shape[-1],
        decoding_of(scene.dtype, {}, decoded=True, **overrides),
        f"axis {axis} of the scene of shape {scene.shape}",
        coverage=coverage,
    )
    shape = (*cube.shape[:-1], len(unmixer.names))
    mask = check_mask(mask, shape[:-1])
    result_shape = np.moveaxis(np.empty(shape, dtype=bool), -1, axis).shape
    if out is None:
        out = np.empty(result_shape, unmixer.dtype)
    elif out.shape != result_shape:
        raise ValueError(
            f"Expected out with the shape {result_shape} of the abundances, got {out.shape}; pass "
            f"None to get a new array."
        )
    run_blocks(unmixer, block_reader(cube), mask, np.moveaxis(out, axis, -1), **options)
    if isinstance(scene, np.ma.MaskedArray):
        return np.ma.masked_invalid(out, copy=False)
    return out
