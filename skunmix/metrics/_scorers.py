"""Scorers for model selection."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from ..utils.estimators import (
    comparable_endmembers,
    endmember_abundances,
    in_order_of_endmembers,
    reconstruct_spectra,
)
from ..utils.labels import (
    ABUNDANCE_NAMES,
    axis_labels,
    check_axes,
    check_rows,
    name_labels,
    order_of_columns,
    take_columns,
)
from ._functions import abundance_angle_distance, abundance_rmse, spectral_angle_distance
from ._matching import endmember_angle, match_endmembers


class AbundanceScorer(BaseEstimator):
    """Negative of an error of abundances, so that a larger score is better.

    It works as a scorer from `make_scorer` of scikit-learn, and also matches the columns of a
    DataFrame of abundances to the names of the estimator's endmembers.

    Parameters
    ----------
    error : callable
        Error as a function of true and estimated abundances.
    """

    def __init__(self, error):
        self.error = error

    def __call__(self, estimator, X, y, sample_weight=None):
        """Return the result of `score`."""
        return self.score(estimator, X, y, sample_weight)

    def score(self, estimator, X, y, sample_weight=None):
        """Return the negative error of the abundances that a fitted estimator predicts.

        scikit-learn reads the routing of `sample_weight` from the signature of this method.
        """
        check_rows(X, y, "X", "y")
        y = in_order_of_endmembers(estimator, y, "The scorer")
        return -self.error(y, estimator.predict(X), sample_weight=sample_weight)


class EndmemberAngleScorer(BaseEstimator):
    """Negative angle between known endmembers and those that an estimator found.

    Parameters
    ----------
    endmembers_true : array-like of shape (n_true, n_bands)
        Known endmembers, in the space of the spectra that the estimator takes.
    """

    def __init__(self, endmembers_true):
        self.endmembers_true = endmembers_true

    def __call__(self, estimator, X, y=None):
        """Return the score of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `endmembers_`, or a pipeline that ends in such.
        X, y : object
            Ignored; scikit-learn passes them.

        Returns
        -------
        score : float
        """
        return -endmember_angle(*comparable_endmembers(estimator, self.endmembers_true))


class MatchedAbundanceScorer(AbundanceScorer):
    """Negative error of abundances whose endmembers are matched to known ones.

    Parameters
    ----------
    endmembers_true : array-like of shape (n_true, n_bands)
        Known endmembers, in the space of the spectra that the estimator takes.
    error : callable
        Error as a function of true and estimated abundances.
    """

    def __init__(self, endmembers_true, error):
        super().__init__(error)
        self.endmembers_true = endmembers_true

    def score(self, estimator, X, y, sample_weight=None):
        """Return the negative error of a fitted estimator's prediction, after matching.

        Parameters
        ----------
        estimator : estimator
            Fitted unmixer, or a pipeline that ends in one.
        X : array-like of shape (n_pixels, n_bands)
            Spectra.
        y : array-like of shape (n_pixels, n_true)
            Their abundances, in the order of `endmembers_true` or labelled by its rows.
        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels.

        Returns
        -------
        score : float
        """
        check_axes(y, "y", ABUNDANCE_NAMES)
        check_rows(X, y, "X", "y")
        names = name_labels(axis_labels(self.endmembers_true)[0])
        y = take_columns(
            y, order_of_columns(axis_labels(y), names, "the columns of y", "endmembers_true")
        )
        order = match_endmembers(*comparable_endmembers(estimator, self.endmembers_true))
        abundances = np.asarray(endmember_abundances(estimator, X))
        # `order` points behind the last column where an endmember was not found
        abundances = np.column_stack([abundances, np.zeros(len(abundances), abundances.dtype)])
        return -self.error(np.asarray(y), abundances[:, order], sample_weight=sample_weight)


def make_endmember_angle_scorer(endmembers_true: ArrayLike) -> Any:
    """Return a scorer that compares the endmembers of an estimator with known ones.

    The score is the negative :func:`endmember_angle`, in radians. It does not depend on the pixels
    that are scored. Pass it as ``scoring=`` to :class:`~sklearn.model_selection.GridSearchCV`, with
    or without `y`.

    Parameters
    ----------
    endmembers_true : array-like of shape (n_true, n_bands)
        Known endmembers, one spectrum per row, in the space of the spectra that the estimator
        takes. If the estimator is a pipeline, they are compared in this space if all steps can be
        inverted, otherwise in the space of the last step.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None)`` returns a float from -π to 0, the best value. The estimator
        is a fitted extractor or unmixer, or a pipeline that ends in one.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.metrics import make_endmember_angle_scorer
    >>> scorer = make_endmember_angle_scorer([[0.2, 0.5, 0.9], [0.7, 0.4, 0.1]])
    >>> found = [[0.7, 0.4, 0.1], [0.4, 1.0, 1.8]]
    >>> print(abs(round(scorer(SunSALRegressor(endmembers=found).fit(found), found), 6)))
    0.0
    """
    return EndmemberAngleScorer(endmembers_true)


def make_matched_abundance_scorer(endmembers_true: ArrayLike, error: Any = abundance_rmse) -> Any:
    """Return a scorer of abundances for estimators that find the endmembers, in any order.

    The endmembers of the estimator are matched to the known ones by :func:`match_endmembers`. The
    score is the negative error of the abundances in this order. An endmember that was not found has
    the abundance 0.

    Parameters
    ----------
    endmembers_true : array-like of shape (n_true, n_bands)
        Known endmembers, as for :func:`make_endmember_angle_scorer`.
    error : callable, default=abundance_rmse
        Function of true and estimated abundances and `sample_weight`, such as
        :func:`abundance_rmse` and :func:`abundance_angle_distance`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None)`` returns a float. `y` holds the abundances in
        the order of `endmembers_true`, or labelled by its rows.

    Notes
    -----
    Cross-validation passes `y` to `fit`, too, where an unmixer with an extractor raises an error.
    Fit such a model before, and call the scorer.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.metrics import make_matched_abundance_scorer
    >>> true = np.array([[0.2, 0.5, 0.9], [0.7, 0.4, 0.1]])
    >>> scorer = make_matched_abundance_scorer(true)
    >>> model = SunSALRegressor(endmembers=true[::-1], lam=0).fit(true)
    >>> print(abs(round(scorer(model, true, [[1.0, 0.0], [0.0, 1.0]]), 6)))
    0.0
    """
    return MatchedAbundanceScorer(endmembers_true, error)


def spectral_angle_scorer(estimator: Any, X: ArrayLike, y: ArrayLike | None = None) -> float:
    """Score an unmixer by its reconstruction of the spectra, without abundances.

    The score is the negative :func:`spectral_angle_distance`, in radians, between the spectra and
    ``estimator.inverse_transform(estimator.predict(X))``. Pass it as ``scoring=`` to
    :class:`~sklearn.model_selection.GridSearchCV` or
    :func:`~sklearn.model_selection.cross_validate`, with or without `y`.

    Parameters
    ----------
    estimator : estimator with ``predict`` and ``inverse_transform``
        A fitted unmixer, or a :class:`~sklearn.pipeline.Pipeline` that ends in one.
    X : array-like of shape (n_pixels, n_bands)
        Spectra.
    y : None
        Ignored; scikit-learn passes it.

    Returns
    -------
    score : float
        From -π to 0, the best value.

    Raises
    ------
    TypeError
        If the estimator, or the last step of the pipeline, has no ``inverse_transform``.

    Notes
    -----
    If all steps of a pipeline can be inverted, the spectra are compared in the space of `X`, so
    that candidates with different preprocessing have comparable scores. Otherwise, as with a
    :class:`~sklearn.preprocessing.Normalizer`, they are compared in the space of the last step. If
    the other steps only scale each pixel, as a Normalizer does, both angles are equal.

    A small angle means that the model explains the spectra, not that the abundances are right: more
    endmembers always fit better.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.metrics import spectral_angle_scorer
    >>> endmembers = [[0.2, 0.5, 0.9], [0.7, 0.4, 0.1]]
    >>> spectra = [[0.2, 0.5, 0.9], [0.4, 0.5, 0.5]]
    >>> model = SunSALRegressor(endmembers=endmembers).fit(spectra)
    >>> print(round(spectral_angle_scorer(model, spectra), 2))
    -0.04
    """
    spectra, rebuilt = reconstruct_spectra(estimator, X, "spectral_angle_scorer")
    return -spectral_angle_distance(spectra, rebuilt)


abundance_rmse_scorer = AbundanceScorer(abundance_rmse)
abundance_angle_scorer = AbundanceScorer(abundance_angle_distance)
