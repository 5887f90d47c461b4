"""Windows of an image, and the memory that they take."""

from itertools import product
from math import ceil, prod

import numpy as np

# Chunks that together take less than this are not counted.
_SMALL = 2**20
# Largest fraction of a window's memory that chunks may take.
_LARGEST_SHARE = 0.75


def block_slices(shape, max_pixels, chunk_shape=None):
    """Cut an image into blocks of whole chunks, first as wide and then as high as possible.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image, without its bands.
    max_pixels : int
        Largest number of pixels of a block.
    chunk_shape : tuple of int, default=None
        Shape of the stored chunks. Chunks with more than `max_pixels` are cut.

    Returns
    -------
    blocks : list of tuple of slice
        In row-major order.
    """
    largest = shape
    chunk = tuple(min(g, n) for g, n in zip(chunk_shape or (1,) * len(shape), shape))
    if prod(chunk) > max_pixels:
        largest, chunk = chunk, (1,) * len(shape)
    steps = list(chunk)
    for axis in reversed(range(len(shape))):
        others = prod(steps) // max(steps[axis], 1)
        fit = max_pixels // max(others, 1) // max(chunk[axis], 1) * chunk[axis]
        steps[axis] = max(1, min(largest[axis], max(fit, steps[axis])))
    axes = (
        [slice(start, min(start + step, n)) for start in range(0, n, step)]
        for n, step in zip(shape, steps)
    )
    return list(product(*axes))


def n_pixels_of(window):
    """Return the number of pixels of a window, which is a tuple of slices."""
    return prod(axis.stop - axis.start for axis in window)


def bounds_of(window):
    """Return the bounds of a window, ((top, bottom), (left, right)), which are hashable."""
    return tuple((axis.start, axis.stop) for axis in window)


def windows_left(windows, done, max_pixels):
    """Return the windows that are not done, cut into parts of at most `max_pixels`.

    Parameters
    ----------
    windows : list of tuple of slice
        Rows and columns of all windows of the image.
    done : collection of bounds
        Bounds of finished windows, or of finished parts of a window.
    max_pixels : int

    Returns
    -------
    left : list of tuple of slice
    """
    parts = set(done) - set(map(bounds_of, windows))
    left = []
    for window in windows:
        if bounds_of(window) in done:
            continue
        rows, cols = window
        inside = [
            ((top - rows.start, bottom - rows.start), (begin - cols.start, end - cols.start))
            for (top, bottom), (begin, end) in parts
            if rows.start <= top < rows.stop and cols.start <= begin < cols.stop
        ]
        if not inside and n_pixels_of(window) <= max_pixels:
            left.append(window)
            continue
        covered = np.zeros((rows.stop - rows.start, cols.stop - cols.start), dtype=bool)
        for part in inside:
            covered[tuple(slice(*axis) for axis in part)] = True
        left += [
            tuple(
                slice(axis.start + first.start, axis.stop + first.start)
                for axis, first in zip(piece, window)
            )
            for piece in block_slices(covered.shape, max_pixels)
            if not covered[piece].all()
        ]
    return left


def chunk_bytes(array):
    """Return the size of a DataArray's chunks in its file, 0 if it has no chunks."""
    chunks = array.encoding.get("preferred_chunks") or {}
    if not chunks:
        return 0
    return prod(int(chunks.get(dim, n)) for dim, n in array.sizes.items()) * array.dtype.itemsize


def memory_beside_chunks(chunks, working_memory, in_flight):
    """Return the memory for a window, in bytes, in addition to the chunks that are read for it.

    Parameters
    ----------
    chunks : dict
        Size of a chunk in bytes, by the name of its file.
    working_memory : float
        Memory for all windows that are processed at once, in MiB.
    in_flight : int
        Number of these windows.

    Raises
    ------
    ValueError
        If a chunk takes most of the memory of a window.
    """
    available = working_memory * 2**20 / in_flight
    needed = 2 * sum(chunks.values())  # compressed and decompressed
    if needed * in_flight < _SMALL:
        return available
    if needed > _LARGEST_SHARE * available:
        name = max(chunks, key=chunks.get)
        raise ValueError(
            f"A chunk of {name} takes {chunks[name] / 2**20:.1f} MiB, twice while it is "
            f"decompressed, and {in_flight} are read at once, but working_memory is "
            f"{working_memory:g} MiB; pass working_memory="
            f"{ceil(needed * in_flight / _LARGEST_SHARE / 2**20)}, or write the scene in smaller "
            f"chunks (tiles, strips)."
        )
    return available - needed
