"""Every private name of scikit-learn, skorch and torch that skunmix uses.

When a new version of one of them moves such a name, this file is the only one to change.
"""

import sys
from contextlib import nullcontext

from sklearn.base import _fit_context as fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import _check_method_params as index_fit_params

try:  # scikit-learn's callbacks, such as its `ProgressBar`, came with 1.9
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin: no callback can be set, and none is called."""

        def _init_callback_context(self, **kwargs):
            return _NoContext()


__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "begin_callbacks",
    "fit_context",
    "fused_adam",
    "has_callbacks",
    "index_fit_params",
    "routed_fit_params",
    "safe_indexing",
    "validate_parameters",
    "validate_params",
]


class _NoContext:
    def subcontext(self, **kwargs):
        return self

    def call_on_fit_task_begin(self, **kwargs):
        return self

    def call_on_fit_task_end(self, **kwargs):
        return False

    def propagate_callback_context(self, sub_estimator):
        return nullcontext()


def begin_callbacks(estimator, max_subtasks):
    """Return the context through which `fit` tells scikit-learn's callbacks of its progress."""
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def has_callbacks(estimator):
    """Return whether a scikit-learn callback was set on the estimator, or propagated to it."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def routed_fit_params(search, params):
    """Return the parameters of a search's `fit`, by who asks for them.

    Returns
    -------
    routed : Bunch
        With ``estimator.fit``, ``splitter.split`` and ``scorer.score``, a dict each.
    """
    return search._get_routed_params_for_fit(params)


def validate_parameters(estimator):
    """Check the constructor's parameters as `fit` does.

    Raises
    ------
    ValueError
        If one of them is not what the estimator's constraints allow.
    """
    estimator._validate_params()


def fused_adam(values, gradients, means, squares, n_steps, *, learning_rate):
    """Take a step of Adam in place, by the kernel that `torch.optim.Adam` calls if fused.

    Parameters
    ----------
    values, gradients, means, squares : list of Tensor
        Parameters, their gradients and Adam's two moments.
    n_steps : list of Tensor
        Steps taken, this one included.
    learning_rate : float
    """
    # whoever has tensors has imported torch
    sys.modules["torch"]._fused_adam_(
        *(values, gradients, means, squares, [], n_steps),
        lr=learning_rate,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
        weight_decay=0.0,
        amsgrad=False,
        maximize=False,
    )
