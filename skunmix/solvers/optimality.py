"""The objective of CSR for given abundances, and a certificate of the optimum."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array, extmath, gen_batches

from ..utils.validation import check_same_bands
from ._checks import check_labels, check_lam, check_unsigned, row_norms, units
from ._resolution import LARGEST_SHARE, ROUNDING, Resolution
from .least_squares import LeastSquaresFactorization

# Size of all arrays of a block, in bytes.
_BLOCK_BYTES = 2**23
# Smallest result for a pixel whose objective may be too high.
_DOUBTFUL = 1e-7


def csr_objective(
    spectra: ArrayLike, endmembers: ArrayLike, abundances: ArrayLike, *, lam: float = 0.0
) -> NDArray[Any]:
    """Return the objective of constrained sparse regression, ½‖y − Ax‖² + λ‖x‖₁.

    Parameters
    ----------
    spectra, endmembers, lam
        As for :func:`csr_active_set`.

    abundances : array-like of shape (n_pixels, n_endmembers)
        Abundances x, one pixel per row.

    Returns
    -------
    objective : ndarray of shape (n_pixels,)
        In the units of `spectra` squared. The sum is the objective of a scene.

    Raises
    ------
    ValueError
        If the shapes do not fit, λ is negative, or there is a NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import csr_objective
    >>> csr_objective([[1.0, 1.0]], np.eye(2), [[0.5, 0.5]], lam=0.5)
    array([0.75])
    """
    spectra, endmembers, abundances = _check(spectra, endmembers, abundances, lam)
    objective = np.empty(len(spectra))
    for block, y, x in _blocks(spectra, endmembers, abundances):
        residual = y - x @ endmembers
        objective[block] = 0.5 * np.sum(residual**2, axis=1) + lam * np.sum(np.abs(x), axis=1)
    return objective


def csr_optimality(
    spectra: ArrayLike,
    endmembers: ArrayLike,
    abundances: ArrayLike,
    *,
    lam: float = 0.0,
    sum_to_one: bool = False,
    positive: bool = True,
) -> NDArray[Any]:
    """Return the KKT residual of constrained sparse regression, which is zero at the optimum.

    With the gradient g = Aᵀ(Ax − y) + λ1 (+ ν1 with the constraint), x is optimal if and only if
    xⱼ ≥ 0, gⱼ ≥ 0 and xⱼgⱼ = 0 for every endmember, or min(xⱼ, gⱼ) = 0, and Σx = 1 with the
    constraint. Abundances and gradients have different units, so that both are first made
    dimensionless. The residual of a pixel is ::

        maxⱼ |min(xⱼ‖aⱼ‖, gⱼ/‖aⱼ‖)| / max(‖y‖, ‖Ax‖),

    or ``|Σx − 1|`` if that is larger. gⱼ/(‖aⱼ‖‖y‖) is the cosine between an endmember and the
    residual of the spectrum. The result does not change if spectra are scaled (and λ accordingly),
    or an endmember is. It covers all conditions: a negative abundance, a gradient on the support or
    pointing inwards off the support, and an abundance that should be zero.

    With the constraint, the size of an abundance is fixed: Σxⱼ‖aⱼ‖ replaces ‖Ax‖, and its square is
    added to ‖aⱼ‖². ν is the multiplier for which xᵀg = 0.

    If endmembers are nearly collinear, all these terms may be zero up to rounding for abundances
    that are far from the optimum. The residual is therefore at least 1e-7 if steps along the
    endmembers in use, and one more, could lower the objective by more than 1e-8 of its value, or if
    rounding hides whether they could. (A distance ‖y − Ax‖ of about 1e-15 of the spectrum is an
    exact fit, and endmembers at an angle of 1e-13 to others are linear combinations of them.) Where
    an exact fit exists, abundances that leave 1e-14 of the spectrum are therefore not certified,
    although they differ by rounding only: the exact solver may return such for endmembers of a
    condition number above 1e4.

    Without x ≥ 0 and λ, the residual is that of the normal equations: the distance of Ax from that
    of the optimum, which is the projection of y − Ax on the endmembers (with the constraint, on
    their differences), divided by the same scale. With λ, it is that of the equivalent problem for
    the endmembers and their negatives.

    Parameters
    ----------
    spectra, endmembers, lam
        As for :func:`csr_active_set`.

    abundances : array-like of shape (n_pixels, n_endmembers)
        Abundances x to certify, one pixel per row.

    sum_to_one : bool, default=False
        Whether Σx = 1 is part of the problem.

    positive : bool, default=True
        Whether x ≥ 0 is part of the problem.

    Returns
    -------
    residual : ndarray of shape (n_pixels,)
        Dimensionless. Up to 1e-8 certifies the optimum. Exact solutions in float64 reach 1e-15, and
        abundances rounded to float32 about 1e-7.

    Raises
    ------
    ValueError
        If the shapes do not fit, λ is negative, or there is a NaN; or for λ > 0 with
        ``sum_to_one=True, positive=False``, which no solver solves.

    See Also
    --------
    csr_active_set : Compute the exact solution.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import csr_optimality
    >>> spectra = [[0.7, 0.3], [0.7, 0.3]]
    >>> csr_optimality(spectra, np.eye(2), [[0.7, 0.3], [0.7, 0.2]]).round(3)
    array([0.   , 0.131])
    """
    spectra, endmembers, abundances = _check(spectra, endmembers, abundances, lam)
    if not positive:
        if lam == 0:
            return _least_squares_optimality(spectra, endmembers, abundances, sum_to_one)
        check_unsigned(lam, sum_to_one)
        abundances = np.hstack([np.maximum(abundances, 0), np.maximum(-abundances, 0)])
        endmembers = np.vstack([endmembers, -endmembers])
    norms = row_norms(endmembers)
    norms[norms == 0] = norms.max() or 1.0  # an endmember of zeros has no scale of its own
    unit = units(np.median(norms))
    endmembers, norms, lam = endmembers / unit, norms / unit, lam / unit
    resolution = Resolution(endmembers, norms, sum_to_one)
    if sum_to_one:
        lam = 0.0  # λ has no effect

    result = np.empty(len(spectra))
    for block, y, x in _blocks(spectra, endmembers, abundances):
        y, x, penalty = _in_moderate_units(y, x, lam, unit, sum_to_one)
        reconstruction = x @ endmembers
        residual = y - reconstruction
        gradient = penalty[:, None] - residual @ endmembers.T
        # infinite if a square overflows, unlike those of `row_norms`, which take more passes
        length, distance = extmath.row_norms(y), extmath.row_norms(residual)
        size = np.abs(x) @ norms if sum_to_one else extmath.row_norms(reconstruction)
        scale = np.maximum(length, size)
        scale[scale == 0] = 1.0
        lengths = norms
        if sum_to_one:
            sums = x.sum(axis=1)
            gradient -= (np.sum(x * gradient, axis=1) / np.where(sums == 0, 1.0, sums))[:, None]
            lengths = np.hypot(norms, size[:, None])
        complementarity = np.minimum(x * lengths, gradient / lengths)
        kkt = np.abs(complementarity).max(axis=1) / scale
        if sum_to_one:
            kkt = np.maximum(kkt, np.abs(sums - 1.0))

        objective = 0.5 * distance**2 + penalty * np.sum(np.abs(x), axis=1)
        seems = kkt < _DOUBTFUL
        doubtful = resolution.is_doubtful(
            seems, length, distance, x, residual, gradient, objective, penalty
        )
        kkt[doubtful] = _DOUBTFUL
        # give no certificate if squares overflow in spite of the units
        result[block] = np.where(np.isfinite(kkt + scale), kkt, np.inf)
    return result


def _least_squares_optimality(spectra, endmembers, abundances, sum_to_one):
    """Return the distance of Ax from the optimum, which is a projection of the residual."""
    norms = row_norms(endmembers)
    basis = LeastSquaresFactorization(endmembers, sum_to_one=sum_to_one).basis
    result = np.empty(len(spectra))
    for block, y, x in _blocks(spectra, endmembers, abundances):
        reconstruction = x @ endmembers
        residual = y - reconstruction
        length, distance = extmath.row_norms(y), extmath.row_norms(residual)
        size = np.abs(x) @ norms
        rounding = ROUNDING * (length + size)
        scale = np.maximum(length, size if sum_to_one else extmath.row_norms(reconstruction))
        scale[scale == 0] = 1.0
        excess = extmath.row_norms(residual @ basis.T)
        kkt = excess / scale
        doubtful = excess**2 > 2 * LARGEST_SHARE * distance**2 + rounding**2
        kkt[doubtful] = np.maximum(kkt[doubtful], _DOUBTFUL)
        if sum_to_one:
            kkt = np.maximum(kkt, np.abs(x.sum(axis=1) - 1.0))
        result[block] = np.where(np.isfinite(kkt + scale), kkt, np.inf)
    return result


def _in_moderate_units(y, x, lam, unit, sum_to_one):
    """Return spectra, abundances and λ, divided by the units of endmembers and of each spectrum.

    With the constraint, abundances have no unit, and spectra that of the endmembers.
    """
    if sum_to_one:
        return (y if unit == 1.0 else y / unit), x, np.zeros(len(y))
    each = units(np.maximum(y.max(axis=1), -y.min(axis=1)))
    if (each != 1.0).any():
        y = y / each[:, np.newaxis]
    if unit != 1.0 or (each != 1.0).any():
        x = x / each[:, np.newaxis] * unit
    return y, x, lam / each


def _blocks(spectra, endmembers, abundances):
    """Yield slices of pixels, with their spectra and abundances in float64."""
    row = 8 * (2 * spectra.shape[1] + 4 * len(endmembers))
    for block in gen_batches(len(spectra), max(1, _BLOCK_BYTES // row)):
        yield block, *(np.asarray(rows[block], np.float64) for rows in (spectra, abundances))


def _check(spectra, endmembers, abundances, lam):
    check_labels(spectra, endmembers, abundances)
    spectra = check_array(spectra, dtype="numeric", input_name="spectra")
    endmembers = check_array(endmembers, dtype=np.float64, input_name="endmembers")
    abundances = check_array(abundances, dtype="numeric", input_name="abundances")
    check_same_bands(spectra, endmembers)
    if abundances.shape != (len(spectra), len(endmembers)):
        raise ValueError(
            f"Expected abundances of shape {(len(spectra), len(endmembers))}, one row for each "
            f"pixel and one column for each endmember, got {abundances.shape}; transpose them, or "
            f"pass those of these spectra."
        )
    check_lam(lam)
    return spectra, endmembers, abundances
