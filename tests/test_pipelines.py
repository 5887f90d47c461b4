"""Pipelines, and how the endmembers get through them."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, StackingRegressor, VotingRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, StandardScaler

from skunmix import (
    ISTANetRegressor,
    SunSALRegressor,
    SunSALRegressorCV,
    UADMMRegressor,
)
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer

N_BANDS = 20
PROBLEM = {"n_pixels": 80, "n_bands": N_BANDS, "noise": 0.01}
QUICK = {"max_epochs": 3, "random_state": 0}
LEARNERS = [
    SunSALRegressor(lam=0),
    SunSALRegressorCV(lams=3, cv=2),
    ISTANetRegressor.paper(**QUICK),
    UADMMRegressor.paper(**QUICK),
]
# what the endmembers can be carried through: affine in the spectra
AFFINE = [
    StandardScaler(),
    MinMaxScaler(),
    PCA(),
    PCA(n_components=6, whiten=True),
    SelectKBest(lambda X, y: f_regression(X, y[:, 0]), k=9),
    ColumnTransformer([("good", "passthrough", slice(3, 17))]),
    ColumnTransformer([("visible", MinMaxScaler(), slice(0, 8)), ("rest", PCA(3), slice(8, 20))]),
]


def continuum_removed(spectra):
    """Each spectrum over the straight line between its ends."""
    spectra = np.asarray(spectra)
    ends = spectra[:, :1], spectra[:, -1:]
    return spectra / np.linspace(*ends, spectra.shape[1], axis=1)[:, :, 0]


# what they cannot be, but estimated after
OTHERS = [Normalizer(), FunctionTransformer(continuum_removed), FunctionTransformer(np.log1p)]


def label(step):
    return type(step).__name__


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def carrying(*steps):
    pipeline = make_pipeline(*map(clone, steps))
    return pipeline.set_params(transform_input=["endmembers"])


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("learner", LEARNERS, ids=label)
@pytest.mark.parametrize("step", AFFINE, ids=label)
def test_endmembers_are_carried_through_the_fitted_steps(problem, step, learner):
    spectra, abundances, endmembers = problem
    pipeline = carrying(step, learner).fit(spectra, abundances, endmembers=endmembers)
    assert_allclose(pipeline[-1].endmembers_, pipeline[0].transform(endmembers), rtol=0, atol=1e-12)
    assert pipeline.predict(spectra).shape == abundances.shape


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("step", AFFINE, ids=label)
def test_mixing_stays_linear(problem, step):
    """Mixtures of the carried endmembers are the transformed noiseless mixtures."""
    spectra, abundances, endmembers = problem
    pipeline = carrying(step, SunSALRegressor()).fit(spectra, abundances, endmembers=endmembers)
    assert_allclose(
        pipeline[-1].inverse_transform(abundances),
        pipeline[0].transform(abundances @ endmembers),
        rtol=0,
        atol=1e-10,
    )


@pytest.mark.usefixtures("routing")
def test_rotated_bands_have_the_same_abundances(problem):
    spectra, abundances, endmembers = problem
    fcls = SunSALRegressor(lam=0, sum_to_one=True)
    rotated = carrying(PCA(), fcls).fit(spectra, abundances, endmembers=endmembers)
    direct = clone(fcls).fit(spectra, endmembers=endmembers)
    assert_allclose(rotated.predict(spectra), direct.predict(spectra), atol=1e-4)
    # and back: the pipeline rebuilds spectra in the first space
    assert_allclose(rotated.inverse_transform(abundances), abundances @ endmembers, atol=1e-10)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("step", [StandardScaler(), MinMaxScaler()], ids=label)
def test_the_network_starts_from_carried_endmembers(problem, step):
    """Untrained it is right where they are, and wrong where they stay in reflectance."""
    spectra, abundances, endmembers = problem
    untrained = UADMMRegressor(n_layers=10, max_epochs=0)
    carried = carrying(step, untrained).fit(spectra, abundances, endmembers=endmembers)
    left = make_pipeline(clone(step), clone(untrained).set_params(endmembers=endmembers))
    left.fit(spectra, abundances)
    error = abundance_rmse(abundances, carried.predict(spectra))
    assert error < 0.05
    assert abundance_rmse(abundances, left.predict(spectra)) > 2 * error


@pytest.mark.parametrize("routing_enabled", [False, True])
@pytest.mark.parametrize("learner", LEARNERS, ids=label)
@pytest.mark.parametrize("step", AFFINE + OTHERS, ids=label)
def test_endmembers_are_estimated_after_the_steps(problem, step, learner, routing_enabled):
    spectra, abundances, _ = problem
    with sklearn.config_context(enable_metadata_routing=routing_enabled):
        pipeline = make_pipeline(clone(step), clone(learner)).fit(spectra, abundances)
        seen = pipeline[0].transform(spectra)
        expected = np.linalg.lstsq(abundances, seen, rcond=None)[0]
        assert_allclose(pipeline[-1].endmembers_, expected, atol=1e-10)
        assert pipeline.predict(spectra).shape == abundances.shape


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("search_first", [False, True])
def test_endmembers_are_carried_in_each_fold(problem, search_first):
    """Through a search over a pipeline, and through a search that is a step of one."""
    spectra, abundances, endmembers = problem
    grid = {"alpha_aid": [0.0, 1e-3]}
    if search_first:
        prefixed = {f"uadmmregressor__{name}": values for name, values in grid.items()}
        model = GridSearchCV(
            carrying(StandardScaler(), UADMMRegressor.paper(**QUICK)),
            prefixed,
            cv=2,
            error_score="raise",
        )
        model.fit(spectra, abundances, endmembers=endmembers)
        fitted = model.best_estimator_
    else:
        search = GridSearchCV(UADMMRegressor.paper(**QUICK), grid, cv=2, error_score="raise")
        fitted = carrying(StandardScaler(), search).fit(spectra, abundances, endmembers=endmembers)
        fitted = Pipeline([fitted.steps[0], ("best", fitted[-1].best_estimator_)])
    assert_allclose(fitted[-1].endmembers_, fitted[0].transform(endmembers), atol=1e-12)


@pytest.mark.parametrize("routing_enabled", [False, True])
def test_endmembers_that_do_not_fit_the_transformed_bands(problem, routing_enabled):
    spectra, abundances, endmembers = problem
    for learner in LEARNERS:
        with sklearn.config_context(enable_metadata_routing=routing_enabled):
            pipeline = make_pipeline(PCA(6), clone(learner).set_params(endmembers=endmembers))
            with pytest.raises(
                ValueError, match=r"\(4, 20\) do not fit spectra of 6 bands.*transform_input"
            ):
                pipeline.fit(spectra, abundances)


def test_without_routing_the_error_says_how(problem):
    spectra, abundances, endmembers = problem
    pipeline = carrying(StandardScaler(), UADMMRegressor.paper(**QUICK))
    with pytest.raises(ValueError, match=r"set_config\(enable_metadata_routing=True\)"):
        pipeline.fit(spectra, abundances, endmembers=endmembers)
    pipeline = make_pipeline(PCA(6), UADMMRegressor.paper(**QUICK))
    with pytest.raises(ValueError, match="stepname__parameter"):
        pipeline.fit(spectra, abundances, endmembers=endmembers)
    with pytest.raises(ValueError, match="do not fit spectra of 6 bands.*transform_input"):
        pipeline.fit(spectra, abundances, uadmmregressor__endmembers=endmembers)


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_endmembers_given_twice(problem, learner):
    spectra, abundances, endmembers = problem
    model = clone(learner).set_params(endmembers=endmembers)
    model.fit(spectra, abundances, endmembers=endmembers.copy())
    with pytest.raises(ValueError, match="with other values or labels, to fit.*pass them once"):
        model.fit(spectra, abundances, endmembers=2 * endmembers)
    with (
        sklearn.config_context(enable_metadata_routing=True),
        pytest.raises(ValueError, match="with other values or labels, to fit.*pass them once"),
    ):
        carrying(StandardScaler(), model).fit(spectra, abundances, endmembers=endmembers)


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
@pytest.mark.parametrize("layout", ["rows", "columns"])
@pytest.mark.parametrize("routing_enabled", [False, True])
def test_endmembers_that_cross_validation_took_for_samples(learner, layout, routing_enabled):
    """As long as the pixels: those of a library, or bands of the paper's layout."""
    rng = np.random.default_rng(0)
    n_endmembers, n_bands = (30, 40) if layout == "rows" else (4, 30)
    endmembers = rng.uniform(0.1, 0.9, (n_endmembers, n_bands))
    abundances = rng.dirichlet(np.ones(n_endmembers), 30)
    spectra = abundances @ endmembers
    given = endmembers if layout == "rows" else endmembers.T
    # as such they are fine
    clone(learner).fit(spectra, abundances, endmembers=given)
    with sklearn.config_context(enable_metadata_routing=routing_enabled):
        search = GridSearchCV(
            clone(learner), {"endmembers": [None]}, cv=KFold(3), error_score="raise"
        )
        with pytest.raises(ValueError, match="as many rows as there are pixels.*constructor"):
            search.fit(spectra, abundances, endmembers=given)


def test_a_library_that_may_have_been_split_with_the_pixels():
    library = np.random.default_rng(0).uniform(0.1, 0.9, (30, 40))
    with pytest.warns(UserWarning, match="as many rows as there are pixels.*constructor"):
        SunSALRegressor().fit(library, endmembers=library)


@pytest.mark.parametrize("routing_enabled", [False, True])
@pytest.mark.parametrize("container", ["pandas", "polars"])
@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_columns_are_named_by_endmember(problem, learner, container, routing_enabled):
    spectra, abundances, endmembers = problem
    names = ["tree", "water", "dirt", "road"]
    with sklearn.config_context(enable_metadata_routing=routing_enabled):
        model = clone(learner).set_params(endmembers=pd.DataFrame(endmembers, index=names))
        model.set_output(transform=container).fit(spectra, abundances)
        assert list(model.transform(spectra).columns) == names
        assert isinstance(model.predict(spectra), np.ndarray)
        union = FeatureUnion([("a", model), ("b", SunSALRegressor(endmembers))])
        union.set_output(transform=container).fit(spectra, abundances)
        columns = list(union.transform(spectra).columns)
    assert columns == [
        *(f"a__{name}" for name in names),
        *(f"b__endmember{i}" for i in range(4)),
    ]


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_abundances_are_features(problem, learner):
    spectra, abundances, endmembers = problem
    classes = abundances.argmax(axis=1)
    # a classifier's targets are classes, so that what learns from pairs was fitted before
    fitted = clone(learner).set_params(endmembers=endmembers).fit(spectra, abundances)
    forest = make_pipeline(FrozenEstimator(fitted), RandomForestClassifier(random_state=0))
    assert cross_val_score(forest, spectra, classes, cv=4).mean() > 0.7
    clusters = make_pipeline(FrozenEstimator(fitted), KMeans(4, random_state=0, n_init=2))
    assert len(np.unique(clusters.fit_predict(spectra))) == 4


def test_an_unmixer_that_needs_no_abundances_is_a_step_like_any_other(problem):
    spectra, abundances, endmembers = problem
    classes = np.array(["tree", "water", "dirt", "road"])[abundances.argmax(axis=1)]
    for unmixer in (SunSALRegressor(endmembers), SunSALRegressorCV(endmembers, lams=3)):
        for labels in (classes, pd.Series(classes), abundances.argmax(axis=1), list(classes)):
            pipeline = make_pipeline(unmixer, RandomForestClassifier(20, random_state=0))
            assert cross_val_score(pipeline, spectra, labels, cv=2).mean() > 0.7
    # what learns from pairs takes nothing else for abundances
    with pytest.raises(ValueError, match="y has 1 columns, but there are 4 endmembers"):
        UADMMRegressor.paper(endmembers, **QUICK).fit(spectra, abundances.argmax(axis=1))


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_inverse_transform_rebuilds_spectra(problem, learner):
    spectra, abundances, endmembers = problem
    model = clone(learner).set_params(endmembers=endmembers).fit(spectra, abundances)
    assert_allclose(model.inverse_transform(abundances), abundances @ endmembers)
    union = FeatureUnion([("one", model), ("two", clone(model))]).fit(spectra, abundances)
    assert union.transform(spectra).shape == (80, 8)


def test_ensembles(problem):
    """Those of scikit-learn take one target at a time, or one estimator for all of them."""
    spectra, abundances, _ = problem
    one_target = abundances[:, 0]
    free = {"sum_to_one": False}  # one abundance of several does not sum to one
    members = [
        ("network", UADMMRegressor.paper(**QUICK, **free)),
        ("sunsal", SunSALRegressor()),
        ("ridge", Ridge()),
    ]
    for ensemble in (VotingRegressor(members), StackingRegressor(members, cv=2)):
        ensemble.fit(spectra, one_target)
        assert ensemble.predict(spectra).shape == (80,)
        each = MultiOutputRegressor(ensemble).fit(spectra, abundances)
        assert each.predict(spectra).shape == abundances.shape
    voting = VotingRegressor(members).fit(spectra, one_target)
    assert_allclose(
        voting.predict(spectra),
        np.mean([clone(m).fit(spectra, one_target).predict(spectra) for _, m in members], axis=0),
    )


def test_scorers_see_through_pipelines(problem):
    spectra, abundances, _ = problem
    pipeline = make_pipeline(Normalizer(), UADMMRegressor.paper(**QUICK)).fit(spectra, abundances)
    expected = -abundance_rmse(abundances, pipeline.predict(spectra))
    assert abundance_rmse_scorer(pipeline, spectra, abundances) == expected
    assert_array_equal(pipeline.transform(spectra), pipeline.predict(spectra))
