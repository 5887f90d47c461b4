"""A grid of axes for maps."""

import numpy as np

# In inches. A figure of six columns fits the width of a page if printed at about 75 %.
_FIGURE_WIDTH = 7.5
_PANEL_WIDTH = 1.25, 2.0
_COLORBAR_WIDTH = 0.9


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
