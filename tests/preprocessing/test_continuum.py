import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix import SunSALRegressor
from skunmix.metrics import spectral_angle_scorer
from skunmix.preprocessing import BandSelector, ContinuumRemoval

WAVELENGTHS = np.sort(np.random.default_rng(0).uniform(400, 2500, 60))


@pytest.fixture
def spectra():
    rng = np.random.default_rng(1)
    walks = np.cumsum(rng.normal(size=(50, 60)), axis=1)
    return walks - walks.min(axis=1, keepdims=True) + 0.1


def by_scipy(spectrum, wavelengths):
    """The spectrum divided by the hull, whose vertices SciPy finds, closed from below."""
    ends = wavelengths[[0, -1]]
    points = np.column_stack([np.r_[wavelengths, ends], np.r_[spectrum, [-1.0, -1.0]]])
    vertices = np.unique(ConvexHull(points).vertices)
    vertices = vertices[vertices < len(spectrum)]
    return spectrum / np.interp(wavelengths, wavelengths[vertices], spectrum[vertices])


@pytest.mark.filterwarnings("ignore:The continuum of")
@parametrize_with_checks([ContinuumRemoval()])
def test_as_scikit_learn_asks(estimator, check):
    check(estimator)


def test_beside_scipy_and_spy(spectra):
    removed = ContinuumRemoval(WAVELENGTHS, unit="nm").fit_transform(spectra)
    expected = [by_scipy(spectrum, WAVELENGTHS) for spectrum in spectra]
    np.testing.assert_allclose(removed, expected, rtol=1e-12)
    assert 0 < removed.min() < 0.5
    assert removed.max() == 1
    spectral = pytest.importorskip("spectral")
    np.testing.assert_allclose(removed, spectral.remove_continuum(spectra, WAVELENGTHS), rtol=1e-12)


def test_wavelengths_matter_and_their_order_and_unit_do_not(spectra):
    removed = ContinuumRemoval(WAVELENGTHS, unit="nm").fit_transform(spectra)
    order = np.random.default_rng(2).permutation(60)
    for wavelengths, unit, columns in (
        (WAVELENGTHS / 1000, "um", slice(None)),
        (WAVELENGTHS[::-1], "nm", slice(None, None, -1)),
        (WAVELENGTHS[order], "nm", order),
    ):
        found = ContinuumRemoval(wavelengths, unit=unit).fit_transform(spectra[:, columns])
        np.testing.assert_allclose(found, removed[:, columns], rtol=1e-12)
    equal = ContinuumRemoval().fit_transform(spectra)
    np.testing.assert_allclose(equal, [by_scipy(s, np.arange(60.0)) for s in spectra], rtol=1e-12)
    assert abs(equal - removed).max() > 0.01


@pytest.mark.parametrize("label", [float, str, lambda w: f"{w} nm", lambda w: f"{w / 1000} um"])
def test_labels_are_wavelengths(spectra, label):
    expected = ContinuumRemoval(WAVELENGTHS, unit="nm").fit_transform(spectra)
    frame = pd.DataFrame(spectra, columns=[label(w) for w in WAVELENGTHS])
    np.testing.assert_allclose(ContinuumRemoval().fit_transform(frame), expected, rtol=1e-9)
    shuffled = frame.iloc[:, ::-1]
    np.testing.assert_allclose(
        ContinuumRemoval().fit_transform(shuffled), expected[:, ::-1], rtol=1e-9
    )
    with pytest.raises(ValueError, match="other|order"):
        ContinuumRemoval(WAVELENGTHS + 5, unit="nm").fit(frame)
    fitted = ContinuumRemoval(WAVELENGTHS, unit="nm").fit(frame)
    with pytest.raises(ValueError, match="order"):
        fitted.transform(shuffled)


@given(
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=12),
    st.floats(1e-3, 1e4),
)
def test_properties(values, factor):
    spectrum = np.array([values])
    removed = ContinuumRemoval().fit_transform(spectrum)
    assert ((removed > 0) & (removed <= 1)).all()
    assert removed[0, 0] == removed[0, -1] == 1
    scaled = ContinuumRemoval().fit_transform(factor * spectrum)
    np.testing.assert_allclose(scaled, removed, rtol=1e-9)
    # what it is divided by is concave
    hull = spectrum / removed
    assert (np.diff(hull[0], 2) <= 1e-12).all()
    # and is removed once
    np.testing.assert_allclose(ContinuumRemoval().fit_transform(removed), removed, rtol=1e-9)


@pytest.mark.parametrize("n_bands", [1, 2])
def test_few_bands(n_bands):
    np.testing.assert_array_equal(
        ContinuumRemoval().fit_transform(np.full((3, n_bands), 0.2)), np.ones((3, n_bands))
    )


def test_pixels_without_a_positive_hull(spectra):
    expected = ContinuumRemoval().fit_transform(spectra)
    inside = spectra.copy()
    inside[3, 10] = -0.5
    assert ContinuumRemoval().fit_transform(inside)[3, 10] < 0
    dark = spectra.copy()
    dark[[2, 5, 9]] = 0
    dark[5, 0], dark[9, -1] = 0.2, -1
    with pytest.warns(UserWarning, match="of 3 of 50 pixels is not positive, as pixel 2 has 0 in"):
        removed = ContinuumRemoval().fit_transform(dark)
    assert np.isnan(removed[[2, 5, 9]]).all()
    others = np.delete(np.arange(50), [2, 5, 9])
    np.testing.assert_array_equal(removed[others], expected[others])


def test_types_blocks_and_copies(spectra):
    transformer = ContinuumRemoval().fit(spectra)
    expected, kept = transformer.transform(spectra), spectra.copy()
    single = transformer.transform(spectra.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5)
    integers = np.round(1000 * spectra).astype(np.int16)
    np.testing.assert_allclose(transformer.transform(integers), expected, atol=0.02)
    many = np.asfortranarray(np.tile(spectra, (100, 1)))
    np.testing.assert_array_equal(transformer.transform(many), np.tile(expected, (100, 1)))
    np.testing.assert_array_equal(spectra, kept)
    spectra.flags.writeable = False
    again = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(again.transform(spectra), expected)
    assert not hasattr(transformer, "inverse_transform")


def test_pipelines(problem):
    spectra = abs(problem.spectra) + 0.05
    model = make_pipeline(
        BandSelector(slice(2, None)), ContinuumRemoval(), SunSALRegressor(lam=0)
    ).fit(spectra, problem.abundances)
    assert model.predict(spectra).shape == problem.abundances.shape
    assert -0.5 < spectral_angle_scorer(model, spectra) < 0
    frame = pd.DataFrame(spectra, columns=[f"b{i}" for i in range(20)])
    removed = ContinuumRemoval().set_output(transform="pandas").fit_transform(frame)
    assert list(removed.columns) == list(frame.columns)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"wavelengths": WAVELENGTHS}, "unit of the wavelengths"),
        ({"wavelengths": WAVELENGTHS[1:], "unit": "nm"}, "Expected 60 wavelengths, .* got 59"),
        ({"wavelengths": WAVELENGTHS, "unit": "um"}, "check the unit"),
        ({"wavelengths": np.r_[WAVELENGTHS[:59], WAVELENGTHS[3]], "unit": "nm"}, "twice"),
        ({"wavelengths": np.full(60, np.nan), "unit": "nm"}, "NaN"),
        ({"unit": "cm"}, "'unit' parameter"),
    ],
)
def test_refused_wavelengths(spectra, parameters, message):
    with pytest.raises(ValueError, match=message):
        ContinuumRemoval(**parameters).fit(spectra)


def test_refused_spectra(spectra):
    transformer = ContinuumRemoval().fit(spectra)
    masked = np.ma.masked_less(spectra, 0.2)
    with pytest.raises(ValueError, match="masked"):
        transformer.transform(masked)
    spectra[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        transformer.transform(spectra)
