"""Scorers for model selection."""

from sklearn.base import BaseEstimator

from ..utils.estimators import endmember_names, reconstruct_spectra
from ..utils.labels import axis_labels, check_rows, order_of_columns, refuse_masked, take_columns
from ._functions import abundance_angle_distance, abundance_rmse, spectral_angle_distance


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
        """Return the negative error of a fitted estimator's prediction."""
        return self.score(estimator, X, y, sample_weight)

    def score(self, estimator, X, y, sample_weight=None):
        """Return the negative error of a fitted estimator's prediction.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `predict`.
        X : array-like of shape (n_pixels, n_bands)
            Spectra.
        y : array-like of shape (n_pixels, n_endmembers)
            Their abundances.
        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels.

        Returns
        -------
        score : float
        """
        refuse_masked(y, "y")
        check_rows(X, y, "X", "y")
        order = order_of_columns(
            axis_labels(y), endmember_names(estimator), "the columns of y", "the endmembers"
        )
        y = take_columns(y, order)
        return -self.error(y, estimator.predict(X), sample_weight=sample_weight)


def spectral_angle_scorer(estimator, X, y=None):
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
