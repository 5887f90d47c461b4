"""Model selection for networks, which trains all candidates of a grid at once."""

from ._stacked_grid_search import StackedGridSearchCV

__all__ = ["StackedGridSearchCV"]
