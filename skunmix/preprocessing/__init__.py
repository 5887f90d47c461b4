"""Transformers that select bands, resample libraries, remove continua, and order components."""

from ._bands import BandSelector
from ._continuum import ContinuumRemoval
from ._mnf import MinimumNoiseFraction
from ._resample import SpectralResampler

__all__ = ["BandSelector", "ContinuumRemoval", "MinimumNoiseFraction", "SpectralResampler"]
