"""Trainable unmixers: networks of unrolled iterations, trained by skorch."""

from ._base import UnrolledRegressor
from ._blind import UADMMBlindUnmixer
from ._ista import ISTANetRegressor
from ._stacking import fit_stacked, reason_to_fit_alone
from ._uadmm import UADMMRegressor

__all__ = [
    "ISTANetRegressor",
    "UADMMBlindUnmixer",
    "UADMMRegressor",
    "UnrolledRegressor",
    "fit_stacked",
    "reason_to_fit_alone",
]
