"""Unmixing of DataArrays, in memory or lazy, with their dimensions in any order."""

import math
import warnings

import numpy as np

from ..utils.labels import dimension_labels
from ..utils.optional import require
from ._blocks import BlockUnmixer, check_mask
from ._run import run_blocks
from .io.bands import bands_of_coordinates
from .io.decoding import decoding_of
from .io.windows import chunk_bytes
from .io.xarrays import ENDMEMBER, abundance_array


def unmix_dataarray(estimator, scene, band_dim, coverage, mask, overrides, options):
    """Unmix a DataArray; see `unmix`."""
    unmixer = unmixer_of(estimator, scene, band_dim, coverage, overrides)
    if scene.chunks is not None:
        scene = _with_bands_together(scene, band_dim)
    dims = tuple(dim for dim in scene.dims if dim != band_dim)
    mask = aligned_mask(mask, scene, dims)
    if scene.chunks is None:
        values = _unmix_by_blocks(unmixer, scene, band_dim, dims, mask, options)
    else:
        values = _unmix_lazily(unmixer, scene, band_dim, mask)
    return abundance_array(values, dims, scene, band_dim, unmixer.names)


def unmixer_of(estimator, scene, band_dim, coverage, overrides):
    """Return what unmixes the blocks of a DataArray, bands last."""
    decoding = decoding_of_dataarray(scene, band_dim, overrides)
    where = f"dimension {band_dim!r} of the scene"
    bands = dimension_labels(scene, band_dim)
    facts = bands_of_coordinates(scene.coords, band_dim)
    return BlockUnmixer(estimator, scene.sizes[band_dim], decoding, where, bands, facts, coverage)


def decoding_of_dataarray(scene, band_dim, overrides):
    """Return how the values of a DataArray become spectra.

    Raises
    ------
    ValueError
        If it has no such dimension of bands.
    """
    if band_dim not in scene.dims:
        raise ValueError(
            f"The scene has no dimension {band_dim!r}, but {dict(scene.sizes)}; pass the name of "
            f"the bands' dimension as band_dim."
        )
    # xarray keeps in `encoding` what it has applied
    applied = {"scale_factor", "add_offset"} & set(scene.encoding)
    return decoding_of(
        scene.dtype,
        scene.attrs,
        decoded=True if applied else None,
        encoding=scene.encoding,
        **overrides,
    )


def aligned_mask(mask, scene, dims):
    """Return a mask as a DataArray of some of these dimensions, or None.

    Raises
    ------
    ValueError
        If it does not fit the scene.
    """
    xr = require("xarray", "An xarray scene")
    if mask is None:
        return None
    if not isinstance(mask, xr.DataArray):
        return xr.DataArray(check_mask(mask, tuple(scene.sizes[dim] for dim in dims)), dims=dims)
    strange = [dim for dim in mask.dims if dim not in dims]
    if strange:
        raise ValueError(
            f"mask has the dimension {strange[0]!r}, expected dimensions among {dims}; select one "
            f"of its entries."
        )
    for dim in mask.dims:
        same = mask.sizes[dim] == scene.sizes[dim]
        if same and dim in mask.indexes and dim in scene.indexes:
            same = mask.indexes[dim].equals(scene.indexes[dim])
        if not same:
            raise ValueError(
                f"mask and scene differ along {dim!r}, in length ({mask.sizes[dim]} and "
                f"{scene.sizes[dim]}) or in coordinates; resample the mask to the scene's grid."
            )
    return mask.astype(bool).drop_vars(list(mask.coords))


def _unmix_by_blocks(unmixer, scene, band_dim, dims, mask, options):
    """Return the abundances, endmembers last, of a scene in memory or read by blocks."""
    shape = tuple(scene.sizes[dim] for dim in dims)
    out = np.empty((*shape, len(unmixer.names)), unmixer.dtype)
    if mask is not None:
        mask = mask.variable.set_dims(dict(zip(dims, shape))).transpose(*dims).values
    # a variable in memory also has chunks in its encoding
    unread = not getattr(scene.variable, "_in_memory", True)
    run_blocks(
        unmixer,
        block_reader(scene, dims, band_dim),
        mask,
        out,
        chunk_shape=chunk_shape_of(scene, dims),
        chunk_bytes=chunk_bytes(scene) if unread else 0,
        **options,
    )
    return out


def block_reader(scene, dims, band_dim):
    """Return what reads blocks of a DataArray, bands last, given tuples of slices."""
    variable = scene.variable  # blocks need no coordinates

    def read(block):
        # transposed after reading, because a lazy array is read faster in its own order
        return variable.isel(dict(zip(dims, block))).transpose(*dims, band_dim).values

    return read


def chunk_shape_of(scene, dims):
    """Return how many pixels along these dimensions are stored, or computed, together."""
    if scene.chunks is not None:
        return tuple(max(scene.chunksizes[dim]) for dim in dims)
    chunks = scene.encoding.get("preferred_chunks") or {}
    return tuple(int(chunks.get(dim, 1)) for dim in dims)


def _unmix_lazily(unmixer, scene, band_dim, mask):
    """Return a dask array of the abundances, endmembers last."""
    xr = require("xarray", "An xarray scene")
    require("dask.array", "A scene in chunks")
    import dask
    import dask.array as da

    # as a separate task of the graph, it is sent to each worker only once
    once = da.from_delayed(
        dask.delayed(unmixer, pure=False, traverse=False), shape=(), dtype=object
    )
    arguments, core_dims = [scene.variable, xr.Variable((), once)], [[band_dim], []]
    if mask is not None:
        mask = mask.chunk({dim: scene.chunksizes[dim] for dim in mask.dims})
        arguments.append(mask.variable)
        core_dims.append([])
    result = xr.apply_ufunc(
        _unmix_chunk,
        *arguments,
        input_core_dims=core_dims,
        output_core_dims=[[ENDMEMBER]],
        dask="parallelized",
        output_dtypes=[unmixer.dtype],
        dask_gufunc_kwargs={"output_sizes": {ENDMEMBER: len(unmixer.names)}},
    )
    return result.transpose(*(dim for dim in scene.dims if dim != band_dim), ENDMEMBER).data


def _unmix_chunk(block, unmixer, mask=None):
    if isinstance(unmixer, np.ndarray):
        unmixer = unmixer[()]
    if mask is not None:
        mask = np.broadcast_to(mask, block.shape[:-1])
    return unmixer(block, mask)


def _with_bands_together(scene, band_dim):
    """Return the scene with all bands of a pixel in one chunk, up to dask's chunk size."""
    n_chunks = len(scene.chunksizes[band_dim])
    if n_chunks == 1:
        return scene
    import dask

    limit = dask.utils.parse_bytes(dask.config.get("array.chunk-size"))
    largest = {dim: max(sizes) for dim, sizes in scene.chunksizes.items()}
    merged = (
        scene.dtype.itemsize
        * scene.sizes[band_dim]
        * math.prod(n for dim, n in largest.items() if dim != band_dim)
    )
    chunks = {band_dim: -1}
    if merged > limit:
        chunks.update({dim: "auto" for dim in scene.dims if dim != band_dim})
    warnings.warn(
        f"The {scene.sizes[band_dim]} bands of dimension {band_dim!r} are in {n_chunks} chunks, "
        f"which are merged, because unmixing needs all bands of a pixel: whole chunks are read and "
        f"kept before a pixel can be computed; open the scene with chunks={{{band_dim!r}: -1}}.",
        UserWarning,
        stacklevel=4,
    )
    # also rechunk the coordinates
    sizes = scene.variable.chunk(chunks).chunksizes
    return scene.chunk(sizes)
