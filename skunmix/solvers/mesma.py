"""Multiple endmember spectral mixture analysis (MESMA): the best of all models of each pixel."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar, gen_batches

from ..utils.threads import map_threads
from ._checks import check_data, check_norms

# Pixels of a block.
_BLOCK = 1024


@dataclass(frozen=True)
class MESMASolution:
    """The chosen model of each pixel.

    Attributes
    ----------
    fractions : ndarray of shape (n_pixels, n_groups)
        Zero for groups that are not in the model. NaN if no model is within the bounds.
    shade : ndarray of shape (n_pixels,)
        1 − the sum of the fractions. NaN without a model.
    models : ndarray of shape (n_pixels, n_groups), int
        Position of the spectrum of each group, or -1 if the group is not in the model.
    rmse : ndarray of shape (n_pixels,)
        Root mean square over the bands of the residual. NaN without a model.
    n_endmembers : ndarray of shape (n_pixels,), int
        Number of groups in the model, without shade. 0 without a model.
    largest : float
        A number that no magnitude in the spectra exceeds.
    """

    fractions: np.ndarray
    shade: np.ndarray
    models: np.ndarray
    rmse: np.ndarray
    n_endmembers: np.ndarray
    largest: float


def count_models(group_of: ArrayLike, max_endmembers: int) -> int:
    """Return the number of models of one up to `max_endmembers` groups.

    Parameters
    ----------
    group_of : array-like of shape (n_spectra,)
        Group of each spectrum.
    max_endmembers : int
        Largest number of groups in a model, without shade.

    Returns
    -------
    n_models : int
        The sum over all sets of groups of the product of their sizes.

    Examples
    --------
    >>> from skunmix.solvers import count_models
    >>> count_models([0] * 20 + [1] * 20 + [2] * 20, 3)
    9260
    """
    of_size = [1] + [0] * int(max_endmembers)  # elementary symmetric polynomials of the sizes
    for n in np.unique(group_of, return_counts=True)[1].tolist():
        for k in range(len(of_size) - 1, 0, -1):
            of_size[k] += n * of_size[k - 1]
    return sum(of_size) - 1


def mesma(
    spectra,
    endmembers,
    group_of,
    *,
    max_endmembers=2,
    min_fraction=-0.05,
    max_fraction=1.05,
    min_shade=0.0,
    max_shade=0.8,
    max_rmse=0.025,
    residual_limit=None,
    residual_bands=7,
    min_rmse_decrease=0.007,
    shade=None,
    n_jobs=None,
):
    """Choose the best model of each pixel: one spectrum from each of some groups, and shade.

    With the spectra a₁, …, aₖ of a model and the shade s, least squares minimises
    ‖(y − s) − Σⱼ xⱼ(aⱼ − s)‖ for each spectrum y, and the fraction of shade is 1 − Σⱼ xⱼ. Of the
    models with the same number of groups that are within all bounds, the one with the smallest
    root mean square error (RMSE) is the best. Then the number of groups is chosen.

    Parameters
    ----------
    spectra : array-like of shape (n_pixels, n_bands)
        Spectra, one per row.

    endmembers : array-like of shape (n_spectra, n_bands)
        The library, one spectrum per row, in the units of `spectra`.

    group_of : array-like of shape (n_spectra,), int
        Group of each spectrum, as a number from 0.

    max_endmembers : int, default=2
        Largest number of groups in a model, without shade.

    min_fraction, max_fraction : float or None, default=-0.05, 1.05
        Bounds on the fraction of each group in the model. None is no bound.

    min_shade, max_shade : float or None, default=0.0, 0.8
        Bounds on the fraction of shade.

    max_rmse : float or None, default=0.025
        Bound on the RMSE, in the units of `spectra`.

    residual_limit : float or None, default=None
        A model is excluded if `residual_bands` consecutive bands have residuals whose magnitude is
        at least this, in the units of `spectra`.

    residual_bands : int, default=7
        Number of consecutive bands for `residual_limit`.

    min_rmse_decrease : float, default=0.007
        The best model of k groups is taken only if its RMSE is smaller by this than that of the
        best model of k − 1 groups, or if there is none. The chosen model is that with the smallest
        RMSE of those taken.

    shade : array-like of shape (n_bands,), default=None
        Spectrum of shade. None is photometric shade, which is zero.

    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :func:`joblib.parallel_config` context, -1
        means all processors.

    Returns
    -------
    solution : MESMASolution
        Fractions, models, RMSE and number of groups of each pixel.

    Raises
    ------
    ValueError
        If a parameter is out of range, numbers of bands or spectra differ, or there is a NaN.

    Notes
    -----
    A model is left out if its spectra are linearly dependent, up to a sine of 1e-5. The result of a
    pixel depends on that pixel alone, bit for bit.

    References
    ----------
    D. A. Roberts et al., "Mapping chaparral in the Santa Monica Mountains using multiple endmember
    spectral mixture models", Remote Sensing of Environment 65(3), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.solvers import mesma
    >>> library = np.array([[0.2, 0.8, 0.4], [0.3, 0.7, 0.5], [0.9, 0.1, 0.3]])
    >>> solution = mesma([[0.5, 0.4, 0.3]], library, [0, 0, 1], max_rmse=None)
    >>> solution.models
    array([[0, 2]])
    >>> solution.fractions.round(2), solution.shade.round(2)
    (array([[0.44, 0.45]]), array([0.11]))
    """
    from ._correlation_kernel import correlate
    from ._mesma_kernel import choose, search

    spectra, endmembers = check_data(spectra, endmembers, finite=False)
    group_of = _checked_groups(group_of, len(endmembers))
    bounds = _bounds(min_fraction, max_fraction, min_shade, max_shade, max_rmse, residual_limit)
    bounds[4] = bounds[4] ** 2 * spectra.shape[1]  # on the sum of squared residuals
    check_scalar(max_endmembers, "max_endmembers", Integral, min_val=1)
    check_scalar(residual_bands, "residual_bands", Integral, min_val=1)
    check_scalar(min_rmse_decrease, "min_rmse_decrease", Real, min_val=0)
    shade = _checked_shade(shade, spectra.shape[1])

    order = np.argsort(group_of, kind="stable")
    atoms, sorted_groups = np.ascontiguousarray(endmembers[order] - shade), group_of[order]
    next_group = np.searchsorted(sorted_groups, sorted_groups, side="right").astype(np.int64)
    gram = np.empty((len(atoms), len(atoms)))
    correlate(atoms, atoms, gram, np.empty(len(atoms)))
    n_pixels, n_groups = len(spectra), int(group_of.max()) + 1
    size = min(int(max_endmembers), len(np.unique(group_of)))
    fractions = np.full((n_pixels, n_groups), np.nan)
    models = np.full((n_pixels, n_groups), -1, np.int64)
    rmse, n_endmembers = np.full(n_pixels, np.nan), np.zeros(n_pixels, np.int64)

    def solve_block(block):
        rows = np.array(spectra[block], dtype=np.float64, order="C") - shade
        correlations, norms = np.empty((len(rows), len(atoms))), np.empty(len(rows))
        correlate(rows, atoms, correlations, norms)
        check_norms(norms, block.start)
        found = np.empty((size, len(rows), size), np.int64)
        search(
            rows, atoms, correlations, norms, gram, next_group, bounds, int(residual_bands), found
        )
        chosen, x = np.full((len(rows), size), -1, np.int64), np.empty((len(rows), size))
        decrease = float(min_rmse_decrease)
        choose(rows, atoms, correlations, norms, gram, decrease, found, chosen, x, rmse[block])
        fractions[block][chosen[:, 0] >= 0] = 0.0
        pixels, places = np.nonzero(chosen >= 0)
        spectrum = chosen[pixels, places]
        fractions[block][pixels, sorted_groups[spectrum]] = x[pixels, places]
        models[block][pixels, sorted_groups[spectrum]] = order[spectrum]
        n_endmembers[block] = np.count_nonzero(chosen >= 0, axis=1)
        return norms.max()

    norms = map_threads(solve_block, list(gen_batches(n_pixels, _BLOCK)), n_jobs)
    largest = float(max(norms) + np.linalg.norm(shade))
    return MESMASolution(
        fractions, 1.0 - fractions.sum(axis=1), models, rmse, n_endmembers, largest
    )


def _checked_groups(group_of, n_spectra):
    group_of = np.asarray(group_of)
    if group_of.shape != (n_spectra,) or group_of.dtype.kind not in "iu" or group_of.min() < 0:
        raise ValueError(
            f"Expected group_of with an integer from 0 for each of {n_spectra} endmembers, got "
            f"shape {group_of.shape} of {group_of.dtype}; pass one number for each spectrum."
        )
    return group_of.astype(np.int64)


def _bounds(min_fraction, max_fraction, min_shade, max_shade, max_rmse, residual_limit):
    """Return the bounds as an array, with infinity for None, after checking them."""
    for name, least, most in (
        ("fraction", min_fraction, max_fraction),
        ("shade", min_shade, max_shade),
    ):
        if least is not None and most is not None and not least <= most:
            raise ValueError(
                f"Expected min_{name} up to max_{name}, got {least:g} and {most:g}, which exclude "
                f"all models; exchange them, or pass None for no bound."
            )
    lower, upper = -np.inf, np.inf
    return np.array(
        [
            lower if min_fraction is None else min_fraction,
            upper if max_fraction is None else max_fraction,
            lower if min_shade is None else min_shade,
            upper if max_shade is None else max_shade,
            upper if max_rmse is None else max_rmse,
            upper if residual_limit is None else residual_limit,
        ],
        dtype=np.float64,
    )


def _checked_shade(shade, n_bands):
    if shade is None:
        return np.zeros(n_bands)
    shade = np.asarray(shade, dtype=np.float64)
    if shade.size != n_bands or not np.isfinite(shade).all():
        raise ValueError(
            f"Expected shade as a spectrum of {n_bands} finite numbers, got shape {shade.shape}"
            f"{'' if np.isfinite(shade).all() else ' with NaN or infinity'}; pass it in the bands "
            f"of the endmembers, or None for photometric shade."
        )
    return shade.ravel()
