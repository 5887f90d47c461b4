import itertools
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import SunSALRegressor
from skunmix.metrics import abundance_rmse_scorer
from skunmix.plotting import AbundanceMapDisplay
from skunmix.scenes import unmix_file

plt = pytest.importorskip("matplotlib.pyplot")

SHAPE = 3, 5
NAMES = ["tree", "water", "dirt"]


@pytest.fixture
def scene():
    """Spectra of 15 pixels, their abundances, and three endmembers of eight bands."""
    rng = np.random.RandomState(0)
    endmembers = rng.uniform(0.1, 0.9, (3, 8))
    abundances = rng.dirichlet(np.ones(3), 15)
    return abundances @ endmembers + 1e-3 * rng.randn(15, 8), abundances, endmembers


@pytest.fixture
def model(scene):
    spectra, _, endmembers = scene
    named = pd.DataFrame(endmembers, index=NAMES)
    return SunSALRegressor(endmembers=named, lam=0, sum_to_one=True).fit(spectra)


def titles(display):
    return [ax.get_title() for ax in display.axes_[0]]


def labels(display):
    return [ax.get_ylabel() for ax in display.axes_[:, 0]]


# --- what is drawn


def test_each_panel_holds_the_map_of_its_endmember(scene, model):
    spectra, _, _ = scene
    display = AbundanceMapDisplay.from_estimator(model, spectra, shape=SHAPE)
    expected = model.predict(spectra)
    assert display.axes_.shape == (1, 3)
    assert titles(display) == NAMES
    for column, image in enumerate(display.images_[0]):
        drawn = image.get_array()
        # pixel by pixel, in row-major order
        for row in range(3):
            for col in range(5):
                assert drawn[row, col] == expected[5 * row + col, column]


def test_reference_estimate_and_error_below_each_other(scene, model):
    spectra, abundances, _ = scene
    display = AbundanceMapDisplay.from_estimator(
        model, spectra, abundances, shape=SHAPE, error=True
    )
    assert labels(display) == ["reference", "SunSALRegressor", "error"]
    true, estimate, error = (
        np.stack([image.get_array() for image in row], axis=-1).reshape(-1, 3)
        for row in display.images_
    )
    np.testing.assert_array_equal(true, abundances)
    np.testing.assert_array_equal(estimate, model.predict(spectra))
    np.testing.assert_allclose(error, np.abs(estimate - true))
    assert titles(display) == NAMES
    assert not any(ax.get_title() for ax in display.axes_[1:].ravel())


def test_one_scale_for_all_abundances_and_one_for_all_errors(scene):
    _, abundances, _ = scene
    estimate = abundances + np.array([0.0, 0.1, 0.3])
    display = AbundanceMapDisplay.from_predictions(
        estimate, y_true=abundances, shape=SHAPE, error=True
    )
    assert {image.get_clim() for image in display.images_[:2].ravel()} == {(0.0, 1.0)}
    low, high = zip(*(image.get_clim() for image in display.images_[2]))
    np.testing.assert_allclose(low, 0)
    np.testing.assert_allclose(high, 0.3)
    assert {image.get_cmap().name for image in display.images_[:2].ravel()} == {"viridis"}
    assert {image.get_cmap().name for image in display.images_[2]} == {"magma"}


@pytest.mark.parametrize(
    ("values", "extend"),
    [([0.0, 1.0], "neither"), ([0.0, 1.1], "max"), ([-0.1, 1.0], "min"), ([-0.1, 1.1], "both")],
)
def test_the_colour_bar_says_when_values_are_beyond_it(values, extend):
    display = AbundanceMapDisplay.from_predictions(np.array(values), shape=(1, 2))
    assert display.colorbar_.extend == extend
    assert display.colorbar_.ax.get_ylabel() == "abundance"


def test_a_scale_of_ones_own(scene):
    _, abundances, _ = scene
    display = AbundanceMapDisplay.from_predictions(
        abundances,
        y_true=abundances,
        shape=SHAPE,
        error=True,
        cmap="cividis",
        im_kw={"vmax": 0.5},
        error_kw={"vmax": 0.2, "cmap": "plasma"},
    )
    assert display.images_[0, 0].get_clim() == (0.0, 0.5)
    assert display.images_[0, 0].get_cmap().name == "cividis"
    assert display.images_[2, 0].get_clim() == (0.0, 0.2)
    assert display.images_[2, 0].get_cmap().name == "plasma"


def test_an_exact_estimate_has_an_error_scale_all_the_same(scene):
    _, abundances, _ = scene
    display = AbundanceMapDisplay.from_predictions(
        abundances, y_true=abundances, shape=SHAPE, error=True
    )
    display.figure_.canvas.draw()
    assert not any(image.get_array().any() for image in display.images_[2])


def test_an_image_needs_no_shape(scene, model):
    spectra, abundances, _ = scene
    cube = spectra.reshape(*SHAPE, -1)
    by_shape = AbundanceMapDisplay.from_estimator(model, spectra, abundances, shape=SHAPE)
    by_cube = AbundanceMapDisplay.from_estimator(model, cube, abundances.reshape(*SHAPE, -1))
    np.testing.assert_array_equal(by_cube.abundances, by_shape.abundances)
    np.testing.assert_array_equal(by_cube.reference, by_shape.reference)
    from_image = AbundanceMapDisplay.from_predictions(by_shape.abundances)
    np.testing.assert_array_equal(from_image.abundances, by_shape.abundances)


@pytest.mark.parametrize("shape", [(5, 5), (60, 10), (25, 100)])
@pytest.mark.parametrize("n_endmembers", [1, 3])
def test_colour_bars_and_labels_are_in_the_figure_of_any_shape(shape, n_endmembers):
    values = np.random.RandomState(0).uniform(size=(*shape, n_endmembers))
    for reference in (None, values[::-1]):
        display = AbundanceMapDisplay.from_predictions(
            values, y_true=reference, error=reference is not None
        )
        display.figure_.canvas.draw()
        drawn = display.figure_.get_tightbbox()
        width, height = display.figure_.get_size_inches()
        assert 0 < drawn.x0 < drawn.x1 < width
        assert 0 < drawn.y0 < drawn.y1 < height


# --- names


def test_names_of_pipelines_searches_and_other_regressors(scene):
    spectra, abundances, _ = scene
    named = pd.DataFrame(abundances, columns=NAMES)
    pipeline = make_pipeline(Normalizer(), SunSALRegressor()).fit(spectra, named)
    search = GridSearchCV(pipeline, {"sunsalregressor__lam": [0.0]}, cv=2)
    search.set_params(scoring=abundance_rmse_scorer).fit(spectra, named)
    other = LinearRegression().fit(spectra, abundances)
    for estimator, names in [
        (pipeline, NAMES),
        (search, NAMES),
        (other, ["endmember0", "endmember1", "endmember2"]),
    ]:
        display = AbundanceMapDisplay.from_estimator(estimator, spectra, shape=SHAPE)
        assert titles(display) == names


def test_names_of_a_data_frame_and_given_ones(scene):
    _, abundances, _ = scene
    named = pd.DataFrame(abundances, columns=NAMES)
    assert titles(AbundanceMapDisplay.from_predictions(named, shape=SHAPE)) == NAMES
    given = AbundanceMapDisplay.from_predictions(named, shape=SHAPE, endmember_names=list("abc"))
    assert titles(given) == ["a", "b", "c"]


def test_long_names_are_broken_between_words():
    display = AbundanceMapDisplay.from_predictions(
        np.zeros((4, 1)), shape=(2, 2), endmember_names=["Corundum HS283.3B"]
    )
    assert titles(display) == ["Corundum\nHS283.3B"]


def test_one_row_has_no_label_unless_it_is_named(scene):
    _, abundances, _ = scene
    assert labels(AbundanceMapDisplay.from_predictions(abundances, shape=SHAPE)) == [""]
    named = AbundanceMapDisplay.from_predictions(abundances, shape=SHAPE, name="error")
    assert labels(named) == ["error"]
    assert named.images_[0, 0].get_cmap().name == "viridis"


# --- where it is drawn


def test_axes_that_are_given_are_used(scene):
    _, abundances, _ = scene
    figure, axes = plt.subplots(2, 3)
    display = AbundanceMapDisplay.from_predictions(
        abundances, y_true=abundances, shape=SHAPE, ax=axes
    )
    assert display.figure_ is figure
    assert list(display.axes_.ravel()) == list(axes.ravel())
    row = AbundanceMapDisplay.from_predictions(abundances, shape=SHAPE, ax=list(axes[1]))
    assert list(row.axes_[0]) == list(axes[1])


def test_a_single_axes_is_divided(scene):
    _, abundances, _ = scene
    figure, (left, right) = plt.subplots(1, 2)
    display = AbundanceMapDisplay.from_predictions(
        abundances, shape=SHAPE, ax=right, n_cols=2, colorbar=False
    )
    assert display.colorbar_ is None
    figure.canvas.draw()
    for panel in display.axes_.ravel():
        assert panel.get_position().x0 > left.get_position().x1
    # two beside each other, the third below
    first, second, third = (panel.get_position() for panel in display.axes_[0])
    assert first.y0 == second.y0 > third.y0
    assert first.x0 == third.x0 < second.x0


def test_one_endmember_takes_the_axes_as_they_are():
    _, ax = plt.subplots()
    display = AbundanceMapDisplay.from_predictions(np.arange(6) / 6, shape=(2, 3), ax=ax)
    assert display.axes_.shape == (1, 1)
    assert display.axes_[0, 0] is ax
    np.testing.assert_array_equal(
        display.images_[0, 0].get_array(), [[0, 1, 2], [3, 4, 5]] / np.float64(6)
    )


def test_an_estimator_of_one_endmember(scene):
    spectra, _, endmembers = scene
    model = SunSALRegressor(endmembers=endmembers[:1]).fit(spectra)
    true = np.ones(15)
    display = AbundanceMapDisplay.from_estimator(model, spectra, true, shape=SHAPE, error=True)
    assert display.axes_.shape == (3, 1)
    assert titles(display) == list(model.get_feature_names_out())
    np.testing.assert_array_equal(
        display.images_[1, 0].get_array().ravel(), model.predict(spectra).ravel()
    )


def test_more_endmembers_than_columns_go_on_below():
    values = np.random.RandomState(0).uniform(size=(6, 7))
    display = AbundanceMapDisplay.from_predictions(
        values, y_true=values, shape=(2, 3), n_cols=3, error=True
    )
    display.figure_.canvas.draw()
    assert display.axes_.shape == (3, 7)
    for column in range(7):
        np.testing.assert_array_equal(
            display.images_[1, column].get_array(), values[:, column].reshape(2, 3)
        )
    tops = [round(panel.get_position().y1, 6) for panel in display.axes_[0]]
    assert tops[0] == tops[2] > tops[3] == tops[5] > tops[6]
    # each block has its labels, and nothing is left of the places that no endmember takes
    assert [ax.get_ylabel() for ax in display.axes_[2]] == ["error", "", ""] * 2 + ["error"]
    assert len(display.figure_.axes) == 3 * 7 + 2


def test_the_display_can_be_drawn_again(scene):
    _, abundances, _ = scene
    display = AbundanceMapDisplay.from_predictions(abundances, shape=SHAPE)
    first = display.figure_
    assert display.plot(cmap="cividis") is display
    assert display.figure_ is not first


def test_nothing_of_the_callers_is_changed(scene, model):
    spectra, abundances, _ = scene
    before = spectra.copy(), abundances.copy()
    im_kw, error_kw = {"vmax": 0.5}, {}
    AbundanceMapDisplay.from_estimator(
        model, spectra, abundances, shape=SHAPE, error=True, im_kw=im_kw, error_kw=error_kw
    )
    np.testing.assert_array_equal(spectra, before[0])
    np.testing.assert_array_equal(abundances, before[1])
    assert (im_kw, error_kw) == ({"vmax": 0.5}, {})


# --- missing pixels


@pytest.mark.parametrize("missing", [np.nan, np.inf])
@pytest.mark.parametrize("as_frame", [False, True])
def test_pixels_without_data_are_left_out_and_drawn_as_missing(scene, model, missing, as_frame):
    spectra, abundances, _ = scene
    holes = spectra.copy()
    holes[[2, 7], 4] = missing
    given = pd.DataFrame(holes) if as_frame else holes
    display = AbundanceMapDisplay.from_estimator(model, given, abundances, shape=SHAPE, error=True)
    # of the same layout, as the bands of a DataFrame are summed in another order
    expected = model.predict(pd.DataFrame(spectra) if as_frame else spectra)
    expected[[2, 7]] = np.nan
    for kind in 1, 2:
        for column, image in enumerate(display.images_[kind]):
            mask = np.zeros(15, dtype=bool)
            mask[[2, 7]] = True
            np.testing.assert_array_equal(np.ma.getmaskarray(image.get_array()).ravel(), mask)
            if kind == 1:
                np.testing.assert_array_equal(
                    image.get_array().filled(np.nan).ravel(), expected[:, column]
                )
    # in grey, which is no colour of the map
    grey = display.images_[1, 0].get_cmap().get_bad()
    np.testing.assert_allclose(grey, [0.8, 0.8, 0.8, 1.0])


def test_masked_spectra_and_abundances(scene, model):
    spectra, abundances, _ = scene
    mask = np.zeros(15, dtype=bool)
    mask[3] = True
    display = AbundanceMapDisplay.from_estimator(
        model, np.ma.array(spectra, mask=np.repeat(mask[:, np.newaxis], 8, axis=1)), shape=SHAPE
    )
    assert np.isnan(display.abundances.reshape(15, 3)[3]).all()
    assert np.isfinite(display.abundances).sum() == 3 * 14
    masked = np.ma.array(abundances, mask=np.repeat(mask[:, np.newaxis], 3, axis=1))
    display = AbundanceMapDisplay.from_predictions(masked, shape=SHAPE)
    assert np.ma.getmaskarray(display.images_[0, 0].get_array()).ravel().tolist() == mask.tolist()


def test_abundances_that_are_all_missing_can_be_drawn():
    nan = np.full((6, 2), np.nan)
    display = AbundanceMapDisplay.from_predictions(nan, y_true=nan, shape=(2, 3), error=True)
    display.figure_.canvas.draw()


# --- errors


def test_errors(scene, model):
    spectra, abundances, _ = scene
    draw = AbundanceMapDisplay.from_predictions
    with pytest.raises(
        ValueError, match=r"the 15 pixels of y_pred, .*got shape=\(4, 4\) with 16 pixels"
    ):
        draw(abundances, shape=(4, 4))
    with pytest.raises(
        ValueError, match=r"the 15 pixels of X, .*got shape=\(4, 4\) with 16 pixels"
    ):
        AbundanceMapDisplay.from_estimator(model, spectra, shape=(4, 4))
    with pytest.raises(
        ValueError, match=r"the 14 pixels of y, .*got shape=\(3, 5\) with 15 pixels"
    ):
        AbundanceMapDisplay.from_estimator(model, spectra, abundances[:-1], shape=SHAPE)
    with pytest.raises(
        ValueError, match=r"the 15 pixels of y_pred, .*got shape=\(5, 3\) with 15 pixels"
    ):
        draw(abundances.reshape(3, 5, 3), shape=(5, 3))
    with pytest.raises(ValueError, match=r"y_pred has shape \(15, 3\).*got None; pass shape="):
        draw(abundances)
    for shape in (15, (3, 5, 1), (-3, -5), (3.0, 5.0), "3x5"):
        message = "two positive integers, got " + re.escape(repr(shape))
        with pytest.raises(ValueError, match=message):
            draw(abundances, shape=shape)
    with pytest.raises(ValueError, match="got 0 endmembers"):
        draw(abundances[:, :0], shape=SHAPE)
    with pytest.raises(ValueError, match="n_cols=0"):
        draw(abundances, shape=SHAPE, n_cols=0)
    with pytest.raises(ValueError, match="Expected 3 endmember_names.*got 2"):
        draw(abundances, shape=SHAPE, endmember_names=["tree", "water"])
    with pytest.raises(
        ValueError, match=r"shape \(3, 5, 3\), as the estimated ones have, got \(3, 5, 2\)"
    ):
        draw(abundances, y_true=abundances[:, :2], shape=SHAPE)
    with pytest.raises(ValueError, match="true abundances for error=True"):
        draw(abundances, shape=SHAPE, error=True)
    _, axes = plt.subplots(1, 2)
    with pytest.raises(ValueError, match="Expected 3 axes.*got 2"):
        draw(abundances, shape=SHAPE, ax=axes)
    free = plt.figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="cannot be divided"):
        draw(abundances, shape=SHAPE, ax=free)
    with pytest.raises(ValueError, match="finite in every band, got none among the 15 pixels of X"):
        AbundanceMapDisplay.from_estimator(model, np.full((15, 8), np.nan), shape=SHAPE)
    with pytest.raises(ValueError, match=r"Expected X of shape .*got \(8,\)"):
        AbundanceMapDisplay.from_estimator(model, spectra[0], shape=SHAPE)


# --- labelled arrays, and endmembers first


def image_of(abundances, dims):
    """Return abundances as a DataArray of rows, columns and endmembers, in an order of these."""
    xr = pytest.importorskip("xarray")
    image = xr.DataArray(
        abundances.reshape(*SHAPE, 3), dims=("y", "x", "endmember"), coords={"endmember": NAMES}
    )
    return image.transpose(*dims)


@pytest.mark.parametrize("dims", itertools.permutations(("y", "x", "endmember")))
def test_a_labelled_image_is_drawn_by_its_labels(scene, dims):
    _, abundances, _ = scene
    image = image_of(abundances, dims)
    for display in (
        AbundanceMapDisplay.from_predictions(image, y_true=image[{"endmember": [2, 0, 1]}]),
        AbundanceMapDisplay(image, reference=image, endmember_names=NAMES).plot(),
    ):
        assert titles(display) == NAMES
        for row in display.images_:
            drawn = np.stack([panel.get_array() for panel in row], axis=-1)
            np.testing.assert_array_equal(drawn, abundances.reshape(*SHAPE, 3))
        plt.close(display.figure_)


@pytest.mark.parametrize("dims", [("y", "x"), ("x", "y")])
def test_a_labelled_map_of_one_endmember(scene, dims):
    image = image_of(scene[1], ("y", "x", "endmember")).sel(endmember="water")
    display = AbundanceMapDisplay.from_predictions(image.transpose(*dims))
    assert titles(display) == ["water"]
    np.testing.assert_array_equal(display.images_[0, 0].get_array(), image)


def test_labelled_pixels_in_either_order(scene):
    xr = pytest.importorskip("xarray")
    pixels = xr.DataArray(scene[1], dims=("pixel", "endmember"), coords={"endmember": NAMES})
    display = AbundanceMapDisplay.from_predictions(pixels.T, shape=SHAPE)
    assert titles(display) == NAMES
    np.testing.assert_array_equal(display.images_[0, 1].get_array(), scene[1][:, 1].reshape(SHAPE))


def test_a_raster_of_ours_is_drawn_by_its_names(scene, tmp_path):
    rioxarray = pytest.importorskip("rioxarray")
    image = image_of(scene[1], ("endmember", "y", "x")).drop_vars("endmember")
    image = image.rename(endmember="band").assign_attrs(long_name=tuple(NAMES))
    image.rio.to_raster(tmp_path / "maps.tif")
    with rioxarray.open_rasterio(tmp_path / "maps.tif") as read:
        display = AbundanceMapDisplay.from_predictions(read)
    assert titles(display) == NAMES
    np.testing.assert_array_equal(display.images_[0, 2].get_array(), scene[1][:, 2].reshape(SHAPE))


def test_dimensions_that_do_not_tell_are_refused(scene):
    image = image_of(scene[1], ("y", "x", "endmember")).rename(x="this", endmember="that")
    with pytest.raises(ValueError, match="to 'endmember' or 'band'"):
        AbundanceMapDisplay.from_predictions(image)


@pytest.mark.parametrize("summing", [True, False])
@pytest.mark.parametrize("shape", [(3, 60, 80), (4, 6, 5), (40, 6, 5), (2, 80, 60), (3, 5, 3)])
def test_endmembers_first_are_refused(shape, summing):
    first = np.random.RandomState(0).uniform(0.1, 1, shape)
    if summing:
        first /= first.sum(axis=0)
    elif shape[2] <= 12:
        pytest.skip("may be an image with few endmembers")
    first[:, -1, -1] = np.nan
    with pytest.raises(ValueError, match=rf"{shape[2]} maps of .* np.moveaxis\(y_pred, 0, -1"):
        AbundanceMapDisplay.from_predictions(first)
    with pytest.raises(ValueError, match=r"of shape \(n_rows, n_columns, n_endmembers\), got"):
        AbundanceMapDisplay(first).plot()


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 5, 3), (1, 5, 20), (2, 4, 30)])
def test_few_rows_of_many_endmembers_are_drawn(shape):
    image = np.random.RandomState(0).dirichlet(np.ones(shape[2]), shape[:2])
    assert AbundanceMapDisplay.from_predictions(image).axes_.shape == (1, shape[2])
    plt.close("all")
    display = AbundanceMapDisplay.from_predictions(2 * image, shape=shape[:2])
    assert display.axes_.shape == (1, shape[2])
    plt.close("all")


@pytest.mark.parametrize("suffix", [".tif", ".hdr", ".nc", ".npy"])
def test_a_file_of_maps(tmp_path, suffix):
    pytest.importorskip("rasterio")
    rng = np.random.RandomState(0)
    spectra, names = rng.uniform(size=(2, 9)), ["grass", "bare soil"]
    np.save(tmp_path / "scene.npy", rng.uniform(size=(13, 7, 9)))
    model = SunSALRegressor(pd.DataFrame(spectra, index=names)).fit(spectra)
    path = unmix_file(model, tmp_path / "scene.npy", tmp_path / f"maps{suffix}")
    display = AbundanceMapDisplay.from_file(path)
    expected = model.predict(np.load(tmp_path / "scene.npy").reshape(-1, 9)).reshape(13, 7, 2)
    np.testing.assert_allclose(display.abundances, expected, atol=1e-6)
    assert display.endmember_names == (
        ["endmember0", "endmember1"] if suffix == ".npy" else ["grass", "bare soil"]
    )
    display = AbundanceMapDisplay.from_file(path, max_side=5, endmember_names=["a", "b"])
    np.testing.assert_allclose(display.abundances, expected[::3, ::3], atol=1e-6)
    assert display.axes_[0, 1].get_title() == "b"
    with pytest.raises(ValueError, match="max_side == 0"):
        AbundanceMapDisplay.from_file(path, max_side=0)
