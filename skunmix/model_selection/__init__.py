"""Model selection for networks: all candidates of a grid trained at once."""

from ._stacked_grid_search import StackedGridSearchCV

__all__ = ["StackedGridSearchCV"]
