"""CSR by proximal gradient steps: ISTA."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import gen_batches

from ._checks import check_problem, units
from ._solution import CSRSolution

_BLOCK_BYTES = 2**18


def csr_ista(
    spectra: ArrayLike,
    endmembers: ArrayLike,
    *,
    lam: float = 0.0,
    max_iter: int = 10_000,
    tol: float = 1e-6,
) -> CSRSolution:
    """Solve constrained sparse regression by the iterative soft-thresholding algorithm.

    For each spectrum y (a row), it minimises ½‖y − Ax‖² + λ‖x‖₁ subject to x ≥ 0, where the columns
    of A are the endmembers. From z = 0 it iterates ::

        z ← max(soft(z + Aᵀ(y − Az)/L, λ/L), 0)         with L = λ_max(AᵀA).

    `ISTANetRegressor` unrolls this algorithm. It is slow: to solve the problem, use
    `csr_active_set`.

    Parameters
    ----------
    spectra, endmembers, lam
        As for :func:`csr_active_set`.

    max_iter : int, default=10_000
        Largest number of iterations for a pixel.

    tol : float, default=1e-6
        A pixel has converged if a step changes it by at most `tol` times its norm.

    Returns
    -------
    solution : CSRSolution
        Abundances (n_pixels, n_endmembers), and the iterations and convergence of each pixel.

    Raises
    ------
    ValueError
        If a parameter is out of range, the numbers of bands differ, or there is a NaN.

    References
    ----------
    I. Daubechies, M. Defrise and C. De Mol, "An iterative thresholding algorithm for linear
    inverse problems with a sparsity constraint", Communications on Pure and Applied
    Mathematics 57 (2004).

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import csr_ista
    >>> endmembers = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> csr_ista([[0.7, 0.3, 1.0]], endmembers).abundances.round(4)
    array([[0.7, 0.3]])
    """
    spectra, endmembers = check_problem(spectra, endmembers, lam=lam, max_iter=max_iter)
    # powers of two prevent squares from overflowing or vanishing, and change nothing else
    unit = float(units(np.abs(endmembers).max()))
    endmembers = endmembers / unit
    gram = endmembers @ endmembers.T
    lipschitz = np.linalg.eigvalsh(gram)[-1] or 1.0

    n_pixels, n_endmembers = len(spectra), len(endmembers)
    abundances = np.zeros((n_pixels, n_endmembers))
    n_iter = np.full(n_pixels, max_iter)
    converged = np.zeros(n_pixels, dtype=bool)
    block_size = max(64, _BLOCK_BYTES // (8 * n_endmembers))
    for block in gen_batches(n_pixels, block_size):
        correlations = np.asarray(spectra[block], dtype=np.float64) @ endmembers.T
        units_of_pixels = units(np.abs(correlations).max(axis=1, keepdims=True))
        correlations /= units_of_pixels
        penalty = lam / unit / units_of_pixels
        pixels = np.arange(block.start, block.stop)
        z = np.zeros_like(correlations)
        for iteration in range(1, max_iter + 1):
            z_previous = z
            z = np.maximum(z + (correlations - z @ gram - penalty) / lipschitz, 0.0)
            step = np.linalg.norm(z - z_previous, axis=1)
            going = step > tol * np.linalg.norm(z, axis=1)
            if going.all():
                continue
            leaving = pixels[~going]
            abundances[leaving] = z[~going]
            n_iter[leaving] = iteration
            converged[leaving] = True
            correlations, z, pixels = correlations[going], z[going], pixels[going]
            penalty = penalty[going]
            if not len(pixels):
                break
        abundances[pixels] = z
        abundances[block] *= units_of_pixels / unit
    return CSRSolution(abundances, n_iter, converged)
