"""Spectral housekeeping: bands that are good for something, and libraries in a sensor's bands."""

from ._bands import BandSelector
from ._resample import SpectralResampler

__all__ = ["BandSelector", "SpectralResampler"]
