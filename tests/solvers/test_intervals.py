"""Tests of the intervals of abundances for noise."""

import numpy as np
import pytest
from scipy.linalg import lstsq, null_space
from scipy.optimize import curve_fit
from scipy.stats import t

from skunmix.datasets import make_scene
from skunmix.solvers import least_squares_intervals

SCENE = make_scene(n_endmembers=4, shape=(50, 50), snr=15, random_state=0)
A, Y, X = SCENE.endmembers, SCENE.spectra, SCENE.abundances


def interior(scene):
    """Return spectra of pixels so far from the bounds that no interval is cut."""
    x = np.full((30, len(A)), 1 / len(A))
    return x @ A + np.random.RandomState(0).normal(0, 1e-3, (30, A.shape[1]))


def test_against_curve_fit():
    """SciPy's covariance of a linear fit, without a constraint."""
    spectra = interior(SCENE)
    lower, upper = least_squares_intervals(spectra, A, coverage=0.8, sum_to_one=False)
    for y, low, high in zip(spectra, lower, upper):
        x, covariance = curve_fit(lambda _, *x: np.array(x) @ A, None, y, p0=np.ones(4))
        half = t.ppf(0.9, A.shape[1] - 4) * np.sqrt(np.diag(covariance))
        np.testing.assert_allclose((low, high), (x - half, x + half), rtol=1e-4)


def test_against_elimination():
    """With the constraint, x = e₁ + Nw, and a fit of w."""
    spectra = interior(SCENE)
    lower, upper = least_squares_intervals(spectra, A, coverage=0.8)
    N = null_space(np.ones((1, 4)))
    for y, low, high in zip(spectra, lower, upper):
        w, squares, _, _ = lstsq(A.T @ N, y - A[0])
        x = np.eye(4)[0] + N @ w
        covariance = N @ np.linalg.inv(N.T @ A @ A.T @ N) @ N.T
        half = t.ppf(0.9, A.shape[1] - 3) * np.sqrt(
            np.diag(covariance) * squares / (A.shape[1] - 3)
        )
        np.testing.assert_allclose((low, high), (x - half, x + half), rtol=1e-9)


def test_shares_against_drawings():
    """To first order, the errors of x / Σx are those of drawings of the noise."""
    x = np.array([0.4, 0.3, 0.2, 0.3])
    noise = np.random.RandomState(0).normal(0, 1e-3, (4000, A.shape[1]))
    spectra = x @ A + noise
    lower, upper = least_squares_intervals(spectra, A, sum_to_one="normalize")
    found = lstsq(A.T, spectra.T)[0].T
    shares = found / found.sum(axis=1, keepdims=True)
    half = 1.645 * shares.std(axis=0)
    np.testing.assert_allclose(((upper - lower) / 2).mean(axis=0), half, rtol=0.05)


@pytest.mark.parametrize("coverage", [0.5, 0.9])
@pytest.mark.parametrize("sum_to_one", [True, False, "normalize"])
def test_the_share_of_pixels(sum_to_one, coverage):
    lower, upper = least_squares_intervals(Y, A, coverage=coverage, sum_to_one=sum_to_one)
    inside = (lower <= X + 1e-12) & (X <= upper + 1e-12)
    mixed = (X > 0.02) & (X < 0.98)
    assert abs(inside[mixed].mean() - coverage) < 0.03
    # absent and pure endmembers are at the bound, to which intervals are cut
    assert (inside.mean(axis=0) > coverage - 0.03).all()
    assert (lower <= upper).all()


def test_sums_of_endmembers():
    sums = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    lower, upper = least_squares_intervals(Y, A, sums=sums)
    inside = (lower <= X @ sums.T + 1e-12) & (X @ sums.T <= upper + 1e-12)
    assert (np.abs(inside.mean(axis=0) - 0.91) < 0.04).all()
    # Σx = 1 leaves one number free
    np.testing.assert_allclose(upper[:, 0], 1 - lower[:, 1], atol=1e-9)


def test_pixels_of_zeros():
    lower, upper = least_squares_intervals(np.zeros((2, A.shape[1])), A, sum_to_one="normalize")
    assert (lower == 0).all()
    assert (upper == 1).all()


@pytest.mark.parametrize(
    "endmembers", [np.vstack([A, A[:1] + A[1:2]]), A[:, :4]], ids=["dependent", "as many as bands"]
)
def test_unknown_errors(endmembers):
    with pytest.raises(ValueError, match=r"linearly independent endmembers, .* drop endmembers"):
        least_squares_intervals(Y[:, : endmembers.shape[1]], endmembers, sum_to_one=False)


@pytest.mark.parametrize("coverage", [0, 1, 90])
def test_coverage_is_a_share(coverage):
    with pytest.raises(ValueError, match="Expected coverage between 0 and 1, got"):
        least_squares_intervals(Y, A, coverage=coverage)
