"""Spectral libraries: spectra of materials with names and wavelengths, read from files."""

from ._library import SpectralLibrary
from ._read import read_library

__all__ = ["SpectralLibrary", "read_library"]
