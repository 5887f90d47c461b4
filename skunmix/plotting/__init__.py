"""Pictures of scenes and models, as scikit-learn's Displays."""

from ._endmembers import EndmemberDisplay
from ._losses import LossCurveDisplay
from ._maps import AbundanceMapDisplay
from ._residuals import ResidualMapDisplay

__all__ = ["AbundanceMapDisplay", "EndmemberDisplay", "LossCurveDisplay", "ResidualMapDisplay"]
