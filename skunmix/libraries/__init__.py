"""Spectral libraries: which of many spectra to keep."""

from ._reduction import (
    CountBasedSelection,
    count_based_selection,
    endmember_average_rmse,
    iterative_endmember_selection,
    minimum_average_spectral_angle,
)

__all__ = [
    "CountBasedSelection",
    "count_based_selection",
    "endmember_average_rmse",
    "iterative_endmember_selection",
    "minimum_average_spectral_angle",
]
