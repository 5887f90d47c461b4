"""N-FINDR: the pixels whose simplex is largest."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from ..solvers.moments import row_blocks, sample_rows
from ..utils import Interval
from ._base import BaseExtractor
from ._spa import successive_projections
from ._subspace import check_dims, signal_subspace, spectra_at
from ._vca import vertex_components

# Random directions along which extreme points are looked for, and the points among which.
_N_DIRECTIONS, _N_POINTS = 128, 2**14
# Points that a pass over all of them may add to the candidates.
_N_ADDED = 1024
# An exchange must enlarge the volume by more than this factor.
_LEAST_GAIN = 1 + 1e-9
# Updates of rank one after which the inverse is computed anew.
_N_UPDATES = 100


class NFINDR(BaseExtractor):
    r"""Extract endmembers by N-FINDR: the pixels whose simplex is largest.

    In the first p - 1 principal components :math:`z` of the spectra, the volume of the simplex of p
    pixels is proportional to

    .. math:: \left| \det \begin{pmatrix} 1 & \cdots & 1 \\ z_1 & \cdots & z_p
              \end{pmatrix} \right|

    A vertex is exchanged for another pixel as long as an exchange enlarges the volume. Of
    several starts, the largest simplex is the result. It finds the exact endmembers if each has a
    pure pixel and there is no noise.

    Parameters
    ----------
    n_endmembers : int or {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        Number of endmembers, or the method of :func:`estimate_n_endmembers` that estimates it.

    n_init : int, default=10
        Number of starts. The first comes from successive projections, and the others from random
        directions.

    denoise : bool, default=True
        Whether the endmembers are the pixels projected on the subspace of the signal, which has
        p - 1 principal components. False returns the pixels as they are. The same pixels are
        chosen.

    random_state : int, RandomState instance or None, default=None
        Determines the starts. None draws from a new generator, not from NumPy's global one.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, one per row.

    indices_ : ndarray of shape (n_endmembers,)
        The rows of `X` that they come from.

    n_endmembers_ : int
        Number of endmembers.

    volume_ : float
        The volume of the simplex, in units of the spectra to the power p - 1.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, if the spectra had labels.

    See Also
    --------
    VCA : Faster, and less accurate in noise.
    SPA : Without random choices.

    Notes
    -----
    With the matrix :math:`E` of the vertices, each with a 1 before it, the exchange of vertex k for
    pixel z multiplies the volume by entry k of :math:`|(1, z) E^{-1}|`. A product with
    all pixels thus finds the best exchange, and an update of rank one follows it. The starts
    exchange pixels among candidates, which are extreme in random directions. Then all pixels are
    examined, so that no exchange for any pixel enlarges the result.

    The subspace of the signal comes from an even sample of 16,384 pixels, or from all pixels if
    there are fewer. A material that is rarer than one pixel in this sample may be missing.

    The brightest pixel is the result for a single endmember.

    References
    ----------
    M. E. Winter, "N-FINDR: an algorithm for fast autonomous spectral end-member determination in
    hyperspectral data", Proceedings of SPIE 3753, 266-275, 1999.

    Examples
    --------
    >>> from skunmix.datasets import make_endmembers, make_mixtures
    >>> from skunmix.extraction import NFINDR
    >>> library = make_endmembers(3, random_state=0)
    >>> mixtures = make_mixtures(library, concentration=0.1, snr=None, random_state=0)
    >>> nfindr = NFINDR(3, random_state=0).fit(mixtures.spectra)
    >>> mixtures.abundances[nfindr.indices_].round(2)
    array([[0., 1., 0.],
           [0., 0., 1.],
           [1., 0., 0.]])
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseExtractor._parameter_constraints,
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "denoise": ["boolean"],
    }

    def __init__(
        self,
        n_endmembers: int | str = "elbow",
        *,
        n_init: int = 10,
        denoise: bool = True,
        random_state: Any = None,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.n_init = n_init
        self.denoise = denoise
        self.random_state = random_state

    def _extract(self, X, weight, n_endmembers, rng):
        if n_endmembers == 1:
            subspace = signal_subspace(X, 1, weight=weight)
            check_dims(subspace, 1, len(X))
            allowed = None if weight is None else weight > 0
            self.indices_ = successive_projections(subspace.project(X), 1, allowed)
            self.volume_ = 1.0
            return spectra_at(X, self.indices_, subspace, self.denoise)
        n_dims = n_endmembers - 1
        subspace = signal_subspace(X, n_dims, weight=weight, centred=True)
        check_dims(subspace, n_endmembers, len(X))
        points = subspace.project(X)
        scale = np.sqrt(subspace.energies[:n_dims])
        points /= scale
        rows = None if weight is None else np.flatnonzero(weight)
        if rows is not None:
            points = points[rows]
        # drawn in the bands, so that they do not depend on the basis
        draws = rng.normal(size=(_N_DIRECTIONS + self.n_init * n_endmembers, X.shape[1] + 1))
        directions = np.column_stack([draws[:, -1], (draws[:, :-1] @ subspace.basis)])
        indices, volume = largest_simplex(
            points,
            directions[:_N_DIRECTIONS, 1:],
            directions[_N_DIRECTIONS:].reshape(self.n_init, n_endmembers, n_endmembers),
        )
        self.indices_ = indices if rows is None else rows[indices]
        factorial = np.prod(np.arange(1.0, n_endmembers))
        self.volume_ = float(volume * np.prod(scale) / factorial)
        return spectra_at(X, self.indices_, subspace, self.denoise)


def largest_simplex(points, directions, starts):
    """Return the indices of points whose simplex no exchange of a vertex enlarges.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
        Of mean 0.
    directions : ndarray of shape (n_directions, n_dims)
        Extreme points along these are candidates.
    starts : ndarray of shape (n_init, n_dims + 1, n_dims + 1)
        Directions for `vertex_components`; those of the first start are ignored, because it comes
        from successive projections.

    Returns
    -------
    indices : ndarray of shape (n_dims + 1,)
    volume : float
        The determinant, which is the volume times the factorial of n_dims.
    """
    n_vertices = points.shape[1] + 1
    candidates = extreme_points(points, directions)
    best, volume = None, 0.0
    for start in range(len(starts)):
        some = with_one(points[candidates])
        if start == 0:
            chosen = successive_projections(some, n_vertices)
        else:
            chosen = vertex_components(some, starts[start], np.ones(len(some), dtype=bool))
        chosen, found = exchange(some, chosen)
        if found > volume * _LEAST_GAIN:
            best, volume = candidates[chosen], found
    while True:
        outside = enlarging_points(points, best)
        if not len(outside):
            return best, volume
        candidates = np.concatenate([best, np.setdiff1d(outside, best)])
        chosen, enlarged = exchange(with_one(points[candidates]), np.arange(n_vertices))
        if not enlarged > volume:
            return best, volume
        best, volume = candidates[chosen], enlarged


def with_one(points):
    """Return points with a 1 before their coordinates."""
    return np.column_stack([np.ones(len(points)), points])


def extreme_points(points, directions):
    """Return the indices of an even sample's points that are extreme along a direction."""
    rows = sample_rows(len(points), _N_POINTS)
    scores = directions @ points[rows].T
    return rows[np.unique([scores.argmax(axis=1), scores.argmin(axis=1)])]


def exchange(points, chosen):
    """Exchange vertices for points as long as the volume grows.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_vertices)
        Coordinates with a 1 before them.
    chosen : ndarray of shape (n_vertices,)
        Indices of the first vertices.

    Returns
    -------
    chosen : ndarray of shape (n_vertices,)
    volume : float
        The absolute value of the determinant.
    """
    volume = abs(np.linalg.det(points[chosen]))
    while volume > 0:
        exchanged = chosen.copy()
        factors = points @ np.linalg.inv(points[chosen])
        for _ in range(_N_UPDATES):
            point, vertex = np.unravel_index(np.abs(factors).argmax(), factors.shape)
            if abs(factors[point, vertex]) <= _LEAST_GAIN:
                break
            # the inverse changes by a matrix of rank one, and the factors with it
            row = factors[point].copy()
            column = factors[:, vertex] / row[vertex]
            row[vertex] -= 1.0
            factors -= np.outer(column, row)
            exchanged[vertex] = point
        # anew, so that rounding does not add up, nor lets exchanges go round in circles
        enlarged = abs(np.linalg.det(points[exchanged]))
        if not enlarged > volume:
            break
        chosen, volume = exchanged, enlarged
    return chosen, volume


def enlarging_points(points, chosen):
    """Return the indices of points that enlarge the simplex in place of one of its vertices.

    Parameters
    ----------
    points : ndarray of shape (n_points, n_dims)
    chosen : ndarray of shape (n_dims + 1,)

    Returns
    -------
    indices : ndarray of at most 1,024 ints
        Those that enlarge it most.
    """
    inverse = np.linalg.inv(with_one(points[chosen]))
    offset, linear = inverse[0], inverse[1:]
    found, gains = [], []
    for block in row_blocks(*points.shape):
        factors = linear.T @ points[block].T
        factors += offset[:, np.newaxis]
        factors = np.abs(factors, out=factors).max(axis=0)
        larger = np.flatnonzero(factors > _LEAST_GAIN)
        found.append(larger + block.start)
        gains.append(factors[larger])
    found, gains = np.concatenate(found), np.concatenate(gains)
    if len(found) > _N_ADDED:
        found = found[np.argpartition(gains, -_N_ADDED)[-_N_ADDED:]]
    return found
