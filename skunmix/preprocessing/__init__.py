"""Transformers that select bands, resample libraries, and order components by their noise."""

from ._bands import BandSelector
from ._mnf import MinimumNoiseFraction
from ._resample import SpectralResampler

__all__ = ["BandSelector", "MinimumNoiseFraction", "SpectralResampler"]
