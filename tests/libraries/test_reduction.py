import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from skunmix.libraries import (
    count_based_selection,
    endmember_average_rmse,
    iterative_endmember_selection,
    minimum_average_spectral_angle,
)


def library(seed, noise=0.01):
    """Spectra of three materials, of different brightness, in random order."""
    rng = np.random.default_rng(seed)
    groups = np.array(["grass", "soil", "npv"])[rng.integers(0, 3, 24)]
    base = dict(zip(("grass", "soil", "npv"), 0.3 + rng.normal(0, 0.02, (3, 25))))
    spectra = np.array([base[group] for group in groups]) * rng.uniform(0.8, 1.2, (24, 1))
    return spectra + noise * rng.normal(size=spectra.shape), groups


def fit(a, y, low=-0.05, high=1.05, largest=0.025):
    """Return the RMSE of the model of y by a, and whether it is valid."""
    fraction = np.linalg.lstsq(a[:, np.newaxis], y, rcond=None)[0][0]
    rmse = np.sqrt(np.mean((y - np.clip(fraction, low, high) * a) ** 2))
    return rmse, bool(low <= fraction <= high and rmse <= largest)


def others(groups, i):
    return [j for j in np.flatnonzero(groups == groups[i]) if j != i]


@pytest.mark.parametrize("seed", range(3))
def test_average_rmse_and_angle(seed):
    spectra, groups = library(seed)
    ear, masa = (f(spectra, groups) for f in (endmember_average_rmse, average_angle))
    for i, a in enumerate(spectra):
        rmse = [fit(a, spectra[j])[0] for j in others(groups, i)]
        np.testing.assert_allclose(ear[i], np.mean(rmse), rtol=1e-10)
        cosines = [
            spectra[j] @ a / np.linalg.norm(spectra[j]) / np.linalg.norm(a)
            for j in others(groups, i)
        ]
        np.testing.assert_allclose(masa[i], np.mean(np.arccos(cosines)), rtol=1e-7)


average_angle = minimum_average_spectral_angle


def test_the_only_spectrum_of_a_group_has_no_average():
    spectra, _ = library(0)
    groups = ["a", *"b" * 23]
    for function in (endmember_average_rmse, minimum_average_spectral_angle):
        found = function(spectra, groups)
        assert np.isnan(found[0])
        assert np.isfinite(found[1:]).all()
    assert count_based_selection(spectra, groups).in_cob[0] == 0


@pytest.mark.parametrize("seed", range(3))
def test_counts(seed):
    spectra, groups = library(seed)
    counts = count_based_selection(spectra, groups)
    # a plain reading of the definition, with sets
    models = {
        i: {j for j in range(24) if j != i and fit(spectra[i], spectra[j])[1]} for i in range(24)
    }
    in_cob, out_cob = np.zeros(24, int), np.zeros(24, int)
    for group in set(groups):
        left = set(np.flatnonzero(groups == group))
        while left:
            size = max(len(models[i] & left) for i in left)
            chosen = {i for i in left if len(models[i] & left) == size}
            for i in chosen:
                in_cob[i] = size
                out_cob[i] = len(models[i] & set(np.flatnonzero(groups != group)))
            left -= chosen.union(*(models[i] for i in chosen))
    assert in_cob.max() > 0
    np.testing.assert_array_equal(counts.in_cob, in_cob)
    np.testing.assert_array_equal(counts.out_cob, out_cob)
    some = out_cob > 0
    sizes = np.array([np.count_nonzero(groups == group) for group in groups])
    np.testing.assert_allclose(counts.cobi[some], (in_cob / sizes)[some] / out_cob[some])


def kappa(spectra, groups, selected):
    """Kappa of the classification by the best valid model, from scikit-learn."""
    found = []
    for j, y in enumerate(spectra):
        fits = [
            ((0.0, True) if i == j else fit(spectra[i], y), groups[i]) for i in sorted(selected)
        ]
        valid = [(rmse, group) for (rmse, is_valid), group in fits if is_valid]
        found.append(min(valid, key=lambda one: one[0])[1] if valid else "none")
    return cohen_kappa_score(groups, found)


@pytest.mark.parametrize(("seed", "noise"), [(0, 0.01), (1, 0.015), (2, 0.005)])
def test_selection_has_a_kappa_that_no_step_raises(seed, noise):
    spectra, groups = library(seed, noise)
    selected, found = iterative_endmember_selection(spectra, groups, return_kappa=True)
    np.testing.assert_allclose(found, kappa(spectra, groups, selected), atol=1e-12)
    assert 1 < len(selected) < 24
    for i in range(24):
        neighbour = set(selected) ^ {i}
        assert kappa(spectra, groups, neighbour) <= found + 1e-12
    best_single = max(kappa(spectra, groups, [i]) for i in range(24))
    assert found >= best_single


def test_ways_to_give_groups():
    spectra, groups = library(0)
    expected = iterative_endmember_selection(spectra, groups)
    index = pd.MultiIndex.from_arrays([range(24), groups], names=["id", "class"])
    frame = pd.DataFrame(spectra, index=index)
    np.testing.assert_array_equal(iterative_endmember_selection(frame, "class"), expected)
    order = np.random.default_rng(0).permutation(24)
    shuffled = pd.Series(groups, index=[f"s{i}" for i in range(24)]).iloc[order]
    named = pd.DataFrame(spectra, index=[f"s{i}" for i in range(24)])
    np.testing.assert_array_equal(iterative_endmember_selection(named, shuffled), expected)


@pytest.mark.parametrize(
    "function",
    [
        endmember_average_rmse,
        minimum_average_spectral_angle,
        count_based_selection,
        iterative_endmember_selection,
    ],
)
def test_refuses(function):
    spectra, groups = library(0)
    with pytest.raises(ValueError, match="Expected groups with 24 labels"):
        function(spectra, groups[:-1])
    with pytest.raises(ValueError, match="zeros for spectrum 3"):
        function(np.where(np.arange(24)[:, np.newaxis] == 3, 0.0, spectra), groups)
    with pytest.raises(ValueError, match="NaN"):
        function(np.where(np.arange(24)[:, np.newaxis] == 3, np.nan, spectra), groups)
    with pytest.raises(ValueError, match="mask"):
        function(np.ma.masked_less(spectra, 0.25), groups)


def test_refuses_bounds_and_one_group():
    spectra, groups = library(0)
    with pytest.raises(ValueError, match="min_fraction up to max_fraction"):
        endmember_average_rmse(spectra, groups, min_fraction=2.0)
    with pytest.raises(ValueError, match="at least two groups"):
        iterative_endmember_selection(spectra, ["a"] * 24)
