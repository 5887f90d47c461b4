"""What is done to spectra before a network sees them."""

from dataclasses import dataclass

import numpy as np

# Singular values of the endmembers below this part of the largest are round-off.
_ROUND_OFF = 1e-6


@dataclass(frozen=True)
class SpectrumTransform:
    """What is done to spectra before a network sees them.

    Parameters
    ----------
    scale : float, default=1.0
        Spectra are divided by it, after `norm`.
    norm : {None, "l2"}, default=None
        "l2" rescales each spectrum to unit length; one of zeros stays so.
    basis : ndarray of shape (n_bands, n_coordinates), default=None
        Spectra are multiplied by it, last.
    inverse : ndarray of shape (n_coordinates, n_bands), default=None
        The way back from coordinates, where there is a basis.
    """

    scale: float = 1.0
    norm: str | None = None
    basis: np.ndarray | None = None
    inverse: np.ndarray | None = None

    @classmethod
    def fit(cls, spectra, norm=None):
        """Return the transform after which the largest magnitude in the spectra is one."""
        return cls(float(np.abs(cls(1.0, norm)(spectra)).max()) or 1.0, norm)

    def onto_span(self, endmembers):
        """Return this transform followed by the projection on the span of the endmembers."""
        return SpectrumTransform(self.scale, self.norm, *span_basis(self.rescale(endmembers)))

    def __call__(self, spectra):
        """Return spectra (n_pixels, n_bands) as the network sees them, float64."""
        spectra = self.rescale(spectra)
        return spectra if self.basis is None else spectra @ self.basis

    def rescale(self, spectra):
        """Return spectra after `norm` and `scale`, before the basis, float64."""
        spectra = np.asarray(spectra, dtype=np.float64)
        if self.norm == "l2":
            spectra = to_unit_length(spectra)
        return spectra / self.scale

    def to_coordinates(self, W):
        """Return W̃ with W̃·(basisᵀy) = W·y for each y in the span of the basis."""
        return W if self.basis is None else W @ self.inverse.T


def to_unit_length(spectra):
    """Return spectra (n_pixels, n_bands) with ‖y‖₂ = 1; one of zeros stays so."""
    length = np.linalg.norm(spectra, axis=1, keepdims=True)
    return spectra / np.where(length, length, 1.0)


def span_basis(endmembers):
    """Return coordinates for the span of the endmembers, on more equal terms, and the way back.

    The coordinate along the i-th right singular vector of Aᵀ is shrunk or stretched by
    (σ̄ / σ_i)^½, σ̄ the geometric mean of the singular values: halfway to endmembers that are
    orthogonal. Adam, whose steps are as long in each weight, then moves the outputs by as much for
    the faint directions, which tell similar endmembers apart, as for the bright ones.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ).

    Returns
    -------
    basis : ndarray of shape (n_bands, n_coordinates)
        One coordinate for each dimension that the endmembers span.
    inverse : ndarray of shape (n_coordinates, n_bands)
        ``basis @ inverse`` projects on the span, and leaves the endmembers as they are.
    """
    _, sigma, directions = np.linalg.svd(endmembers, full_matrices=False)
    spanned = sigma > _ROUND_OFF * sigma[0]
    sigma, directions = sigma[spanned], directions[spanned]
    stretch = np.sqrt(np.exp(np.log(sigma).mean()) / sigma)[:, np.newaxis]
    return (stretch * directions).T, directions / stretch


def noise_factor(residuals):
    """Return L with LLᵀ the second moments of residuals (n_pixels, n_coordinates).

    ``standard_normal(…) @ L.T`` is noise like them.
    """
    _, sigma, directions = np.linalg.svd(residuals / np.sqrt(len(residuals)), full_matrices=False)
    return directions.T * sigma
