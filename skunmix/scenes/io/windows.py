"""An image cut into windows."""

from math import prod


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


def chunk_bytes(array):
    """Return what a chunk of a DataArray takes as it is in a file, 0 where it has none."""
    chunks = array.encoding.get("preferred_chunks") or {}
    if not chunks:
        return 0
    return prod(int(chunks.get(dim, n)) for dim, n in array.sizes.items()) * array.dtype.itemsize
