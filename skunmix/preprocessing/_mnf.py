"""Minimum noise fraction."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from ..solvers.moments import N_SAMPLE_OF_NOISE, second_moments, with_signs
from ..solvers.noise import noise_variances
from ..utils import Interval, fit_context
from ..utils.labels import (
    BAND_NAMES,
    axis_labels,
    check_axes,
    check_columns,
    column_labels,
    refuse_masked,
)
from ..utils.magnitudes import warn_of_extremes
from ..utils.state import restored_on_error
from ..utils.validation import check_numbers


class MinimumNoiseFraction(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Transform spectra into components in the order of their signal-to-noise ratio (MNF).

    The bands are divided by the standard deviation of their noise, and principal components of the
    result are taken. With the covariance :math:`\Sigma` of the spectra and the diagonal one
    :math:`\Sigma_n` of the noise, the weights of component i are the eigenvector

    .. math:: \Sigma w_i = \lambda_i \Sigma_n w_i, \quad w_i^T \Sigma_n w_i = 1

    so that each component has noise of variance one, and signal of variance
    :math:`\lambda_i - 1`. The noise of a band is what the other bands do not predict: see
    :func:`skunmix.extraction.estimate_noise`.

    Parameters
    ----------
    n_components : int, default=None
        Number of components to keep. None keeps all.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_bands)
        The weights :math:`w_i`.

    snr_ : ndarray of shape (n_components,)
        Variance of the signal over that of the noise, :math:`\lambda_i - 1`, of each component.
        Where there is only noise, it is about 0, and may be slightly negative.

    noise_std_ : ndarray of shape (n_bands,)
        Standard deviation of the noise of each band.

    mean_ : ndarray of shape (n_bands,)
        The mean spectrum, which is subtracted.

    n_components_ : int
        Number of components.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, if the spectra had labels.

    See Also
    --------
    skunmix.extraction.estimate_n_endmembers : How many dimensions exceed the noise.

    Notes
    -----
    ``inverse_transform(transform(X))`` with few components removes noise from spectra.

    Of more than 65,536 pixels, `fit` uses an even sample. It needs more pixels than bands.

    The components of mixtures are mixtures of the components, if the abundances sum to one, because
    the mean is subtracted.

    References
    ----------
    A. A. Green, M. Berman, P. Switzer and M. D. Craig, "A transformation for ordering multispectral
    data in terms of image quality with implications for noise removal", IEEE Transactions on
    Geoscience and Remote Sensing 26(1), 65-74, 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.preprocessing import MinimumNoiseFraction
    >>> scene = make_scene(n_endmembers=4, snr=20, random_state=0)
    >>> mnf = MinimumNoiseFraction(3).fit(scene.spectra)
    >>> clean = mnf.inverse_transform(mnf.transform(scene.spectra))
    >>> error = np.std(clean - scene.abundances @ scene.endmembers)
    >>> print(f"{scene.noise_std:.4f} before, {error:.4f} after")
    0.0556 before, 0.0065 after
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(self, n_components: int | None = None) -> None:
        self.n_components = n_components

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Estimate the noise and the components.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError
            If there are no more pixels than bands, more components than bands, or a value is NaN,
            infinite or masked.
        """
        with restored_on_error(self):
            check_axes(X, "X", BAND_NAMES)
            labels = column_labels(X)
            X = validate_data(self, X, dtype="numeric")
            check_numbers(X, "X")
            warn_of_extremes(X, None, stacklevel=3)
            n_bands = X.shape[1]
            n_components = n_bands if self.n_components is None else self.n_components
            if n_components > n_bands:
                raise ValueError(
                    f"Expected n_components of at most {n_bands}, the number of bands "
                    f"(n_features={n_bands}), got {n_components}; pass fewer."
                )
            moments = second_moments(X, n_sample=N_SAMPLE_OF_NOISE)
            noise = np.sqrt(noise_variances(moments))
            self.mean_, self.noise_std_, self.band_labels_ = moments.mean, noise, labels
            self._scale = np.where(noise > 0, noise, 1.0)
            ratios, vectors = np.linalg.eigh(
                moments.covariance / np.outer(self._scale, self._scale)
            )
            ratios = ratios[::-1][:n_components]
            vectors = with_signs(vectors[:, ::-1][:, :n_components])
            self.components_ = vectors.T / self._scale
            self._spectra = vectors.T * self._scale
            self.snr_ = ratios - 1
            self.n_components_ = n_components
        return self

    def transform(self, X: ArrayLike) -> Any:
        """Return the components of spectra.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra.

        Returns
        -------
        components : ndarray of shape (n_pixels, n_components)
            In float32 if the spectra are.

        Raises
        ------
        ValueError
            If the bands are not those of `fit`, or a value is NaN, infinite or masked.
        """
        check_is_fitted(self)
        check_axes(X, "X", BAND_NAMES)
        labels = axis_labels(X)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        check_columns(labels, self.band_labels_, "the bands of X", "those of `fit`")
        return (X - self.mean_.astype(X.dtype)) @ self.components_.T.astype(X.dtype)

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return the spectra of components.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_components)
            Components.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)

        Raises
        ------
        ValueError
            If the components are not those of `transform`, or a value is NaN or masked.
        """
        check_is_fitted(self)
        refuse_masked(X, "X")
        names = list(self.get_feature_names_out())
        check_columns(axis_labels(X), names, "the components of X", "those of `transform`")
        X = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"Expected {self.n_components_} components, as `transform` returns, got "
                f"{X.shape[1]}; pass the output of `transform`."
            )
        return X @ self._spectra.astype(X.dtype) + self.mean_.astype(X.dtype)

    @property
    def _n_features_out(self):
        return self.n_components_
