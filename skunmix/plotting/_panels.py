"""A grid of maps: a column for each endmember, and a row for each kind of map."""

from textwrap import fill
from typing import Any, NamedTuple

import numpy as np

from ._common import draw_colorbar, draw_image, is_flat

# In inches. A figure of six columns fits the width of a page if printed at about 75 %.
_FIGURE_WIDTH = 7.5
_PANEL_WIDTH = 1.25, 2.0
_COLORBAR_WIDTH = 0.9
# Characters per line in the title of a panel, in a figure of six columns.
_TITLE_WIDTH = 14


class MapRow(NamedTuple):
    """A kind of map, of all endmembers.

    Parameters
    ----------
    label : str
        Label of the row.
    maps : ndarray of shape (n_rows, n_columns, n_endmembers)
    im_kw : dict
        Passed to `imshow`. "vmax" is the largest value unless given.
    quantity : str
        Label of the colour bar, which adjacent rows of the same quantity share.
    """

    label: str
    maps: Any
    im_kw: dict
    quantity: str


def draw_rows(plt, ax, rows, names, *, n_cols, labelled, colorbar):
    """Draw rows of maps, with their names above and their colour bars beside them.

    Parameters
    ----------
    plt : module
    ax : Axes, array-like of Axes or None
        As for `make_panels`.
    rows : list of MapRow
        Of at most two quantities.
    names : list of str
        Names of the endmembers.
    n_cols : int
        Largest number of panels side by side.
    labelled : bool
        Whether to draw the labels of the rows.
    colorbar : bool
        Whether to draw colour bars.

    Returns
    -------
    axes : ndarray of Axes of shape (n_rows, n_endmembers)
    images : ndarray of AxesImage of shape (n_rows, n_endmembers)
    colorbars : dict of {str: Colorbar}
        By quantity.
    """
    shape = rows[0].maps.shape
    axes, n_beside = make_panels(plt, ax, len(rows), shape, n_cols)
    # flat images are too low for a vertical label
    flat = {"rotation": 0, "ha": "right", "va": "center"}
    label_style = flat if is_flat(shape) else {}
    images = np.empty(axes.shape, dtype=object)
    for i, row in enumerate(rows):
        im_kw = {"vmax": _largest(row.maps), **row.im_kw}
        for j in range(len(names)):
            images[i, j] = draw_image(axes[i, j], row.maps[..., j], **im_kw)
        if labelled:
            for panel in axes[i, ::n_beside]:
                panel.set_ylabel(row.label, fontsize="small", **label_style)
    for panel, name in zip(axes[0], names):
        panel.set_title(fill(name, _TITLE_WIDTH), fontsize="medium")
    return axes, images, _draw_colorbars(axes, images, rows, n_beside) if colorbar else {}


def _draw_colorbars(axes, images, rows, n_beside):
    """Draw a colour bar for each quantity beside its rows, and return them by quantity."""
    n_endmembers = axes.shape[1]
    quantities = list(dict.fromkeys(row.quantity for row in rows))
    colorbars = {}
    for quantity in quantities:
        drawn = [i for i, row in enumerate(rows) if row.quantity == quantity]
        if n_beside == n_endmembers:
            beside = axes[drawn]
        elif len(quantities) == 1:
            beside = axes
        elif quantity == quantities[0]:  # beside the first block and beside the last
            beside = axes[:, :n_beside]
        else:
            beside = axes[:, (n_endmembers - 1) // n_beside * n_beside :]
        values = np.stack([rows[i].maps for i in drawn])
        colorbars[quantity] = draw_colorbar(beside, images[drawn[0], 0], values, quantity)
    return colorbars


def _largest(values):
    """Return the upper end of a scale for non-negative values, some of which may be NaN."""
    finite = values[np.isfinite(values)]
    return finite.max() if finite.any() else 1.0


def make_panels(plt, ax, n_kinds, shape, n_cols):
    """Return axes for maps of several kinds: the given ones, or new ones.

    New axes are arranged in blocks of at most `n_cols` columns, with a row for each kind. A single
    `ax` is divided. An array must have one for each panel, row by row. None makes a figure. `shape`
    is (n_rows, n_columns, n_endmembers).

    Returns
    -------
    axes : ndarray of Axes of shape (n_kinds, n_endmembers)
    n_beside : int
        Number of endmembers in a block.
    """
    n_rows, n_columns, n_endmembers = shape
    if not n_endmembers or n_cols < 1:
        raise ValueError(
            f"Expected at least one endmember and n_cols of at least 1, got {n_endmembers} "
            f"endmembers and n_cols={n_cols}; pass at least one of both."
        )
    n_panels = n_kinds * n_endmembers
    if ax is not None and not hasattr(ax, "imshow"):
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) != n_panels:
            raise ValueError(
                f"Expected {n_panels} axes, one for each panel ({n_kinds} × {n_endmembers} "
                f"endmembers), got {len(axes)}; pass one for each panel, or a single one to divide."
            )
        return axes.reshape(n_kinds, n_endmembers), n_endmembers
    if ax is not None and n_panels == 1:
        return np.array([[ax]], dtype=object), 1

    n_blocks = -(-n_endmembers // n_cols)
    n_beside = -(-n_endmembers // n_blocks)
    if ax is None:
        width = np.clip(_FIGURE_WIDTH / n_beside, *_PANEL_WIDTH)
        height = width * np.clip(n_rows / n_columns, 0.4, 2.5)
        figure_height = max(height * n_kinds * n_blocks + 0.3 * n_blocks, 1.8)
        figure = plt.figure(
            figsize=(width * n_beside + _COLORBAR_WIDTH, figure_height), layout="compressed"
        )
        panels = figure.subplots(n_blocks * n_kinds, n_beside, squeeze=False)
    else:
        panels = _divide(ax, n_blocks * n_kinds, n_beside)
    # (block, kind, column) → (kind, block and column)
    panels = panels.reshape(n_blocks, n_kinds, n_beside).swapaxes(0, 1).reshape(n_kinds, -1)
    for left_over in panels[:, n_endmembers:].ravel():
        left_over.remove()
    return panels[:, :n_endmembers], n_beside


def _divide(ax, n_rows, n_columns):
    """Return a grid of axes in place of one."""
    if ax.get_subplotspec() is None:
        raise ValueError(
            f"Expected an ax that is part of a grid, to divide it into {n_rows} × {n_columns} "
            f"panels, got one that cannot be divided; create it with plt.subplots, or pass one "
            f"axes for each panel."
        )
    ax.set_axis_off()
    grid = ax.get_subplotspec().subgridspec(n_rows, n_columns)
    return grid.subplots(squeeze=False)
