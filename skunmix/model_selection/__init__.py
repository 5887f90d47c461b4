"""Model selection: searches that train networks at once, and folds of tiles of an image."""

from ._stacked_grid_search import StackedGridSearchCV
from ._tiles import TileKFold

__all__ = ["StackedGridSearchCV", "TileKFold"]
