"""Spectral libraries: spectra of materials read from files, and which of many to keep."""

from ._library import SpectralLibrary
from ._read import read_library
from ._reduction import (
    CountBasedSelection,
    count_based_selection,
    endmember_average_rmse,
    iterative_endmember_selection,
    minimum_average_spectral_angle,
)

__all__ = [
    "CountBasedSelection",
    "SpectralLibrary",
    "count_based_selection",
    "endmember_average_rmse",
    "iterative_endmember_selection",
    "minimum_average_spectral_angle",
    "read_library",
]
