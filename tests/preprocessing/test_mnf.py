import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.extraction import estimate_noise
from skunmix.preprocessing import MinimumNoiseFraction


@pytest.fixture(scope="module")
def scene():
    """A scene with noise that grows over the bands."""
    scene = make_scene(n_endmembers=4, shape=(50, 50), snr=None, random_state=0)
    sizes = np.geomspace(0.002, 0.05, scene.spectra.shape[1])
    rng = np.random.RandomState(0)
    scene.clean = scene.spectra
    scene.spectra = scene.clean + sizes * rng.normal(size=scene.clean.shape)
    return scene


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([MinimumNoiseFraction(), MinimumNoiseFraction(1)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_components_are_generalised_eigenvectors(scene):
    X = scene.spectra
    mnf = MinimumNoiseFraction(6).fit(X)
    noise = np.diag(estimate_noise(X) ** 2)
    ratios, vectors = eigh(np.cov(X.T, ddof=0), noise)
    np.testing.assert_allclose(mnf.snr_ + 1, ratios[::-1][:6])
    overlap = np.abs(mnf.components_ @ noise @ vectors[:, ::-1][:, :6])
    np.testing.assert_allclose(overlap, np.eye(6), atol=1e-6)
    components = mnf.transform(X)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(np.cov(components.T, ddof=0), np.diag(mnf.snr_ + 1), atol=1e-6)


def test_signal_comes_first(scene):
    """Four endmembers that sum to one need three components; the others hold noise only."""
    mnf = MinimumNoiseFraction().fit(scene.spectra)
    assert (mnf.snr_[:3] > 5).all()
    assert (mnf.snr_[3:] < 1).all()
    noise = mnf.transform(scene.spectra) - mnf.transform(scene.clean)
    # with 11 pixels a band, the components of a sample spread by a third (Marchenko-Pastur)
    np.testing.assert_allclose(noise.std(axis=0), 1, rtol=0.35)
    np.testing.assert_allclose(noise.std(), 1, rtol=0.05)


def test_inverse(scene):
    mnf = MinimumNoiseFraction().fit(scene.spectra)
    back = mnf.inverse_transform(mnf.transform(scene.spectra))
    np.testing.assert_allclose(back, scene.spectra, atol=1e-10)
    few = MinimumNoiseFraction(3).fit(scene.spectra)
    clean = few.inverse_transform(few.transform(scene.spectra))
    assert np.std(clean - scene.clean) < np.std(scene.spectra - scene.clean) / 5


def test_in_a_pipeline(scene):
    mnf = MinimumNoiseFraction(3).fit(scene.spectra)
    model = make_pipeline(
        mnf, SunSALRegressor(endmembers=mnf.transform(scene.endmembers), lam=0, sum_to_one=True)
    )
    found = model.fit(scene.spectra).predict(scene.spectra)
    plain = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True)
    before = plain.fit(scene.spectra).predict(scene.spectra)
    errors = [np.sqrt(np.mean((x - scene.abundances) ** 2)) for x in (found, before)]
    assert errors[0] < errors[1]


def test_types_and_names(scene):
    pd = pytest.importorskip("pandas")
    X = scene.spectra[:, :5]
    frame = pd.DataFrame(X, columns=[f"b{i}" for i in range(5)])
    mnf = MinimumNoiseFraction(2).fit(frame)
    expected = ["minimumnoisefraction0", "minimumnoisefraction1"]
    assert mnf.get_feature_names_out().tolist() == expected
    assert mnf.set_output(transform="pandas").transform(frame).columns.tolist() == expected
    with pytest.raises(ValueError, match="feature names"):
        mnf.transform(frame.iloc[:, ::-1])
    mnf = MinimumNoiseFraction(2).fit(X)
    single = mnf.transform(X.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, mnf.transform(X), rtol=1e-3, atol=1e-3)


def test_a_dead_band(scene):
    X = np.hstack([scene.spectra[:, ::10], np.zeros((2500, 1))])
    mnf = MinimumNoiseFraction().fit(X)
    np.testing.assert_allclose(mnf.inverse_transform(mnf.transform(X)), X, atol=1e-10)


def test_bad_input(scene):
    X = scene.spectra[:, :5]
    with pytest.raises(ValueError, match="n_components of at most 5, the number of bands"):
        MinimumNoiseFraction(6).fit(X)
    with pytest.raises(ValueError, match="more pixels than the 5 bands.* n_samples=5 pixels"):
        MinimumNoiseFraction().fit(X[:5])
    with pytest.raises(ValueError, match="contains NaN"):
        MinimumNoiseFraction().fit(np.where(X > 0.5, np.nan, X))
    with pytest.raises(ValueError, match="masked"):
        MinimumNoiseFraction().fit(np.ma.masked_greater(X, 0.5))
    mnf = MinimumNoiseFraction(2).fit(X)
    with pytest.raises(ValueError, match="Expected 2 components, as `transform` returns, got 5"):
        mnf.inverse_transform(X)
