"""Successive projections."""

from typing import ClassVar

import numpy as np

from ._base import BaseExtractor
from ._subspace import check_dims, signal_subspace, spectra_at


class SPA(BaseExtractor):
    r"""Extract endmembers by the successive projection algorithm (SPA), also known as ATGP.

    The first endmember is the pixel of largest norm. Each further one is the pixel that is farthest
    from the span of those before. With the projector :math:`P_k` on the complement of the first k,

    .. math:: i_{k+1} = \arg\max_i \|P_k y_i\|_2

    The algorithm of the automatic target generation process (ATGP) is the same. It finds the
    exact endmembers if they are linearly independent, each has a pure pixel, and there is no noise.

    Parameters
    ----------
    n_endmembers : int or {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        Number of endmembers, or the method of :func:`estimate_n_endmembers` that estimates it.

    denoise : bool, default=True
        Whether the endmembers are the pixels projected on the subspace of the signal, which has
        `n_endmembers` dimensions. False returns the pixels as they are. The same pixels are chosen.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, one per row.

    indices_ : ndarray of shape (n_endmembers,)
        The rows of `X` that they come from.

    n_endmembers_ : int
        Number of endmembers.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, if the spectra had labels.

    See Also
    --------
    VCA : Random directions instead of the farthest pixels.
    NFINDR : Pixels whose simplex is largest.

    Notes
    -----
    The subspace of the signal comes from an even sample of 16,384 pixels, or from all pixels if
    there are fewer. A material that is rarer than one pixel in this sample may be missing.

    References
    ----------
    M. C. U. Araújo et al., "The successive projections algorithm for variable selection in
    spectroscopic multicomponent analysis", Chemometrics and Intelligent Laboratory Systems 57(2),
    65-73, 2001.

    H. Ren and C.-I. Chang, "Automatic spectral target recognition in hyperspectral imagery", IEEE
    Transactions on Aerospace and Electronic Systems 39(4), 1232-1249, 2003.

    Examples
    --------
    >>> from skunmix.datasets import make_endmembers, make_mixtures
    >>> from skunmix.extraction import SPA
    >>> library = make_endmembers(3, random_state=0)
    >>> mixtures = make_mixtures(library, concentration=0.1, snr=None, random_state=0)
    >>> spa = SPA(3).fit(mixtures.spectra)
    >>> mixtures.abundances[spa.indices_].round(2)
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_endmembers": BaseExtractor._parameter_constraints["n_endmembers"],
        "denoise": ["boolean"],
    }

    def __init__(self, n_endmembers: int | str = "elbow", *, denoise: bool = True) -> None:
        self.n_endmembers = n_endmembers
        self.denoise = denoise

    def _extract(self, X, weight, n_endmembers, rng):
        subspace = signal_subspace(X, n_endmembers, weight=weight)
        check_dims(subspace, n_endmembers, len(X))
        points = subspace.project(X)
        allowed = None if weight is None else weight > 0
        self.indices_ = successive_projections(points, n_endmembers, allowed)
        return spectra_at(X, self.indices_, subspace, self.denoise)


def successive_projections(points, n_endmembers, allowed=None):
    """Return the indices of points, each the farthest from the span of those before.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
    n_endmembers : int
        At most n_dims.
    allowed : ndarray of shape (n_points,), of bool, default=None
        Which points may be chosen. None allows all.

    Returns
    -------
    indices : ndarray of shape (n_endmembers,)
    """
    squares = np.square(points.T).sum(axis=0)
    if allowed is not None:
        squares[~allowed] = -1.0
    indices = np.empty(n_endmembers, dtype=np.intp)
    directions = np.empty((0, points.shape[1]))
    for k in range(n_endmembers):
        indices[k] = squares.argmax()
        direction = points[indices[k]]
        for _ in range(2):  # a second time for what rounding leaves
            direction = direction - (direction @ directions.T) @ directions
        direction = direction / np.linalg.norm(direction)
        directions = np.vstack([directions, direction])
        squares -= np.square(points @ direction)
    return indices
