"""Folds of tiles of an image."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator, GroupKFold
from sklearn.utils import check_scalar


class TileKFold(BaseCrossValidator):
    """K-fold cross-validation whose folds are tiles of an image.

    Neighbouring pixels are similar, so that a random split tells how well a model interpolates
    between labelled pixels. With whole tiles left out, the score tells how it does elsewhere.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. Each tile is in the test set of one fold.

    tile_size : int or (int, int), default=25
        Height and width of a tile, in pixels. Tiles at the lower and right edge may be smaller.

    gap : int, default=0
        Pixels at most this far from a tile of the test set, in rows and columns, are not in the
        training set.

    shape : (int, int), default=None
        Rows and columns of the image. Needed unless the positions of the pixels are passed as rows
        and columns.

    shuffle : bool, default=True
        Whether to assign tiles to folds at random. Otherwise folds have about the same number of
        pixels.

    random_state : int, RandomState instance or None, default=None
        Assigns tiles to folds.

    See Also
    --------
    sklearn.model_selection.GroupKFold : Folds of any groups of samples.

    Examples
    --------
    All pixels of an image of 50 × 50, in order:

    >>> from sklearn.model_selection import cross_val_score
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.metrics import abundance_rmse_scorer
    >>> from skunmix.model_selection import TileKFold
    >>> scene = make_scene(shape=(50, 50), random_state=0)
    >>> folds = TileKFold(3, tile_size=10, gap=3, shape=(50, 50), random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers)
    >>> scores = cross_val_score(
    ...     model, scene.spectra, scene.abundances, cv=folds, scoring=abundance_rmse_scorer
    ... )
    >>> len(scores)
    3

    Some pixels, whose indices in the image are passed as ``groups``:

    >>> pixels = list(range(0, 2500, 7))
    >>> scores = cross_val_score(
    ...     model,
    ...     scene.spectra[pixels],
    ...     scene.abundances[pixels],
    ...     groups=pixels,
    ...     cv=folds,
    ...     scoring=abundance_rmse_scorer,
    ... )
    """

    # as sklearn.model_selection.GroupKFold, with metadata routing
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def __init__(
        self,
        n_splits: int = 5,
        *,
        tile_size: Any = 25,
        gap: int = 0,
        shape: Any = None,
        shuffle: bool = True,
        random_state: Any = None,
    ) -> None:
        self.n_splits = n_splits
        self.tile_size = tile_size
        self.gap = gap
        self.shape = shape
        self.shuffle = shuffle
        self.random_state = random_state

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
        """Yield the training and the test set of each fold.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra. Only their number matters.

        y : object
            Ignored.

        groups : array-like of shape (n_pixels,) or (n_pixels, 2), default=None
            Where in the image the pixels are: indices into all its pixels, row by row, or rows and
            columns. None means that `X` holds all pixels, in order.

        Yields
        ------
        train, test : ndarray of int
            Positions in `X`.

        Raises
        ------
        ValueError
            If the positions do not fit the image, there are fewer tiles than folds, or `gap` leaves
            no pixel to train on.
        """
        positions = self._positions(len(X) if hasattr(X, "__len__") else X.shape[0], groups)
        size = _pair_of(self.tile_size, "tile_size")
        check_scalar(self.gap, "gap", Integral, min_val=0)
        tiles, tile_of = np.unique(positions // size, axis=0, return_inverse=True)
        tile_of = tile_of.ravel()  # NumPy 2.0 returns two dimensions
        if len(tiles) < self.n_splits:
            raise ValueError(
                f"Expected at least n_splits={self.n_splits} tiles that hold pixels, got "
                f"{len(tiles)}; lower tile_size, which is {self.tile_size}, or n_splits."
            )
        random_state = self.random_state if self.shuffle else None
        folds = GroupKFold(self.n_splits, shuffle=self.shuffle, random_state=random_state)
        for train, test in folds.split(positions, groups=tile_of):
            left = positions[train]
            near = np.zeros(len(train), dtype=bool)
            if self.gap:
                for first in tiles[np.unique(tile_of[test])] * size:
                    distance = np.maximum(first - left, left - (first + size - 1)).max(axis=1)
                    near |= distance <= self.gap
            if near.all():
                raise ValueError(
                    f"Expected training pixels more than gap={self.gap} pixels from each tile of "
                    f"the test set, got none; lower gap, or use more splits or larger tiles."
                )
            yield train[~near], test

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def _positions(self, n_pixels, groups):
        """Return the row and the column of each pixel."""
        shape = None if self.shape is None else _pair_of(self.shape, "shape")
        if shape is None and (groups is None or np.asarray(groups).ndim == 1):
            raise ValueError(
                "Expected the shape of the image, or rows and columns of the pixels as groups, got "
                "shape=None; pass TileKFold(shape=(n_rows, n_columns))."
            )
        image = "any image" if shape is None else f"an image of shape {tuple(shape.tolist())}"
        if groups is None:
            if n_pixels != shape.prod():
                raise ValueError(
                    f"Expected the {shape.prod()} pixels of {image}, got {n_pixels}; pass the "
                    f"indices of the pixels in the image as groups."
                )
            groups = np.arange(n_pixels)
        groups = np.asarray(groups)
        if groups.shape not in {(n_pixels,), (n_pixels, 2)} or groups.dtype.kind not in "iu":
            raise ValueError(
                f"Expected integers of shape ({n_pixels},) or ({n_pixels}, 2) as groups, got "
                f"{groups.dtype} of shape {groups.shape}; pass the index, or row and column, of "
                f"each pixel."
            )
        end = np.inf if shape is None else shape.prod() if groups.ndim == 1 else shape
        if (groups < 0).any() or (groups >= end).any():
            raise ValueError(
                f"Expected positions from 0 in {image}, got {groups.min()} to {groups.max()} in "
                f"groups; pass the shape as (n_rows, n_columns)."
            )
        if groups.ndim == 1:
            groups = np.stack(np.divmod(groups, shape[1]), axis=1)
        return groups.astype(np.int64)


def _pair_of(value, name):
    """Return two positive integers as an array. A tile may be given by one, its side."""
    pair = np.atleast_1d(value)
    shapes = {(2,)} if name == "shape" else {(1,), (2,)}
    if pair.dtype.kind not in "iu" or pair.shape not in shapes or (pair < 1).any():
        raise ValueError(
            f"Expected positive integers as {name}, got {value!r}; pass rows and columns."
        )
    return np.broadcast_to(pair, 2).astype(np.int64)
