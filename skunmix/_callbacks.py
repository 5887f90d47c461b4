"""scikit-learn's callbacks, such as its `ProgressBar`, where scikit-learn has them (1.9)."""

from contextlib import nullcontext

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """In place of scikit-learn's: no callback can be set, and none is told of anything."""

        def _init_callback_context(self, **kwargs):
            return _NoContext()


class _NoContext:
    def subcontext(self, **kwargs):
        return self

    def call_on_fit_task_begin(self, **kwargs):
        return self

    def call_on_fit_task_end(self, **kwargs):
        return False

    def propagate_callback_context(self, sub_estimator):
        return nullcontext()


def has_callbacks(estimator):
    """Return whether a scikit-learn callback was set on the estimator, or propagated to it."""
    return bool(getattr(estimator, "_skl_callbacks", None))
