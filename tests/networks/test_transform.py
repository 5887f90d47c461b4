import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import Normalizer

from skunmix.networks import SpectrumTransform, noise_factor, span_basis


@pytest.fixture
def spectra():
    return np.random.default_rng(0).uniform(10, 4000, (20, 12))


def test_unit_length_is_that_of_the_normalizer(spectra):
    spectra[3] = 0.0
    before = spectra.copy()
    np.testing.assert_allclose(
        SpectrumTransform(2.0, "l2")(spectra), Normalizer().fit_transform(spectra) / 2
    )
    np.testing.assert_array_equal(spectra, before)


@given(st.integers(1, 6), st.integers(2, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_coordinates_keep_what_the_endmembers_span(n_endmembers, n_bands, seed):
    rng = np.random.default_rng(seed)
    endmembers = rng.uniform(0.1, 0.9, (n_endmembers, n_bands))
    endmembers = np.vstack([endmembers, endmembers[:1] + endmembers[-1:]])  # one too many
    basis, inverse = span_basis(endmembers)
    assert basis.shape == (n_bands, np.linalg.matrix_rank(endmembers))
    np.testing.assert_allclose(endmembers @ basis @ inverse, endmembers, atol=1e-8)
    np.testing.assert_allclose(inverse @ basis, np.eye(basis.shape[1]), atol=1e-8)
    # what the spectra have beside the span is left out
    beside = rng.normal(size=n_bands)
    beside -= np.linalg.pinv(endmembers) @ endmembers @ beside
    np.testing.assert_allclose(beside @ basis, 0.0, atol=1e-6)


def test_coordinates_bring_the_endmembers_halfway_to_orthogonal():
    rng = np.random.default_rng(0)
    endmembers = 0.5 + 0.05 * rng.normal(size=(4, 30))
    basis, _ = span_basis(endmembers)
    before, after = np.linalg.cond(endmembers), np.linalg.cond(endmembers @ basis)
    assert after == pytest.approx(np.sqrt(before))


@pytest.mark.parametrize("n_pixels", [1, 3, 2000])
def test_noise_is_like_the_residuals(n_pixels):
    rng = np.random.default_rng(0)
    residuals = rng.normal(size=(n_pixels, 5)) @ rng.normal(size=(5, 5))
    factor = noise_factor(residuals)
    np.testing.assert_allclose(factor @ factor.T, residuals.T @ residuals / n_pixels, atol=1e-10)
