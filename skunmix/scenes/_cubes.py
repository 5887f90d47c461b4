"""NumPy cubes: their bands brought last, and read block by block."""

import mmap
import sys
from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar


def is_dataarray(scene):
    """Return whether a scene in memory is a DataArray rather than a NumPy cube.

    Raises
    ------
    TypeError
        If it is neither.
    """
    xr = sys.modules.get("xarray")  # if not imported, there is no DataArray
    if xr is not None:
        if isinstance(scene, xr.DataArray):
            return True
        if isinstance(scene, xr.Dataset):
            raise TypeError(
                f"Expected a DataArray as scene, got a Dataset of {list(scene.data_vars)}; pass "
                f"one of them, or scene.to_dataarray('band') if each is a band."
            )
    if not isinstance(scene, np.ndarray):
        raise TypeError(
            f"Expected a NumPy array or an xarray.DataArray as scene, got "
            f"{type(scene).__name__}; use unmix_file for a path, or numpy.asarray."
        )
    return False


def bands_last(scene, band_dim):
    """Return a view of a cube with its bands on the last axis, and the axis that holds them.

    Raises
    ------
    ValueError
        If there is no such axis.
    """
    axis = -1 if isinstance(band_dim, str) else band_dim
    check_scalar(axis, "band_dim", Integral)
    if scene.ndim < 2 or not -scene.ndim <= axis < scene.ndim:
        raise ValueError(
            f"Expected a scene of shape (rows, cols, bands), got {scene.shape} with "
            f"band_dim={band_dim!r}; reshape it."
        )
    axis %= scene.ndim
    return np.moveaxis(scene, axis, -1), axis


def block_reader(cube):
    """Return what reads blocks of a cube, given tuples of slices."""
    release = _page_release(np.ma.getdata(cube))

    def read(block):
        if release is None:
            return cube[block]
        values = cube[block].copy(order="C")
        release()
        return values

    return read


def _page_release(array):
    """Return a function that releases the pages of a memory-mapped array, or None.

    Otherwise the system keeps pages as long as it has memory, and counts them as the process's.
    Pages of a private copy (mode "c") are kept, because they may hold changes.
    """
    while isinstance(array, np.ndarray):
        mapped, mode = getattr(array, "_mmap", None), getattr(array, "mode", None)
        if mapped is not None and mode in ("r", "r+") and hasattr(mapped, "madvise"):
            return lambda: mapped.madvise(mmap.MADV_DONTNEED)
        array = array.base
    return None
