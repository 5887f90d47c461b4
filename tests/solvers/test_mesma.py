"""MESMA, compared with least squares for every model, one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skunmix.solvers import count_models, mesma

UNBOUNDED = dict.fromkeys(("min_fraction", "max_fraction", "min_shade", "max_shade", "max_rmse"))


def library(seed, sizes, n_bands=10, n_pixels=12, noise=0.02):
    """Random spectra in shuffled groups, and noisy mixtures of one of each group."""
    rng = np.random.default_rng(seed)
    group_of = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    endmembers = rng.uniform(0.05, 0.95, (len(group_of), n_bands))
    chosen = [[rng.choice(np.flatnonzero(group_of == g)) for g in range(len(sizes))]] * n_pixels
    fractions = rng.dirichlet(np.full(len(sizes) + 1, 0.5), n_pixels)[:, :-1]
    spectra = np.einsum("ig,igk->ik", fractions, endmembers[np.array(chosen)])
    return spectra + noise * rng.normal(size=spectra.shape), endmembers, group_of


def models_of(group_of, k):
    """Return all models of k groups, as tuples of spectra."""
    members = [np.flatnonzero(group_of == g).tolist() for g in np.unique(group_of)]
    for groups in itertools.combinations(members, k):
        yield from itertools.product(*groups)


def brute_force(y, endmembers, group_of, options):
    """Return the model, fractions and RMSE of one pixel, by NumPy's least squares."""
    shade = options.get("shade")
    shade = np.zeros(len(y)) if shade is None else shade
    low, high, dark, bright, largest = (
        default if options.get(name, unset) is unset else bound(options[name], default)
        for name, default in (
            ("min_fraction", -0.05),
            ("max_fraction", 1.05),
            ("min_shade", 0.0),
            ("max_shade", 0.8),
            ("max_rmse", 0.025),
        )
    )
    best_of_size = [(np.inf, None, None)]
    for k in range(1, options.get("max_endmembers", 2) + 1):
        best = (np.inf, None, None)
        for model in models_of(group_of, k):
            A = (endmembers[list(model)] - shade).T
            x = np.linalg.lstsq(A, y - shade, rcond=None)[0]
            residual = y - shade - A @ x
            rmse = np.sqrt(np.mean(residual**2))
            within = low <= x.min() and x.max() <= high and dark <= 1 - x.sum() <= bright
            if options.get("residual_limit") is not None:
                flags = np.abs(residual) >= options["residual_limit"]
                runs = [len(list(r)) for value, r in itertools.groupby(flags) if value]
                within &= max(runs, default=0) < options["residual_bands"]
            if within and rmse <= largest and rmse < best[0]:
                best = rmse, model, x
        best_of_size.append(best)
    taken = [
        now
        for before, now in itertools.pairwise(best_of_size)
        if now[1] is not None and before[0] - now[0] >= options.get("min_rmse_decrease", 0.007)
    ]
    return min(taken, key=lambda one: one[0], default=None)


unset = object()


def bound(value, default):
    """Return infinity, of the sign of a lower or upper bound, for None."""
    if value is not None:
        return value
    return -np.inf if default in (-0.05, 0.0) else np.inf


def assert_same(solution, spectra, endmembers, group_of, options):
    for i, y in enumerate(spectra):
        reference = brute_force(y, endmembers, group_of, options)
        if reference is None:
            assert solution.n_endmembers[i] == 0
            assert (solution.models[i] == -1).all()
            assert np.isnan([*solution.fractions[i], solution.shade[i], solution.rmse[i]]).all()
            continue
        rmse, model, x = reference
        fractions, models = np.zeros(group_of.max() + 1), np.full(group_of.max() + 1, -1)
        fractions[group_of[list(model)]], models[group_of[list(model)]] = x, model
        np.testing.assert_array_equal(solution.models[i], models)
        np.testing.assert_allclose(solution.fractions[i], fractions, atol=1e-9)
        np.testing.assert_allclose(solution.shade[i], 1 - x.sum(), atol=1e-9)
        np.testing.assert_allclose(solution.rmse[i], rmse, atol=1e-12)
        assert solution.n_endmembers[i] == len(model)


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 10**6),
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.002, 0.007]),
    st.booleans(),
)
def test_is_the_best_of_all_models(seed, sizes, max_endmembers, decrease, bounded):
    spectra, endmembers, group_of = library(seed, sizes)
    options = {"max_endmembers": max_endmembers, "min_rmse_decrease": decrease}
    options |= {"max_rmse": 0.03} if bounded else UNBOUNDED
    solution = mesma(spectra, endmembers, group_of, **options)
    assert_same(solution, spectra, endmembers, group_of, options)


@pytest.mark.parametrize(
    "options",
    [
        {"min_fraction": 0.2, "max_fraction": 0.5},
        {"min_shade": 0.3, "max_shade": 0.6},
        {"max_rmse": 0.018},
        {"residual_limit": 0.02, "residual_bands": 2, "max_rmse": None},
        {"residual_limit": 0.015, "residual_bands": 1, "max_rmse": None},
        {"residual_limit": 0.01, "residual_bands": 10},
        {"shade": np.linspace(0.01, 0.04, 10)},
        {"shade": np.full(10, 0.02), "residual_limit": 0.03, "residual_bands": 2},
    ],
    ids=str,
)
def test_bounds_and_shade(options):
    spectra, endmembers, group_of = library(1, [3, 4, 2], n_pixels=40)
    if "shade" in options:
        spectra = spectra + 0.5 * options["shade"]
    options = {"max_endmembers": 3, **options}
    solution = mesma(spectra, endmembers, group_of, **options)
    assert_same(solution, spectra, endmembers, group_of, options)
    assert len(np.unique(solution.n_endmembers)) > 1  # not all pixels are alike


@pytest.mark.parametrize(("bands", "n_endmembers"), [([0, 2, 4, 6], 1), ([3, 4, 8], 0)])
def test_residual_limit_is_for_consecutive_bands(bands, n_endmembers):
    endmembers = np.full((1, 10), 0.5)
    spectra = 0.8 * endmembers
    spectra[0, bands] += 0.2
    options = {"residual_limit": 0.1, "residual_bands": 2, "max_rmse": None}
    assert mesma(spectra, endmembers, [0], **options).n_endmembers[0] == n_endmembers


def test_exact_mixtures_are_found_exactly():
    spectra, endmembers, group_of = library(2, [4, 4], noise=0.0)
    solution = mesma(spectra, endmembers, group_of, min_rmse_decrease=0.0, **UNBOUNDED)
    rebuilt = np.einsum("ig,igk->ik", solution.fractions, endmembers[solution.models])
    np.testing.assert_allclose(rebuilt, spectra, atol=1e-14)
    # one more group would only fit rounding errors
    pure = mesma(endmembers, endmembers, group_of, min_rmse_decrease=0.0, **UNBOUNDED)
    np.testing.assert_array_equal(pure.n_endmembers, 1)
    np.testing.assert_array_equal(pure.models.max(axis=1), np.arange(8))


def test_fractions_of_nearly_collinear_spectra():
    rng = np.random.default_rng(0)
    a = rng.uniform(0.1, 0.9, 50)
    endmembers = np.array([a, a + 1e-3 * rng.normal(size=50)])
    solution = mesma([[0.3, 0.6]] @ endmembers, endmembers, [0, 1], **{**UNBOUNDED, "max_rmse": 1})
    np.testing.assert_array_equal(solution.n_endmembers, [1])  # within 0.007 of one of them
    options = {**UNBOUNDED, "min_rmse_decrease": 0.0}
    solution = mesma([[0.3, 0.6]] @ endmembers, endmembers, [0, 1], **options)
    np.testing.assert_allclose(solution.fractions, [[0.3, 0.6]], atol=1e-10)


def test_linearly_dependent_models_are_left_out():
    a, b = np.array([0.2, 0.4, 0.6]), np.array([0.7, 0.3, 0.2])
    endmembers = np.array([a, 2 * a, b])
    solution = mesma([0.3 * a + 0.3 * b], endmembers, [0, 1, 2], max_endmembers=3)
    assert solution.n_endmembers[0] == 2
    assert np.isfinite(solution.fractions).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_a_pixel_does_not_depend_on_others(dtype):
    spectra, endmembers, group_of = library(3, [5, 5, 5], n_pixels=2500)
    if dtype == np.int16:
        spectra, endmembers = spectra * 1000, endmembers * 1000
    spectra = spectra.astype(dtype)
    options = {"max_endmembers": 3, "max_rmse": None}
    together = mesma(spectra, endmembers, group_of, n_jobs=2, **options)
    some = np.r_[5, 63, 64, 65, 1030, 2499, 17]
    alone = mesma(spectra[some], endmembers, group_of, **options)
    single = mesma(spectra[5:6], endmembers, group_of, **options)
    for name in ("fractions", "models", "rmse", "shade"):
        np.testing.assert_array_equal(getattr(together, name)[some], getattr(alone, name))
        np.testing.assert_array_equal(getattr(together, name)[5:6], getattr(single, name))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(1, 6))
def test_counts_models(sizes, max_endmembers):
    group_of = np.repeat(np.arange(len(sizes)), sizes)
    listed = sum(len(list(models_of(group_of, k))) for k in range(1, max_endmembers + 1))
    assert count_models(group_of, max_endmembers) == listed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_fraction": 1.0, "max_fraction": 0.5}, "Expected min_fraction up to max_fraction"),
        ({"min_shade": 0.9}, "Expected min_shade up to max_shade, got 0.9 and 0.8"),
        ({"group_of": [0, 1]}, "Expected group_of with an integer from 0 for each of 4"),
        ({"group_of": [0.0, 1.0, 2.0, 3.0]}, "Expected group_of with an integer"),
        ({"shade": np.ones(3)}, "Expected shade as a spectrum of 10 finite numbers"),
        ({"shade": np.full(10, np.nan)}, "with NaN or infinity"),
        ({"max_endmembers": 0}, "max_endmembers"),
        ({"residual_bands": 0}, "residual_bands"),
        ({"min_rmse_decrease": -1.0}, "min_rmse_decrease"),
    ],
    ids=str,
)
def test_refuses(arguments, message):
    spectra, endmembers, group_of = library(0, [2, 2])
    arguments = {"group_of": group_of, **arguments}
    with pytest.raises(ValueError, match=message):
        mesma(spectra, endmembers, **arguments)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_refuses_spectra_that_are_not_finite(value):
    spectra, endmembers, group_of = library(0, [2, 2])
    spectra[7, 2] = value
    with pytest.raises(ValueError, match="pixel 7"):
        mesma(spectra, endmembers, group_of)
