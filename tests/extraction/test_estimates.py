"""The number of endmembers and the noise, against independent readings and simulated scenes."""

import numpy as np
import pytest
from scipy.stats import norm

from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library, make_scene
from skunmix.extraction import estimate_n_endmembers, estimate_noise, pixel_purity
from skunmix.extraction._count import fold_moments, pool
from skunmix.solvers.moments import second_moments

RNG = np.random.RandomState(0)


def noise_by_regression(X):
    """Return the residuals of each band regressed on the others, one regression at a time."""
    residuals = np.empty_like(X)
    for band in range(X.shape[1]):
        others = np.delete(X, band, axis=1)
        residuals[:, band] = X[:, band] - others @ np.linalg.lstsq(others, X[:, band])[0]
    return residuals


@pytest.fixture(scope="module")
def scene():
    return make_scene(n_endmembers=5, shape=(50, 50), snr=30, random_state=0)


def test_noise_is_that_of_regressions(scene):
    X = scene.spectra[:, ::8]
    n_pixels, n_bands = X.shape
    squares = (noise_by_regression(X) ** 2).sum(axis=0) / (n_pixels - n_bands + 1)
    np.testing.assert_allclose(estimate_noise(X), np.sqrt(squares))


def test_noise_of_each_band(scene):
    """Noise of other sizes in other bands, offset and unit, and dead bands."""
    clean = scene.abundances @ scene.endmembers
    sizes = np.geomspace(0.001, 0.03, clean.shape[1])
    X = clean + sizes * RNG.normal(size=clean.shape)
    np.testing.assert_allclose(estimate_noise(X), sizes, rtol=0.15)
    units = np.geomspace(1e-3, 1e4, clean.shape[1])
    np.testing.assert_allclose(estimate_noise(units * X), units * estimate_noise(X), rtol=1e-6)
    dead = np.hstack([X, np.zeros((len(X), 1))])
    np.testing.assert_allclose(estimate_noise(dead), [*estimate_noise(X), 0.0], rtol=1e-2)


def test_no_noise(scene):
    clean = scene.abundances @ scene.endmembers
    assert (estimate_noise(clean) < 1e-6 * clean.max()).all()
    for method in ("elbow", "hysime"):
        assert estimate_n_endmembers(clean, method) == 5


def test_weights(scene):
    X = scene.spectra[:, ::8]
    weight = RNG.randint(0, 3, len(X))
    repeated = np.repeat(X, weight, axis=0)
    # twice a pixel is no further pixel, so that the correction for their number differs
    n_bands, n, m = X.shape[1], np.count_nonzero(weight), len(repeated)
    correction = np.sqrt(n / (n - n_bands + 1) * (m - n_bands + 1) / m)
    expected = estimate_noise(repeated) * correction
    np.testing.assert_allclose(estimate_noise(X, sample_weight=weight), expected)
    mask = weight > 0
    for method in ("elbow", "hysime", "hfc", "nwhfc"):
        found = estimate_n_endmembers(X, method, sample_weight=mask)
        assert found == estimate_n_endmembers(X[mask], method)


def textbook_hysime(X):
    """Return the number as in the paper's Algorithms 1 and 2, with the residuals themselves."""
    noise = noise_by_regression(X)
    n_pixels = len(X)
    signal = X - noise
    R_y, R_x = X.T @ X / n_pixels, signal.T @ signal / n_pixels
    R_n = np.diag(np.diag(noise.T @ noise / n_pixels))
    E = np.linalg.svd(R_x)[0]
    return int((-np.diag(E.T @ R_y @ E) + 2 * np.diag(E.T @ R_n @ E) < 0).sum())


def textbook_hfc(X, false_alarm):
    """Return the number of eigenvalues of the correlation above those of the covariance."""
    n_pixels = len(X)
    R = np.sort(np.linalg.eigvalsh(X.T @ X / n_pixels))[::-1]
    K = np.sort(np.linalg.eigvalsh(np.cov(X.T, ddof=0)))[::-1]
    return sum(
        r - k > -norm.ppf(false_alarm) * np.sqrt(2 * r**2 / n_pixels + 2 * k**2 / n_pixels)
        for r, k in zip(R, K)
    )


@pytest.mark.parametrize("snr", [10, 20, 30])
@pytest.mark.parametrize("seed", range(3))
def test_counts_are_the_textbooks(snr, seed):
    scene = make_scene(n_endmembers=6, shape=(40, 40), snr=snr, random_state=seed)
    X = scene.spectra[:, ::5]
    assert estimate_n_endmembers(X, "hysime") == textbook_hysime(X)
    for false_alarm in (1e-5, 1e-2):
        found = estimate_n_endmembers(X, "hfc", false_alarm=false_alarm)
        assert found == textbook_hfc(X, false_alarm)
        white = X / estimate_noise(X)
        found = estimate_n_endmembers(X, "nwhfc", false_alarm=false_alarm)
        assert found == textbook_hfc(white, false_alarm)


@pytest.fixture(scope="module")
def minerals():
    try:
        return fetch_usgs_library(min_angle=4.44, download_if_missing=False)
    except OSError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("n_endmembers", range(3, 11))
@pytest.mark.parametrize("snr", [20, 30])
def test_right_to_one_on_minerals(minerals, n_endmembers, snr):
    scene = make_scene(minerals, n_endmembers=n_endmembers, snr=snr, random_state=1)
    for method in ("elbow", "hysime"):
        assert abs(estimate_n_endmembers(scene.spectra, method) - n_endmembers) <= 1


def test_jasper_ridge():
    """Where dimensions beyond the noise are many more than the four materials."""
    try:
        X = fetch_jasper_ridge(download_if_missing=False).spectra
    except OSError as error:
        pytest.skip(str(error))
    assert estimate_n_endmembers(X) == 4
    assert 15 <= estimate_n_endmembers(X, "hysime") <= 20


@pytest.mark.parametrize("method", ["elbow", "hysime", "hfc", "nwhfc"])
def test_what_the_methods_decide_on(scene, method):
    count = estimate_n_endmembers(scene.spectra, method, return_spectra=True)
    assert count.method == method
    assert count.n_endmembers == estimate_n_endmembers(scene.spectra, method)
    assert count.signal.shape == count.noise.shape == (scene.spectra.shape[1],)
    if method == "elbow":
        assert count.signal[4] > 3 * count.noise[4]
        # directions of noise gain nothing where they were not chosen
        assert abs(count.signal[5:].mean()) < 0.1
    else:
        assert (count.signal > count.noise).sum() == count.n_endmembers


@pytest.mark.parametrize("method", ["elbow", "hysime", "hfc", "nwhfc"])
def test_units_and_order_do_not_matter(scene, method):
    X = scene.spectra
    found = estimate_n_endmembers(X, method)
    assert estimate_n_endmembers(X[RNG.permutation(len(X))], method) == found
    assert estimate_n_endmembers(1e4 * X, method) == found


def test_noise_alone_has_no_endmembers():
    X = RNG.normal(size=(3000, 30))
    assert estimate_n_endmembers(X) == 0
    assert estimate_n_endmembers(X, "hysime") == 0
    assert estimate_n_endmembers(np.zeros((3000, 30))) == 0


def test_bad_input():
    few = RNG.uniform(size=(20, 30))
    with pytest.raises(ValueError, match="more pixels than the 30 bands, .* got n_samples=20"):
        estimate_noise(few)
    for method in ("elbow", "hysime", "nwhfc"):
        with pytest.raises(ValueError, match="more pixels than the 30 bands"):
            estimate_n_endmembers(few, method)
    with pytest.raises(ValueError, match="at least 10 pixels .* got n_samples=5"):
        estimate_n_endmembers(few[:5, :2])
    with pytest.raises(ValueError, match="'method' parameter .* must be a str among"):
        estimate_n_endmembers(few, "hysim")
    with pytest.raises(ValueError, match="contains NaN"):
        estimate_noise(np.full((5, 2), np.nan))
    with pytest.raises(ValueError, match="masked"):
        estimate_n_endmembers(np.ma.masked_less(few, 0.5))


def test_pixel_purity_counts_extremes():
    X = RNG.uniform(size=(40, 5))
    directions = np.random.RandomState(3).normal(size=(5, 30))
    scores = X @ (directions / np.linalg.norm(directions, axis=0))
    expected = np.bincount(np.r_[scores.argmin(axis=0), scores.argmax(axis=0)], minlength=40)
    np.testing.assert_array_equal(pixel_purity(X, 30, random_state=3), expected)
    near = (scores >= scores.max(axis=0) - 0.1) | (scores <= scores.min(axis=0) + 0.1)
    counts = pixel_purity(X, 30, threshold=0.1, random_state=3)
    np.testing.assert_array_equal(counts, near.sum(axis=1))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_pixel_purity_finds_the_vertices(dtype, monkeypatch):
    endmembers = RNG.uniform(size=(3, 6))
    X = np.vstack([endmembers, RNG.dirichlet(np.ones(3), 200) @ endmembers])
    X = (10_000 * X).astype(dtype)
    whole = pixel_purity(X, 200, random_state=0)
    assert set(np.flatnonzero(whole)) == {0, 1, 2}
    assert whole.sum() == 400
    monkeypatch.setattr("skunmix.solvers.moments._BLOCK", 100)
    np.testing.assert_array_equal(pixel_purity(X, 200, random_state=0), whole)


def test_pixel_purity_of_a_single_pixel():
    assert pixel_purity(np.ones((1, 3)), 7).tolist() == [7]
    with pytest.raises(ValueError, match="'n_projections' parameter"):
        pixel_purity(np.ones((1, 3)), 0)


def test_folds_make_the_whole():
    X = RNG.uniform(size=(1000, 6)) + np.arange(1000)[:, np.newaxis] % 5
    together, whole = pool(fold_moments(X)), second_moments(X)
    assert together.n_pixels == 1000
    np.testing.assert_allclose(together.mean, whole.mean)
    np.testing.assert_allclose(together.covariance, whole.covariance)
