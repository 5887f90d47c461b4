"""Hyperspectral unmixing in scikit-learn."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .regression import MESMARegressor, SunSALRegressor, SunSALRegressorCV

if TYPE_CHECKING:  # type checkers do not see the imports on first use
    from .unrolled import ISTANetRegressor, UADMMBlindUnmixer, UADMMRegressor

__version__ = "0.1.0.dev0"

__all__ = [
    "ISTANetRegressor",
    "MESMARegressor",
    "SunSALRegressor",
    "SunSALRegressorCV",
    "UADMMBlindUnmixer",
    "UADMMRegressor",
]

# These need torch, whose import takes seconds: it happens on the first use of the name.
_NEED_TORCH = {
    "ISTANetRegressor": ".unrolled",
    "UADMMBlindUnmixer": ".unrolled",
    "UADMMRegressor": ".unrolled",
}


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        return getattr(import_module(_NEED_TORCH[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
