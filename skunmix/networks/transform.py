"""The transform of spectra before a network."""

from dataclasses import dataclass

import numpy as np

from ..utils.spectra import to_unit_length

# Singular values of the endmembers below this fraction of the largest are round-off.
_ROUND_OFF = 1e-6


@dataclass(frozen=True)
class SpectrumTransform:
    """Transform of spectra before a network: `norm`, then `scale`, then `basis`.

    Parameters
    ----------
    scale : float, default=1.0
        Spectra are divided by it.
    norm : {None, "l2"}, default=None
        "l2" rescales each spectrum to unit length, except a spectrum of zeros.
    basis : ndarray of shape (n_bands, n_coordinates), default=None
        Spectra are multiplied by it.
    inverse : ndarray of shape (n_coordinates, n_bands), default=None
        Maps coordinates back to spectra, if there is a basis.
    """

    scale: float = 1.0
    norm: str | None = None
    basis: np.ndarray | None = None
    inverse: np.ndarray | None = None

    @classmethod
    def fit(cls, spectra, norm=None):
        """Return the transform that scales the largest magnitude of the spectra to one."""
        return cls(float(np.abs(cls(1.0, norm)(spectra)).max()) or 1.0, norm)

    def onto_span(self, endmembers):
        """Return this transform followed by the projection on the span of the endmembers."""
        return SpectrumTransform(self.scale, self.norm, *span_basis(self.rescale(endmembers)))

    def __call__(self, spectra):
        """Return transformed spectra (n_pixels, n_coordinates), float64."""
        spectra = self.rescale(spectra)
        return spectra if self.basis is None else spectra @ self.basis

    def rescale(self, spectra):
        """Return spectra after `norm` and `scale`, before the basis, float64."""
        spectra = np.asarray(spectra, dtype=np.float64)
        if self.norm == "l2":
            spectra = to_unit_length(spectra)
        return spectra / self.scale

    def to_coordinates(self, W):
        """Return W̃ with W̃·(basisᵀy) = W·y for all y in the span of the basis."""
        return W if self.basis is None else W @ self.inverse.T


def span_basis(endmembers):
    """Return scaled coordinates for the span of the endmembers, and their inverse.

    The coordinate along the i-th right singular vector of Aᵀ is scaled by (σ̄ / σ_i)^½, where σ̄ is
    the geometric mean of the singular values. This is halfway to orthogonal endmembers. The steps
    of Adam, which are equally long in each weight, then also change the outputs for the directions
    of small σ_i, which distinguish similar endmembers.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ).

    Returns
    -------
    basis : ndarray of shape (n_bands, n_coordinates)
        One coordinate for each dimension of the span.
    inverse : ndarray of shape (n_coordinates, n_bands)
        ``basis @ inverse`` projects on the span.
    """
    _, sigma, directions = np.linalg.svd(endmembers, full_matrices=False)
    spanned = sigma > _ROUND_OFF * sigma[0]
    sigma, directions = sigma[spanned], directions[spanned]
    stretch = np.sqrt(np.exp(np.log(sigma).mean()) / sigma)[:, np.newaxis]
    return (stretch * directions).T, directions / stretch


def noise_factor(residuals):
    """Return L such that LLᵀ are the second moments of residuals (n_pixels, n_coordinates)."""
    _, sigma, directions = np.linalg.svd(residuals / np.sqrt(len(residuals)), full_matrices=False)
    return directions.T * sigma
