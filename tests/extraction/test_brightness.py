"""Linear mixtures whose brightness varies."""

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix.datasets import make_endmembers, make_mixtures, make_scene
from skunmix.extraction import BlindUnmixer, MinimumVolume
from skunmix.extraction._brightness import as_bright_as, brightness_varies, perspective
from skunmix.metrics import abundance_rmse, endmember_angle, match_endmembers
from skunmix.solvers.moments import second_moments

ENDMEMBERS = make_endmembers(4, n_bands=60, random_state=1).endmembers


def bright_scene(variation, snr=30, seed=0):
    return make_scene(
        ENDMEMBERS, shape=(50, 50), brightness_variation=variation, snr=snr, random_state=seed
    )


@pytest.fixture(scope="module")
def scene():
    return bright_scene(0.2)


@pytest.fixture(scope="module")
def unmixer(scene):
    return MinimumVolume(4, varying_brightness=True, random_state=0).fit(scene.spectra)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MinimumVolume(2, varying_brightness=True, random_state=0)])
def test_common(estimator, check):
    check(estimator)


@pytest.mark.parametrize("snr", [15, 20, 40])
@pytest.mark.parametrize(("variation", "expected"), [(0.0, False), (0.1, True), (0.4, True)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_whether_brightness_varies(snr, variation, expected, seed):
    moments = second_moments(bright_scene(variation, snr, seed).spectra)
    assert brightness_varies(moments, 4) == expected


def test_units_do_not_matter_to_whether_brightness_varies():
    for variation in (0.0, 0.1):
        X = bright_scene(variation, 20).spectra * np.linspace(1, 1e3, 60)
        assert brightness_varies(second_moments(X), 4) == bool(variation)


def test_centred_spectra_have_no_brightness():
    X = bright_scene(0.2).spectra
    assert not brightness_varies(second_moments(X - X.mean(axis=0)), 4)
    with pytest.raises(ValueError, match="do not subtract their mean"):
        perspective(np.array([[1.0, 2], [-1, -2]]), np.ones(2), noise=0.0)


def test_perspective_takes_brightness_away():
    rng = np.random.RandomState(0)
    Y = make_mixtures(ENDMEMBERS, 200, snr=None, random_state=0).spectra
    weight = rng.uniform(size=200)
    dimmed = Y * rng.uniform(0.2, 5, size=(200, 1))
    dimmed[7], dimmed[9] = 0, -Y[9]
    projected, kept = perspective(dimmed, weight, noise=1e-6)
    rows = np.delete(np.arange(200), [7, 9])
    np.testing.assert_array_equal(kept, weight[rows])
    np.testing.assert_allclose(normalize(projected), normalize(Y[rows]))
    # on a plane
    np.testing.assert_allclose(
        projected @ np.linalg.lstsq(projected, np.ones(198), rcond=None)[0], 1
    )


def test_scales_are_those_of_the_mixtures():
    mixtures = make_mixtures(ENDMEMBERS, 5000, snr=None, random_state=0).spectra
    brightness = np.random.RandomState(0).uniform(0.5, 1.5, size=(5000, 1))
    Y = mixtures * brightness / brightness.mean()
    found = as_bright_as(Y, np.ones(5000), ENDMEMBERS * [[0.1], [1], [3], [50]])
    np.testing.assert_allclose(found, ENDMEMBERS, rtol=0.05)
    # the first is in no pixel
    absent = np.vstack([-ENDMEMBERS[:1], ENDMEMBERS[1:]])
    mixtures = make_mixtures(ENDMEMBERS[1:], 500, snr=None, random_state=0).spectra
    found = as_bright_as(mixtures, np.ones(500), 2 * absent)
    np.testing.assert_allclose(found, absent, rtol=1e-6)


def test_endmembers_and_abundances(scene, unmixer):
    order = match_endmembers(scene.endmembers, unmixer.endmembers_)
    found = unmixer.endmembers_[order]
    assert endmember_angle(scene.endmembers, found, degrees=True) < 0.5
    lengths = np.linalg.norm(found, axis=1) / np.linalg.norm(scene.endmembers, axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=0.1)
    abundances = np.array([nnls(scene.endmembers.T, y)[0] for y in scene.spectra])
    abundances /= abundances.sum(axis=1, keepdims=True)
    least = abundance_rmse(scene.abundances, abundances)
    error = abundance_rmse(scene.abundances, unmixer.predict(scene.spectra)[:, order])
    assert error < 1.4 * least
    plain = MinimumVolume(4, random_state=0).fit(scene.spectra)
    assert endmember_angle(scene.endmembers, plain.endmembers_, degrees=True) > 4


@pytest.mark.filterwarnings("ignore:1 of 22 pixels are")
def test_abundances_are_shares_of_nnls(scene, unmixer):
    X = np.vstack([scene.spectra[:20], np.zeros((1, 60)), -scene.spectra[:1]])
    abundances = unmixer.predict(X)
    for y, x in zip(X[:20], abundances):
        expected = nnls(unmixer.endmembers_.T, y)[0]
        np.testing.assert_allclose(x, expected / expected.sum(), atol=1e-7)
    np.testing.assert_allclose(abundances.sum(axis=1), 1)
    assert abundances.min() >= 0
    np.testing.assert_allclose(unmixer.predict(7 * X[:20]), abundances[:20], atol=1e-7)


def test_reconstruction(scene, unmixer):
    np.testing.assert_allclose(unmixer.inverse_transform(np.eye(4)), unmixer.endmembers_)
    dimmed = scene.spectra * np.linspace(0.1, 9, len(scene.spectra))[:, np.newaxis]
    assert unmixer.score(dimmed) == pytest.approx(unmixer.score(scene.spectra))
    assert unmixer.score(scene.spectra) > 0.95


def test_pixels_without_brightness():
    with pytest.raises(ValueError, match="pass spectra that are not zero"):
        MinimumVolume(3, varying_brightness=True).fit(np.zeros((50, 10)))
    Y = make_mixtures(ENDMEMBERS, 100, snr=None, random_state=0).spectra
    Y[:30] *= 1e-3
    projected, _ = perspective(Y, np.ones(100), noise=1e-3)
    assert len(projected) == 70
    # more than a half is never left out
    projected, _ = perspective(Y, np.ones(100), noise=1e3)
    assert len(projected) == 50


def test_blind_unmixer_takes_what_the_scene_needs(scene):
    for variation in (0.0, 0.2):
        X = bright_scene(variation).spectra
        unmixer = BlindUnmixer(4, random_state=0).fit(X)
        assert unmixer.method_ == "minimum-volume"
        assert unmixer.unmixer_.varying_brightness == bool(variation)
        np.testing.assert_array_equal(unmixer.predict(X), unmixer.unmixer_.predict(X))
