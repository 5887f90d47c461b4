"""Pixels drawn from a scene, to fit an estimator to."""

import logging
from math import prod
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_scalar, get_tags
from sklearn.utils.validation import check_is_fitted

from ..utils.estimators import last_step, steps_of
from ..utils.labels import (
    are_known,
    axis_labels,
    dimension_labels,
    is_library,
    same_labels,
    spellings_of,
)
from ..utils.optional import require
from ..utils.wavelengths import wavelengths_in
from ._bands import bands_to_fit, take_bands
from ._blocks import check_mask, decode_block, no_valid_pixel, used_bands
from ._cubes import bands_last, block_reader, is_dataarray
from ._drawing import draw_pixels
from ._masks import open_mask, read_masked
from .io.bands import bands_of_coordinates
from .io.decoding import decoding_of
from .io.opening import open_source

_logger = logging.getLogger(__name__)
# Pixels that an estimator is fitted to, if it is not fitted.
N_PIXELS = 20_000


def sample_pixels(
    scene: Any,
    n_pixels: int = N_PIXELS,
    *,
    estimator: Any = None,
    band_dim: str = "band",
    variable: str | None = None,
    mask: Any = None,
    nodata: Any = None,
    scale_factor: Any = None,
    add_offset: Any = None,
    random_state: Any = 0,
    open_options: Any = None,
) -> NDArray[Any]:
    """Draw spectra of valid pixels at random from all over a scene.

    Only a part of a large scene is read: blocks in random order, until they have several times more
    valid pixels than wanted. Fit an estimator that needs no abundances to the sample, such as an
    extractor or an unmixer with an extractor. :func:`unmix` and :func:`unmix_file` do the same for
    an estimator that is not fitted.

    Parameters
    ----------
    scene : ndarray of shape (rows, cols, n_bands), xarray.DataArray, str or path-like
        As for :func:`unmix`, or a file as for :func:`unmix_file`. Of a DataArray over dask, only
        the chunks that are read are computed.

    n_pixels : int, default=20_000
        Number of pixels to draw, without repetition. If the scene has fewer valid pixels, all are
        returned.

    estimator : object, default=None
        Pipeline that will be fitted to the sample. Bands that its first step drops
        (:class:`skunmix.preprocessing.BandSelector`) do not affect which pixels are valid. The
        sample then has all bands of the scene. Otherwise, bands that the file marks as bad are left
        out, unless the estimator has endmembers with all bands. :func:`unmix_file` finds the bands
        of a fitted estimator again.

    band_dim : str or int, default="band"
        The dimension, or the axis of a NumPy cube, that holds the bands.

    variable : str, default=None
        The variable of a netCDF, HDF5 or Zarr file, as for :func:`unmix_file`.

    mask : array-like of shape (rows, cols), xarray.DataArray or path, default=None
        True where a pixel is left out. A path is for a scene on disk.

    nodata : float or sequence of float, default=None
        Stored values that stand for no data, in any band. None takes them from the metadata of the
        scene.

    scale_factor, add_offset : float or array-like of shape (n_bands,), default=None
        Spectra are stored · scale_factor + add_offset. None takes them from the metadata of the
        scene.

    random_state : int, RandomState instance or None, default=0
        Determines which pixels are drawn. With an int, the same pixels are drawn each time.

    open_options : dict, default=None
        Options of the reader of a sensor's product, as for :func:`unmix_file`.

    Returns
    -------
    spectra : ndarray or pandas.DataFrame of shape (n_pixels, n_bands)
        In the order of the scene. A DataFrame if the bands of the scene have labels, which are its
        columns.

    Raises
    ------
    TypeError
        If the scene is none of these kinds.
    ValueError
        If no pixel is valid, or a shape or a parameter does not fit.
    ImportError
        If the scene needs a library that is not installed.
    OSError
        If a file cannot be read.

    See Also
    --------
    unmix : Unmix a scene by the fitted estimator.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.scenes import sample_pixels
    >>> scene = make_scene(random_state=0)
    >>> cube = scene.spectra.reshape(*scene.shape, -1)
    >>> cube[0, 0] = -9999
    >>> pixels = sample_pixels(cube, 500, nodata=-9999)
    >>> pixels.shape
    (500, 224)
    >>> bool(pixels.min() >= -1)
    True
    """
    overrides = {"nodata": nodata, "scale_factor": scale_factor, "add_offset": add_offset}
    drawn = {"n_pixels": n_pixels, "estimator": estimator, "random_state": random_state}
    if isinstance(scene, (str, Path)):
        source = open_source(scene, band_dim=band_dim, variable=variable, options=open_options)
        decoding = source.decoding(**overrides)
        return sample_source(source, decoding, mask=open_mask(mask, source), **drawn)
    if is_dataarray(scene):
        from ._xarray import decoding_of_dataarray

        decoding = decoding_of_dataarray(scene, band_dim, overrides)
        return _sample_dataarray(scene, band_dim, decoding, mask, **drawn)
    cube, _ = bands_last(scene, band_dim)
    decoding = decoding_of(scene.dtype, {}, decoded=True, **overrides)
    mask = check_mask(mask, cube.shape[:-1])
    values = block_reader(cube)

    def read(block):
        return values(block), None if mask is None else mask[block]

    return _sample(read, cube.shape, decoding, **drawn)


def sample_source(source, decoding, *, mask=None, n_pixels=N_PIXELS, **drawn):
    """Draw spectra from a scene on disk, as `sample_pixels` does.

    Parameters
    ----------
    source : Source
    decoding : Decoding
    mask : Source, ndarray of bool or None
    n_pixels : int
    **drawn : dict
        `estimator` and `random_state`.
    """
    return _sample(
        lambda window: read_masked(source, mask, window),
        source.shape,
        decoding,
        n_pixels=n_pixels,
        bands=source.band_labels(),
        facts=source.bands(),
        chunk_shape=source.chunk_shape,
        **drawn,
    )


def _sample_dataarray(scene, band_dim, decoding, mask, **drawn):
    from ._xarray import aligned_mask, block_reader, chunk_shape_of

    dims = tuple(dim for dim in scene.dims if dim != band_dim)
    shape = tuple(scene.sizes[dim] for dim in dims)
    values = block_reader(scene, dims, band_dim)
    mask = aligned_mask(mask, scene, dims)
    if mask is not None:
        mask = mask.variable.set_dims(dict(zip(dims, shape))).transpose(*dims)

    def read(block):
        return values(block), None if mask is None else mask[block].values

    return _sample(
        read,
        (*shape, scene.sizes[band_dim]),
        decoding,
        bands=dimension_labels(scene, band_dim),
        facts=bands_of_coordinates(scene.coords, band_dim),
        chunk_shape=chunk_shape_of(scene, dims),
        **drawn,
    )


def _sample(
    read,
    shape,
    decoding,
    *,
    n_pixels,
    bands=(),
    facts=None,
    chunk_shape=None,
    estimator=None,
    random_state=0,
):
    """Return a labelled sample; `bands` are lists of labels, and `facts` is a Bands or None."""
    check_scalar(n_pixels, "n_pixels", Integral, min_val=1)
    kept = bands_to_fit(_searched(estimator), shape[-1], bands, facts)
    labels = _labels_for(estimator, bands, kept)
    if kept is None:
        first = _labelled(np.ones((1, shape[-1])), labels)
        used = used_bands(_searched(estimator), shape[-1], fit_to=first)
    else:
        used = np.zeros(shape[-1], dtype=bool)
        used[kept] = True
        _logger.info("The sample has %d of %d bands", len(kept), shape[-1])

    def decode(block, mask):
        spectra, valid, *_ = decode_block(block, mask, decoding, used)
        return take_bands(spectra, kept), valid

    spectra = np.empty(0)
    if prod(shape[:-1]):
        spectra = draw_pixels(
            read, shape, decode, n_pixels, chunk_shape=chunk_shape, random_state=random_state
        )
    if not len(spectra):
        raise no_valid_pixel(prod(shape[:-1]))
    return _labelled(spectra, labels)


def _labels_for(estimator, bands, kept=None):
    """Return the labels by which the bands of a sample are told apart, or None.

    A scene may have several kinds. Those of the endmembers of the estimator come first.
    """
    spelled = [labels for given in bands for labels in spellings_of(given)]
    if kept is not None:
        spelled = [[labels[i] for i in kept] for labels in spelled]
    known = [labels for labels in spelled if are_known(labels) and len(set(labels)) == len(labels)]
    endmembers = getattr(last_step(_searched(estimator)), "endmembers", None)
    wanted = axis_labels(endmembers)
    if is_library(endmembers):  # which is resampled to wavelengths
        known.sort(key=lambda labels: wavelengths_in(labels) is None)
    for labels in known:
        if any(same_labels(labels, others) for others in wanted):
            return labels
    return known[0] if known else None


def band_columns(source, kept):
    """Return the labels of some bands of a scene on disk, by which they are told apart, or None."""
    return _labels_for(None, source.band_labels(), kept)


def _labelled(spectra, labels):
    if labels is None:
        return spectra
    pd = require("pandas", "A sample of a scene whose bands have labels")
    return pd.DataFrame(spectra, columns=labels, copy=False)


def must_be_fitted(estimator):
    """Return whether an estimator is to be fitted to the scene before it unmixes it.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If it is not fitted, and needs abundances.
    """
    if not callable(getattr(estimator, "predict", None)) or not hasattr(estimator, "fit"):
        return False
    try:
        check_is_fitted(estimator)
    except NotFittedError as error:
        learner = _needing_targets(estimator)
        if learner is None:
            return True
        raise NotFittedError(
            f"{type(learner).__name__} is not fitted, and needs abundances to be fitted, which a "
            f"scene does not have; fit it first by fit(spectra, abundances), or pass an estimator "
            f"with endmembers, such as SunSALRegressor(endmembers=…)."
        ) from error
    return False


def fit_to(estimator, pixels):
    """Return a clone of an estimator, fitted to pixels of a scene."""
    _logger.info("%s is fitted to %d pixels", type(estimator).__name__, len(pixels))
    return clone(estimator).fit(pixels)


def _needing_targets(estimator):
    """Return the step of an unfitted estimator whose fit needs abundances, or None."""
    estimator = _searched(estimator)
    for _, step in steps_of(estimator):
        needing = None if step in (None, "passthrough") else _needing_targets(step)
        if needing is not None:
            return needing
    if steps_of(estimator) or not get_tags(estimator).target_tags.required:
        return None
    return estimator


def _searched(estimator):
    """Return what an unfitted search tries, or the estimator itself."""
    # scikit-learn has no public base class of searches
    while hasattr(estimator, "refit") and not hasattr(estimator, "best_estimator_"):
        estimator = estimator.estimator
    return estimator
