"""The state of an estimator, kept whole."""

from contextlib import contextmanager


@contextmanager
def restored_on_error(estimator):
    """Return a context that puts all attributes of an estimator back when an error leaves it.

    So that after a `fit` that fails the estimator is what it was before, not half of each.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
