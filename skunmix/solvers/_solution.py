"""What every solver of the CSR problem returns."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class CSRSolution:
    """Abundances and how they were reached, a row (or an entry) a pixel.

    Attributes
    ----------
    abundances : ndarray of shape (n_pixels, n_endmembers)
        Non-negative; rows sum to one where the solver was asked for that.
    n_iter : ndarray of shape (n_pixels,), int
        Iterations that the pixel took.
    converged : ndarray of shape (n_pixels,), bool
        Whether the pixel met the solver's stopping rule.
    """

    abundances: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray


def normalize_abundances(abundances):
    """Rescale each row to sum to one, in place.

    A row of zeros says nothing about the fractions, and gets 1 / n_endmembers in each place.

    Parameters
    ----------
    abundances : ndarray of shape (n_pixels, n_endmembers)
        Non-negative; overwritten.

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
