import numpy as np
import pytest
import torch

from skunmix.networks._layers import as_parameter, layer_products, normalize, project
from skunmix.solvers import normalize_abundances


@pytest.mark.parametrize(("tied", "length"), [(False, 3), (True, 1)])
def test_parameters_are_distinct_unless_tied(tied, length):
    parameter = as_parameter(np.arange(6.0).reshape(2, 3), 3, tied)
    assert parameter.shape == (length, 2, 3)
    with torch.no_grad():
        parameter[0] += 1
    if not tied:
        np.testing.assert_array_equal(parameter[1].detach(), np.arange(6.0).reshape(2, 3))


def test_products_are_those_of_each_layer():
    W, spectra = torch.randn(4, 3, 7), torch.randn(5, 7)
    for layer, product in enumerate(layer_products(spectra, W).chunk(4)):
        torch.testing.assert_close(product, W[layer] @ spectra.T)


@pytest.mark.parametrize("n_bands", [15, 198])
@pytest.mark.parametrize("n_pixels", [1, 5, 16, 51, 64])
@pytest.mark.parametrize("n_networks", [1, 2, 27])
def test_products_of_a_network_do_not_depend_on_those_beside_it(n_bands, n_pixels, n_networks):
    """To the bit, and so are its gradients, though BLAS rounds by the shape of a product."""
    W = torch.rand(n_networks, 2, 4, n_bands, requires_grad=True)
    spectra = torch.rand(1, n_pixels, n_bands)
    together = layer_products(spectra, W)
    upstream = torch.rand_like(together)
    (together_gradients,) = torch.autograd.grad(together, W, upstream)
    for i in range(n_networks):
        alone = layer_products(spectra[0], W[i])
        assert torch.equal(alone, together[i])
        (gradient,) = torch.autograd.grad(alone, W, upstream[i])
        assert torch.equal(gradient[i], together_gradients[i])


@pytest.mark.parametrize("n_folds", [2, 5])
def test_each_fold_has_its_own_spectra(n_folds):
    W, spectra = torch.rand(3 * n_folds, 2, 4, 7), torch.rand(n_folds, 20, 7)
    products = layer_products(spectra, W)
    for i, network in enumerate(W):
        assert torch.equal(products[i], layer_products(spectra[i // 3], network))


def test_normalize_is_that_of_the_solvers():
    z = torch.tensor([[1.0, 3.0], [0.0, 0.0], [0.0, 2.0]])
    expected = normalize_abundances(z.numpy().astype(float))
    np.testing.assert_allclose(normalize(z.T).T, expected)


def test_normalize_has_finite_gradients_at_zero():
    z = torch.tensor([[0.0, 0.0], [1.0, 3.0]], requires_grad=True)
    (normalize(z.T) ** 2).sum().backward()
    assert torch.isfinite(z.grad).all()
    assert (z.grad[0] == 0).all()


def gradient_of(v, upstream, training=True):
    """Return the gradient for pixels in rows."""
    v = torch.tensor(v, requires_grad=True)
    project(v.T, training).backward(torch.tensor(upstream).T)
    return v.grad


def test_projection_has_the_gradient_of_relu_where_a_unit_is_open_for_some_pixel():
    gradient = gradient_of([[1.0], [-1.0]], [[-1.0], [-1.0]])
    np.testing.assert_array_equal(gradient, [[-1.0], [0.0]])


def test_projection_reopens_what_is_closed_for_all_pixels():
    v = [[-1.0, 1.0], [-2.0, -1.0]]
    gradient = gradient_of(v, [[-1.0, 1.0], [3.0, 1.0]])
    # of the closed first unit only what raises it; of the open second as ever
    np.testing.assert_array_equal(gradient, [[-1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_array_equal(
        gradient_of(v, [[-1.0, 1.0], [3.0, 1.0]], training=False), [[0.0, 1.0], [0.0, 0.0]]
    )
