"""Stand-ins for a splitter and an estimator, which return splits and fits made before."""

import time
from functools import wraps

from sklearn.base import clone
from sklearn.utils.metadata_routing import get_routing_for_object


class FixedSplits:
    """Splitter that returns given splits, with the metadata requests of the splitter `cv`."""

    def __init__(self, cv, splits):
        self.cv = cv
        self.splits = splits

    def split(self, X=None, y=None, groups=None, **params):
        """Return the splits."""
        return iter(self.splits)

    def get_n_splits(self, X=None, y=None, groups=None, **params):
        """Return the number of splits."""
        return len(self.splits)

    def get_metadata_routing(self):
        """Return the metadata requests of the splitter."""
        return get_routing_for_object(self.cv)


def serve(estimator, fits, seconds):
    """Return an estimator whose `fit` returns the results of fits that were done before.

    A `GridSearchCV` with this estimator only scores, and computes tables, ranks and warnings. All
    clones of the estimator share the sequence of fits.

    Parameters
    ----------
    estimator : estimator
    fits : sequence of callable or None
        In the order of the calls of `fit`. Each returns a fitted estimator, or raises. For None,
        and after the last of them, the estimator itself is fitted.
    seconds : ndarray of the same length
        Times of the fits, to which the times of these calls are added.

    Returns
    -------
    served : estimator
    """
    kind = type(estimator)
    turn = iter(range(len(fits)))

    class Served(kind):
        @wraps(kind.fit)
        def fit(self, X, y=None, **params):
            i = next(turn, None)
            if i is None:
                return kind.fit(self, X, y, **params)
            start = time.perf_counter()
            try:
                if fits[i] is None:
                    return kind.fit(self, X, y, **params)
                vars(self).update(vars(fits[i]()))
                return self
            finally:
                seconds[i] += time.perf_counter() - start

    Served.__name__, Served.__qualname__ = kind.__name__, kind.__qualname__
    Served.__module__ = kind.__module__
    served = clone(estimator)
    served.__class__ = Served
    return served
