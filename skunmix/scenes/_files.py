"""Unmixing of files larger than memory, by several processes or a cluster."""

import logging
from functools import partial
from math import prod
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils import check_scalar

from ..utils.intervals import check_intervals
from ._blocks import BlockUnmixer, no_valid_pixel
from ._checkpoint import VERSION, Checkpoint, check_replaceable
from ._identity import mask_identity, model_identity, scene_identity, unfitted_identity
from ._inspection import Inspection
from ._masks import open_mask, read_masked
from ._matching import described, match_bands
from ._run import by_cluster, by_processes, current_client, progress_bar, two_at_once
from ._sampling import fit_to, must_be_fitted, sample_source
from .io.opening import open_source
from .io.sinks import check_grid, check_output, outputs_of, write_output
from .io.sources import Source
from .io.windows import (
    block_slices,
    bounds_of,
    memory_beside_chunks,
    n_pixels_of,
    windows_left,
)

_logger = logging.getLogger(__name__)
# Arrays of larger windows would be mapped into memory each time, which takes as long as reading.
_WINDOW_BYTES = 2**24


def unmix_file(
    estimator: Any,
    scene: Any,
    output: str | PathLike[str],
    *,
    band_dim: str = "band",
    variable: str | None = None,
    coverage: float | None = None,
    mask: Any = None,
    nodata: Any = None,
    scale_factor: Any = None,
    add_offset: Any = None,
    n_jobs: int | None = None,
    working_memory: float = 256,
    resume: bool = True,
    overwrite: bool = False,
    progress: bool = True,
    creation_options: Any = None,
    open_options: Any = None,
) -> Path:
    """Unmix a scene on disk into a file of abundances in the same grid, window by window.

    An unfinished run is kept in the folder ``<output>.part`` beside the output. If it was
    interrupted or killed, the same call resumes it and writes the same file. The output appears
    under its name only when it is complete.

    Parameters
    ----------
    estimator : object
        Estimator or pipeline with `predict`, from (n_pixels, n_bands) to (n_pixels, n_endmembers).
        If it is not fitted, and needs no abundances, a clone is fitted to the pixels of
        :func:`sample_pixels`. If its endmembers have wavelengths, as a
        :class:`skunmix.libraries.SpectralLibrary` has, and the scene has too, they are resampled to
        the scene's bands. Bands that they do not cover, or that the scene marks as bad, are left
        out. The logger "skunmix.scenes" reports this at level INFO, and the output says so. A run
        that goes on uses the model of the interrupted run.

    scene : str or path-like
        ENVI (its header or its data), GeoTIFF, JPEG 2000, PNG, netCDF (.nc), HDF5 (.h5, .he5),
        Zarr (.zarr), or a NumPy cube (rows, cols, bands) (.npy), or a product of EMIT, PRISMA,
        EnMAP, DESIS, AVIRIS, PACE or Sentinel-2, as a file or a folder. Formats that name other
        files or addresses, such as VRT, are refused. The dimensions of a netCDF, HDF5 or Zarr
        variable may be in any order. Rows are y, if names or coordinates of the dimensions
        identify them.

    output : str or path-like
        The suffix determines the format: GeoTIFF (.tif), ENVI (.hdr, with .img beside it, or
        .img), netCDF (.nc), Zarr (.zarr) or NumPy (.npy).

    band_dim : str, default="band"
        Dimension of the bands in netCDF, HDF5 and Zarr.

    variable : str, default=None
        Variable that holds the scene in netCDF, HDF5 and Zarr, if several have bands. In a group,
        it is "group/name".

    coverage : float, default=None
        Also estimate intervals, which hold the true abundances in this share of the pixels,
        between 0 and 1. The estimator needs `predict_interval`, as
        :class:`skunmix.uncertainty.ConformalUnmixer` has. The output then also has a band "<name>
        lower" and "<name> upper" for each endmember, after those of the abundances, and its
        metadata gives the coverage.

    mask : array-like of shape (rows, cols), or path, default=None
        Pixels to leave out: True, or not 0 in a file of the same grid. Pixels that the scene's own
        mask hides are left out too.

    nodata : float or sequence of float, default=None
        Stored values that mean no data, in any band. None takes the scene's fill values (in netCDF
        without `_FillValue`, netCDF's default one) and its valid range (`valid_min`, `valid_max`,
        `valid_range`).

    scale_factor, add_offset : float or array-like of shape (n_bands,), default=None
        Spectra are stored · scale_factor + add_offset. None takes the scene's metadata: in ENVI,
        values are divided by the "reflectance scale factor", or multiplied by "data gain values"
        and added to "data offset values". The logger "skunmix.scenes" reports the values used at
        level INFO.

    n_jobs : int, default=None
        Number of processes; None means 1 unless in a :obj:`joblib.parallel_config` context, -1
        means all processors. With 1, two threads share the windows, so that one reads while the
        other computes, and an estimator may use more threads. Ignored if there is a
        :class:`dask.distributed.Client`: its workers then do the work, and must have the scene
        under the same path.

    working_memory : float, default=256
        Memory in MiB for the windows that are processed at once on a machine (on a cluster: on each
        thread of a worker), without the libraries. A scene with larger chunks is refused.

    resume : bool, default=True
        Whether to resume an interrupted run of the same scene, model and options. False starts
        again.

    overwrite : bool, default=False
        Whether to replace an existing output when the new one is complete. A symbolic link is
        replaced itself, not its target.

    progress : bool, default=True
        Whether to show a progress bar after one second, if tqdm is installed.

    creation_options : dict, default=None
        Options of :func:`rasterio.open`, such as ``{"compress": "deflate"}``, or of xarray's
        `to_netcdf` or `to_zarr`.

    open_options : dict, default=None
        Options of the reader of a sensor's product: ``{"orthorectify": True}`` places the
        abundances of EMIT on a map, ``{"resolution": 10}`` chooses the bands of Sentinel-2, and
        ``{"error_matrix": False}`` uses the pixels that the error matrix of PRISMA marks as wrong.

    Returns
    -------
    output : pathlib.Path
        The file has one band per endmember (GeoTIFF, ENVI) or a dimension "endmember", with the
        estimator's names. Pixels without data are NaN.

    Raises
    ------
    FileExistsError
        If the output exists, and `overwrite` is False.
    IsADirectoryError
        If the output is a directory, but not a Zarr store.
    PermissionError
        If the folder ``<output>.part`` belongs to another user, or others may write to it.
    ImportError
        If a library that reads the scene or writes the output is not installed.
    OSError
        If the scene does not exist, cannot be read, is truncated or contradicts its header, or the
        disk is full.
    TypeError
        If the estimator has no `predict`, or no `predict_interval` for a `coverage`.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted, and needs abundances.
    ValueError
        If the estimator was fitted on another number of bands, no pixel is valid, the folder holds
        an unfinished run of another scene, model or options, the output cannot hold the scene's
        grid, a chunk of the scene does not fit into `working_memory`, the units of its values are
        ambiguous, or a parameter is invalid.

    See Also
    --------
    unmix : Unmixing of arrays.
    sample_pixels : Pixels of the scene to fit an estimator to.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.scenes import unmix_file
    >>> scene = make_scene(random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers).fit(scene.spectra)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "scene.npy"), scene.spectra.reshape(*scene.shape, -1))
    ...     path = unmix_file(model, Path(folder, "scene.npy"), Path(folder, "abundances.npy"))
    ...     abundances = np.load(path)
    >>> abundances.shape
    (100, 100, 6)
    """
    check_scalar(working_memory, "working_memory", Real, min_val=0, include_boundaries="neither")
    check_intervals(estimator, coverage)
    output = Path(output).absolute()
    check_output(output, creation_options)
    checkpoint = Checkpoint(output)
    source = open_source(scene, band_dim=band_dim, variable=variable, options=open_options)
    check_not_input(output, source, "scene")

    check_grid(output, source)
    decoding = source.decoding(nodata=nodata, scale_factor=scale_factor, add_offset=add_offset)
    _logger.info("%s: %s", source.path.name, decoding)
    unfitted, report = must_be_fitted(estimator), None
    if unfitted:
        estimator, report = match_bands(
            estimator, source.shape[2], source.where, source.band_labels(), source.bands()
        )
    unmixer = None if unfitted else _unmixer_of(estimator, source, decoding, coverage)
    mask = open_mask(mask, source)
    if isinstance(mask, Source):
        check_not_input(output, mask, "mask")
    state = {
        "version": VERSION,
        "scene": scene_identity(source),
        "options": {
            "variable": variable,
            "band_dim": band_dim,
            "coverage": None if coverage is None else float(coverage),
            "nodata": list(map(repr, decoding.nodata)),
            "scale": np.atleast_1d(decoding.scale).tolist(),
            "offset": np.atleast_1d(decoding.offset).tolist(),
            "mask": mask_identity(mask),
            "open_options": sorted(map(repr, (open_options or {}).items())),
            "creation_options": sorted(map(repr, (creation_options or {}).items())),
        },
        "model": (
            unfitted_identity(estimator) if unfitted else model_identity(unmixer, source.shape[2])
        ),
    }
    if checkpoint.was_moved(state):
        return output
    for path in outputs_of(output):
        check_replaceable(path, overwrite or checkpoint.is_own_output(path))
    if unfitted:
        # another fit, with random_state=None, could give other endmembers
        kept = checkpoint.fitted_model(state) if resume else None
        if kept is None:
            pixels = sample_source(source, decoding, mask=mask, estimator=estimator)
            kept = fit_to(estimator, pixels)
        estimator = kept
        unmixer = _unmixer_of(estimator, source, decoding, coverage)
    task = WindowTask(source, unmixer, mask)
    client = current_client()
    n_jobs = effective_n_jobs(n_jobs)
    in_flight = 1 if client else max(n_jobs, 2)
    sources = [source, mask] if isinstance(mask, Source) else [source]
    chunks = {opened.path.name: opened.chunk_bytes for opened in sources}
    max_pixels = unmixer.pixels_in(memory_beside_chunks(chunks, working_memory, in_flight))
    if source.in_one_piece:
        small = max(prod(source.chunk_shape), _WINDOW_BYTES // source.bytes_per_pixel())
        max_pixels = min(max_pixels, small)
    state["max_pixels"] = max_pixels
    shape = (*source.shape[:2], len(unmixer.names))
    n_pixels = prod(shape[:2])

    with checkpoint.locked():
        before = checkpoint.begin(
            state, shape, unmixer.dtype, resume=resume, model=estimator if unfitted else None
        )
        windows = block_slices(shape[:2], before, source.chunk_shape)
        done = checkpoint.done()
        windows = windows_left(windows, done, max_pixels)
        left = list(range(len(windows)))

        if client is not None:
            results = by_cluster(client, task, windows, left)
        elif n_jobs > 1:
            results = by_processes(checkpoint.task, task, windows, left, n_jobs)
        else:
            results = two_at_once(lambda number: task.run(windows[number]), left)
        n_done = n_pixels - sum(map(n_pixels_of, windows))
        seen = Inspection()
        with checkpoint.journal() as note, progress_bar(n_pixels, n_done, progress) as advance:
            for number, (abundances, valid, inspection) in results:
                seen += inspection
                note(windows[number], abundances, valid)
                done[bounds_of(windows[number])] = valid
                advance(n_pixels_of(windows[number]))

        if not any(done.values()):
            checkpoint.clear()
            raise seen.error or no_valid_pixel(n_pixels, seen.n_failed)
        for read, then in ((source, state["scene"]), (mask, state["options"]["mask"])):
            if isinstance(read, Source) and scene_identity(read) != then:
                raise OSError(
                    f"{read.path} changed while it was read, and {output} was not written; call "
                    f"again when the file is complete."
                )
        write = partial(
            write_output,
            values=source.placed(checkpoint.values),
            source=source,
            names=unmixer.names,
            working_memory=working_memory,
            creation_options=creation_options,
            description=described(report, coverage),
        )
        checkpoint.finish(write, overwrite=overwrite)
    seen.warn(estimator, stacklevel=2)
    return output


def _unmixer_of(estimator, source, decoding, coverage):
    """Return what unmixes the blocks of a scene on disk."""
    bands = source.band_labels(), source.bands()
    return BlockUnmixer(estimator, source.shape[2], decoding, source.where, *bands, coverage)


class WindowTask:
    """Unmixing of a window of a scene on disk, on any machine.

    Parameters
    ----------
    source : Source
    unmixer : BlockUnmixer
    mask : Source, ndarray of bool or None
    """

    def __init__(self, source, unmixer, mask):
        self.source, self.unmixer, self.mask = source, unmixer, mask

    def run(self, window):
        """Return the abundances of a window, whether a pixel is valid, and the inspection."""
        return self.unmixer.unmix(*read_masked(self.source, self.mask, window))


def check_not_input(output, source, what):
    """Check that an output is not a file of the scene or the mask, nor inside or around it.

    Raises
    ------
    ValueError
        If it is.
    """
    inputs = {path.resolve() for path in source.files()} | {source.path.resolve()}
    for path in outputs_of(output):
        found = path.resolve()
        around = {*found.parents} & inputs | {p for p in inputs if found in p.parents}
        same = path.exists() and any(p.exists() and path.samefile(p) for p in inputs)
        if found in inputs or around or same:
            raise ValueError(
                f"The output {path} is the {what} itself, or inside or around it, so that writing "
                f"would destroy the {what}; choose another name."
            )
