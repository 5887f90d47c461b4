"""Untrained networks are their solvers, and have the parameters that the paper counts."""

import numpy as np
import pytest
import torch

from skunmix.networks import UnrolledADMM, UnrolledISTA
from skunmix.networks._layers import project
from skunmix.networks.admm import _Layers
from skunmix.solvers import csr_admm, csr_ista, normalize_abundances

PROBLEM = {"n_pixels": 50, "n_bands": 40, "n_endmembers": 5, "concentration": 0.4}

LAYERS = [1, 2, 5, 10]


def outputs(module, spectra):
    with torch.no_grad():
        return module(torch.tensor(spectra, dtype=torch.float32)).numpy()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", LAYERS)
@pytest.mark.parametrize("mu", [0.3, 30.0])
@pytest.mark.parametrize("sum_to_one", [False, "normalize", True])
def test_untrained_is_admm(problem, n_layers, tied, mu, sum_to_one):
    spectra, _, endmembers = problem
    lam = 0.05
    module = UnrolledADMM(
        endmembers, n_layers=n_layers, mu=mu, lam=lam, tied=tied, sum_to_one=sum_to_one
    )
    expected = csr_admm(
        spectra,
        endmembers,
        lam=lam,
        mu=mu,
        sum_to_one=sum_to_one is True,
        max_iter=n_layers,
        tol=0,
    ).abundances
    if sum_to_one:
        normalize_abundances(expected)
    for training in (True, False):
        np.testing.assert_allclose(outputs(module.train(training), spectra), expected, atol=1e-5)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", LAYERS)
@pytest.mark.parametrize("sum_to_one", [False, "normalize"])
def test_untrained_is_ista(problem, n_layers, tied, sum_to_one):
    spectra, _, endmembers = problem
    module = UnrolledISTA(endmembers, n_layers=n_layers, lam=0.05, tied=tied, sum_to_one=sum_to_one)
    expected = csr_ista(spectra, endmembers, lam=0.05, max_iter=n_layers, tol=0).abundances
    if sum_to_one:
        normalize_abundances(expected)
    np.testing.assert_allclose(outputs(module, spectra), expected, atol=1e-5)


@pytest.mark.parametrize(("tied", "distinct"), [(False, 7), (True, 1)])
def test_number_of_parameters(problem, tied, distinct):
    n_endmembers, n_bands = problem.endmembers.shape

    def count(**arguments):
        module = UnrolledADMM(
            problem.endmembers, n_layers=7, mu=1.0, lam=0.0, tied=tied, **arguments
        )
        return sum(parameter.numel() for parameter in module.parameters())

    assert count() == (n_endmembers**2 + n_endmembers * n_bands + 2) * distinct
    assert count(sum_to_one=True) == count()


@pytest.mark.parametrize("sum_to_one", [False, "normalize", True])
def test_gradients_are_those_of_finite_differences(problem, sum_to_one):
    spectra, _, endmembers = problem
    module = UnrolledADMM(
        endmembers[:3, :6], n_layers=3, mu=1.0, lam=0.01, sum_to_one=sum_to_one
    ).double()
    # away from the start, where whole layers tie
    torch.manual_seed(0)
    names, parameters = zip(*module.named_parameters())
    parameters = [(p + 0.01 * torch.randn_like(p)).detach().requires_grad_() for p in parameters]
    inputs = torch.tensor(spectra[:4, :6])

    def network(*parameters):
        return torch.func.functional_call(module, dict(zip(names, parameters)), (inputs,))

    assert torch.autograd.gradcheck(network, parameters)


def test_float32_is_enough_at_the_ends_of_the_grid_of_mu(problem):
    spectra, _, endmembers = problem
    largest = np.linalg.norm(endmembers, 2) ** 2
    for mu in (1e-5 * largest, largest):
        module = UnrolledADMM(endmembers, n_layers=10, mu=mu, lam=0.0)
        expected = csr_admm(spectra, endmembers, mu=mu, max_iter=10, tol=0).abundances
        np.testing.assert_allclose(
            outputs(module, spectra), normalize_abundances(expected), atol=1e-4
        )


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2, 5])
def test_gradients_of_the_layers_are_those_of_finite_differences(n_layers, tied):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(2, *shape, dtype=torch.float64, generator=generator).requires_grad_()

    k = 1 if tied else n_layers
    variables = draw(k, 3, 4), draw(k, 3, 3), draw(k), draw(k)
    assert torch.autograd.gradcheck(
        lambda *tensors: _Layers.apply(*tensors, n_layers, False), variables
    )


@pytest.mark.parametrize("tied", [False, True])
def test_gradients_with_closed_units_are_those_of_autograd(tied, monkeypatch):
    """Some units are closed for all pixels, and their gradient is the one that reopens them."""
    network = UnrolledADMM(np.eye(3, 5) + 0.1, n_layers=4, mu=0.5, lam=0.0, tied=tied).train()
    spectra = torch.rand(6, 5) * torch.tensor([1.0, 1.0, -2.0, 1.0, 1.0])
    weights = torch.rand(6, 3)

    def gradients():
        return torch.autograd.grad((network(spectra) * weights).sum(), network.parameters())

    found = gradients()

    def layers(W_y, B, theta, eta, n_layers, training):
        """The equations, with `project` for the gradient of each z."""
        z = d = None
        for k in range(n_layers):
            k = 0 if tied else k
            x = W_y[:, k] if z is None else W_y[:, k] + B[:, k] @ (z + d)
            d = torch.zeros_like(x) if d is None else d
            z = project(x - d - theta[:, k, None, None], training)
            d = d - eta[:, k, None, None] * (x - z)
        return z

    monkeypatch.setattr(_Layers, "apply", layers)
    for one, other in zip(found, gradients()):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert (network(spectra).amax(dim=0) == 0).any()
