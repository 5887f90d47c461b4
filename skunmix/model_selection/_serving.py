"""Fits that were done elsewhere, behind the face of the estimator whose fits they are."""

import time
from functools import wraps

from sklearn.base import clone
from sklearn.utils.metadata_routing import get_routing_for_object


class FixedSplits:
    """Splits that were drawn once, behind the face of the splitter that drew them.

    Parameters
    ----------
    cv : object
        The splitter, whose metadata requests are kept.
    splits : list of (train, test)
    """

    def __init__(self, cv, splits):
        self.cv = cv
        self.splits = splits

    def split(self, X=None, y=None, groups=None, **params):
        """Return the splits, whatever the pixels."""
        return iter(self.splits)

    def get_n_splits(self, X=None, y=None, groups=None, **params):
        """Return the number of splits."""
        return len(self.splits)

    def get_metadata_routing(self):
        """Return what the splitter asks for."""
        return get_routing_for_object(self.cv)


def serve(estimator, fits, seconds):
    """Return an estimator that takes its fits from a row of those done elsewhere.

    A `GridSearchCV` of it scores them, and makes its tables, ranks and warnings, without fitting
    anything. Its clones share the row.

    Parameters
    ----------
    estimator : estimator
    fits : sequence of callable or None
        In the order of the calls of `fit`: each returns a fitted estimator, or raises. None, and
        whatever comes after the last of them, is fitted by the estimator itself.
    seconds : ndarray of the same length
        What the fits took; the time of a call is added to its place.

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
