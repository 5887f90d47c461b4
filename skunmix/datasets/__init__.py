"""Scenes and spectral libraries, simulated or downloaded."""

from ._fetchers import fetch_jasper_ridge, fetch_urban, fetch_usgs_library
from ._generators import make_endmembers, make_mixtures, make_scene
from ._mat_scenes import load_mat_scene
from ._paper import load_paper_results

__all__ = [
    "fetch_jasper_ridge",
    "fetch_urban",
    "fetch_usgs_library",
    "load_mat_scene",
    "load_paper_results",
    "make_endmembers",
    "make_mixtures",
    "make_scene",
]
