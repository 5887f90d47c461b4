"""An extractor as `endmembers=`, in every place where spectra may stand."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils import get_tags

from skunmix import (
    ISTANetRegressor,
    SunSALRegressor,
    SunSALRegressorCV,
    UADMMBlindUnmixer,
    UADMMRegressor,
)
from skunmix.cli._models import load_model
from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.extraction import SPA, VCA, ArchetypalAnalysis, BlindUnmixer, MinimumVolume
from skunmix.metrics import (
    abundance_angle_scorer,
    abundance_rmse,
    abundance_rmse_scorer,
    make_endmember_angle_scorer,
    make_matched_abundance_scorer,
    match_endmembers,
    spectral_angle_scorer,
)
from skunmix.model_selection import StackedGridSearchCV
from skunmix.preprocessing import BandSelector

N_BANDS = 20
WAVELENGTHS = np.linspace(400.0, 2300.0, N_BANDS)


class Brightest(BaseEstimator):
    """The pixels of largest norm: an extractor that is none of skunmix's."""

    def __init__(self, n_endmembers=3):
        self.n_endmembers = n_endmembers

    def fit(self, X, y=None, sample_weight=None):
        assert sample_weight is None
        values = np.asarray(X, dtype=float)
        order = np.argsort(-np.linalg.norm(values, axis=1), kind="stable")
        self.seen_ = X
        self.endmembers_ = values[order[: self.n_endmembers]]
        return self


class Named(Brightest):
    def get_feature_names_out(self, input_features=None):
        return np.array([f"material {i}" for i in range(self.n_endmembers)], dtype=object)


@pytest.fixture(scope="module")
def scene():
    """Return mixtures of three spectra, with a pure pixel of each."""
    endmembers = make_endmembers(3, N_BANDS, random_state=0).endmembers
    made = make_mixtures(endmembers, 120, snr=None, random_state=0)
    made.spectra[[5, 50, 99]], made.abundances[[5, 50, 99]] = endmembers, np.eye(3)
    return made


def brightest(spectra, n=3):
    return spectra[np.argsort(-np.linalg.norm(spectra, axis=1), kind="stable")[:n]]


@pytest.mark.parametrize("kind", [SunSALRegressor, SunSALRegressorCV])
def test_as_if_its_endmembers_had_been_given(scene, kind):
    spectra = scene.spectra
    model = kind(endmembers=Brightest()).fit(spectra)
    given = kind(endmembers=brightest(spectra)).fit(spectra)
    np.testing.assert_array_equal(model.endmembers_, given.endmembers_)
    np.testing.assert_array_equal(model.predict(spectra), given.predict(spectra))
    assert model.n_endmembers_ == 3
    assert list(model.get_feature_names_out()) == ["endmember0", "endmember1", "endmember2"]
    assert isinstance(model.extractor_, Brightest)
    assert model.extractor_ is not model.endmembers
    assert not hasattr(model.endmembers, "endmembers_")
    # in fit, it stands in place of the parameter
    late = kind().fit(spectra, endmembers=Brightest())
    np.testing.assert_array_equal(late.endmembers_, given.endmembers_)
    assert not hasattr(model.set_params(endmembers=given.endmembers_).fit(spectra), "extractor_")


def test_abundances_after_matching_are_the_true_ones(scene):
    model = SunSALRegressor(endmembers=VCA(3, random_state=0), lam=0, sum_to_one=True)
    found = model.fit(scene.spectra).predict(scene.spectra)
    order = match_endmembers(scene.endmembers, model.endmembers_)
    np.testing.assert_allclose(model.endmembers_[order], scene.endmembers, atol=1e-10)
    assert abundance_rmse(scene.abundances, found[:, order]) < 1e-6


def test_its_names_are_those_of_the_abundances(scene):
    model = SunSALRegressor(endmembers=Named()).fit(scene.spectra)
    assert list(model.get_feature_names_out()) == ["material 0", "material 1", "material 2"]
    frame = SunSALRegressor(endmembers=Named()).set_output(transform="pandas")
    assert list(frame.fit_transform(scene.spectra).columns) == list(model.get_feature_names_out())


@pytest.mark.parametrize("labels", [WAVELENGTHS, [f"b{i:03d}" for i in range(N_BANDS)]])
def test_labels_of_the_bands_are_kept(scene, labels):
    spectra = pd.DataFrame(scene.spectra, columns=labels)
    model = SunSALRegressor(endmembers=SPA(3)).fit(spectra)
    assert model.band_labels_ == list(labels) == model.extractor_.band_labels_
    with pytest.raises(ValueError, match="order"):
        model.predict(spectra[spectra.columns[::-1]])


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("step", [Normalizer(), StandardScaler(), PCA(5)])
def test_it_works_in_the_space_of_the_last_step(scene, step, routing):
    pipeline = make_pipeline(step, SunSALRegressor(endmembers=Brightest(), sum_to_one="normalize"))
    with sklearn.config_context(enable_metadata_routing=routing):
        pipeline = clone(pipeline).fit(scene.spectra)
    carried = clone(step).fit_transform(scene.spectra)
    np.testing.assert_allclose(pipeline[-1].endmembers_, brightest(carried))
    assert pipeline.predict(scene.spectra).shape == (120, 3)


def test_after_a_selector_of_bands(scene):
    spectra = pd.DataFrame(scene.spectra, columns=WAVELENGTHS)
    water = BandSelector(exclude=[(1300, 1500)], wavelengths=WAVELENGTHS, unit="nm")
    model = make_pipeline(water, SunSALRegressor(endmembers=SPA(3))).fit(spectra)
    keep = water.fit(spectra).get_support()
    expected = SPA(3).fit(scene.spectra[:, keep])
    np.testing.assert_allclose(model[-1].endmembers_, expected.endmembers_)


def test_parameters_of_the_extractor_are_reached():
    model = make_pipeline(Normalizer(), SunSALRegressor(endmembers=VCA(3)))
    name = "sunsalregressor__endmembers__n_endmembers"
    assert model.get_params()[name] == 3
    copy = clone(model).set_params(**{name: 4})
    assert (copy[-1].endmembers.n_endmembers, model[-1].endmembers.n_endmembers) == (4, 3)
    assert SunSALRegressor(endmembers=VCA(3)).set_params(endmembers__n_endmembers=5)


@pytest.mark.parametrize("search", [GridSearchCV, StackedGridSearchCV])
@pytest.mark.filterwarnings("ignore:StackedGridSearchCV trains")
def test_a_search_over_their_number(scene, search):
    found = search(
        SunSALRegressor(endmembers=SPA(2), lam=0),
        {"endmembers__n_endmembers": [1, 2, 3]},
        scoring={"sad": spectral_angle_scorer, "E": make_endmember_angle_scorer(scene.endmembers)},
        refit="sad",
        cv=3,
    ).fit(scene.spectra)
    assert found.best_params_ == {"endmembers__n_endmembers": 3}
    assert found.best_estimator_.n_endmembers_ == 3
    assert np.isfinite(found.cv_results_["mean_test_E"]).all()
    assert np.argmax(found.cv_results_["mean_test_E"]) == 2


def test_the_seed_is_its_own(scene):
    def fitted(seed):
        noisy = scene.spectra + np.random.RandomState(0).normal(0, 0.05, scene.spectra.shape)
        return SunSALRegressor(endmembers=VCA(3, random_state=seed)).fit(noisy).endmembers_

    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(fitted(0), fitted(0))
    assert any(not np.array_equal(fitted(0), fitted(seed)) for seed in range(1, 6))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


LEARNERS = [
    SunSALRegressor(endmembers=SPA(3)),
    SunSALRegressorCV(endmembers=SPA(3)),
    UADMMRegressor(endmembers=SPA(3), max_epochs=1),
    ISTANetRegressor(endmembers=SPA(3), max_epochs=1),
]


@pytest.mark.parametrize("model", LEARNERS, ids=lambda model: type(model).__name__)
def test_labels_beside_it_are_refused(scene, model):
    message = (
        r"abundances, but the order in which SPA finds .* extract them first, "
        r"E = SPA\(…\).fit\(X\).endmembers_, .* "
        r"skunmix.metrics.match_endmembers\(known_spectra, E\), and pass endmembers=E\[order\]\."
    )
    with pytest.raises(ValueError, match=message):
        clone(model).fit(scene.spectra, scene.abundances)
    # what it says to do works
    found = SPA(3).fit(scene.spectra).endmembers_
    order = match_endmembers(scene.endmembers, found)
    fitted = clone(model).set_params(endmembers=found[order])
    fitted.fit(scene.spectra, scene.abundances)
    np.testing.assert_allclose(fitted.endmembers_, scene.endmembers, atol=1e-10)


@pytest.mark.parametrize("model", LEARNERS[2:], ids=lambda model: type(model).__name__)
def test_networks_need_pairs_and_say_so(scene, model):
    for y in (None, np.arange(120.0)):
        with pytest.raises(ValueError, match="learns from abundances, but the order in which SPA"):
            clone(model).fit(scene.spectra, y)
        with pytest.raises(ValueError, match="learns from abundances, but the order in which SPA"):
            clone(model).partial_fit(scene.spectra, y)
    search = StackedGridSearchCV(clone(model), {"learning_rate": [1e-4, 1e-3]}, cv=2)
    with pytest.raises(ValueError, match="the order in which SPA finds"):
        search.fit(scene.spectra, scene.abundances)


def test_abundances_in_unknown_order_are_not_scored(scene):
    model = SunSALRegressor(endmembers=SPA(3)).fit(scene.spectra)
    pipeline = make_pipeline(Normalizer(), SunSALRegressor(endmembers=SPA(3))).fit(scene.spectra)
    labelled = pd.DataFrame(scene.abundances, columns=["tree", "soil", "water"])
    for y in (scene.abundances, labelled):
        for score in (model.score, pipeline.score):
            with pytest.raises(ValueError, match="order in which SPA found the endmembers is unk"):
                score(scene.spectra, y)
        for estimator in (model, pipeline):
            with pytest.raises(ValueError, match="make_matched_abundance_scorer"):
                abundance_rmse_scorer(estimator, scene.spectra, y)
    # names that the extractor gives are an order
    named = SunSALRegressor(endmembers=Named(), lam=0, sum_to_one=True).fit(scene.spectra)
    y = pd.DataFrame(named.predict(scene.spectra), columns=named.get_feature_names_out())
    assert named.score(scene.spectra, y[y.columns[::-1]]) == 1
    assert abundance_rmse_scorer(named, scene.spectra, y[y.columns[::-1]]) == 0


BLIND = [
    ArchetypalAnalysis(3, n_init=3, max_iter=5, random_state=0),
    MinimumVolume(3, max_iter=2, random_state=0),
    BlindUnmixer(3, random_state=0),
    UADMMBlindUnmixer(n_endmembers=3, max_epochs=1, random_state=0),
    UADMMBlindUnmixer(SPA(3), max_epochs=1, random_state=0),
]


@pytest.mark.parametrize("model", BLIND, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("inside", ["alone", "pipeline", "search", "search of pipelines"])
def test_blind_unmixers_have_an_order_of_their_own(scene, model, inside):
    model = clone(model)
    if "pipeline" in inside:
        model = make_pipeline(Normalizer(), model)
    if "search" in inside:
        model = GridSearchCV(model, {}, cv=2, scoring=spectral_angle_scorer)
    model.fit(scene.spectra)
    names = ["endmember0", "endmember1", "endmember2"]
    for y in (
        scene.abundances,
        pd.DataFrame(scene.abundances),
        pd.DataFrame(scene.abundances, columns=names),  # names that only count
        pd.DataFrame(scene.abundances, columns=["tree", "soil", "water"]),
    ):
        for scorer in (abundance_rmse_scorer, abundance_angle_scorer):
            with pytest.raises(ValueError, match=r"found the endmembers is unk.*match_endmembers"):
                scorer(model, scene.spectra, y)
    matched = make_matched_abundance_scorer(scene.endmembers)
    assert matched(model, scene.spectra, scene.abundances) > -0.5


def test_a_start_that_is_given_is_an_order(scene):
    start = scene.endmembers
    for model in (
        UADMMBlindUnmixer(start, max_epochs=1, random_state=0).fit(scene.spectra),
        UADMMBlindUnmixer(max_epochs=1, random_state=0).fit(scene.spectra, endmembers=start),
    ):
        assert abundance_rmse_scorer(model, scene.spectra, scene.abundances) > -0.1


def test_the_target_of_a_later_step_is_ignored(scene):
    classes = scene.abundances.argmax(axis=1)
    unmixer = SunSALRegressor(endmembers=SPA(3), lam=0, sum_to_one=True)
    pipeline = make_pipeline(unmixer, LogisticRegression(C=100)).fit(scene.spectra, classes)
    assert pipeline.score(scene.spectra, classes) > 0.9
    assert pipeline[0].predict(scene.spectra).shape == (120, 3)


def test_tags():
    given, extracted = (
        get_tags(SunSALRegressor(endmembers=endmembers)) for endmembers in (np.eye(3), SPA(3))
    )
    assert (given.target_tags.required, extracted.target_tags.required) == (False, False)
    assert (given.target_tags.positive_only, extracted.target_tags.positive_only) == (True, False)
    assert get_tags(UADMMRegressor(endmembers=SPA(3))).target_tags.required


@pytest.mark.parametrize("save", ["pickle", "joblib", "skops"])
def test_saved_and_loaded(scene, save, tmp_path):
    model = make_pipeline(Normalizer(), SunSALRegressor(endmembers=VCA(3, random_state=0)))
    model.fit(scene.spectra)
    path = tmp_path / "model"
    if save == "pickle":
        path.write_bytes(pickle.dumps(model))
    elif save == "joblib":
        joblib.dump(model, path)
    else:
        pytest.importorskip("skops.io").dump(model, path)
    loaded = load_model(path, allow_pickle=save != "skops")
    np.testing.assert_array_equal(loaded.predict(scene.spectra), model.predict(scene.spectra))
    assert isinstance(loaded[-1].extractor_, VCA)
    np.testing.assert_array_equal(loaded[-1].extractor_.endmembers_, model[-1].endmembers_)


def test_what_is_no_extractor_is_told(scene):
    with pytest.raises(TypeError, match=r"KMeans has no endmembers_ after fit, expected"):
        SunSALRegressor(endmembers=KMeans(3, n_init=1)).fit(scene.spectra)
    with pytest.raises(TypeError, match=r"endmembers is the class SPA, .* pass SPA\(\)"):
        SunSALRegressor(endmembers=SPA).fit(scene.spectra)
    with pytest.raises(ValueError, match="'endmembers' parameter of SunSALRegressor must be"):
        SunSALRegressor(endmembers=3).fit(scene.spectra)
    with pytest.raises(ValueError, match="pass them once"):
        SunSALRegressor(endmembers=SPA(3)).fit(scene.spectra, endmembers=scene.endmembers)


def test_its_endmembers_are_checked(scene):
    class Twice(Brightest):
        def fit(self, X):
            self.endmembers_ = np.vstack([X[:1], X[:1]])
            return self

    model = SunSALRegressor(endmembers=SPA(3)).fit(scene.spectra)
    before = model.endmembers_
    with pytest.raises(ValueError, match="same spectrum"):
        model.set_params(endmembers=Twice()).fit(scene.spectra)
    assert model.endmembers_ is before
    with pytest.raises(ValueError, match="NaN"):
        model.set_params(endmembers=SPA(3)).fit(np.full((5, N_BANDS), np.nan))


def test_it_sees_the_spectra_as_they_are_given(scene):
    spectra = np.ma.masked_array(scene.spectra.astype(np.float32))
    assert SunSALRegressor(endmembers=Brightest()).fit(spectra).extractor_.seen_ is spectra
    spectra[3, 3] = np.ma.masked
    with pytest.raises(ValueError, match="masked"):
        SunSALRegressor(endmembers=Brightest()).fit(spectra)


def test_in_a_pipeline_with_transform_input(scene):
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("unmix", SunSALRegressor(endmembers=Brightest()))],
        transform_input=["endmembers"],
    )
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline.fit(scene.spectra)
    carried = StandardScaler().fit_transform(scene.spectra)
    np.testing.assert_allclose(pipeline[-1].endmembers_, brightest(carried))


def test_parameters_of_an_extractor_are_checked(problem):
    with pytest.raises(ValueError, match="'n_endmembers' parameter of SPA"):
        SunSALRegressor(endmembers=SPA(0)).fit(problem.spectra)
