"""What all rooms may use; knows no estimator of ours."""

from ._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    begin_callbacks,
    fit_context,
    fused_adam,
    has_callbacks,
    index_fit_params,
    routed_fit_params,
    safe_indexing,
    validate_parameters,
    validate_params,
)
from .estimators import best_of, last_step, reconstruct_spectra, steps_of
from .optional import require, require_pyplot
from .threads import map_threads, torch_beside_another, torch_on_one_thread
from .validation import check_same_bands

__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "begin_callbacks",
    "best_of",
    "check_same_bands",
    "fit_context",
    "fused_adam",
    "has_callbacks",
    "index_fit_params",
    "last_step",
    "map_threads",
    "reconstruct_spectra",
    "require",
    "require_pyplot",
    "routed_fit_params",
    "safe_indexing",
    "steps_of",
    "torch_beside_another",
    "torch_on_one_thread",
    "validate_parameters",
    "validate_params",
]
