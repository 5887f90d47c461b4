import numpy as np
import torch

from skunmix.networks import UnrolledADMM, choose_mu, max_eigenvalue


def test_max_eigenvalue_is_that_of_the_gram_matrix():
    endmembers = np.random.default_rng(0).uniform(size=(4, 9))
    expected = np.linalg.eigvalsh(endmembers @ endmembers.T)[-1]
    np.testing.assert_allclose(max_eigenvalue(endmembers), expected)


def test_choice_is_the_largest_mu_about_as_good_as_the_best():
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.05, 0.95, (4, 30))
    abundances = rng.dirichlet(np.full(4, 0.5), 80)
    spectra = abundances @ endmembers + 0.02 * rng.normal(size=(80, 30))
    spectra, abundances = (torch.tensor(a, dtype=torch.float32) for a in (spectra, abundances))

    def make(mu):
        return UnrolledADMM(endmembers, n_layers=2, mu=mu, lam=0.0)

    def error(mu):
        return ((make(mu)(spectra) - abundances) ** 2).mean().item()

    chosen = choose_mu(make, spectra, abundances, endmembers)
    best = min(error(mu) for mu in max_eigenvalue(endmembers) * np.geomspace(1e-5, 1, 60))
    assert error(chosen) < 2.1 * best
    assert error(2 * chosen) > 1.9 * best
    assert error(chosen) < error(max_eigenvalue(endmembers))
