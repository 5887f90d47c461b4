"""Scorers for model selection, made of the metrics."""

from sklearn.metrics import make_scorer

from ..utils import reconstruct_spectra
from ._functions import abundance_angle_distance, abundance_rmse, spectral_angle_distance


def spectral_angle_scorer(estimator, X, y=None):
    """Score an unmixer by how well it rebuilds the spectra; abundances are not needed.

    Minus the :func:`spectral_angle_distance`, in radians, between the spectra and
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
        Not used, but scikit-learn passes it.

    Returns
    -------
    score : float
        From -π to 0, which is best.

    Raises
    ------
    TypeError
        If the estimator, or the last step of the pipeline, has no ``inverse_transform``.

    Notes
    -----
    A pipeline is compared in the space of `X` if all of its steps can be inverted, so that
    candidates with different preprocessing can be compared; else (a
    :class:`~sklearn.preprocessing.Normalizer`) in the space that the last step sees. The angle is
    the same in both where the other steps only scale each pixel, as a Normalizer does.

    A small angle says that the model explains the spectra, not that the abundances are right:
    more endmembers always fit better.

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


# make_scorer keeps the function by its name, so that these pickle
abundance_rmse_scorer = make_scorer(abundance_rmse, greater_is_better=False)
abundance_angle_scorer = make_scorer(abundance_angle_distance, greater_is_better=False)
