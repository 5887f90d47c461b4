"""Least squares without x ≥ 0, in closed form, and with λ‖x‖₁ the lasso."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgWarning, helmert
from sklearn.utils import gen_batches

from ..utils.threads import map_threads
from ._checks import check_data, check_lam, check_norms, row_norms
from ._solution import CSRSolution
from .active_set import csr_active_set

# Pixels of a block.
_BLOCK = 2048
# If the sine of the angle between an endmember and the others is smaller, as after a conversion to
# float32, the solution is mostly rounding.
_LEAST_SINE = 1e-7


class LeastSquaresFactorization:
    r"""Singular value decomposition of the endmembers, for least squares without x ≥ 0.

    With A = VSUᵀ, the solution of the smallest norm is x = US⁻¹Vᵀy. With Σx = 1, x = c + Hᵀw, where
    c = 1/n_endmembers, the rows of H are orthonormal and orthogonal to 1, and w is the solution of
    the smallest norm for y − Ac and AHᵀ.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands)
        Endmember spectra, one per row.
    sum_to_one : bool, default=False
        Whether to constrain Σx = 1.

    Attributes
    ----------
    basis : ndarray of shape (rank, n_bands)
        Vᵀ: orthonormal spectra that span those of the endmembers, or of their differences.
    weights : ndarray of shape (n_endmembers, rank)
        US⁻¹, or HᵀUS⁻¹.
    centre : ndarray of shape (n_endmembers,)
        c, or zero.
    unique : bool
        Whether the solution is unique.
    least_sine : float
        Smallest singular value of the endmembers at unit length.

    Examples
    --------
    >>> from skunmix.solvers import LeastSquaresFactorization
    >>> LeastSquaresFactorization([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).unique
    False
    """

    def __init__(self, endmembers, *, sum_to_one=False):
        endmembers = np.array(endmembers, dtype=np.float64)
        n_endmembers = len(endmembers)
        self.sum_to_one = bool(sum_to_one)
        self.centre = np.full(n_endmembers, 1.0 / n_endmembers if sum_to_one else 0.0)
        self.mean = self.centre @ endmembers
        free = _rows_orthogonal_to_one(n_endmembers) if sum_to_one else np.eye(n_endmembers)
        directions = free @ endmembers
        U, S, Vt = np.linalg.svd(directions, full_matrices=False)
        # the differences of endmembers hold the rounding errors of the endmembers
        size = np.linalg.norm(endmembers, 2)
        kept = max(endmembers.shape) * np.finfo(np.float64).eps * size < S
        self.basis = np.ascontiguousarray(Vt[kept])
        self.weights = np.ascontiguousarray(free.T @ (U[:, kept] / S[kept]))
        self.unique = len(self.basis) == len(directions)

        norms = row_norms(endmembers)
        if sum_to_one:  # a band of constant value, so that endmembers a and 2a are independent
            band = np.median(norms) or 1.0
            endmembers = np.column_stack([endmembers, np.full(n_endmembers, band)])
            norms = np.hypot(norms, band)
        atoms = endmembers / np.where(norms > 0, norms, 1.0)[:, np.newaxis]
        self.least_sine = 0.0
        if len(atoms) <= atoms.shape[1]:
            self.least_sine = float(np.linalg.svd(atoms, compute_uv=False)[-1])

    def warn_if_not_unique(self, stacklevel=2):
        """Warn if the solution is not unique, or hardly so."""
        rank, n_endmembers = len(self.basis) + self.sum_to_one, len(self.weights)
        dependent = "affinely" if self.sum_to_one else "linearly"
        if not self.unique:
            what = (
                f"are {dependent} dependent (rank {rank}, expected {n_endmembers}), so that their "
                f"abundances are not unique without positive=True, and those of the smallest norm "
                f"are returned"
            )
        elif self.least_sine < _LEAST_SINE:
            what = (
                f"are {dependent} dependent but for a fraction of {self.least_sine:.0e}, so that "
                f"without positive=True the abundances are mostly rounding errors"
            )
        else:
            return
        warnings.warn(
            f"The {n_endmembers} endmembers {what}; drop those that are mixtures of others, or set "
            f"positive=True.",
            LinAlgWarning,
            stacklevel=stacklevel + 1,
        )


def _rows_orthogonal_to_one(n):
    return helmert(n) if n > 1 else np.empty((0, 1))


def least_squares(
    spectra, endmembers, *, sum_to_one=False, factorization=None, n_jobs=None, out=None
):
    """Solve least squares without x ≥ 0, in closed form.

    For each spectrum y (a row), it minimises ½‖y − Ax‖², optionally subject to Σx = 1. Negative
    abundances are a sign of a material that is not among the endmembers, or of noise. If several x
    are solutions, the result is the one of the smallest norm.

    Parameters
    ----------
    spectra : array-like of shape (n_pixels, n_bands)
        Spectra, one per row.

    endmembers : array-like of shape (n_endmembers, n_bands)
        Endmember spectra, one per row, in the units of `spectra`.

    sum_to_one : bool, default=False
        Whether to constrain each row of the abundances to sum to one.

    factorization : LeastSquaresFactorization, default=None
        That of the endmembers, to compute it only once. It determines `sum_to_one`.

    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :func:`joblib.parallel_config` context, -1
        means all processors.

    out : ndarray of shape (n_pixels, n_endmembers), default=None
        Array for the abundances, which are converted to its type. None makes an array of float64.

    Returns
    -------
    solution : CSRSolution
        Abundances (n_pixels, n_endmembers), of either sign.

    Raises
    ------
    ValueError
        If the numbers of bands differ, or there is a NaN.

    Warns
    -----
    LinAlgWarning
        If the endmembers are linearly dependent (with the constraint, affinely), and no
        factorization is given.

    See Also
    --------
    lasso : The same with λ‖x‖₁.
    csr_active_set : The same with x ≥ 0.

    References
    ----------
    C. L. Lawson and R. J. Hanson, "Solving Least Squares Problems", ch. 20, SIAM 1995: the
    constraint as an orthogonal change of variables.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import least_squares
    >>> endmembers = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> least_squares([[0.7, -0.3, 0.4]], endmembers).abundances.round(4)
    array([[ 0.7, -0.3]])
    >>> least_squares([[0.7, -0.3, 0.4]], endmembers, sum_to_one=True).abundances.round(4)
    array([[1., 0.]])
    """
    from ._correlation_kernel import correlate

    spectra, endmembers = check_data(spectra, endmembers, finite=False)
    if factorization is None:
        factorization = LeastSquaresFactorization(endmembers, sum_to_one=sum_to_one)
        factorization.warn_if_not_unique()
    basis, weights = factorization.basis, factorization.weights
    if not len(basis):  # the solution is the centre, and the kernel needs a row
        basis, weights = np.zeros((1, spectra.shape[1])), np.zeros((len(endmembers), 1))
    if out is None:
        out = np.empty((len(spectra), len(endmembers)))

    def solve_block(block):
        # compiled products, which are the same for any number of pixels
        rows = np.array(spectra[block], dtype=np.float64, order="C") - factorization.mean
        coordinates, norms = np.empty((len(rows), len(basis))), np.empty(len(rows))
        abundances = np.empty((len(rows), len(endmembers)))
        correlate(rows, basis, coordinates, norms)
        check_norms(norms, block.start)
        correlate(coordinates, weights, abundances, np.empty(len(rows)))
        out[block] = abundances + factorization.centre
        return norms.max()

    norms = map_threads(solve_block, list(gen_batches(len(spectra), _BLOCK)), n_jobs)
    largest = float(max(norms) + np.linalg.norm(factorization.mean))
    n_pixels = len(spectra)
    return CSRSolution(out, np.ones(n_pixels, np.int64), np.ones(n_pixels, bool), largest)


def lasso(
    spectra: ArrayLike,
    endmembers: Any,
    *,
    lam: float,
    max_iter: int | None = None,
    n_jobs: int | None = None,
    out: Any = None,
) -> CSRSolution:
    """Solve sparse regression without x ≥ 0 exactly: minimise ½‖y − Ax‖² + λ‖x‖₁.

    With x = u − v and u, v ≥ 0, this is constrained sparse regression for the endmembers and their
    negatives, which :func:`csr_active_set` solves.

    Parameters
    ----------
    spectra, endmembers, max_iter, n_jobs, out
        As for :func:`csr_active_set`.

    lam : float
        λ > 0, the weight of ‖x‖₁, in the units of `spectra` squared.

    Returns
    -------
    solution : CSRSolution
        Abundances (n_pixels, n_endmembers), of either sign.

    Raises
    ------
    ValueError
        If λ is not positive, the numbers of bands differ, or there is a NaN.

    See Also
    --------
    least_squares : The same for λ = 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import lasso
    >>> lasso([[0.7, -0.3]], np.eye(2), lam=0.1).abundances.round(4)
    array([[ 0.6, -0.2]])
    """
    spectra, endmembers = check_data(spectra, endmembers, finite=False)
    check_lam(lam)
    if lam == 0:
        raise ValueError("Expected lam > 0, got 0; use least_squares.")
    n_endmembers = len(endmembers)
    both = csr_active_set(
        spectra, np.vstack([endmembers, -endmembers]), lam=lam, max_iter=max_iter, n_jobs=n_jobs
    )
    positive, negative = both.abundances[:, :n_endmembers], both.abundances[:, n_endmembers:]
    if out is None:
        out = np.empty(positive.shape)
    out[...] = positive - negative
    return CSRSolution(out, both.n_iter, both.converged, both.largest)
