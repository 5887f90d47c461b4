import numpy as np
import pytest
import torch

from skunmix.networks import UnrolledADMM, choose_start, max_eigenvalue


def test_max_eigenvalue_is_that_of_the_gram_matrix():
    endmembers = np.random.default_rng(0).uniform(size=(4, 9))
    expected = np.linalg.eigvalsh(endmembers @ endmembers.T)[-1]
    np.testing.assert_allclose(max_eigenvalue(endmembers), expected)


PROBLEM = {"n_pixels": 80, "n_bands": 30}


@pytest.fixture
def tensors(problem):
    pairs = (torch.tensor(a, dtype=torch.float32) for a in (problem.spectra, problem.abundances))
    return (*pairs, problem.endmembers)


def maker(endmembers):
    def make(mu, sum_to_one):
        return UnrolledADMM(endmembers, n_layers=2, mu=mu, lam=0.0, sum_to_one=sum_to_one)

    return make


def test_choice_is_the_largest_mu_about_as_good_as_the_best(tensors):
    spectra, abundances, endmembers = tensors
    make = maker(endmembers)

    def error(mu):
        return ((make(mu, "normalize")(spectra) - abundances) ** 2).mean().item()

    chosen, sum_to_one = choose_start(make, ["normalize"], *tensors)
    assert sum_to_one == "normalize"
    best = min(error(mu) for mu in max_eigenvalue(endmembers) * np.geomspace(1e-5, 1, 60))
    assert error(chosen) < 2.1 * best
    assert error(2 * chosen) > 1.9 * best
    assert error(chosen) < error(max_eigenvalue(endmembers))


@pytest.mark.parametrize(("brightness", "expected"), [(1.0, True), (0.6, "normalize")])
def test_the_constraint_is_for_spectra_of_full_brightness(tensors, brightness, expected):
    spectra, abundances, endmembers = tensors
    shade = torch.linspace(brightness, 1, 80)[:, None]
    _, chosen = choose_start(
        maker(endmembers), ["normalize", True], shade * spectra, abundances, endmembers
    )
    assert chosen == expected
