import numpy as np
import pytest
import torch
from scipy.special import rel_entr

from skunmix.networks import CompositeLoss, ReconstructionLoss
from skunmix.networks.training.losses import EPSILON, angle, divergence, squared_error


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(4), 6), rng.dirichlet(np.ones(4), 6)


def test_terms_are_the_equations(pairs):
    estimated, true = pairs
    tensors = [torch.tensor(a) for a in pairs]
    np.testing.assert_allclose(squared_error(*tensors), ((estimated - true) ** 2).sum(axis=1))
    cosine = (estimated * true).sum(axis=1)
    cosine /= np.linalg.norm(estimated, axis=1) * np.linalg.norm(true, axis=1)
    np.testing.assert_allclose(angle(*tensors), np.arccos(cosine), rtol=1e-8)
    kl = rel_entr(true + EPSILON, estimated + EPSILON).sum(axis=1)
    kl += rel_entr(estimated + EPSILON, true + EPSILON).sum(axis=1)
    np.testing.assert_allclose(divergence(*tensors), kl, rtol=1e-8)


def test_loss_is_the_weighted_sum_of_means(pairs):
    tensors = [torch.tensor(a) for a in pairs]
    expected = (
        2 * squared_error(*tensors).mean()
        + 3 * angle(*tensors).mean()
        + 5 * divergence(*tensors).mean()
    )
    torch.testing.assert_close(CompositeLoss(2.0, 3.0, 5.0)(*tensors), expected)


def test_loss_of_a_reconstruction_compares_spectra(pairs):
    rng = np.random.default_rng(1)
    abundances, E = torch.tensor(pairs[0]), torch.tensor(rng.uniform(0.1, 1, (4, 9)))
    spectra = torch.tensor(rng.uniform(0.1, 1, (6, 9)))
    expected = CompositeLoss(1.0, 2.0, 3.0)(abundances @ E, spectra)
    E.requires_grad_(True)
    loss = ReconstructionLoss(lambda x: x @ E, 1.0, 2.0, 3.0)(abundances, spectra)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert E.grad.abs().min() > 0
    squared = ReconstructionLoss(lambda x: x @ E)(abundances, spectra)
    expected = ((abundances.numpy() @ E.detach().numpy() - spectra.numpy()) ** 2).sum(axis=1)
    assert squared.item() == pytest.approx(expected.mean())


def test_gradients_are_those_of_finite_differences(pairs):
    estimated = torch.tensor(pairs[0], requires_grad=True)
    loss = CompositeLoss(1.0, 1.0, 1.0)
    assert torch.autograd.gradcheck(lambda x: loss(x, torch.tensor(pairs[1])), [estimated])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("estimated", "true"),
    [
        ([[0.3, 0.7]], [[0.3, 0.7]]),
        ([[1.0, 0.0]], [[1.0, 0.0]]),
        ([[0.0, 1.0]], [[1.0, 0.0]]),
        ([[0.5, 0.5]], [[1.0, 0.0]]),
        ([[0.0, 0.0]], [[1.0, 0.0]]),
        ([[0.0, 0.0]], [[0.0, 0.0]]),
        ([[0.5, 0.5]], [[-1.0, 2.0]]),
    ],
    ids=["equal", "pure and right", "pure and wrong", "pure", "zero", "both zero", "negative"],
)
def test_loss_and_gradient_are_finite_at_the_corners(estimated, true, dtype):
    estimated = torch.tensor(estimated, dtype=dtype, requires_grad=True)
    loss = CompositeLoss(1.0, 1.0, 1.0)(estimated, torch.tensor(true, dtype=dtype))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(estimated.grad).all()


def test_loss_is_zero_at_the_solution(pairs):
    true = torch.tensor(pairs[1])
    assert CompositeLoss(1.0, 1.0, 1.0)(true, true).item() == 0
