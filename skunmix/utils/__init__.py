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
from .labels import (
    axis_labels,
    band_axis,
    check_unique,
    column_labels,
    order_of,
    refuse_masked,
    same_labels,
    string_labels,
    take_columns,
)
from .optional import require, require_pyplot
from .threads import map_threads, torch_beside_another, torch_on_one_thread
from .validation import check_same_bands, fill_values

__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "axis_labels",
    "band_axis",
    "begin_callbacks",
    "best_of",
    "check_same_bands",
    "check_unique",
    "column_labels",
    "fill_values",
    "fit_context",
    "fused_adam",
    "has_callbacks",
    "index_fit_params",
    "last_step",
    "map_threads",
    "order_of",
    "reconstruct_spectra",
    "refuse_masked",
    "require",
    "require_pyplot",
    "routed_fit_params",
    "safe_indexing",
    "same_labels",
    "steps_of",
    "string_labels",
    "take_columns",
    "torch_beside_another",
    "torch_on_one_thread",
    "validate_parameters",
    "validate_params",
]
