"""The state of an estimator after an error."""

from contextlib import contextmanager


@contextmanager
def restored_on_error(estimator):
    """Return a context that restores all attributes of an estimator if an error occurs in it.

    After a `fit` that fails, the estimator has its previous state, not a mixture of both.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
