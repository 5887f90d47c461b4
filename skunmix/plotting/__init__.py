"""Figures of scenes and models, in the style of scikit-learn's Displays."""

from ._coverage import CoverageDisplay
from ._endmember_count import EndmemberCountDisplay
from ._endmembers import EndmemberDisplay
from ._intervals import IntervalDisplay
from ._losses import LossCurveDisplay
from ._maps import AbundanceMapDisplay
from ._residuals import ResidualMapDisplay

__all__ = [
    "AbundanceMapDisplay",
    "CoverageDisplay",
    "EndmemberCountDisplay",
    "EndmemberDisplay",
    "IntervalDisplay",
    "LossCurveDisplay",
    "ResidualMapDisplay",
]
