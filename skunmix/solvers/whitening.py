"""Weighted least squares as least squares on whitened spectra."""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, eigvalsh, solve_triangular
from sklearn.utils import check_array

from ..utils.labels import axis_labels, order_of, refuse_masked

_EPS = float(np.finfo(np.float64).eps)


class Whitening:
    r"""Linear map of spectra that makes weighted least squares ordinary least squares.

    With weights w ≥ 0 of the bands, Σ w (y − Ax)² = ‖Wy − WAx‖² for W = diag(√w), in which bands of
    weight 0 are left out. With the covariance C = LLᵀ of the noise (L is its Cholesky factor),
    (y − Ax)ᵀC⁻¹(y − Ax) = ‖Wy − WAx‖² for W = L⁻¹, so that the noise of Wy is white.

    Parameters
    ----------
    n_bands : int
    band_weights : array-like of shape (n_bands,), default=None
        Weights, at least 0.
    noise_covariance : array-like of shape (n_bands, n_bands), default=None
        Symmetric and positive definite. Exactly one of both is required.
    bands : list, default=None
        Labels of the bands of the spectra, by which weights or a covariance with labels are
        ordered.

    Attributes
    ----------
    kept : ndarray of shape (n_bands,), of bool
        Bands that are not left out.

    Raises
    ------
    ValueError
        If both or none are given, the shape or the labels do not fit the bands, a value is NaN, a
        weight is negative, all are zero, or the covariance is not symmetric and positive definite.

    Examples
    --------
    >>> from skunmix.solvers import Whitening
    >>> Whitening(3, band_weights=[4.0, 0.0, 1.0])([[1.0, 2.0, 3.0]])
    array([[2., 3.]])
    """

    def __init__(self, n_bands, *, band_weights=None, noise_covariance=None, bands=None):
        if (band_weights is None) == (noise_covariance is None):
            both = "None" if band_weights is None else "both"
            raise ValueError(
                f"Expected either band_weights or noise_covariance, got {both}; pass one of them."
            )
        if noise_covariance is None:
            weights = _in_order_of(band_weights, bands, n_bands, "band_weights", 1)
            self.kept, self.factor = _check_weights(weights), None
            self.roots = np.sqrt(weights[self.kept])
        else:
            covariance = _in_order_of(noise_covariance, bands, n_bands, "noise_covariance", 2)
            self.kept = np.ones(n_bands, dtype=bool)
            self.roots, self.factor = _factorize(covariance)

    def __call__(self, spectra):
        """Return whitened spectra, (n_pixels, n_bands_kept), float64."""
        spectra = np.asarray(spectra)
        spectra = spectra if self.kept.all() else spectra[:, self.kept]
        spectra = spectra * self.roots
        if self.factor is None:
            return spectra
        return np.ascontiguousarray(solve_triangular(self.factor, spectra.T, lower=True).T)


def _in_order_of(values, bands, n_bands, name, n_axes):
    """Return an array with n_bands along each axis, in the order of the labels of the bands."""
    refuse_masked(values, name)
    labels = axis_labels(values) if n_axes == 2 else (_labels_of_vector(values),)
    values = check_array(
        values, ensure_2d=False, dtype=np.float64, input_name=name, ensure_min_samples=1
    )
    if values.shape != (n_bands,) * n_axes:
        hint = ""
        if n_axes == 2 and values.ndim == 1:
            hint = ", or variances as band_weights=1/variances"
        raise ValueError(
            f"Expected {name} of shape {(n_bands,) * n_axes} for spectra of {n_bands} bands, got "
            f"{values.shape}; pass a value for each band{' and band' * (n_axes - 1)}{hint}."
        )
    for axis, found in enumerate(labels):
        order = order_of(found, bands, f"the bands of {name}", "those of the spectra")
        values = values if order is None else values.take(order, axis=axis)
    return values


def _labels_of_vector(values):
    if hasattr(values, "dims") and hasattr(values, "coords"):  # xarray's
        named = len(values.dims) == 1 and values.dims[0] in values.coords
        return values.coords[values.dims[0]].values.tolist() if named else None
    index = getattr(values, "index", None)  # a Series
    return None if index is None or callable(index) else list(index)


def _check_weights(weights):
    """Return which bands have a positive weight."""
    if weights.min() < 0:
        raise ValueError(
            f"Expected band_weights of at least 0, got {weights.min():g} for band "
            f"{weights.argmin()}; pass 0 to leave a band out."
        )
    if not weights.any():
        raise ValueError(
            f"Expected band_weights with a positive value, got 0 for all {len(weights)} bands; "
            f"pass a positive weight for the bands to use."
        )
    return weights > 0


def _factorize(covariance):
    """Return 1/σ of each band, and the Cholesky factor of the correlations.

    Correlations resolve bands of little noise as well as others.
    """
    fix = "estimate it from more pixels, or add a small value to its diagonal"
    variances = np.diagonal(covariance)
    if not (variances > 0).all():
        raise ValueError(
            f"Expected noise_covariance with positive variances on its diagonal, got "
            f"{variances.min():g} for band {variances.argmin()}; {fix}."
        )
    roots = 1 / np.sqrt(variances)
    correlation = covariance * roots[:, np.newaxis] * roots
    asymmetry = np.abs(correlation - correlation.T).max()
    if asymmetry > 1e-6:
        raise ValueError(
            f"Expected a symmetric noise_covariance, got entries that differ from their transpose "
            f"by up to {asymmetry:.1g} of the variances; pass (C + C.T) / 2 if C is right."
        )
    correlation = (correlation + correlation.T) / 2
    least = eigvalsh(correlation, subset_by_index=[0, 0])[0]
    if least > len(correlation) * _EPS:
        try:
            return roots, cholesky(correlation, lower=True)
        except LinAlgError:
            pass
    raise ValueError(
        f"Expected a positive definite noise_covariance, got one whose correlations have the "
        f"smallest eigenvalue {least:.1g}; {fix}."
    )
