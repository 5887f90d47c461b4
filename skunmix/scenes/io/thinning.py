"""Scenes that are thinned to fit into memory, for pictures."""

import numpy as np

from .windows import block_slices

_BLOCK_PIXELS = 2**20


def thinned(source, side):
    """Return every k-th row and column of a scene on disk, at most `side` of each.

    The scene is read block by block, so that memory does not grow with it.

    Parameters
    ----------
    source : Source
    side : int

    Returns
    -------
    image : ndarray of shape (n_rows, n_columns, n_bands)
        Stored values, NaN where the scene's mask hides them.
    """
    n_rows, n_columns, n_bands = source.shape
    step = max(1, -(-max(n_rows, n_columns) // side))
    image = np.empty((-(-n_rows // step), -(-n_columns // step), n_bands))
    for rows, columns in block_slices((n_rows, n_columns), _BLOCK_PIXELS, source.chunk_shape):
        top, left = -rows.start % step, -columns.start % step
        stored, hidden = source.read((rows, columns))
        block = stored[top::step, left::step].astype(np.float64)
        if hidden is not None:
            block[hidden[top::step, left::step]] = np.nan
        row, column = (rows.start + top) // step, (columns.start + left) // step
        image[row : row + block.shape[0], column : column + block.shape[1]] = block
    return image
