import threading

import numpy as np
import pytest
import torch

from skunmix.networks import (
    SpectrumTransform,
    UnrolledADMM,
    UnrolledISTA,
    predict_blocks,
)
from skunmix.utils.threads import torch_on_one_thread

SCALE = 3.0


NETWORKS = {UnrolledADMM: {"mu": 1.0}, UnrolledISTA: {}}


def make(network, transform):
    endmembers = np.random.default_rng(0).uniform(0.1, 0.9, (3, 20))
    return network(endmembers, n_layers=3, lam=0.01, transform=transform, **NETWORKS[network])


def spectra(n_pixels, dtype=np.float32):
    return (SCALE * np.random.default_rng(1).uniform(0.1, 0.9, (n_pixels, 20))).astype(dtype)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n_pixels", [1, 4096, 10_000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", [None, "l2"])
def test_blocks_give_what_the_network_gives(network, n_pixels, dtype, norm):
    Y = spectra(n_pixels, dtype)
    Y[0] = 0.0
    module = make(network, SpectrumTransform(SCALE, norm))
    out = np.empty((n_pixels, 3), dtype=dtype)
    predict_blocks(module, Y, out)
    with torch.no_grad():
        expected = module(torch.tensor(module.transform(Y), dtype=torch.float32)).numpy()
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", [None, "l2"])
@pytest.mark.parametrize("writeable", [True, False])
def test_bands_that_lie_together(network, dtype, norm, writeable):
    Y = spectra(5000, dtype)
    bands = np.asfortranarray(Y)
    bands.flags.writeable = writeable
    module = make(network, SpectrumTransform(SCALE, norm))
    expected, out = np.empty((2, 5000, 3), dtype)
    predict_blocks(module, Y, expected)
    predict_blocks(module, bands, out)
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("norm", [None, "l2"])
def test_a_basis_goes_into_the_weights(network, norm):
    Y = spectra(500)
    plain = make(network, SpectrumTransform(SCALE, norm))
    endmembers = np.random.default_rng(0).uniform(0.1, 0.9, (3, 20))
    projected = make(network, plain.transform.onto_span(endmembers))
    assert projected.W.shape == (3, 3, 3)
    expected, out = np.empty((2, 500, 3))
    predict_blocks(plain, Y, expected)
    predict_blocks(projected, Y, out)
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("norm", [None, "l2"])
@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_not_finite_is_found(network, bad, norm):
    Y = spectra(5000, np.float64)
    Y[4999, 3] = bad
    with pytest.raises(ValueError, match="Input X contains (NaN|infinity|a value too large)"):
        predict_blocks(make(network, SpectrumTransform(1.0, norm)), Y, np.empty((5000, 3)))


@pytest.mark.parametrize("network", NETWORKS)
def test_a_length_that_overflows_is_found(network):
    module = make(network, SpectrumTransform(1.0, "l2"))
    with pytest.raises(ValueError, match="a value too large"):
        predict_blocks(module, np.full((2, 20), 1e30), np.empty((2, 3)))


def test_number_of_threads_is_restored_in_every_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    other_is_in, main_is_out = threading.Event(), threading.Event()
    seen = []

    def other():
        with torch_on_one_thread():
            seen.append(torch.get_num_threads())
            other_is_in.set()
            main_is_out.wait(10)
        seen.append(torch.get_num_threads())

    with torch_on_one_thread():
        thread = threading.Thread(target=other)
        thread.start()
        other_is_in.wait(10)
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    main_is_out.set()
    thread.join(10)
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join(10)
    assert seen == [1, 2, 2]
    torch.set_num_threads(before)


def test_within_one_thread_it_stays_one():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with torch_on_one_thread():
        with torch_on_one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
