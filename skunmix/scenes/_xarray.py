"""DataArrays, read or lazy, in any order of dimensions."""

import math
import warnings

import numpy as np

from ..utils.labels import dimension_labels
from ..utils.optional import require
from ._blocks import BlockUnmixer, check_mask
from ._run import run_blocks
from .io.decoding import decoding_of
from .io.windows import chunk_bytes
from .io.xarrays import ENDMEMBER, abundance_array


def unmix_dataarray(estimator, scene, band_dim, mask, overrides, options):
    """Unmix a DataArray, as `unmix` says."""
    unmixer = unmixer_of(estimator, scene, band_dim, overrides)
    if scene.chunks is not None:
        scene = _with_bands_together(scene, band_dim)
    dims = tuple(dim for dim in scene.dims if dim != band_dim)
    mask = _aligned_mask(mask, scene, dims)
    if scene.chunks is None:
        values = _unmix_by_blocks(unmixer, scene, band_dim, dims, mask, options)
    else:
        values = _unmix_lazily(unmixer, scene, band_dim, mask)
    return abundance_array(values, dims, scene, band_dim, unmixer.names)


def unmixer_of(estimator, scene, band_dim, overrides):
    """Return what unmixes the blocks of a DataArray, bands last."""
    if band_dim not in scene.dims:
        sizes = dict(scene.sizes)
        raise ValueError(
            f"The scene has no dimension {band_dim!r}, but {sizes}; name the one that holds the "
            f"bands as band_dim."
        )
    # xarray notes in `encoding` what it has applied
    applied = {"scale_factor", "add_offset"} & set(scene.encoding)
    decoding = decoding_of(
        scene.dtype,
        scene.attrs,
        decoded=True if applied else None,
        encoding=scene.encoding,
        **overrides,
    )
    where = f"dimension {band_dim!r} of the scene"
    bands = dimension_labels(scene, band_dim)
    return BlockUnmixer(estimator, scene.sizes[band_dim], decoding, where, bands)


def _aligned_mask(mask, scene, dims):
    xr = require("xarray", "An xarray scene")
    if mask is None:
        return None
    if not isinstance(mask, xr.DataArray):
        return xr.DataArray(check_mask(mask, tuple(scene.sizes[dim] for dim in dims)), dims=dims)
    strange = [dim for dim in mask.dims if dim not in dims]
    if strange:
        raise ValueError(
            f"mask has the dimension {strange[0]!r}, but the scene's pixels have {dims}; select "
            f"from it."
        )
    for dim in mask.dims:
        same = mask.sizes[dim] == scene.sizes[dim]
        if same and dim in mask.indexes and dim in scene.indexes:
            same = mask.indexes[dim].equals(scene.indexes[dim])
        if not same:
            raise ValueError(
                f"mask and scene differ along {dim!r}, {mask.sizes[dim]} and {scene.sizes[dim]} "
                f"long, or in its coordinate; bring the mask onto the scene's grid."
            )
    return mask.astype(bool).drop_vars(list(mask.coords))


def _unmix_by_blocks(unmixer, scene, band_dim, dims, mask, options):
    """Return the abundances, endmembers last, of what is in memory or can be read by blocks."""
    variable = scene.variable  # alone: coordinates are not needed for every block
    shape = tuple(scene.sizes[dim] for dim in dims)
    out = np.empty((*shape, len(unmixer.names)), unmixer.dtype)

    def read(block):
        # transposed after reading, because a lazy array is read faster in its own order
        return variable.isel(dict(zip(dims, block))).transpose(*dims, band_dim).values

    if mask is not None:
        mask = mask.variable.set_dims(dict(zip(dims, shape))).transpose(*dims).values
    chunks = scene.encoding.get("preferred_chunks") or {}
    chunk_shape = tuple(int(chunks.get(dim, 1)) for dim in dims)
    # what has been read remembers its chunks, too
    unread = not getattr(variable, "_in_memory", True)
    run_blocks(
        unmixer,
        read,
        mask,
        out,
        chunk_shape=chunk_shape,
        chunk_bytes=chunk_bytes(scene) if unread else 0,
        **options,
    )
    return out


def _unmix_lazily(unmixer, scene, band_dim, mask):
    """Return a dask array of the abundances, endmembers last."""
    xr = require("xarray", "An xarray scene")
    require("dask.array", "A scene in chunks")
    import dask
    import dask.array as da

    # a graph of its own task, and not an argument of every chunk's: it is sent to a worker once
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
    """Return the scene with all bands of a pixel in one chunk, of no more than dask's size."""
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
        f"The {scene.sizes[band_dim]} bands of dimension {band_dim!r} lie in {n_chunks} chunks, "
        f"but unmixing needs all bands of a pixel: they are merged, which reads and holds whole "
        f"chunks before a pixel can be computed; open it with chunks={{{band_dim!r}: -1}}.",
        UserWarning,
        stacklevel=4,
    )
    # coordinates along, in the chunks that suit the values
    sizes = scene.variable.chunk(chunks).chunksizes
    return scene.chunk(sizes)
