"""Masks beside scenes on disk."""

from pathlib import Path

import numpy as np

from ._blocks import check_mask
from .io.opening import open_source
from .io.sources import RasterSource


def open_mask(mask, source):
    """Return a mask as a Source, an array of bool or None, and check that it fits a scene.

    Parameters
    ----------
    mask : str, path-like, array-like or None
    source : Source
        The scene.

    Raises
    ------
    ValueError
        If it has another shape or another grid.
    """
    if mask is None or not isinstance(mask, (str, Path)):
        return check_mask(mask, source.shape[:2])
    opened = open_source(mask)
    if opened.shape != (*source.shape[:2], 1):
        raise ValueError(
            f"mask must have the scene's grid: expected (rows, columns, bands) = "
            f"{(*source.shape[:2], 1)}, got {opened.shape} in {opened.path.name}."
        )
    check_grid(opened, source, "mask")
    return opened


def check_grid(opened, source, what):
    """Check that a raster has the transform of a scene, if both have one.

    Raises
    ------
    ValueError
        If it has another one.
    """
    if isinstance(opened, RasterSource) and isinstance(source, RasterSource):
        found, expected = (raster.grid().get("transform") for raster in (opened, source))
        placed = not (None in (found, expected) or found.is_identity or expected.is_identity)
        if placed and not found.almost_equals(expected, abs(expected.determinant) ** 0.5 / 100):
            raise ValueError(
                f"{what} must have the scene's grid: expected the transform {tuple(expected)[:6]}, "
                f"got {tuple(found)[:6]} in {opened.path.name}; resample {what} to the scene's "
                f"grid, or pass an array."
            )


def read_masked(source, mask, window):
    """Return the stored values of a window of a scene, and where a pixel is left out or None.

    Parameters
    ----------
    source : Source
    mask : Source, ndarray of bool or None
    window : tuple of slice
    """
    stored, hidden = source.read(window)
    if mask is None:
        return stored, hidden
    left_out = mask[window] if isinstance(mask, np.ndarray) else mask.read(window)[0][..., 0] != 0
    return stored, left_out if hidden is None else left_out | hidden
