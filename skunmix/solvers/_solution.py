"""The result of all solvers of the CSR problem."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class CSRSolution:
    """Abundances, and iterations and convergence of each pixel.

    Attributes
    ----------
    abundances : ndarray of shape (n_pixels, n_endmembers)
        Non-negative, and rows sum to one, if the problem has these constraints.
    n_iter : ndarray of shape (n_pixels,), int
        Number of iterations of each pixel.
    converged : ndarray of shape (n_pixels,), bool
        Whether the pixel met the stopping criterion of the solver.
    largest : float or None
        A number that no magnitude in the spectra exceeds, if the solver has computed one.
    """

    abundances: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
    largest: float | None = None


def normalize_abundances(abundances: ArrayLike) -> NDArray[Any]:
    """Rescale each row to sum to one, in place.

    A row of zeros has no information about the fractions, and becomes 1 / n_endmembers.

    Parameters
    ----------
    abundances : ndarray of shape (n_pixels, n_endmembers)
        Non-negative. It is overwritten.

    Returns
    -------
    abundances : ndarray of shape (n_pixels, n_endmembers)
        The same array.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import normalize_abundances
    >>> normalize_abundances(np.array([[1.0, 3.0], [0.0, 0.0]]))
    array([[0.25, 0.75],
           [0.5 , 0.5 ]])
    """
    total = abundances.sum(axis=1, keepdims=True)
    abundances[total[:, 0] == 0] = 1.0
    total[total == 0] = abundances.shape[1]
    abundances /= total
    return abundances
