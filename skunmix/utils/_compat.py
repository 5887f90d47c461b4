"""All private names of scikit-learn, skorch and torch that skunmix uses.

If a new version of a library moves such a name, only this file changes.
"""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, TypeVar

from sklearn.base import _fit_context
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils._param_validation import validate_params as _validate_params
from sklearn.utils.validation import _check_method_params as index_fit_params

try:  # callbacks, such as `ProgressBar`, exist since scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """Substitute for scikit-learn's mixin, which sets and calls no callback."""

        def _init_callback_context(self, **kwargs):
            return _NoContext()


__all__ = [
    "CallbackSupportMixin",
    "HasMethods",
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

# scikit-learn states no types, without which a decorator hides those of the function
_Function = TypeVar("_Function", bound=Callable[..., Any])
fit_context: Callable[..., Callable[[_Function], _Function]] = _fit_context
validate_params: Callable[..., Callable[[_Function], _Function]] = _validate_params


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
    """Return the context through which `fit` reports its progress to scikit-learn's callbacks."""
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def has_callbacks(estimator):
    """Return whether the estimator has a scikit-learn callback, set or propagated."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def routed_fit_params(search, params):
    """Return the parameters of a search's `fit`, grouped by the object that requests them.

    Returns
    -------
    routed : Bunch
        With the dicts ``estimator.fit``, ``splitter.split`` and ``scorer.score``.
    """
    return search._get_routed_params_for_fit(params)


def validate_parameters(estimator):
    """Check the parameters of the constructor, as `fit` does.

    Raises
    ------
    ValueError
        If a parameter violates the constraints of the estimator.
    """
    estimator._validate_params()


def fused_adam(values, gradients, means, squares, n_steps, *, learning_rate):
    """Take a step of Adam in place, with the kernel of the fused `torch.optim.Adam`.

    Parameters
    ----------
    values, gradients, means, squares : list of Tensor
        Parameters, their gradients, and the two moments of Adam.
    n_steps : list of Tensor
        Number of steps, including this one.
    learning_rate : float
    """
    # torch is imported, as the arguments are tensors
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
