"""Transformers that select bands, and that resample libraries to the bands of a sensor."""

from ._bands import BandSelector
from ._resample import SpectralResampler

__all__ = ["BandSelector", "SpectralResampler"]
