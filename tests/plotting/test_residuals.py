import itertools

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer

from skunmix import SunSALRegressor
from skunmix.plotting import ResidualMapDisplay

plt = pytest.importorskip("matplotlib.pyplot")

SHAPE = 3, 4


@pytest.fixture
def scene():
    rng = np.random.RandomState(0)
    endmembers = rng.uniform(0.1, 0.9, (3, 8))
    abundances = rng.dirichlet(np.ones(3), 12)
    return abundances @ endmembers + 0.05 * rng.randn(12, 8), abundances, endmembers


def test_the_error_of_each_pixel(scene):
    spectra, _, endmembers = scene
    model = SunSALRegressor(endmembers=endmembers).fit(spectra)
    display = ResidualMapDisplay.from_estimator(model, spectra, shape=SHAPE)
    rebuilt = model.predict(spectra) @ endmembers
    expected = [
        np.sqrt(sum((a - b) ** 2 for a, b in zip(*pair)) / 8) for pair in zip(spectra, rebuilt)
    ]
    drawn = display.image_.get_array()
    np.testing.assert_allclose(drawn.ravel(), expected)
    assert display.image_.get_clim() == (0.0, drawn.max())
    assert display.image_.get_cmap().name == "magma"
    assert display.ax_.get_title() == "reconstruction RMSE"
    assert "RMSE" in display.colorbar_.ax.get_ylabel()
    again = ResidualMapDisplay.from_predictions(spectra, rebuilt, shape=SHAPE)
    np.testing.assert_allclose(again.residuals, display.residuals)


def test_pipelines_are_compared_where_they_can_be_inverted(scene):
    spectra, abundances, _ = scene
    scaled = make_pipeline(MinMaxScaler(), SunSALRegressor()).fit(spectra, abundances)
    display = ResidualMapDisplay.from_estimator(scaled, spectra, shape=SHAPE)
    rebuilt = scaled.inverse_transform(scaled.predict(spectra))
    expected = np.sqrt(((spectra - rebuilt) ** 2).mean(axis=1)).reshape(SHAPE)
    np.testing.assert_allclose(display.residuals, expected)

    normalized = make_pipeline(Normalizer(), SunSALRegressor()).fit(spectra, abundances)
    display = ResidualMapDisplay.from_estimator(normalized, spectra, shape=SHAPE)
    seen = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    rebuilt = normalized.predict(spectra) @ normalized[-1].endmembers_
    expected = np.sqrt(((seen - rebuilt) ** 2).mean(axis=1)).reshape(SHAPE)
    np.testing.assert_allclose(display.residuals, expected)


def test_missing_pixels_axes_and_scale(scene):
    spectra, _, endmembers = scene
    spectra[5, 2] = np.nan
    model = SunSALRegressor(endmembers=endmembers).fit(spectra[:5])
    _, ax = plt.subplots()
    display = ResidualMapDisplay.from_estimator(
        model,
        spectra.reshape(*SHAPE, 8),
        ax=ax,
        cmap="inferno",
        im_kw={"vmax": 0.01},
        colorbar=False,
    )
    assert display.ax_ is ax
    assert display.colorbar_ is None
    assert np.flatnonzero(np.ma.getmaskarray(display.image_.get_array())).tolist() == [5]
    assert display.image_.get_clim() == (0.0, 0.01)
    assert display.image_.get_cmap().name == "inferno"


def test_errors(scene):
    spectra, abundances, _ = scene
    other = LinearRegression().fit(spectra, abundances)
    with pytest.raises(TypeError, match=r"ResidualMapDisplay.from_estimator expected an estimator"):
        ResidualMapDisplay.from_estimator(other, spectra, shape=SHAPE)
    with pytest.raises(
        ValueError, match=r"the 12 pixels of spectra, .*got shape=\(3, 3\) with 9 pixels"
    ):
        ResidualMapDisplay.from_predictions(spectra, spectra, shape=(3, 3))
    model = SunSALRegressor().fit(spectra, abundances)
    with pytest.raises(ValueError, match=r"the 12 pixels of X, .*got shape=\(3, 3\) with 9 pixels"):
        ResidualMapDisplay.from_estimator(model, spectra, shape=(3, 3))
    with pytest.raises(ValueError, match="finite in every band, got none among the 12 pixels of X"):
        ResidualMapDisplay.from_estimator(model, np.full((12, 8), np.nan), shape=SHAPE)
    with pytest.raises(ValueError, match="Expected rebuilt with 8 bands, as spectra have, got 7"):
        ResidualMapDisplay.from_predictions(spectra, spectra[:, :7], shape=SHAPE)


def test_labelled_scenes_are_drawn_by_their_labels():
    xr = pytest.importorskip("xarray")
    rng = np.random.RandomState(0)
    spectra = xr.DataArray(rng.rand(4, 6, 5), dims=("y", "x", "band"))
    rebuilt = spectra + rng.rand(4, 6, 5)
    expected = np.sqrt(((spectra - rebuilt) ** 2).mean("band"))
    for dims in itertools.permutations(spectra.dims):
        display = ResidualMapDisplay.from_predictions(spectra.transpose(*dims), rebuilt)
        np.testing.assert_allclose(display.image_.get_array(), expected)
    for residuals in (expected, expected.T):
        display = ResidualMapDisplay(residuals).plot()
        np.testing.assert_allclose(display.image_.get_array(), expected)
    with pytest.raises(ValueError, match=r"one error for each pixel, got \(4, 6, 5\)"):
        ResidualMapDisplay(spectra.values).plot()
