"""CSR by the alternating direction method of multipliers: SUnSAL."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_scalar, gen_batches

from ..utils.threads import map_threads
from ._checks import check_problem, row_norms, units
from ._solution import CSRSolution, normalize_abundances

# Number of iterations between checks of the residuals, because a check costs about as much as an
# iteration. It is fixed, so that the result of a pixel does not depend on its neighbours.
_CHECK_EVERY = 10
# Size of each array of a block, so that all of them (x, z, d, …) fit into the cache of a core.
_BLOCK_BYTES = 2**18


class ADMMFactorization:
    """The x-update, which depends only on the endmembers, µ and the constraint.

    Without the constraint, x = Mb with M = (AᵀA + µI)⁻¹. On the plane Σx = 1, x = PMb + s with
    s = M1/(1ᵀM1) and P = I − s1ᵀ.

    An endmember whose norm is more than 1000 times the median (or, without the constraint, less
    than a thousandth of it) is scaled to the median by a power of two, because it alone would
    determine the scale of all. Here, x is that of the scaled endmembers.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ).
    sum_to_one : bool
        Whether x stays on the plane Σx = 1.
    mu : float or None
        µ. None takes `default_mu` of AᵀA.

    Attributes
    ----------
    endmembers, sum_to_one, mu
        As given. µ has its default value if it was None, and is divided by the unit squared.
    unit : float
        Divisor of spectra and endmembers: 1, unless their squares overflow or vanish.
    scales : ndarray of shape (n_endmembers,)
        Further divisor of each endmember: 1, unless it is out of proportion.
    scaled : ndarray of shape (n_endmembers, n_bands)
        The endmembers, divided by unit and scales.
    matrix : ndarray of shape (n_endmembers, n_endmembers)
        M, or PM.
    offset : ndarray of shape (n_endmembers,)
        0, or s.
    gradient_scale : float
        Mean eigenvalue of AᵀA, which is the size of a gradient for abundances of size 1.
    """

    def __init__(
        self, endmembers: ArrayLike, *, sum_to_one: bool = False, mu: float | None = None
    ) -> None:
        self.endmembers = np.ascontiguousarray(endmembers, dtype=np.float64)
        self.sum_to_one = sum_to_one
        self.unit, self.scales = _scales(row_norms(self.endmembers), sum_to_one)
        self.scaled = self.endmembers / self.unit / self.scales[:, np.newaxis]
        eigenvalues, eigenvectors = np.linalg.eigh(self.scaled @ self.scaled.T)
        self.mu = default_mu(eigenvalues) if mu is None else float(mu) / self.unit / self.unit
        # use the eigenvectors, as AᵀA + µI is too ill-conditioned to invert for a tiny µ
        shrunk = np.maximum(eigenvalues, 0.0) + self.mu
        self.matrix = (eigenvectors / shrunk) @ eigenvectors.T
        self.offset = np.zeros(len(shrunk))
        if sum_to_one:
            direction = self.matrix @ (1.0 / self.scales)
            self.offset = direction / np.sum(direction / self.scales)
            self.matrix = self.matrix - np.outer(self.offset, direction)
        self.gradient_scale = np.maximum(eigenvalues, 0.0).mean()

    def solve(self, right_hand_side: NDArray[Any]) -> NDArray[Any]:
        """Return x for each row b of the right-hand side."""
        return right_hand_side @ self.matrix.T + self.offset


def _scales(norms, sum_to_one):
    typical = np.quantile(norms[norms > 0], 0.5, method="lower") if norms.any() else 1.0
    ratio = np.where(norms > 0, norms / typical, 1.0)
    # with the constraint, small endmembers have abundances of the same size as others
    moderate = (ratio < 1e3) & ((ratio > 1e-3) | sum_to_one)
    return float(units(typical)), np.where(moderate, 1.0, 2.0 ** np.round(np.log2(ratio)))


def default_mu(eigenvalues):
    """Return µ = √(λ_min λ_max) of AᵀA, the best rate for ADMM on a quadratic programme.

    Eigenvalues below 1e-10 λ_max count as zeros, which occur with more endmembers than bands, and
    are left out. For 6 to 240 USGS spectra, the best fixed µ is within a factor of four of this.
    """
    largest = np.max(eigenvalues)
    smallest = np.min(eigenvalues, where=eigenvalues > 1e-10 * largest, initial=largest)
    return float(np.sqrt(smallest * largest)) or 1.0


def csr_admm(
    spectra: ArrayLike,
    endmembers: ArrayLike,
    *,
    lam: float = 0.0,
    sum_to_one: bool = False,
    mu: float | None = None,
    max_iter: int = 10_000,
    tol: float = 1e-8,
    relaxation: float = 1.0,
    factorization: Any = None,
    n_jobs: int | None = None,
    out: Any = None,
) -> CSRSolution:
    """Solve constrained sparse regression by ADMM (SUnSAL).

    For each spectrum y (a row), it minimises ½‖y − Ax‖² + λ‖x‖₁ subject to x ≥ 0, and optionally
    to Σx = 1, where the columns of A are the endmembers. From z = d = 0 it iterates ::

        x ← (AᵀA + µI)⁻¹(Aᵀy + µ(z + d))         (on the plane Σx = 1 with the constraint)
        z ← max(soft(x − d, λ/µ), 0)
        d ← d − (x − z)

    and returns z. Each pixel stops by its own residuals, so that its result does not depend on the
    other pixels or on the blocks.

    Parameters
    ----------
    spectra, endmembers, lam, sum_to_one, n_jobs, out
        As for :func:`csr_active_set`.

    mu : float, default=None
        µ > 0, the penalty, in the units of `spectra` squared. None takes √(λ_min λ_max) of AᵀA.

    max_iter : int, default=10_000
        Largest number of iterations for a pixel.

    tol : float, default=1e-8
        A pixel has converged if ‖x − z‖ and µ‖z − z_previous‖ are not larger than `tol` times the
        scale of the abundances and of the correlations Aᵀy. This is checked every ten iterations.

    relaxation : float, default=1.0
        Over-relaxation in (0, 2): the updates of z and d use ``relaxation * x + (1 - relaxation)
        * z`` instead of x. About 1.6 saves up to a third of the iterations.

    factorization : ADMMFactorization, default=None
        Factorization of `endmembers`, to use again. Its `sum_to_one` and `mu` override the
        parameters.

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
    J. M. Bioucas-Dias and M. A. T. Figueiredo, "Alternating direction algorithms for constrained
    sparse regression: Application to hyperspectral unmixing", WHISPERS 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import csr_admm
    >>> endmembers = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> spectra = np.array([[0.7, 0.3, 1.0], [-1.0, -1.0, -1.0]])
    >>> csr_admm(spectra, endmembers).abundances.round(4)
    array([[0.7, 0.3],
           [0. , 0. ]])
    """
    spectra, endmembers = check_problem(spectra, endmembers, lam=lam, mu=mu, max_iter=max_iter)
    check_scalar(tol, "tol", Real, min_val=0)
    check_scalar(relaxation, "relaxation", Real, min_val=0, max_val=2, include_boundaries="neither")
    if factorization is None:
        factorization = ADMMFactorization(endmembers, sum_to_one=sum_to_one, mu=mu)

    n_pixels, n_endmembers = len(spectra), len(endmembers)
    solution = CSRSolution(
        abundances=np.empty((n_pixels, n_endmembers)) if out is None else out,
        n_iter=np.empty(n_pixels, dtype=np.intp),
        converged=np.empty(n_pixels, dtype=bool),
    )
    block_size = max(64, _BLOCK_BYTES // (8 * n_endmembers))

    def solve_block(block):
        unit, scales = factorization.unit, factorization.scales
        rows = np.asarray(spectra[block], dtype=np.float64)
        correlations = (rows if unit == 1.0 else rows / unit) @ factorization.scaled.T
        penalty, units_of_pixels = lam / unit / unit, 1.0
        scaled = (scales != 1.0).any()
        if factorization.sum_to_one:
            # λ does not change the solution, and would depend on the scale of each endmember
            penalty = 0.0 if scaled else penalty
        else:
            units_of_pixels = units(np.abs(correlations).max(axis=1, keepdims=True))
            if scaled or (units_of_pixels != 1.0).any():
                correlations /= units_of_pixels
                penalty = penalty / scales / units_of_pixels
        abundances, solution.n_iter[block], solution.converged[block] = _admm_block(
            correlations, factorization, penalty, max_iter, tol, relaxation
        )
        abundances *= units_of_pixels / scales
        if factorization.sum_to_one:
            # z is on the plane only within the tolerance, and far from it before convergence
            solution.converged[block] &= abundances.any(axis=1)
            normalize_abundances(abundances)
        solution.abundances[block] = abundances

    map_threads(solve_block, list(gen_batches(n_pixels, block_size)), n_jobs)
    return solution


def _admm_block(correlations, factorization, lam, max_iter, tol, relaxation):
    """Iterate on the correlations Aᵀy of a block; pixels leave the block when they converge.

    λ is a number, or has the shape of the correlations.
    """
    abundances = np.empty_like(correlations)
    n_iter = np.full(len(correlations), max_iter)
    converged = np.zeros(len(correlations), dtype=bool)

    mu = factorization.mu
    threshold = lam / mu
    z = np.zeros_like(correlations)
    d = np.zeros_like(correlations)
    pixels = np.arange(len(correlations))
    for iteration in range(1, max_iter + 1):
        z_previous = z
        x = factorization.solve(correlations + mu * (z + d))
        x_relaxed = x if relaxation == 1 else relaxation * x + (1 - relaxation) * z
        # for a threshold ≥ 0, max(soft(v, threshold), 0) = max(v − threshold, 0)
        z = np.maximum(x_relaxed - d - threshold, 0.0)
        d = d - (x_relaxed - z)

        if iteration % _CHECK_EVERY and iteration != max_iter:
            continue
        done = _residual(x, z, z_previous, correlations, factorization) <= tol
        leaving = pixels[done]
        abundances[leaving] = z[done]
        n_iter[leaving] = iteration
        converged[leaving] = True
        if done.any():
            correlations, z, d, pixels = (rows[~done] for rows in (correlations, z, d, pixels))
            threshold = threshold[~done] if np.ndim(threshold) else threshold
        if not len(pixels):
            break
    abundances[pixels] = z
    return abundances, n_iter, converged


def _residual(x, z, z_previous, correlations, factorization):
    """Return the larger of the primal and the dual residual of each pixel, over its scale."""
    norm = np.linalg.norm
    # Aᵀy has the scale of the gradient. Divided by the scale of AᵀA, it has that of the abundances.
    # Both come from z for a spectrum of zeros.
    spread = factorization.gradient_scale or 1.0
    gradient = np.maximum(norm(correlations, axis=1), spread * norm(z, axis=1))
    abundance = np.maximum(norm(z, axis=1), norm(correlations, axis=1) / spread / len(x.T))
    primal = _over(norm(x - z, axis=1), abundance)
    dual = _over(factorization.mu * norm(z - z_previous, axis=1), gradient)
    return np.maximum(primal, dual)


def _over(residual, scale):
    return np.divide(residual, scale, out=np.zeros_like(residual), where=residual > 0)
