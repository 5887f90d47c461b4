"""Unmixers that learn: networks of unrolled iterations, trained by skorch."""

from ._ista import ISTANetRegressor
from ._uadmm import UADMMRegressor

__all__ = ["ISTANetRegressor", "UADMMRegressor"]
