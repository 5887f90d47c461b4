import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from skunmix.networks import TensorBatches


@pytest.mark.parametrize(("n_pixels", "n_batches"), [(10, 3), (8, 2), (3, 1), (1, 1)])
@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_each_pair_comes_once_and_stays_a_pair(n_pixels, n_batches, random_state):
    X = torch.arange(2.0 * n_pixels).reshape(n_pixels, 2)
    batches = TensorBatches(TensorDataset(X, X[:, :1]), 4, random_state)
    assert len(batches) == n_batches
    spectra, abundances = (torch.cat(parts) for parts in zip(*batches))
    assert len(list(batches)) == n_batches
    torch.testing.assert_close(spectra[:, :1], abundances)
    torch.testing.assert_close(spectra.sort(dim=0).values, X)
    if random_state is None:
        torch.testing.assert_close(spectra, X)


def test_each_pass_has_an_order_of_its_own():
    X = torch.arange(50.0)[:, None]
    batches = TensorBatches(TensorDataset(X, X), 50, np.random.RandomState(0))
    first, second = (next(iter(batches))[0] for _ in range(2))
    assert not torch.equal(first, second)


def test_noise_is_drawn_anew_and_has_its_covariance():
    X = torch.arange(4000.0).repeat(2, 1).T
    factor = np.array([[0.1, 0.0], [0.3, 0.2]])
    batches = TensorBatches(TensorDataset(X, X), 100, np.random.RandomState(0), factor)
    first, second = (torch.cat([noisy - clean for noisy, clean in batches]) for _ in range(2))
    for noise in (first, second):
        np.testing.assert_allclose(np.cov(noise.numpy().T), factor @ factor.T, atol=0.01)
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 0.1
    torch.testing.assert_close(X[:, 0], torch.arange(4000.0))
