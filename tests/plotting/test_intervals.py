"""Tests of IntervalDisplay."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import SunSALRegressor
from skunmix.plotting import AbundanceMapDisplay, IntervalDisplay
from skunmix.scenes import unmix_file
from skunmix.uncertainty import ConformalUnmixer

plt = pytest.importorskip("matplotlib.pyplot")

SHAPE = 6, 5
NAMES = ["water", "soil", "tree"]


@pytest.fixture(scope="module")
def scene():
    """Return spectra, abundances and a fitted model with names."""
    rng = np.random.RandomState(0)
    endmembers = pd.DataFrame(rng.uniform(0.1, 0.9, (3, 8)), index=NAMES)
    abundances = rng.dirichlet(np.ones(3), 30)
    spectra = abundances @ endmembers.to_numpy() + 0.02 * rng.randn(30, 8)
    model = SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True)
    return spectra, abundances, model.fit(spectra)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def drawn(display):
    """Return the images as an array of shape (2, n_endmembers, n_rows, n_columns)."""
    return np.stack([[image.get_array() for image in row] for row in display.images_])


def test_abundances_and_the_widths_below(scene):
    spectra, _, model = scene
    display = IntervalDisplay.from_estimator(model, spectra, coverage=0.7, shape=SHAPE)
    lower, upper = model.predict_interval(spectra, coverage=0.7)
    expected = np.stack([model.predict(spectra), upper - lower])
    np.testing.assert_allclose(drawn(display), expected.swapaxes(1, 2).reshape(2, 3, *SHAPE))
    assert [ax.get_title() for ax in display.axes_[0]] == NAMES
    assert [ax.get_ylabel() for ax in display.axes_[:, 0]] == ["estimate", "width"]
    assert display.colorbar_.ax.get_ylabel() == "abundance"
    assert display.width_colorbar_.ax.get_ylabel() == "width of interval"
    assert {image.get_clim() for image in display.images_[0]} == {(0.0, 1.0)}
    assert {image.get_clim() for image in display.images_[1]} == {(0.0, (upper - lower).max())}
    np.testing.assert_allclose(display.upper, upper.reshape(*SHAPE, 3))


def test_missing_pixels_pipelines_and_one_dimensional_abundances(scene):
    spectra, abundances, _ = scene
    image = spectra.reshape(*SHAPE, 8).copy()
    image[2, 3, 1] = np.nan
    pipeline = make_pipeline(Normalizer(), ConformalUnmixer(LinearRegression(), random_state=0))
    pipeline.fit(spectra, abundances[:, 0])
    display = IntervalDisplay.from_estimator(pipeline, image)
    unit = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    lower, upper = pipeline[-1].predict_interval(unit)
    width = np.ma.filled(display.images_[1, 0].get_array(), np.nan)
    assert np.flatnonzero(np.isnan(width)).tolist() == [13]
    there = np.isfinite(width)
    np.testing.assert_allclose(width[there], (upper - lower).reshape(SHAPE)[there])


def test_from_predictions_follows_labels(scene):
    spectra, _, model = scene
    found = [model.predict(spectra), *model.predict_interval(spectra)]
    values, lower, upper = (pd.DataFrame(part, columns=NAMES) for part in found)
    display = IntervalDisplay.from_predictions(
        values, lower=lower[NAMES[::-1]], upper=upper, shape=SHAPE, n_cols=2, colorbar=False
    )
    expected = IntervalDisplay.from_estimator(model, spectra, shape=SHAPE)
    np.testing.assert_allclose(drawn(display), drawn(expected))
    assert [ax.get_title() for ax in display.axes_[0]] == NAMES
    assert display.colorbar_ is display.width_colorbar_ is None


def test_axes_and_scales(scene):
    spectra, _, model = scene
    _, axes = plt.subplots(2, 3)
    display = IntervalDisplay.from_estimator(
        model,
        spectra,
        shape=SHAPE,
        ax=axes,
        cmap="cividis",
        im_kw={"vmax": 0.5},
        width_kw={"vmax": 0.2},
    )
    assert (display.axes_ == axes).all()
    assert display.images_[0, 0].get_clim() == (0.0, 0.5)
    assert display.images_[1, 0].get_clim() == (0.0, 0.2)
    assert display.images_[0, 0].get_cmap().name == "cividis"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("suffix", ["npy", "tif", "hdr", "nc"])
def test_from_a_file(scene, tmp_path, suffix):
    if suffix != "npy":
        pytest.importorskip("rasterio")
        pytest.importorskip("netCDF4")
    spectra, _, model = scene
    np.save(tmp_path / "scene.npy", spectra.reshape(*SHAPE, 8))
    given = model, tmp_path / "scene.npy"
    path = unmix_file(*given, tmp_path / f"maps.{suffix}", coverage=0.7)
    display = IntervalDisplay.from_file(path)
    expected = IntervalDisplay.from_estimator(model, spectra, coverage=0.7, shape=SHAPE)
    np.testing.assert_allclose(drawn(display), drawn(expected), atol=1e-6)
    names = [ax.get_title() for ax in display.axes_[0]]
    assert names == (["endmember0", "endmember1", "endmember2"] if suffix == "npy" else NAMES)
    if suffix != "npy":  # which has no names, so that bounds cannot be told apart
        maps = AbundanceMapDisplay.from_file(path)
        assert [ax.get_title() for ax in maps.axes_[0]] == NAMES
        path = unmix_file(*given, path, overwrite=True)
        with pytest.raises(ValueError, match="got 3 maps without such bounds; pass a coverage"):
            IntervalDisplay.from_file(path)


def test_errors(scene):
    spectra, abundances, model = scene
    with pytest.raises(TypeError, match=r"for IntervalDisplay\.from_estimator, got LinearRegr"):
        IntervalDisplay.from_estimator(
            LinearRegression().fit(spectra, abundances), spectra, shape=SHAPE
        )
    with pytest.raises(ValueError, match="Expected coverage between 0 and 1, got 2"):
        IntervalDisplay.from_estimator(model, spectra, coverage=2, shape=SHAPE)
    with pytest.raises(ValueError, match="pass shape="):
        IntervalDisplay.from_estimator(model, spectra)
    with pytest.raises(ValueError, match=r"Expected upper as an image of shape \(6, 5, 3\)"):
        IntervalDisplay.from_predictions(
            abundances, lower=abundances, upper=abundances[:, :2], shape=SHAPE
        )
    with pytest.raises(ValueError, match="6 axes"):
        IntervalDisplay.from_estimator(model, spectra, shape=SHAPE, ax=plt.subplots(2, 2)[1])
