"""An image cut into windows."""

from math import ceil, prod

import numpy as np

# Chunks that take less than this together are not counted, like other buffers of the libraries.
_SMALL = 2**20
# Of a window's memory, that chunks may take.
_LARGEST_SHARE = 0.75


def block_slices(shape, max_pixels, chunk_shape=None):
    """Cut an image into blocks of whole chunks, as wide as they can be and then as high.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without its bands.
    max_pixels : int
        Most pixels of a block.
    chunk_shape : tuple of int, default=None
        What is stored together. Where not even one fits, it is cut.

    Returns
    -------
    blocks : list of tuple of slice
        In row-major order.
    """
    chunk = tuple(min(g, n) for g, n in zip(chunk_shape or (1,) * len(shape), shape))
    if prod(chunk) > max_pixels:
        shape_of_one, chunk = chunk, (1,) * len(shape)
    else:
        shape_of_one = shape
    steps = list(chunk)
    for axis in reversed(range(len(shape))):
        others = prod(steps) // max(steps[axis], 1)
        fit = max_pixels // max(others, 1) // max(chunk[axis], 1) * chunk[axis]
        steps[axis] = max(1, min(shape_of_one[axis], max(fit, steps[axis])))
    blocks = [()]
    for n, step in zip(shape, steps):
        blocks = [
            (*block, slice(start, min(start + step, n)))
            for block in blocks
            for start in range(0, n, step)
        ]
    return blocks


def n_pixels_of(window):
    """Return how many pixels a window, a tuple of slices, has."""
    return prod(axis.stop - axis.start for axis in window)


def bounds_of(window):
    """Return the bounds of a window, ((top, bottom), (left, right)), which can be compared."""
    return tuple((axis.start, axis.stop) for axis in window)


def windows_left(windows, done, max_pixels):
    """Return what is left of windows, cut so that nothing has more than `max_pixels`.

    Parameters
    ----------
    windows : list of tuple of slice
        Of rows and columns; together they are the image.
    done : collection of bounds
        Of windows that are done, or of parts of such: each lies in one of the windows.
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
    """Return what a chunk of a DataArray takes as it is in a file, 0 where it has none."""
    chunks = array.encoding.get("preferred_chunks") or {}
    if not chunks:
        return 0
    return prod(int(chunks.get(dim, n)) for dim, n in array.sizes.items()) * array.dtype.itemsize


def memory_beside_chunks(chunks, working_memory, in_flight):
    """Return the bytes that a window may take, beside what is read of its chunks.

    Parameters
    ----------
    chunks : dict
        What a chunk takes in bytes, by the name of its file.
    working_memory : float
        MiB, for all windows under way.
    in_flight : int
        How many these are.

    Raises
    ------
    ValueError
        If a chunk, which has to be in memory whole, takes most of what a window may.
    """
    available = working_memory * 2**20 / in_flight
    needed = 2 * sum(chunks.values())  # as they are stored, and decompressed
    if needed * in_flight < _SMALL:
        return available
    if needed > _LARGEST_SHARE * available:
        name = max(chunks, key=chunks.get)
        raise ValueError(
            f"A chunk of {name} takes {chunks[name] / 2**20:.1f} MiB, and as much again while it "
            f"is decompressed, of which {in_flight} are read at a time, but working_memory is "
            f"{working_memory:g} MiB; pass working_memory="
            f"{ceil(needed * in_flight / _LARGEST_SHARE / 2**20)}, or write the scene in smaller "
            f"chunks (tiles, strips)."
        )
    return available - needed
