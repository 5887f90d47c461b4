"""Pixel purity index."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from ..solvers.moments import floats_of, row_blocks
from ..utils import Interval, validate_params
from ..utils.labels import BAND_NAMES, check_axes
from ..utils.magnitudes import warn_of_extremes
from ..utils.random import generator
from ..utils.validation import check_numbers

# Projections that are made at once.
_AT_ONCE = 64


@validate_params(
    {
        "X": ["array-like"],
        "n_projections": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def pixel_purity(
    X: ArrayLike, n_projections: int = 1000, *, threshold: float = 0.0, random_state: Any = None
) -> NDArray[Any]:
    """Count how often each pixel is extreme in random projections: the pixel purity index (PPI).

    The spectra are projected on random directions. A pixel is extreme if its projection is within
    `threshold` of the smallest or the largest. Pure pixels are extreme more often than mixtures,
    and so are pixels of large noise: reduce the bands first, for example with
    :class:`~skunmix.preprocessing.MinimumNoiseFraction`.

    Parameters
    ----------
    X : array-like of shape (n_pixels, n_bands)
        Spectra, one per row.

    n_projections : int, default=1000
        Number of directions.

    threshold : float, default=0.0
        Largest distance from the extreme projection, in units of the spectra. With 0, two pixels
        are counted for each direction, or more if their projections are equal.

    random_state : int, RandomState instance or None, default=None
        Determines the directions. None draws from a new generator, not from NumPy's global one.

    Returns
    -------
    counts : ndarray of shape (n_pixels,), of int
        Number of directions in which the pixel is extreme.

    Raises
    ------
    ValueError
        If a value is NaN, infinite or masked.

    See Also
    --------
    NFINDR : Finds pixels whose simplex is largest.

    References
    ----------
    J. W. Boardman, F. A. Kruse and R. O. Green, "Mapping target signatures via partial unmixing of
    AVIRIS data", Fifth Annual JPL Airborne Earth Science Workshop, 23-26, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.extraction import pixel_purity
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 0.0], [0.3, 0.5]])
    >>> counts = pixel_purity(X, 100, random_state=0)
    >>> int(counts[3]), int(counts.sum())
    (0, 200)
    """
    check_axes(X, "X", BAND_NAMES)
    X = check_array(X, dtype="numeric", input_name="X")
    check_numbers(X, "X")
    warn_of_extremes(X, None, stacklevel=3)
    rng = generator(random_state)
    counts = np.zeros(len(X), dtype=np.intp)
    for first in range(0, n_projections, _AT_ONCE):
        n_directions = min(_AT_ONCE, n_projections - first)
        directions = rng.normal(size=(X.shape[1], n_directions))
        directions /= np.linalg.norm(directions, axis=0)
        lowest, highest = np.full(n_directions, np.inf), np.full(n_directions, -np.inf)
        for block in row_blocks(*X.shape):
            scores = _project(X[block], directions)
            lowest = np.minimum(lowest, scores.min(axis=0))
            highest = np.maximum(highest, scores.max(axis=0))
        lowest, highest = lowest + threshold, highest - threshold
        for block in row_blocks(*X.shape):
            scores = _project(X[block], directions)
            counts[block] += ((scores <= lowest) | (scores >= highest)).sum(axis=1)
    return counts


def _project(spectra, directions):
    spectra = floats_of(spectra)
    return spectra @ directions.astype(spectra.dtype)
