"""Scenes and spectral libraries, simulated or downloaded."""

from ._fetchers import fetch_jasper_ridge, fetch_usgs_library
from ._generators import make_endmembers, make_mixtures, make_scene

__all__ = [
    "fetch_jasper_ridge",
    "fetch_usgs_library",
    "make_endmembers",
    "make_mixtures",
    "make_scene",
]
