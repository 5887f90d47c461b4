"""Unmixers that solve an optimisation problem for each pixel."""

from ._mesma import MESMARegressor
from ._sunsal import SunSALRegressor
from ._sunsal_cv import SunSALRegressorCV

__all__ = ["MESMARegressor", "SunSALRegressor", "SunSALRegressorCV"]
