"""Vertex component analysis."""

from typing import Any, ClassVar

import numpy as np

from ..solvers.moments import second_moments
from ._base import BaseExtractor
from ._subspace import check_dims, precision_of, spectra_at, subspace_of

# Points of a smaller inner product with the mean, as a share of the largest, are not projected.
_LEAST_SHARE = 1e-6


class VCA(BaseExtractor):
    r"""Extract endmembers by vertex component analysis (VCA).

    Pixels are projected on a random direction that is orthogonal to the endmembers found so far,
    and the pixel of the largest magnitude becomes the next endmember. With p endmembers, this is
    done in p dimensions: if the signal-to-noise ratio exceeds :math:`15 + 10 \log_{10} p` dB, in
    the subspace of the spectra, with each pixel scaled to the hyperplane through the mean;
    otherwise in the first p - 1 principal components and a constant.

    It finds the exact endmembers if each has a pure pixel and there is no noise.

    Parameters
    ----------
    n_endmembers : int or {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        Number of endmembers, or the method of :func:`estimate_n_endmembers` that estimates it.

    denoise : bool, default=True
        Whether the endmembers are the pixels projected on this subspace. False returns the pixels
        as they are. The same pixels are chosen.

    random_state : int, RandomState instance or None, default=None
        Determines the directions. None draws from a new generator, not from NumPy's global one.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, one per row.

    indices_ : ndarray of shape (n_endmembers,)
        The rows of `X` that they come from.

    n_endmembers_ : int
        Number of endmembers.

    snr_ : float
        Signal-to-noise ratio of the spectra in dB, as the paper estimates it.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, if the spectra had labels.

    See Also
    --------
    SPA : The farthest pixels instead of random directions.
    NFINDR : Pixels whose simplex is largest.

    Notes
    -----
    The subspace of the signal comes from an even sample of 16,384 pixels, or from all pixels if
    there are fewer. A material that is rarer than one pixel in this sample may be missing.

    The brightest pixel is the result for a single endmember, which every pixel could be.

    References
    ----------
    J. M. P. Nascimento and J. M. Bioucas-Dias, "Vertex component analysis: a fast algorithm to
    unmix hyperspectral data", IEEE Transactions on Geoscience and Remote Sensing 43(4), 898-910,
    2005.

    Examples
    --------
    >>> from skunmix.datasets import make_endmembers, make_mixtures
    >>> from skunmix.extraction import VCA
    >>> library = make_endmembers(3, random_state=0)
    >>> mixtures = make_mixtures(library, concentration=0.1, snr=None, random_state=0)
    >>> vca = VCA(3, random_state=0).fit(mixtures.spectra)
    >>> mixtures.abundances[vca.indices_].round(2)
    array([[0., 0., 1.],
           [1., 0., 0.],
           [0., 1., 0.]])
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseExtractor._parameter_constraints,
        "denoise": ["boolean"],
    }

    def __init__(
        self, n_endmembers: int | str = "elbow", *, denoise: bool = True, random_state: Any = None
    ) -> None:
        self.n_endmembers = n_endmembers
        self.denoise = denoise
        self.random_state = random_state

    def _extract(self, X, weight, n_endmembers, rng):
        moments, precision = second_moments(X, weight), precision_of(X)
        self.snr_ = estimate_snr(moments, n_endmembers)
        allowed = np.ones(len(X), dtype=bool) if weight is None else weight > 0
        subspace = subspace_of(moments, n_endmembers, precision=precision)
        high = self.snr_ >= 15 + 10 * np.log10(n_endmembers)
        if n_endmembers == 1 or (high and subspace.rank >= n_endmembers):
            check_dims(subspace, n_endmembers, len(X))
            points = subspace.project(X)
            if n_endmembers > 1:
                allowed &= scale_to_hyperplane(points, moments.mean @ subspace.basis)
        else:
            subspace = subspace_of(moments, n_endmembers - 1, centred=True, precision=precision)
            check_dims(subspace, n_endmembers, len(X))
            points = with_constant(subspace.project(X), allowed)
        # drawn in the bands, so that they do not depend on the basis
        draws = rng.normal(size=(n_endmembers, X.shape[1] + 1))
        directions = draws[:, :-1] @ subspace.basis
        if directions.shape[1] < n_endmembers:
            directions = np.column_stack([directions, draws[:, -1]])
        self.indices_ = vertex_components(points, directions, allowed)
        return spectra_at(X, self.indices_, subspace, self.denoise)


def estimate_snr(moments, n_endmembers):
    r"""Return the signal-to-noise ratio in dB, from the power in p principal components.

    .. math:: 10 \log_{10} \frac{P_x - (p / L) P_y}{P_y - P_x}

    where :math:`P_y` is the power of spectra of L bands, and :math:`P_x` that of their projection
    (Nascimento & Bioucas-Dias 2005, eq. 13).
    """
    energies = np.linalg.eigvalsh(moments.covariance)[::-1]
    n_bands, offset = len(energies), moments.mean @ moments.mean
    P_y = energies.sum() + offset
    P_x = energies[:n_endmembers].sum() + offset
    signal, noise = P_x - n_endmembers / n_bands * P_y, P_y - P_x
    if noise <= n_bands * np.finfo(np.float64).eps * P_y:
        return np.inf
    return 10 * np.log10(signal / noise) if signal > 0 else -np.inf


def scale_to_hyperplane(points, mean):
    """Scale points in place so that their inner product with the mean is one.

    Returns
    -------
    scaled : ndarray of shape (n_points,), of bool
        Not those, such as zeros, of a small or negative inner product.
    """
    products = points @ mean
    scaled = products > _LEAST_SHARE * products.max()
    points /= np.where(scaled, products, 1.0)[:, np.newaxis]
    return scaled


def with_constant(points, allowed):
    """Return points with the largest norm of all as a further coordinate."""
    largest = np.sqrt(np.square(points.T).sum(axis=0)[allowed].max())
    return np.vstack([points.T, np.full(len(points), largest)]).T


def vertex_components(points, directions, allowed):
    """Return the indices of extreme points along directions orthogonal to those before.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
    directions : ndarray of shape (n_endmembers, n_dims)
        Made orthogonal to the points found before.
    allowed : ndarray of shape (n_points,), of bool
        Which points may be chosen.

    Returns
    -------
    indices : ndarray of shape (n_endmembers,)
    """
    indices = np.empty(len(directions), dtype=np.intp)
    # as in the paper, the first direction is orthogonal to the last axis
    n_dims = points.shape[1]
    known = np.eye(n_dims)[:, max(n_dims - 1, 1) :]
    for k, direction in enumerate(directions):
        orthogonal = direction - known @ np.linalg.lstsq(known, direction)[0]
        scores = np.abs(points @ orthogonal)
        scores[~allowed] = -1.0
        indices[k] = scores.argmax()
        known = points[indices[: k + 1]].T
    return indices
