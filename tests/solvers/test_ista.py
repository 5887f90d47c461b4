import numpy as np
import pytest

from skunmix.solvers import csr_admm, csr_ista

PROBLEM = {"n_pixels": 30, "n_endmembers": 3, "concentration": 1.0}


@pytest.mark.parametrize("lam", [0.0, 0.05])
def test_solution_is_that_of_admm(problem, lam):
    spectra, _, endmembers = problem
    ista = csr_ista(spectra, endmembers, lam=lam, tol=1e-12)
    assert ista.converged.all()
    admm = csr_admm(spectra, endmembers, lam=lam, tol=1e-12)
    np.testing.assert_allclose(ista.abundances, admm.abundances, atol=1e-8)


def test_iterations_are_the_equations(problem):
    spectra, _, endmembers = problem
    lam, L = 0.3, np.linalg.norm(endmembers, 2) ** 2
    result = csr_ista(spectra, endmembers, lam=lam, max_iter=4, tol=0)
    for y, expected in zip(spectra, result.abundances):
        z = np.zeros(len(endmembers))
        for _ in range(4):
            v = z + endmembers @ (y - z @ endmembers) / L
            z = np.maximum(np.sign(v) * np.maximum(np.abs(v) - lam / L, 0), 0)
        np.testing.assert_allclose(expected, z, rtol=1e-10, atol=1e-14)
    assert (result.n_iter == 4).all()


def test_a_pixel_depends_on_itself_alone(problem):
    spectra, _, endmembers = problem
    together = csr_ista(spectra, endmembers).abundances
    apart = np.vstack([csr_ista(y[np.newaxis], endmembers).abundances for y in spectra])
    np.testing.assert_allclose(apart, together, atol=1e-7)


def test_zero_spectra_stay_zero(problem):
    endmembers = problem.endmembers
    solution = csr_ista(np.zeros((1, 20)), endmembers)
    assert solution.converged.all()
    assert (solution.abundances == 0).all()
