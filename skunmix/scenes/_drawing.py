"""A random sample of a scene's valid pixels, drawn from blocks all over it."""

from math import prod

import numpy as np

from ..utils.random import generator
from .io.windows import block_slices

# So many valid pixels are read for each one that is drawn, from so many blocks at least: a block is
# read faster than its pixels one by one, but neighbours are alike.
_READ, _BLOCKS = 8, 32
# Pixels of a block where nothing else says how many.
_BLOCK_PIXELS = 256
_BLOCK_BYTES = 2**24
# Most blocks that a scene is cut into, unless its chunks are smaller than these.
_MOST_BLOCKS = 2**16


def draw_pixels(read, shape, decode, n_pixels, *, chunk_shape=None, random_state=0):
    """Draw spectra of valid pixels at random, without repetition, from all over a scene.

    Blocks are read in random order until there are several times more valid pixels than wanted, or
    no further blocks. The pixels are drawn from these. If the scene has no more valid pixels, all
    are returned.

    Parameters
    ----------
    read : callable
        From a tuple of slices to stored values and a mask or None.
    shape : tuple of int
        Of the scene, its bands last.
    decode : callable
        From stored values (…, n_bands) and a mask to spectra (n, n_bands) and which are valid, or
        None for all.
    n_pixels : int
    chunk_shape : tuple of int, default=None
        What is stored together.
    random_state : int, RandomState instance or None, default=0

    Returns
    -------
    spectra : ndarray of shape (n_drawn, n_bands)
        In the order of the scene.
    """
    rng = generator(random_state)
    n_pixels = min(n_pixels, prod(shape[:-1]))
    blocks = block_slices(shape[:-1], _pixels_of_block(shape, chunk_shape), chunk_shape)
    reservoir = _Reservoir(n_pixels)
    n_valid = 0
    for n_read, number in enumerate(rng.permutation(len(blocks))):
        if n_valid >= _READ * n_pixels and n_read >= _BLOCKS:
            break
        spectra, valid = decode(*read(blocks[number]))
        rows = np.arange(len(spectra)) if valid is None else np.flatnonzero(valid)
        n_valid += len(rows)
        places = _places(blocks[number], shape[:-1])
        reservoir.add(spectra, rows, places, rng.uniform(size=len(rows)))
    return reservoir.spectra()


class _Reservoir:
    """The pixels with the smallest keys so far, which are a uniform sample if keys are random."""

    def __init__(self, n_pixels):
        self.n_pixels, self.bound = n_pixels, np.inf
        self.parts, self.n_held = [], 0

    def add(self, spectra, rows, places, keys):
        """Add some rows of a block, whose places in the scene are those of all of its rows."""
        small = keys < self.bound
        rows = rows[small]
        self.parts.append((spectra[rows], places[rows], keys[small]))
        self.n_held += len(rows)
        if self.n_held > 2 * self.n_pixels:
            self._shrink()

    def spectra(self):
        """Return the spectra of the sample, in the order of the scene."""
        spectra, places, _ = self._shrink()
        return spectra[np.argsort(places)]

    def _shrink(self):
        spectra, places, keys = (np.concatenate(parts) for parts in zip(*self.parts))
        if len(keys) > self.n_pixels:
            kept = np.argpartition(keys, self.n_pixels - 1)[: self.n_pixels]
            spectra, places, keys = spectra[kept], places[kept], keys[kept]
            self.bound = keys.max()
        self.parts, self.n_held = [(spectra, places, keys)], len(keys)
        return spectra, places, keys


def _pixels_of_block(shape, chunk_shape):
    """Return the most pixels of a block."""
    n_pixels, n_bands = prod(shape[:-1]), max(shape[-1], 1)
    fit = max(_BLOCK_PIXELS, _BLOCK_BYTES // (8 * n_bands))
    wanted = max(_BLOCK_PIXELS, n_pixels // _MOST_BLOCKS, prod(chunk_shape or (1,)))
    return min(wanted, fit)


def _places(block, shape):
    """Return the positions of a block's pixels in the flattened scene."""
    axes = [np.arange(axis.start, axis.stop) for axis in block]
    return np.ravel_multi_index(np.meshgrid(*axes, indexing="ij"), shape).ravel()
