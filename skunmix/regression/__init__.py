"""Unmixers that solve an optimisation problem for each pixel."""

from ._sunsal import SunSALRegressor
from ._sunsal_cv import SunSALRegressorCV

__all__ = ["SunSALRegressor", "SunSALRegressorCV"]
