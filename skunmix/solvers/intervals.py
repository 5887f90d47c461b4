"""Intervals of abundances for noise, in closed form."""

import numpy as np
from scipy.stats import t

from ..utils.validation import check_coverage
from .least_squares import LeastSquaresFactorization, least_squares


def least_squares_intervals(
    spectra, endmembers, *, coverage=0.9, sum_to_one=True, sums=None, factorization=None
):
    """Return intervals that hold the abundances in a share of the pixels, if errors are noise.

    For the linear model y = Ax + n with independent noise of equal variance in all bands, least
    squares without x ≥ 0 has normal errors with a covariance σ²C, whatever the abundances. The
    interval of xⱼ is x̂ⱼ ± tσ̂√Cⱼⱼ, with σ̂² = ‖y − Ax̂‖² / (n_bands − rank) of the pixel, and t the
    quantile of Student's distribution. It is then cut to x ≥ 0, and with Σx = 1 to x ≤ 1. Intervals
    from the active endmembers alone would cover less, as they ignore which these are.

    Parameters
    ----------
    spectra : array-like of shape (n_pixels, n_bands)
        Spectra, one per row.

    endmembers : array-like of shape (n_endmembers, n_bands)
        Endmember spectra, one per row, in the units of `spectra`.

    coverage : float, default=0.9
        The share of the pixels, between 0 and 1, for each endmember.

    sum_to_one : {True, False, "normalize"}, default=True
        "normalize" is for abundances x / Σx, whose errors follow from those of x to first order.

    sums : ndarray of shape (n_sums, n_endmembers), default=None
        Weights of endmembers. The intervals are of ``abundances @ sums.T``. None is the identity.

    factorization : LeastSquaresFactorization, default=None
        That of the endmembers, to compute it only once.

    Returns
    -------
    lower, upper : ndarray of shape (n_pixels, n_endmembers) or (n_pixels, n_sums)

    Raises
    ------
    ValueError
        If there are no more bands than endmembers, or these are linearly dependent, so that no
        error is known.

    See Also
    --------
    skunmix.uncertainty.ConformalUnmixer : Intervals that also cover errors of the model.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import least_squares_intervals
    >>> A = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    >>> lower, upper = least_squares_intervals([[0.7, 0.3, 0.68, 0.31]], A)
    >>> lower.round(2), upper.round(2)
    (array([[0.68, 0.3 ]]), array([[0.7 , 0.32]]))
    """
    check_coverage(coverage)
    spectra, endmembers = np.asarray(spectra), np.asarray(endmembers, dtype=np.float64)
    if factorization is None:
        factorization = LeastSquaresFactorization(endmembers, sum_to_one=sum_to_one is True)
    freedom = endmembers.shape[1] - len(factorization.basis)
    if freedom < 1 or not factorization.unique:
        raise ValueError(
            f"Expected linearly independent endmembers, fewer than bands, got {len(endmembers)} "
            f"endmembers of rank {len(factorization.basis) + (sum_to_one is True)} and "
            f"{endmembers.shape[1]} bands, whose errors are not determined; drop endmembers."
        )
    abundances = least_squares(spectra, endmembers, factorization=factorization).abundances
    residuals = spectra - abundances @ endmembers
    noise = np.sqrt(np.square(residuals).sum(axis=1, keepdims=True) / freedom)
    sums = np.eye(len(endmembers)) if sums is None else np.asarray(sums, dtype=np.float64)
    # C = FFᵀ
    factor = factorization.weights
    if sum_to_one == "normalize":
        total = abundances.sum(axis=1, keepdims=True)
        total[total <= 0] = np.nan
        centres = abundances @ sums.T / total
        # f = s·x / Σx changes by (s − f1)·dx / Σx
        own = np.square(sums @ factor).sum(axis=1)
        of_total = factor.sum(axis=0)
        both = sums @ factor @ of_total
        variances = own - 2 * centres * both + np.square(centres) * (of_total @ of_total)
        deviations = np.sqrt(np.maximum(variances, 0)) / total
    else:
        centres = abundances @ sums.T
        deviations = np.linalg.norm(sums @ factor, axis=1)
    half = t.ppf((1 + coverage) / 2, freedom) * noise * deviations
    largest = np.inf if sum_to_one is False else 1.0
    lower, upper = np.clip(centres - half, 0, largest), np.clip(centres + half, 0, largest)
    # the shares of pixels without light are unknown
    unknown = np.isnan(centres)
    lower[unknown], upper[unknown] = 0.0, largest
    return lower, upper
