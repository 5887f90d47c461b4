"""What the extractors share: their checks, the number of endmembers, and the names."""

from abc import ABCMeta, abstractmethod
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from ..utils import Interval, StrOptions, fit_context
from ..utils.labels import BAND_NAMES, axis_labels, check_axes, check_unique
from ..utils.magnitudes import values_seen_to, warn_of_extremes
from ..utils.random import generator
from ..utils.state import restored_on_error
from ..utils.validation import check_numbers
from ._count import METHODS, count_endmembers
from ._weights import check_weight


class BaseExtractor(BaseEstimator, metaclass=ABCMeta):
    """Base class of the extractors: the spectra of an image in, endmembers out.

    A subclass has the parameter `n_endmembers`, perhaps `random_state`, and implements `_extract`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_endmembers": [Interval(Integral, 1, None, closed="left"), StrOptions(set(METHODS))],
        "random_state": ["random_state"],
    }

    @abstractmethod
    def _extract(self, X, weight, n_endmembers, rng):
        """Return the endmembers, (n_endmembers, n_bands), and set the other fitted attributes.

        Parameters
        ----------
        X : ndarray of shape (n_pixels, n_bands)
            Finite spectra of any numeric type, perhaps memory-mapped.
        weight : ndarray of shape (n_pixels,), or None
            Weights of the pixels; a pixel of weight 0 counts as absent.
        n_endmembers : int
        rng : RandomState
        """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Find the endmembers of an image.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : None
            Ignored; it is there because pipelines pass it.

        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels. A pixel of weight 0 is left out, so a mask of valid pixels is a
            weight. None weights all pixels equally.

        Returns
        -------
        self : object
            Fitted extractor.

        Raises
        ------
        ValueError
            If the pixels span fewer dimensions than there are endmembers, a value is NaN or
            masked, a weight is negative, or the number of endmembers is estimated as 0.
        """
        with restored_on_error(self):
            check_axes(X, "X", BAND_NAMES)
            bands = axis_labels(X)[1]
            if bands is not None:
                check_unique(bands, "the bands of X")
            X = validate_data(self, X, dtype="numeric")
            check_numbers(X, "X")
            weight = check_weight(sample_weight, X)
            warn_of_extremes(X, weight, stacklevel=3)
            n_endmembers = resolve_n_endmembers(self.n_endmembers, X, weight)
            rng = generator(getattr(self, "random_state", None))
            self.band_labels_ = bands
            with values_seen_to():  # by extractors inside
                self.endmembers_ = self._extract(X, weight, n_endmembers, rng)
            self.n_endmembers_ = len(self.endmembers_)
        return self

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the endmembers ("endmember0", "endmember1", …).

        Parameters
        ----------
        input_features : None
            Ignored; it is there because scikit-learn passes it.

        Returns
        -------
        names : ndarray of shape (n_endmembers,), of str objects
        """
        return np.array([f"endmember{i}" for i in range(self.n_endmembers_)], dtype=object)


def resolve_n_endmembers(n_endmembers, X, weight=None):
    """Return the number of endmembers, which a method estimates if it is the name of one.

    Raises
    ------
    ValueError
        If the method finds none.
    """
    if not isinstance(n_endmembers, str):
        return n_endmembers
    count = count_endmembers(X, n_endmembers, weight).n_endmembers
    if count == 0:
        raise ValueError(
            f"Expected spectra in which n_endmembers={n_endmembers!r} finds at least one "
            f"endmember, got 0, because no dimension stands out from the noise; pass a number."
        )
    return count
