"""Errors of estimated abundances and spectra, and scorers based on them."""

from ._fit_summary import FitSummary, fit_summary
from ._functions import (
    abundance_angle_distance,
    abundance_information_divergence,
    abundance_rmse,
    signal_to_reconstruction_error,
    spectral_angle_distance,
)
from ._matching import endmember_angle, match_endmembers
from ._scorers import (
    abundance_angle_scorer,
    abundance_rmse_scorer,
    make_endmember_angle_scorer,
    make_matched_abundance_scorer,
    spectral_angle_scorer,
)

__all__ = [
    "FitSummary",
    "abundance_angle_distance",
    "abundance_angle_scorer",
    "abundance_information_divergence",
    "abundance_rmse",
    "abundance_rmse_scorer",
    "endmember_angle",
    "fit_summary",
    "make_endmember_angle_scorer",
    "make_matched_abundance_scorer",
    "match_endmembers",
    "signal_to_reconstruction_error",
    "spectral_angle_distance",
    "spectral_angle_scorer",
]
