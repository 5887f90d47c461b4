"""Pictures that commands draw."""

from pathlib import Path

import numpy as np

from ..scenes.io.sources import open_source
from ..scenes.io.windows import block_slices
from ..utils.labels import are_known
from ..utils.optional import require, require_pyplot
from ._outputs import check_writable

# Rows and columns of a map in a picture, at most.
_SIDE = 600
_BLOCK_PIXELS = 2**20
_DPI = 200


def check_picture(path, *, overwrite, flag):
    """Check that a picture can be drawn into a file, before the work for it starts.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If matplotlib does not write this format.
    OSError
        If the file cannot be written.
    """
    plt_backends = require("matplotlib.backend_bases", flag, "skunmix[plot]")
    formats = plt_backends.FigureCanvasBase.get_supported_filetypes()
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in formats:
        raise ValueError(
            f"Expected a picture with a suffix such as .png, .pdf or .svg for {flag}, got "
            f"{Path(path).suffix!r} in {path}; rename it."
        )
    return check_writable(path, overwrite=overwrite, what="the picture")


def save_picture(figure, path):
    """Save a figure, and close it."""
    try:
        figure.savefig(path, dpi=_DPI)
    finally:
        require_pyplot("A picture").close(figure)


def draw_maps(maps, path, names=None):
    """Draw a file of abundances, of which a picture shows at most 600 × 600 pixels.

    Parameters
    ----------
    maps : path-like
        Output of `unmix_file`.
    path : path-like
        Picture.
    names : list of str, default=None
        Names of the endmembers, for formats that do not keep them.
    """
    from ..plotting import AbundanceMapDisplay

    source = open_source(maps, band_dim="endmember", variable=_variable_of(maps))
    labelled = [labels for labels in source.band_labels() if are_known(labels)]
    image = thinned(source, _SIDE)
    known = labelled[0] if labelled else names
    if known is None or len(known) != image.shape[2]:
        known = [f"endmember{i}" for i in range(image.shape[2])]
    display = AbundanceMapDisplay.from_predictions(image, endmember_names=list(map(str, known)))
    save_picture(display.figure_, path)


def _variable_of(maps):
    return "abundance" if Path(maps).suffix.lower() in (".nc", ".nc4", ".zarr") else None


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
    """
    n_rows, n_columns, n_bands = source.shape
    step = max(1, -(-max(n_rows, n_columns) // side))
    image = np.empty((-(-n_rows // step), -(-n_columns // step), n_bands), source.dtype)
    for rows, columns in block_slices((n_rows, n_columns), _BLOCK_PIXELS, source.chunk_shape):
        top, left = -rows.start % step, -columns.start % step
        block = source.read((rows, columns))[0][top::step, left::step]
        row, column = (rows.start + top) // step, (columns.start + left) // step
        image[row : row + block.shape[0], column : column + block.shape[1]] = block
    return image
