import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skunmix import MESMARegressor
from skunmix.extraction import SPA
from skunmix.metrics import abundance_rmse_scorer
from skunmix.preprocessing import BandSelector
from skunmix.scenes import unmix, unmix_file
from skunmix.solvers import mesma

GROUPS = ["grass", "soil", "grass", "soil", "npv", "npv", "grass"]
pytestmark = pytest.mark.filterwarnings("ignore:.* pixels have no model", "ignore:.*geotransform")
OPTIONS = {"max_rmse": 0.05, "append": ("shade", "rmse", "n_endmembers", "models")}


@pytest.fixture(scope="module")
def endmembers():
    return np.random.default_rng(0).uniform(0.05, 0.95, (7, 20))


@pytest.fixture(scope="module")
def spectra(endmembers):
    rng = np.random.default_rng(1)
    fractions = rng.dirichlet(np.full(4, 0.7), 50)[:, :3]
    return fractions @ endmembers[[2, 1, 5]] + rng.normal(0, 0.01, (50, 20))


@pytest.fixture(scope="module")
def solution(spectra, endmembers):
    return mesma(
        spectra, endmembers, [0, 1, 0, 1, 2, 2, 0], max_endmembers=3, max_rmse=OPTIONS["max_rmse"]
    )


def test_predict_is_the_solution(spectra, endmembers, solution):
    model = MESMARegressor(endmembers, groups=GROUPS, max_rmse=0.05).fit(spectra)
    np.testing.assert_array_equal(model.predict(spectra), solution.fractions)
    assert model.get_feature_names_out().tolist() == ["grass", "soil", "npv"]
    assert model.n_models_ == 7 + (3 * 2 + 3 * 2 + 2 * 2) + 3 * 2 * 2
    ours = model.predict_models(spectra)
    for name in ("fractions", "shade", "models", "rmse", "n_endmembers"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(solution, name))


def test_appended_columns(spectra, endmembers, solution):
    model = MESMARegressor(endmembers, groups=GROUPS, **OPTIONS).fit(spectra)
    found = model.set_output(transform="pandas").transform(spectra)
    assert list(found) == [
        *("grass", "soil", "npv", "shade", "rmse", "n_endmembers"),
        *("grass_spectrum", "soil_spectrum", "npv_spectrum"),
    ]
    known = solution.n_endmembers > 0
    assert found[~known].isna().all(axis=None)
    found, known = found[known], np.flatnonzero(known)
    np.testing.assert_array_equal(found["shade"], solution.shade[known])
    np.testing.assert_array_equal(found["rmse"], solution.rmse[known])
    np.testing.assert_array_equal(found["n_endmembers"], solution.n_endmembers[known])
    np.testing.assert_array_equal(found.iloc[:, 6:], solution.models[known])
    np.testing.assert_allclose(found.iloc[:, :4].sum(axis=1), 1.0)


@pytest.mark.parametrize("shade", [None, 0.03])
def test_inverse_transform_has_the_residual_of_the_rmse(spectra, endmembers, shade):
    shade = None if shade is None else np.linspace(0, shade, 20)
    model = MESMARegressor(endmembers, groups=GROUPS, shade=shade, max_rmse=None, max_shade=None)
    abundances = model.fit(spectra).endmember_abundances(spectra)
    known = np.isfinite(abundances).all(axis=1)
    rebuilt = model.inverse_transform(abundances[known])
    rmse = np.sqrt(np.mean((spectra[known] - rebuilt) ** 2, axis=1))
    np.testing.assert_allclose(rmse, model.predict_models(spectra).rmse[known], atol=1e-12)
    assert known.sum() > 40
    with pytest.raises(ValueError, match="endmember_abundances"):
        model.inverse_transform(model.predict(spectra)[known])


def test_pixels_without_a_model_are_nan_with_one_warning(spectra, endmembers, solution):
    model = MESMARegressor(endmembers, groups=GROUPS, max_rmse=0.05).fit(spectra)
    known = np.flatnonzero(solution.n_endmembers)[:3]
    scene = np.vstack([spectra[known], np.tile([0.9, 0.1], (2, 10))])
    with pytest.warns(UserWarning, match="2 of 5 pixels have no model within the bounds") as caught:
        found = model.predict(scene)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), [False] * 3 + [True] * 2)
    assert np.isfinite(found[:3]).all()


def groups_in(kind, endmembers):
    """Return endmembers and groups, given in one of several ways."""
    names = [f"s{i}" for i in range(7)]
    if kind == "array":
        return endmembers, np.array(GROUPS)
    if kind == "categorical":  # with a category that no spectrum has
        return endmembers, pd.Categorical(GROUPS, categories=["soil", "water", "grass", "npv"])
    if kind == "series":
        frame = pd.DataFrame(endmembers, index=names)
        return frame, pd.Series(GROUPS, index=names).sample(frac=1, random_state=0)
    if kind == "level":
        index = pd.MultiIndex.from_arrays([GROUPS, names], names=["class", "name"])
        return pd.DataFrame(endmembers, index=index), "class"
    if kind == "column":
        frame = pd.DataFrame(endmembers, index=names)
        frame.insert(0, "material", GROUPS)
        return frame, "material"
    return Library(endmembers, names), "class" if kind == "library" else None


class Library(SimpleNamespace):
    """What a spectral library has: a table with classes."""

    def __init__(self, spectra, names):
        super().__init__(spectra=spectra, names=names, index=names, classes=tuple(GROUPS))
        self.columns = list(range(spectra.shape[1]))
        self.shape = spectra.shape

    def __len__(self):
        return len(self.spectra)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.spectra, dtype=dtype)


@pytest.mark.parametrize(
    "kind",
    ["array", "categorical", "series", "level", "column", "library", "library without groups"],
)
def test_ways_to_give_groups(kind, spectra, endmembers, solution):
    library, groups = groups_in(kind, endmembers)
    model = MESMARegressor(library, groups=groups, max_rmse=0.05).fit(spectra)
    assert model.groups_.tolist() == ["grass", "soil", "npv"]
    np.testing.assert_array_equal(model.predict_models(spectra).models, solution.models)


def test_without_groups_each_spectrum_is_one(spectra, endmembers):
    model = MESMARegressor(endmembers, max_endmembers=2).fit(spectra)
    assert model.groups_.tolist() == [f"endmember{i}" for i in range(7)]
    assert model.n_models_ == 7 + 21
    extracted = MESMARegressor(SPA(3), max_rmse=None).fit(spectra)
    assert len(extracted.groups_) == 3


def test_labels_of_bands_are_aligned(spectra, endmembers):
    bands = [f"b{i}" for i in range(20)]
    shade = pd.Series(np.linspace(0.0, 0.02, 20), index=bands)
    frame = pd.DataFrame(spectra, columns=bands)
    expected = MESMARegressor(endmembers, groups=GROUPS, max_rmse=None, shade=shade.to_numpy())
    expected = expected.fit(spectra).predict(spectra)
    order = np.random.default_rng(0).permutation(20)
    library = pd.DataFrame(endmembers, columns=bands).iloc[:, order]
    model = MESMARegressor(library, groups=GROUPS, max_rmse=None, shade=shade.iloc[order[::-1]])
    np.testing.assert_array_equal(model.fit(frame).predict(frame), expected)
    with pytest.raises(ValueError, match="bands"):
        clone(model).set_params(shade=shade.rename({"b3": "x"})).fit(frame)


def test_more_models_than_time_allows():
    rng = np.random.default_rng(0)
    library, groups = rng.uniform(0.1, 0.9, (600, 8)), np.repeat(["a", "b", "c"], [300, 200, 100])
    with pytest.raises(ValueError, match=r"max_models=1,000,000 models, got 6,110,600 .* 300 of"):
        MESMARegressor(library, groups=groups).fit(library)
    MESMARegressor(library, groups=groups, max_endmembers=2).fit(library)
    MESMARegressor(library, groups=groups, max_models=10**7).fit(library)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"groups": ["a"] * 6}, "Expected groups with 7 labels"),
        ({"groups": [None, *"abcdef"]}, "Expected a label for each endmember"),
        ({"groups": ["", *"abcdef"]}, "Expected a label for each endmember"),
        ({"groups": "class"}, "'class'"),
        ({"append": ("shade", "model")}, "drop 'model'"),
        ({"append": ("rmse", "rmse")}, "each once"),
        ({"append": ("shade",), "groups": ["shade", *"abcdef"]}, "the group 'shade'"),
        ({"shade": np.ones(19)}, "20 bands"),
        ({"shade": np.ones((2, 20)) * [[0.1], [0.2]]}, "one spectrum"),
        ({"min_fraction": 2.0}, "exclude all models"),
        ({"max_rmse": 0.0}, "max_rmse"),
        ({"max_endmembers": 0}, "max_endmembers"),
    ],
    ids=str,
)
def test_refuses(parameters, message, spectra, endmembers):
    model = MESMARegressor(endmembers, **{"groups": GROUPS, **parameters})
    with pytest.raises(ValueError, match=message):
        model.fit(spectra)
    with pytest.raises(NotFittedError):
        model.predict(spectra)


def test_refuses_shade_that_is_in_the_library(spectra, endmembers):
    with pytest.raises(ValueError, match="endmember 4"):
        MESMARegressor(endmembers, groups=GROUPS, shade=endmembers[4]).fit(spectra)


def test_warns_of_bounds_in_other_units(spectra, endmembers, solution):
    model = MESMARegressor(10_000 * endmembers, groups=GROUPS)
    with (
        pytest.warns(UserWarning, match="Expected max_rmse in the units of the spectra"),
        pytest.warns(UserWarning, match="Expected min_rmse_decrease in the units"),
    ):
        model.fit(10_000 * spectra)
    scaled = model.set_params(max_rmse=500.0, min_rmse_decrease=70.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaled.fit(10_000 * spectra)
    found = scaled.predict_models(10_000 * spectra)
    np.testing.assert_array_equal(found.models, solution.models)
    np.testing.assert_allclose(found.fractions, solution.fractions, atol=1e-10)


def test_score_and_search(spectra, endmembers, solution):
    y = np.nan_to_num(solution.fractions).clip(0)
    frame = pd.DataFrame(y, columns=["grass", "soil", "npv"])
    model = MESMARegressor(endmembers, groups=GROUPS, **OPTIONS).fit(spectra, frame)
    assert model.score(spectra, frame[["npv", "grass", "soil"]]) > 0.999
    with pytest.raises(ValueError, match="columns of y"):
        model.score(spectra, frame.rename(columns={"npv": "water"}))
    unbounded = dict.fromkeys(
        ("min_fraction", "max_fraction", "min_shade", "max_shade", "max_rmse")
    )
    search = GridSearchCV(
        MESMARegressor(endmembers, groups=GROUPS, **unbounded),
        {"max_endmembers": [1, 3]},
        scoring=abundance_rmse_scorer,
        cv=2,
    ).fit(spectra, y)
    assert search.best_params_ == {"max_endmembers": 3}


def test_scenes_have_the_appended_bands(spectra, endmembers, solution, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    model = MESMARegressor(endmembers, groups=GROUPS, **OPTIONS).fit(spectra)
    cube = spectra.reshape(5, 10, 20).copy()
    cube[0, 0] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        maps = unmix(model, cube, progress=False)
        path = tmp_path / "scene.npy"
        np.save(path, cube)
        unmix_file(model, path, tmp_path / "maps.tif", progress=False)
    known = solution.n_endmembers > 0
    known[0] = False
    np.testing.assert_array_equal(maps.reshape(50, 9)[known, 4], solution.rmse[known])
    assert np.isnan(maps.reshape(50, 9)[~known]).all()
    with rasterio.open(tmp_path / "maps.tif") as file:
        assert file.descriptions == tuple(model.get_feature_names_out())
        np.testing.assert_allclose(file.read(), np.moveaxis(maps, -1, 0), rtol=1e-6)


def test_a_scene_without_any_model_is_refused(spectra, endmembers):
    model = MESMARegressor(endmembers, groups=GROUPS, max_rmse=1e-6).fit(spectra)
    with pytest.raises(ValueError, match=r"NaN or infinity for all 50 valid ones; .* the bounds"):
        unmix(model, spectra.reshape(5, 10, 20), progress=False)


def test_in_a_pipeline_and_pickled(spectra, endmembers):
    model = MESMARegressor(endmembers[:, 2:], groups=GROUPS, max_rmse=0.05)
    pipeline = make_pipeline(BandSelector(range(2, 20)), model).fit(spectra)
    expected = clone(model).fit(spectra[:, 2:]).predict(spectra[:, 2:])
    np.testing.assert_array_equal(pipeline.predict(spectra), expected)
    again = pickle.loads(pickle.dumps(pipeline))
    np.testing.assert_array_equal(again.predict(spectra), expected)
    assert pipeline.predict(spectra.astype(np.float32)).dtype == np.float32


LIBRARY_OF_TWO = np.array([[0.1, 0.5, 0.3, 0.2], [0.4, 0.2, 0.6, 0.1]])


def test_score_checks_as_that_of_other_unmixers():
    spectra = np.vstack([LIBRARY_OF_TWO, LIBRARY_OF_TWO.mean(axis=0)])
    model = MESMARegressor(LIBRARY_OF_TWO, max_rmse=None, max_shade=None).fit(spectra)
    true = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert model.score(spectra, true) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="sample_weight"):
        model.score(spectra, true, sample_weight=[1.0, -1.0, 1.0])
    with pytest.warns(UserWarning, match="sum"):
        model.score(spectra, 100 * true)
