"""Pictures that commands draw."""

from pathlib import Path

from ..utils.optional import require, require_pyplot
from ._outputs import check_writable

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
    bases = require("matplotlib.backend_bases", flag, "skunmix[plot]")
    formats = bases.FigureCanvasBase.get_supported_filetypes()
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


def draw_maps(maps, path, names=None, *, intervals=False):
    """Draw a file of abundances.

    Parameters
    ----------
    maps : path-like
        Output of `unmix_file`.
    path : path-like
        Picture.
    names : list of str, default=None
        Names of the endmembers, for a NumPy file, which does not keep them.
    intervals : bool, default=False
        Whether to draw the widths of the intervals that it holds, too.
    """
    from ..plotting import AbundanceMapDisplay, IntervalDisplay

    kind = IntervalDisplay if intervals else AbundanceMapDisplay
    names = names if Path(maps).suffix == ".npy" else None
    save_picture(kind.from_file(maps, endmember_names=names).figure_, path)
