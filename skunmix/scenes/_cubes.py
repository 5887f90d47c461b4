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
    xr = sys.modules.get("xarray")  # without it there can be no DataArray
    if xr is not None:
        if isinstance(scene, xr.DataArray):
            return True
        if isinstance(scene, xr.Dataset):
            raise TypeError(
                f"A scene is one DataArray, but this is a Dataset of {list(scene.data_vars)}; "
                f"pass one of them, or scene.to_dataarray('band') where each is a band."
            )
    if not isinstance(scene, np.ndarray):
        raise TypeError(
            f"A scene is a NumPy array or an xarray.DataArray, but this is a "
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
            f"A scene has a shape (rows, cols, bands), but this has {scene.shape} and band_dim is "
            f"{band_dim!r}; reshape it."
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
    """Return what gives the pages of a memory-mapped array back, or None for another array.

    The system keeps what was read of a mapped file as long as it has memory, and counts it as the
    process's. Pages of a private copy are not touched: they may hold what is nowhere else.
    """
    while isinstance(array, np.ndarray):
        mapped, mode = getattr(array, "_mmap", None), getattr(array, "mode", None)
        if mapped is not None and mode in ("r", "r+") and hasattr(mapped, "madvise"):
            return lambda: mapped.madvise(mmap.MADV_DONTNEED)
        array = array.base
    return None
