"""The blind unmixers: what they share, and scikit-learn's own checks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix import SunSALRegressor
from skunmix.datasets import make_endmembers, make_scene
from skunmix.extraction import ArchetypalAnalysis, BlindUnmixer, MinimumVolume
from skunmix.metrics import match_endmembers

FAST = {"n_init": 3, "max_iter": 20, "random_state": 0}
UNMIXERS = [
    MinimumVolume(3, random_state=0),
    ArchetypalAnalysis(3, **FAST),
    ArchetypalAnalysis(3, norm=None, **FAST),
    BlindUnmixer(3, random_state=0),
]
each_unmixer = pytest.mark.parametrize("unmixer", UNMIXERS, ids=str)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([clone(unmixer).set_params(n_endmembers=2) for unmixer in UNMIXERS])
def test_common(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def scene():
    return make_scene(n_endmembers=3, shape=(30, 30), snr=40, random_state=0)


@pytest.fixture(scope="module")
def dim_scene(scene):
    """The same, with a brightness of each pixel between a half and one."""
    brightness = np.random.RandomState(0).uniform(0.5, 1, size=(len(scene.spectra), 1))
    return brightness * scene.spectra


@each_unmixer
def test_abundances_are_those_of_fcls(unmixer, scene):
    unmixer = clone(unmixer).fit(scene.spectra)
    X, endmembers = scene.spectra, unmixer.endmembers_
    if isinstance(unmixer, ArchetypalAnalysis) and unmixer.norm == "l2":
        X, endmembers = normalize(X), normalize(endmembers)
    fcls = SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True).fit(X)
    np.testing.assert_allclose(unmixer.predict(scene.spectra), fcls.predict(X), atol=1e-9)


@each_unmixer
def test_pure_abundances_are_endmembers(unmixer, scene):
    unmixer = clone(unmixer).fit(scene.spectra)
    np.testing.assert_allclose(unmixer.inverse_transform(np.eye(3)), unmixer.endmembers_)


@each_unmixer
def test_score_is_the_explained_share(unmixer, scene):
    unmixer = clone(unmixer).fit(scene.spectra)
    X, rebuilt = scene.spectra, unmixer.inverse_transform(unmixer.predict(scene.spectra))
    if isinstance(unmixer, ArchetypalAnalysis) and unmixer.norm == "l2":
        X, rebuilt = normalize(X), normalize(rebuilt)
    expected = r2_score(X, rebuilt, multioutput="variance_weighted")
    assert unmixer.score(scene.spectra) == pytest.approx(expected)
    assert expected > 0.9
    assert unmixer.score(scene.spectra, np.zeros(900)) == unmixer.score(scene.spectra)
    with pytest.raises(ValueError, match="order of its endmembers is unknown; match them"):
        unmixer.score(scene.spectra, scene.abundances)


def test_score_ignores_brightness_at_unit_length(dim_scene, scene):
    unmixer = ArchetypalAnalysis(3, **FAST).fit(dim_scene)
    assert unmixer.score(dim_scene) == pytest.approx(unmixer.score(scene.spectra))


@each_unmixer
def test_weights_of_zero_leave_pixels_out(unmixer, scene):
    weight = np.ones(len(scene.spectra))
    weight[::3] = 0
    spoiled = scene.spectra.copy()
    spoiled[::3] = 7.0
    masked = clone(unmixer).fit(spoiled, sample_weight=weight)
    kept = clone(unmixer).fit(scene.spectra[weight > 0])
    order = match_endmembers(kept.endmembers_, masked.endmembers_)
    order = order[0] if isinstance(order, tuple) else order
    np.testing.assert_allclose(masked.endmembers_[order], kept.endmembers_, rtol=1e-4)


@each_unmixer
def test_an_extractor_for_others(unmixer, scene):
    sunsal = SunSALRegressor(endmembers=unmixer, lam=0, sum_to_one=True).fit(scene.spectra)
    expected = clone(unmixer).fit(scene.spectra).endmembers_
    np.testing.assert_array_equal(sunsal.endmembers_, expected)


@each_unmixer
def test_memory_mapped_integers(unmixer, scene, tmp_path):
    counts = np.round(scene.spectra * 1e4).astype(np.int16)
    file = np.memmap(tmp_path / "scene", dtype=np.int16, mode="w+", shape=counts.shape)
    file[:] = counts
    mapped, loaded = clone(unmixer).fit(file), clone(unmixer).fit(counts.astype(float))
    np.testing.assert_allclose(mapped.endmembers_, loaded.endmembers_, rtol=1e-3)


@each_unmixer
@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.tile([[1.0, 2, 3, 4], [2, 1, 0, 1]], (20, 1)), "at least 3 different spectra"),
        (np.full((30, 4), np.nan), "NaN"),
        (np.zeros((30, 4)), "zero|mix|different"),
    ],
)
def test_bad_input(unmixer, X, match):
    with pytest.raises(ValueError, match=match):
        clone(unmixer).fit(X)


@pytest.mark.parametrize("unmixer", UNMIXERS[:3], ids=str)
def test_one_endmember(unmixer, scene):
    unmixer = clone(unmixer).set_params(n_endmembers=1).fit(scene.spectra)
    assert unmixer.endmembers_.shape == (1, scene.spectra.shape[1])
    np.testing.assert_array_equal(unmixer.predict(scene.spectra), 1)


def test_the_method_suits_the_scene(scene, dim_scene):
    # a material that varies: the sine of its bands grows and shrinks
    amount = np.random.RandomState(1).normal(scale=0.1, size=(len(scene.spectra), 1))
    varied = dim_scene * (1 + amount * np.sin(np.linspace(0, 9, dim_scene.shape[1])))
    linear, dim, real = (
        BlindUnmixer(3, random_state=0).fit(X) for X in (scene.spectra, dim_scene, varied)
    )
    methods = (linear.method_, dim.method_, real.method_)
    assert methods == ("minimum-volume", "minimum-volume", "archetypes")
    assert linear.misfit_ < 2
    assert min(dim.misfit_, real.misfit_) > 20
    forced = BlindUnmixer(3, method="minimum-volume", random_state=0).fit(varied)
    assert isinstance(forced.unmixer_, MinimumVolume)
    assert forced.misfit_ == real.misfit_


@pytest.mark.parametrize("snr", [10, 30, None])
def test_linear_scenes_are_known_at_any_noise(snr):
    endmembers = make_endmembers(4, n_bands=50, random_state=1)
    scene = make_scene(endmembers, shape=(40, 40), snr=snr, random_state=0)
    assert BlindUnmixer(4, random_state=0).fit(scene.spectra).method_ == "minimum-volume"
