"""What the extractors share: their checks, the number of endmembers, and the names."""

from abc import ABCMeta, abstractmethod
from numbers import Integral
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length, check_random_state
from sklearn.utils.validation import validate_data

from ..utils.compat import Interval, fit_context
from ..utils.labels import axis_labels, check_unique, refuse_masked
from ..utils.state import restored_on_error


class BaseExtractor(BaseEstimator, metaclass=ABCMeta):
    """Base class of the extractors: the spectra of an image in, endmembers out.

    A subclass has the parameters `n_endmembers` and `random_state`, and implements `_extract`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_endmembers": [Interval(Integral, 1, None, closed="left")],
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
    def fit(self, X, y=None, sample_weight=None):
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
            masked, or a weight is negative.
        """
        with restored_on_error(self):
            refuse_masked(X, "X")
            bands = axis_labels(X)[1]
            if bands is not None:
                check_unique(bands, "the bands of X")
            X = validate_data(self, X, dtype="numeric")
            weight = check_weight(sample_weight, X)
            rng = generator(getattr(self, "random_state", None))
            self.band_labels_ = bands
            self.endmembers_ = self._extract(X, weight, self.n_endmembers, rng)
            self.n_endmembers_ = len(self.endmembers_)
        return self

    def get_feature_names_out(self, input_features=None):
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


def generator(random_state):
    """Return the generator of `random_state`, a new one for None, not NumPy's global one."""
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def check_weight(sample_weight, X):
    """Return the weights of the pixels as float64, or None if all are equal.

    Parameters
    ----------
    sample_weight : array-like of shape (n_pixels,), or None
    X : ndarray of shape (n_pixels, n_bands)

    Returns
    -------
    weight : ndarray of shape (n_pixels,), or None

    Raises
    ------
    ValueError
        If the shape is another, a weight is negative or NaN, or all are 0.
    """
    if sample_weight is None:
        return None
    refuse_masked(sample_weight, "sample_weight")
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar, got shape {weight.shape}; pass one weight "
            f"per pixel."
        )
    check_consistent_length(X, weight)
    if weight.min() < 0:
        pixel = int(weight.argmin())
        raise ValueError(
            f"Negative values in sample_weight: expected weights of at least 0, got "
            f"{weight[pixel]:g} for pixel {pixel}; use 0 to leave a pixel out."
        )
    if not weight.any():
        raise ValueError("All sample weights are 0, so there is no pixel; use weights above 0.")
    return None if (weight == weight[0]).all() else weight
