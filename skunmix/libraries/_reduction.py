"""Reduction of a library with many spectra of each material to those that represent it.

All functions model each spectrum y by each other one, a, and photometric shade: y ≈ f a, where
f = aᵀy / aᵀa is the fraction. A fraction outside the bounds is clipped to them for the RMSE, and
the model then does not count as valid, as in VIPER Tools.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from ..utils.groups import index_groups, split_groups
from ..utils.labels import refuse_masked


@dataclass(frozen=True)
class CountBasedSelection:
    """Counts of the spectra that each spectrum models.

    Attributes
    ----------
    in_cob : ndarray of shape (n_spectra,), int
        InCoB: number of other spectra of the same group, 0 for a spectrum that is not selected.
    out_cob : ndarray of shape (n_spectra,), int
        OutCoB: number of spectra of other groups.
    cobi : ndarray of shape (n_spectra,)
        CoB index: InCoB / (OutCoB · number of spectra of the group). Infinite if OutCoB is 0.
    """

    in_cob: np.ndarray
    out_cob: np.ndarray
    cobi: np.ndarray


def endmember_average_rmse(
    spectra: ArrayLike,
    groups: Any,
    *,
    min_fraction: float | None = -0.05,
    max_fraction: float | None = 1.05,
) -> NDArray[Any]:
    """Return the endmember average RMSE (EAR) of each spectrum.

    It is the mean RMSE of the models of the other spectra of its group. The spectrum with the
    smallest EAR represents the group best.

    Parameters
    ----------
    spectra : array-like of shape (n_spectra, n_bands)
        Library, one spectrum per row.

    groups : array-like of shape (n_spectra,), str or int
        Group of each spectrum, as for :class:`skunmix.MESMARegressor`.

    min_fraction, max_fraction : float or None, default=-0.05, 1.05
        Bounds to which fractions are clipped. None is no bound.

    Returns
    -------
    ear : ndarray of shape (n_spectra,)
        NaN for the only spectrum of a group.

    Raises
    ------
    ValueError
        If there is not one group for each spectrum, or there is a NaN or a spectrum of zeros.

    References
    ----------
    P. E. Dennison and D. A. Roberts, "Endmember selection for multiple endmember spectral mixture
    analysis using endmember average RMSE", Remote Sensing of Environment 87, 2003.

    Examples
    --------
    >>> from skunmix.libraries import endmember_average_rmse
    >>> endmember_average_rmse([[0.1, 0.5], [0.2, 0.6], [0.4, 0.5]], ["a", "a", "a"]).round(3)
    array([0.147, 0.101, 0.16 ])
    """
    spectra, _, group_of = _checked(spectra, groups)
    rmse, _ = _fits(spectra, min_fraction, max_fraction)
    return _mean_of_others(rmse, group_of)


def minimum_average_spectral_angle(spectra: ArrayLike, groups: Any) -> NDArray[Any]:
    """Return the average spectral angle of each spectrum, whose minimum is MASA.

    It is the mean angle to the other spectra of its group. The spectrum with the smallest one
    represents the group best.

    Parameters
    ----------
    spectra : array-like of shape (n_spectra, n_bands)
        Library, one spectrum per row.

    groups : array-like of shape (n_spectra,), str or int
        Group of each spectrum, as for :class:`skunmix.MESMARegressor`.

    Returns
    -------
    angles : ndarray of shape (n_spectra,)
        In radians. NaN for the only spectrum of a group.

    Raises
    ------
    ValueError
        If there is not one group for each spectrum, or there is a NaN or a spectrum of zeros.

    References
    ----------
    P. E. Dennison, K. Q. Halligan and D. A. Roberts, "A comparison of error metrics and constraints
    for multiple endmember spectral mixture analysis and spectral angle mapper", Remote Sensing of
    Environment 93, 2004.

    Examples
    --------
    >>> from skunmix.libraries import minimum_average_spectral_angle
    >>> spectra = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    >>> minimum_average_spectral_angle(spectra, ["a", "a", "a"]).round(3)
    array([1.178, 0.785, 1.178])
    """
    spectra, _, group_of = _checked(spectra, groups)
    directions = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    # accurate also for small angles, at which the cosine is not
    half = np.array([np.linalg.norm(directions - one, axis=1) for one in directions]) / 2
    return _mean_of_others(2 * np.arcsin(np.minimum(half, 1.0)), group_of)


def count_based_selection(
    spectra, groups, *, min_fraction=-0.05, max_fraction=1.05, max_rmse=0.025
):
    """Select spectra by the number of spectra that they model (CoB).

    In each group, the spectrum that models most of the others is selected, with ties together. It
    and those that it models are left out, and so on until none is left.

    Parameters
    ----------
    spectra : array-like of shape (n_spectra, n_bands)
        Library, one spectrum per row.

    groups : array-like of shape (n_spectra,), str or int
        Group of each spectrum, as for :class:`skunmix.MESMARegressor`.

    min_fraction, max_fraction : float or None, default=-0.05, 1.05
        A model is valid if its fraction is within these bounds. None is no bound.

    max_rmse : float or None, default=0.025
        A model is valid if its RMSE is at most this, in the units of the spectra.

    Returns
    -------
    counts : CountBasedSelection
        InCoB, OutCoB and the CoB index of the selected spectra.

    Raises
    ------
    ValueError
        If there is not one group for each spectrum, or there is a NaN or a spectrum of zeros.

    References
    ----------
    D. A. Roberts et al., "Evaluation of the potential of Hyperion for fire danger assessment by
    comparison to the Airborne Visible/Infrared Imaging Spectrometer", IEEE Transactions on
    Geoscience and Remote Sensing 41(6), 2003. M. Clark, PhD dissertation, UC Santa Barbara, 2005
    (CoB index).

    Examples
    --------
    >>> from skunmix.libraries import count_based_selection
    >>> spectra = [[0.10, 0.50], [0.11, 0.52], [0.12, 0.50], [0.40, 0.45]]
    >>> count_based_selection(spectra, ["a", "a", "a", "b"], max_rmse=0.01).in_cob
    array([0, 2, 0, 0])
    """
    spectra, _, group_of = _checked(spectra, groups)
    valid = _valid(*_fits(spectra, min_fraction, max_fraction), max_rmse)
    np.fill_diagonal(valid, False)
    in_cob, out_cob = np.zeros(len(spectra), np.int64), np.zeros(len(spectra), np.int64)
    sizes = np.bincount(group_of)[group_of]
    for group in range(group_of.max() + 1):
        members = np.flatnonzero(group_of == group)
        inside = valid[np.ix_(members, members)]
        outside = valid[np.ix_(members, np.flatnonzero(group_of != group))].sum(axis=1)
        left = np.ones(len(members), bool)
        while left.any():
            counts = np.where(left, inside[:, left].sum(axis=1), -1)
            chosen = counts == counts.max()
            in_cob[members[chosen]] = counts.max()
            out_cob[members[chosen]] = outside[chosen]
            left &= ~(chosen | inside[chosen].any(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        cobi = np.where(in_cob > 0, in_cob / (out_cob * sizes), 0.0)
    return CountBasedSelection(in_cob, out_cob, cobi)


def iterative_endmember_selection(
    spectra, groups, *, min_fraction=-0.05, max_fraction=1.05, max_rmse=0.025, return_kappa=False
):
    """Select the spectra that classify the library best (IES).

    A spectrum of the library is given the group of the selected spectrum that models it with the
    smallest RMSE, or none if no model is valid. The first selected spectrum is the one with the
    largest kappa of this classification. Then the spectrum that raises kappa most is added, and the
    one whose removal raises kappa most is removed, until neither raises it.

    Parameters
    ----------
    spectra : array-like of shape (n_spectra, n_bands)
        Library, one spectrum per row.

    groups : array-like of shape (n_spectra,), str or int
        Group of each spectrum, as for :class:`skunmix.MESMARegressor`. At least two groups.

    min_fraction, max_fraction : float or None, default=-0.05, 1.05
        A model is valid if its fraction is within these bounds. None is no bound.

    max_rmse : float or None, default=0.025
        A model is valid if its RMSE is at most this, in the units of the spectra.

    return_kappa : bool, default=False
        Whether to return kappa, too.

    Returns
    -------
    selected : ndarray of int
        Positions of the selected spectra, sorted.

    kappa : float
        Cohen's kappa of the classification. Only if ``return_kappa=True``.

    Raises
    ------
    ValueError
        If there is not one group for each spectrum, there is only one group, or there is a NaN or a
        spectrum of zeros.

    Notes
    -----
    Time and memory are quadratic in the number of spectra: two thousand take some seconds for each
    selected one.

    References
    ----------
    A. N. Schaaf et al., "Mapping plant functional types at multiple spatial resolutions using
    imaging spectrometer data", GIScience & Remote Sensing 48(3), 2011. K. L. Roth, P. E. Dennison
    and D. A. Roberts, "Comparing endmember selection techniques for accurate mapping of plant
    species and land cover using imaging spectrometer data", Remote Sensing of Environment 127,
    2012.

    Examples
    --------
    >>> from skunmix.libraries import iterative_endmember_selection
    >>> spectra = [[0.10, 0.50], [0.11, 0.52], [0.12, 0.50], [0.40, 0.45], [0.42, 0.44]]
    >>> iterative_endmember_selection(spectra, ["a", "a", "a", "b", "b"])
    array([0, 3])
    """
    spectra, labels, group_of = _checked(spectra, groups)
    n_spectra, n_groups = len(spectra), len(labels)
    if n_groups < 2:
        raise ValueError(
            f"Expected spectra of at least two groups, which the selection separates, got only "
            f"{labels[0]!r}; pass the whole library, or use endmember_average_rmse."
        )
    rmse, fits = _fits(spectra, min_fraction, max_fraction)
    rmse[~_valid(rmse, fits, max_rmse)] = np.inf
    share = np.bincount(group_of) / n_spectra

    def kappas(modelled):
        """Return kappa of each row of modelled groups, in which -1 is no group."""
        observed = (modelled == group_of).mean(axis=1)
        expected = sum(share[g] * (modelled == g).mean(axis=1) for g in range(n_groups))
        return (observed - expected) / (1.0 - expected)

    def classify(selected):
        """Return the smallest RMSE, and the group of its model, of each spectrum."""
        best = np.argmin(rmse[selected], axis=0)
        least = rmse[selected][best, np.arange(n_spectra)]
        return least, np.where(np.isfinite(least), group_of[selected][best], -1)

    selected, kappa = np.empty(0, np.int64), -np.inf
    while True:
        before = kappa
        least, modelled = np.full(n_spectra, np.inf), np.full(n_spectra, -1)
        if len(selected):
            least, modelled = classify(selected)
        candidates = np.setdiff1d(np.arange(n_spectra), selected)
        if len(candidates):
            better = rmse[candidates] < least
            found = kappas(np.where(better, group_of[candidates][:, np.newaxis], modelled))
            if found.max() > kappa:
                kappa = found.max()
                selected = np.sort(np.append(selected, candidates[np.argmax(found)]))
        if len(selected) > 2:
            without = [np.delete(selected, i) for i in range(len(selected))]
            found = kappas(np.array([classify(some)[1] for some in without]))
            if found.max() > kappa:
                kappa, selected = found.max(), without[np.argmax(found)]
        if kappa == before:
            return (selected, float(kappa)) if return_kappa else selected


def _checked(spectra, groups):
    """Return the spectra as an array, the names of the groups, and the group of each spectrum."""
    refuse_masked(spectra, "spectra")
    groups, spectra = split_groups(groups, spectra)
    index = getattr(spectra, "index", None)
    names = None if index is None or callable(index) else [str(name) for name in index]
    spectra = check_array(spectra, dtype=np.float64, input_name="spectra")
    labels, group_of = index_groups(groups, names or [f"spectrum{i}" for i in range(len(spectra))])
    zero = np.flatnonzero(~spectra.any(axis=1))
    if len(zero):
        raise ValueError(
            f"Expected spectra that are not zero in all bands, got zeros for spectrum {zero[0]}, "
            f"which models nothing; drop it, as shade is in every model."
        )
    return spectra, labels, group_of


def _fits(spectra, min_fraction, max_fraction):
    """Return the RMSE of the model of each spectrum (column) by each (row), and its validity.

    The model is valid if its fraction is within the bounds.
    """
    low = -np.inf if min_fraction is None else min_fraction
    high = np.inf if max_fraction is None else max_fraction
    if not low <= high:
        raise ValueError(
            f"Expected min_fraction up to max_fraction, got {low:g} and {high:g}; exchange them."
        )
    fractions = spectra @ spectra.T / (spectra**2).sum(axis=1)[:, np.newaxis]
    np.fill_diagonal(fractions, 1.0)
    within = (fractions >= low) & (fractions <= high)
    np.fill_diagonal(within, True)
    rmse = np.empty_like(fractions)
    for i, some in enumerate(np.clip(fractions, low, high)):
        rmse[i] = np.sqrt(((spectra - some[:, np.newaxis] * spectra[i]) ** 2).mean(axis=1))
    np.fill_diagonal(rmse, 0.0)
    return rmse, within


def _valid(rmse, within, max_rmse):
    return within & (rmse <= (np.inf if max_rmse is None else max_rmse))


def _mean_of_others(values, group_of):
    """Return the mean of each row over the other members of its group."""
    means = np.full(len(values), np.nan)
    for group in range(group_of.max() + 1):
        members = np.flatnonzero(group_of == group)
        if len(members) > 1:
            means[members] = values[np.ix_(members, members)].sum(axis=1) / (len(members) - 1)
    return means
