"""Unmixers that solve a problem for each pixel: arrays of spectra in, abundances out."""

from ._sunsal import SunSALRegressor
from ._sunsal_cv import SunSALRegressorCV

__all__ = ["SunSALRegressor", "SunSALRegressorCV"]
