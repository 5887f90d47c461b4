"""CSR to the exact solution, by an active-set method on the Gram matrix."""

import warnings
from functools import cached_property, partial
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_scalar, gen_batches

from ..utils.threads import map_threads
from ._checks import check_data, check_lam, check_norms, row_norms, units
from ._solution import CSRSolution

# Size of the arrays of a block: about the cache of a core, and large enough that a block takes
# longer than the interpreter takes to switch threads.
_BLOCK_BYTES = 2**21
_BLOCK_PIXELS = 4096  # upper limit, so that no thread is left without work
# Number of pixels that ADMM solves at a time.
_FALLBACK_PIXELS = 4096


def csr_active_set(
    spectra: ArrayLike,
    endmembers: ArrayLike,
    *,
    lam: float = 0.0,
    sum_to_one: bool = False,
    max_iter: int | None = None,
    n_jobs: int | None = None,
    block_size: int | None = None,
    out: Any = None,
) -> CSRSolution:
    """Solve constrained sparse regression exactly, by an active-set method.

    For each spectrum y (a row), it minimises ½‖y − Ax‖² + λ‖x‖₁ subject to x ≥ 0, and optionally
    to Σx = 1, where the columns of A are the endmembers.

    The method is that of Lawson and Hanson [1]_ on the Gram matrix AᵀA [2]_, extended by λ and by
    the multiplier of the constraint. On a support P, x solves A_PᵀA_P x = A_Pᵀy − κ1, where κ is λ,
    or the multiplier for which Σx = 1. The endmember whose correlation with the residual exceeds κ
    most enters the support, and endmembers whose abundance would become negative leave it. The
    Cholesky factor of A_PᵀA_P is updated. The method ends at the optimum, where no correlation
    exceeds κ. With up to eight endmembers it first guesses supports, each from the signs of the
    previous solution [3]_, and ends if a guess is the optimum. AᵀA does not resolve a pixel if its
    endmembers are nearly collinear or its residual is nearly zero. Such a pixel is solved again by
    a QR factorisation of A_P, which exchanges linearly dependent endmembers for one another.

    The result of a pixel depends on that pixel alone, bit for bit: not on its neighbours, the
    order, `block_size` or `n_jobs`. (If the bands of the spectra are contiguous in memory, as in
    Fortran order, sums have another order, and results differ by rounding.) With linearly dependent
    endmembers the solution may not be unique. The result is then one of the solutions.

    Parameters
    ----------
    spectra : array-like of shape (n_pixels, n_bands)
        Spectra, one per row, of any real type and memory layout, also memory-mapped. They are
        converted to float64 block by block. Apart from the output, each thread uses a few MB.

    endmembers : array-like of shape (n_endmembers, n_bands)
        Endmember spectra, one per row, in the units of `spectra`.

    lam : float, default=0.0
        λ ≥ 0, the weight of ‖x‖₁, in the units of `spectra` squared. With ``sum_to_one=True`` it
        does not change the solution, because ‖x‖₁ is then 1 for every x.

    sum_to_one : bool, default=False
        Whether to constrain each row of the abundances to sum to one.

    max_iter : int, default=None
        Largest number of exchanges (endmembers that enter or leave the support) for a pixel. None
        is ten times the number of endmembers, which is far more than pixels need in practice.

    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :func:`joblib.parallel_config` context, -1
        means all processors.

    block_size : int, default=None
        Number of pixels in a block. None takes blocks that fit into the cache of a core.

    out : ndarray of shape (n_pixels, n_endmembers), default=None
        Array for the abundances, which are converted to its type. None makes an array of float64.
        The solution is always computed in float64.

    Returns
    -------
    solution : CSRSolution
        Abundances (n_pixels, n_endmembers), and the exchanges and convergence of each pixel.

    Raises
    ------
    ValueError
        If a parameter is out of range, the numbers of bands differ, or there is a NaN.

    Warns
    -----
    ConvergenceWarning
        If a pixel reached `max_iter`, or did not reach the optimum because of rounding. The warning
        has the number of such pixels. Their abundances come from :func:`csr_admm`, and `converged`
        is that of ADMM.

    See Also
    --------
    csr_path : Solve for many λ at once.
    csr_optimality : Certify given abundances.
    csr_admm : SUnSAL, which converges to the same solution.

    Notes
    -----
    numba compiles the core on first use, which takes some seconds, and keeps it on disk.

    References
    ----------
    .. [1] C. L. Lawson and R. J. Hanson, "Solving Least Squares Problems", ch. 23, SIAM 1995.
    .. [2] R. Bro and S. De Jong, "A fast non-negativity-constrained least squares algorithm",
       Journal of Chemometrics 11(5), 1997.
    .. [3] J. Kim and H. Park, "Fast nonnegative matrix factorization: an active-set-like method and
       comparisons", SIAM Journal on Scientific Computing 33(6), 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import csr_active_set
    >>> endmembers = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> spectra = np.array([[0.7, 0.3, 1.0], [-1.0, -1.0, -1.0]])
    >>> csr_active_set(spectra, endmembers).abundances.round(4)
    array([[0.7, 0.3],
           [0. , 0. ]])
    >>> csr_active_set(spectra, endmembers, sum_to_one=True).abundances.round(4)
    array([[0.7, 0.3],
           [0.5, 0.5]])
    """
    check_lam(lam)
    path = _solve(spectra, endmembers, float(lam), sum_to_one, max_iter, n_jobs, block_size, out)
    return CSRSolution(path.abundances[0], path.n_iter[0], path.converged[0], path.largest)


def csr_path(
    spectra: ArrayLike,
    endmembers: ArrayLike,
    lams: ArrayLike,
    *,
    sum_to_one: bool = False,
    max_iter: int | None = None,
    n_jobs: int | None = None,
    block_size: int | None = None,
    out: Any = None,
) -> CSRSolution:
    """Solve constrained sparse regression exactly, for every λ of a path.

    Each pixel starts at the largest λ, and each solution, with its Cholesky factor, is the start
    for the next smaller λ. Thirty values of λ take about as long as two or three single ones.

    Parameters
    ----------
    spectra : array-like of shape (n_pixels, n_bands)
        Spectra, one per row.

    endmembers : array-like of shape (n_endmembers, n_bands)
        Endmember spectra, one per row, in the units of `spectra`.

    lams : array-like of shape (n_lams,)
        The λ ≥ 0, in any order.

    sum_to_one, max_iter, n_jobs, block_size
        As for :func:`csr_active_set`. `max_iter` applies to each λ.

    out : ndarray of shape (n_lams, n_pixels, n_endmembers), default=None
        Array for the abundances, which are converted to its type. None makes an array of float64.
        It holds the whole path: for large scenes, call this function for some pixels at a time.

    Returns
    -------
    path : CSRSolution
        Abundances (n_lams, n_pixels, n_endmembers), and the exchanges and convergence, both of
        shape (n_lams, n_pixels), in the order of `lams`.

    Raises
    ------
    ValueError
        As in :func:`csr_active_set`, or if `lams` is empty or not one-dimensional.

    Warns
    -----
    ConvergenceWarning
        As in :func:`csr_active_set`.

    See Also
    --------
    csr_active_set : Solve for one λ.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import csr_path
    >>> endmembers = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> path = csr_path([[0.7, 0.3, 1.0]], endmembers, [0.0, 0.6, 10.0])
    >>> path.abundances[:, 0].round(4)
    array([[0.7, 0.3],
           [0.5, 0.1],
           [0. , 0. ]])
    """
    lams = np.asarray(lams, dtype=np.float64, order="C")
    if lams.ndim != 1 or not len(lams):
        raise ValueError(
            f"Expected lams as a non-empty list of numbers, got shape {lams.shape}; use "
            f"csr_active_set for one λ, or pass a list of one."
        )
    for lam in lams:
        check_lam(lam)
    return _solve(spectra, endmembers, lams, sum_to_one, max_iter, n_jobs, block_size, out)


class _Library:
    """The endmembers for the kernels: atoms of norm 1, which leave the problem the same.

    With the weights c = 1/‖a‖ and x̂ⱼ = xⱼ/cⱼ, Ax = Âx̂ and 1ᵀx = cᵀx̂.

    With the constraint, endmembers and spectra first get one more band of constant value √s. It
    does not change the solution, as √sΣx = √s for all x. Without it, the solution would not seem
    unique for endmembers that are linearly but not affinely dependent, such as a and 2a, or one of
    zeros ("shade"). √s is the median of the norms, on which a single extreme value has no effect.
    """

    def __init__(self, endmembers, sum_to_one):
        from ._correlation_kernel import correlate

        n_endmembers, n_bands = endmembers.shape
        self.norms = row_norms(endmembers)
        self.sum_to_one = bool(sum_to_one)
        self.extra_band = 0.0
        self.unit = 1.0  # divisor of spectra and endmembers, needed only with the constraint
        if sum_to_one:
            sizes = np.sort(self.norms[self.norms > 0])
            self.extra_band = sizes[(len(sizes) - 1) // 2] if len(sizes) else 1.0
            self.unit = float(units(self.extra_band))
            self.extra_band, self.norms = self.extra_band / self.unit, self.norms / self.unit
            endmembers = endmembers / self.unit
        norms = np.hypot(self.norms, self.extra_band)
        norms[norms == 0] = 1.0
        self.weights = 1.0 / norms
        self.endmembers = endmembers
        self.atoms = endmembers / norms[:, np.newaxis]
        self.gram = np.empty((n_endmembers, n_endmembers))
        correlate(self.atoms, self.atoms, self.gram, np.empty(n_endmembers))
        self.gram += np.outer(self.extra_band * self.weights, self.extra_band * self.weights)
        self.superfluous = _superfluous(self.gram, self.atoms, self.weights)
        # No larger support is linearly independent.
        self.capacity = min(n_endmembers, n_bands + self.sum_to_one)

    def correlate(self, spectra, block):
        """Return the correlations of the atoms with a block of spectra, and the spectra's norms.

        Spectra of float32 and float64 are read in their memory layout, by pixels or by bands.
        """
        from ._correlation_kernel import correlate, correlate_bands

        n_pixels = block.stop - block.start
        correlations, norms = np.empty((n_pixels, len(self.atoms))), np.empty(n_pixels)
        if not _needs_no_copy(spectra):
            spectra, block = spectra[block].astype(np.float64), slice(0, n_pixels)
        if spectra.flags.f_contiguous and not spectra.flags.c_contiguous:
            bands = spectra.T
            correlate_bands(bands, block.start, block.stop, self.atoms, correlations, norms)
        else:
            rows = np.ascontiguousarray(spectra[block])
            correlate(rows, self.atoms, correlations, norms)
        if self.unit != 1.0:
            correlations, norms = correlations / self.unit, norms / self.unit
        if self.sum_to_one:
            correlations += self.extra_band * (self.extra_band * self.weights)
            norms = np.hypot(norms, self.extra_band)
        if len(self.superfluous):
            correlations[:, self.superfluous] = -np.inf
        return correlations, norms

    def may_guess(self, max_iter):
        """Return whether the endmembers are few enough to guess supports."""
        from ._active_set_kernel import MOST_GUESSED_ATOMS

        n_atoms = len(self.atoms)
        return n_atoms == self.capacity and n_atoms <= min(MOST_GUESSED_ATOMS, max_iter)

    @cached_property
    def directions(self):
        """The frame of the endmembers, and their directions in it, for `solve_with_qr`.

        If there are fewer endmembers than bands, a QR factorisation reduces the bands to as many
        coordinates as endmembers. It keeps their condition number.
        """
        n_endmembers, n_bands = self.endmembers.shape
        directions = self.endmembers / np.where(self.norms > 0, self.norms, 1.0)[:, np.newaxis]
        if n_endmembers >= n_bands:
            return np.empty((0, n_bands)), directions
        frame, factor = np.linalg.qr(directions.T)
        return np.ascontiguousarray(frame.T), np.ascontiguousarray(factor.T)


def _superfluous(gram, atoms, weights):
    """Return the atoms that never need to enter: zeros, and duplicates.

    Of equal atoms, the one with the smallest weight, and so the smallest penalty by λ, remains.
    """
    zero = np.flatnonzero(np.diagonal(gram) == 0)
    alike = gram > 1.0 - 1e-12
    np.fill_diagonal(alike, False)
    twins = np.flatnonzero(alike.any(axis=1))
    if not len(twins):
        return zero
    twins = twins[np.argsort(weights[twins], kind="stable")]
    _, first = np.unique(atoms[twins], axis=0, return_index=True)
    return np.union1d(zero, np.delete(twins, first))


def _needs_no_copy(spectra):
    return spectra.dtype in (np.float32, np.float64) and spectra.flags.aligned


def _solve(spectra, endmembers, lams, sum_to_one, max_iter, n_jobs, block_size, out):
    """Solve for one λ or an array of λ, and solve the remaining pixels by ADMM."""
    # the kernel checks that spectra are finite, without another pass over a scene
    spectra, endmembers = check_data(spectra, endmembers, finite=False)
    n_pixels, n_endmembers = len(spectra), len(endmembers)
    shape = (*np.shape(lams), n_pixels, n_endmembers)
    if out is None:
        out = np.zeros(shape)
    elif out.shape != shape:
        raise ValueError(
            f"Expected out of the shape {shape} of the abundances, got {out.shape}; pass an array "
            f"of this shape, or None."
        )
    if np.ndim(lams) == 0:
        lams, out = np.array([lams]), out[np.newaxis]
    if max_iter is None:
        max_iter = 10 * n_endmembers
    check_scalar(max_iter, "max_iter", Integral, min_val=1)
    if block_size is None:
        row = 8 * (2 * n_endmembers + (0 if _needs_no_copy(spectra) else spectra.shape[1]))
        block_size = min(max(16, _BLOCK_BYTES // row), _BLOCK_PIXELS)
    check_scalar(block_size, "block_size", Integral, min_val=1)

    n_iter = np.zeros(out.shape[:2], dtype=np.int64)
    status = np.zeros(out.shape[:2], dtype=np.uint8)
    solve_block = partial(
        _solve_block,
        spectra=spectra,
        library=_Library(endmembers, sum_to_one),
        lams=lams,
        max_iter=max_iter,
        out=out,
        n_iter=n_iter,
        status=status,
    )
    norms = map_threads(solve_block, list(gen_batches(n_pixels, block_size)), n_jobs)

    solution = CSRSolution(out, n_iter, status == 0, max(norms))
    if status.any():
        _fall_back(solution, spectra, endmembers, lams, sum_to_one)
    return solution


def _solve_block(block, spectra, library, lams, max_iter, out, n_iter, status):
    """Solve a block of pixels into out, n_iter and status, first by the fast kernel.

    Return the largest norm of a pixel, with the extra band.
    """
    from ._active_set_kernel import OPEN, UNSOLVED, guess_with_gram, solve_with_gram

    n_iter, status = n_iter[:, block], status[:, block]
    # the kernel writes only values that are not zero
    in_place = out.dtype == np.float64 and out.flags.aligned
    abundances = out[:, block] if in_place else np.empty(out[:, block].shape)
    abundances[...] = 0.0
    correlations, norms = library.correlate(spectra, block)
    status[...] = OPEN
    problem = library.gram, library.weights, correlations, norms
    results = abundances, n_iter, status
    # the rest is for the careful kernel, if this one cycles by rounding
    most = (max_iter + 1) // 2
    if len(lams) == 1 and library.may_guess(most):
        guess_with_gram(*problem, lams[0], library.sum_to_one, most, *results)
    if (status == OPEN).any():
        order = np.argsort(-lams)
        solve_with_gram(*problem, lams, order, library.sum_to_one, library.capacity, most, *results)
    if status.any():
        from ._careful_kernel import solve_with_qr

        check_norms(norms, block.start)
        hard = np.flatnonzero((status == UNSOLVED).any(axis=0))
        careful = [np.ascontiguousarray(rest[:, hard]) for rest in (abundances, n_iter, status)]
        solve_with_qr(
            np.array(spectra[block][hard], np.float64, order="C") / library.unit,
            *library.directions,
            library.norms,
            lams,
            library.sum_to_one,
            library.extra_band,
            library.capacity,
            max_iter,
            *careful,
        )
        abundances[:, hard], n_iter[:, hard], status[:, hard] = careful
    if not in_place:
        out[:, block] = abundances
    return float(norms.max()) * library.unit


def _fall_back(solution, spectra, endmembers, lams, sum_to_one):
    """Solve pixels that did not converge by ADMM, and warn."""
    from .admm import csr_admm

    n_unsolved = np.count_nonzero(~solution.converged.all(axis=0))
    for k, lam in enumerate(lams):
        unsolved = np.flatnonzero(~solution.converged[k])
        for batch in gen_batches(len(unsolved), _FALLBACK_PIXELS):
            pixels = unsolved[batch]
            rows = np.asarray(spectra[pixels], dtype=np.float64)
            admm = csr_admm(rows, endmembers, lam=float(lam), sum_to_one=sum_to_one)
            solution.abundances[k, pixels] = admm.abundances
            solution.n_iter[k, pixels] = admm.n_iter
            solution.converged[k, pixels] = admm.converged
    still = np.count_nonzero(~solution.converged.all(axis=0))
    warnings.warn(
        f"The active set did not reach the optimum of {n_unsolved} of {len(spectra)} pixels, whose "
        f"abundances come from ADMM instead ({still} of them not converged); raise max_iter if "
        f"you set it, or look for nearly identical endmembers.",
        ConvergenceWarning,
        stacklevel=4,
    )
