import numpy as np
import pytest

from skunmix.extraction._subspace import signal_subspace
from skunmix.solvers.moments import sample_rows, second_moments

RNG = np.random.RandomState(0)
SPECTRA = 100 + RNG.normal(size=(500, 12)) @ RNG.normal(size=(12, 12))


@pytest.mark.parametrize("weight", [None, RNG.uniform(size=500) * (RNG.uniform(size=500) > 0.2)])
def test_moments(weight):
    moments = second_moments(SPECTRA, weight)
    np.testing.assert_allclose(moments.mean, np.average(SPECTRA, axis=0, weights=weight))
    covariance = np.cov(SPECTRA.T, aweights=weight, ddof=0)
    np.testing.assert_allclose(moments.covariance, covariance, atol=1e-10)
    w = np.ones(500) if weight is None else weight
    second = (SPECTRA.T * w) @ SPECTRA / w.sum()
    np.testing.assert_allclose(moments.second, second)


@pytest.mark.parametrize("n_rows", [10, 1000, 16_384, 100_003])
@pytest.mark.parametrize("masked", [False, True])
def test_sample_is_even(n_rows, masked):
    weight = np.arange(n_rows) % 3 == 0 if masked else None
    rows = sample_rows(n_rows, 1000, weight)
    valid = np.arange(n_rows) if weight is None else np.flatnonzero(weight)
    assert len(rows) == min(1000, len(valid))
    assert (np.diff(rows) > 0).all()
    assert np.isin(rows, valid).all()
    if len(valid) > 1000:
        # each quarter of the valid pixels, and each column of an image, has its share
        position = np.searchsorted(valid, rows)
        assert np.bincount(position * 4 // len(valid)).tolist() == [250] * 4
        assert np.bincount(position % 8, minlength=8).min() > 60


@pytest.mark.parametrize("centred", [False, True])
def test_subspace_is_the_svds(centred):
    subspace = signal_subspace(SPECTRA, 3, centred=centred)
    origin = SPECTRA.mean(axis=0) if centred else np.zeros(12)
    np.testing.assert_allclose(subspace.origin, origin)
    _, values, V = np.linalg.svd(SPECTRA - origin, full_matrices=False)
    np.testing.assert_allclose(subspace.energies, values**2 / 500, rtol=1e-6, atol=1e-9)
    expected = (SPECTRA - origin) @ V[:3].T @ V[:3] + origin
    np.testing.assert_allclose(subspace.rebuild(subspace.project(SPECTRA)), expected)
    assert (subspace.basis.max(axis=0) == np.abs(subspace.basis).max(axis=0)).all()


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
def test_projection_in_blocks(dtype, monkeypatch):
    X = (10 * SPECTRA).astype(dtype)
    subspace = signal_subspace(X, 3)
    expected = X.astype(np.float64) @ subspace.basis
    monkeypatch.setattr("skunmix.solvers.moments._BLOCK", 100)
    np.testing.assert_allclose(subspace.project(X), expected, rtol=1e-4, atol=1e-3)


def test_rank_has_no_rounding():
    mixtures = RNG.dirichlet(np.ones(3), 400) @ RNG.uniform(size=(3, 40))
    for X in (mixtures, mixtures.astype(np.float32), 1e6 * mixtures, 1e-6 * mixtures):
        assert signal_subspace(X, 3).rank == 3
        assert signal_subspace(X, 3, centred=True).rank == 2


def test_squares_that_overflow():
    with pytest.raises(ValueError, match="whose squares are finite, got values that are too"):
        second_moments(np.full((3, 2), 1e200))
    subspace = signal_subspace(SPECTRA, 3)
    with pytest.raises(ValueError, match="whose squares are finite, got values that are too"):
        subspace.project(np.full((3, 12), 3e38, dtype=np.float32))
