"""StackedGridSearchCV beside GridSearchCV: the same search, to the last digit."""

import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, cross_val_score
from sklearn.model_selection.tests import test_search as sklearn_tests
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler
from skorch.callbacks import Callback

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer, spectral_angle_scorer
from skunmix.model_selection import StackedGridSearchCV

N_BANDS = 15
PROBLEM = {"n_pixels": 101, "n_bands": N_BANDS}
NETWORKS = [ISTANetRegressor, UADMMRegressor]
GRID = {"alpha_aid": [0.0, 1e-2], "learning_rate": [1e-5, 1e-4, 3e-4]}
QUICK = {"max_epochs": 5, "random_state": 0, "batch_size": 16}
RMSE = {"scoring": abundance_rmse_scorer}


def stacked(network, endmembers, grid=GRID, *, search=None, **parameters):
    """A search over a network, with parameters of either."""
    return StackedGridSearchCV(
        network.paper(endmembers, **{**QUICK, **parameters}), grid, **{**RMSE, **(search or {})}
    )


def plain(search):
    """The same search by scikit-learn."""
    parameters = search.get_params(deep=False)
    return GridSearchCV(clone(parameters.pop("estimator")), **parameters)


def assert_same(ours, theirs):
    """Assert that two searches found the same: tables, winners and predictions."""
    assert ours.cv_results_.keys() == theirs.cv_results_.keys()
    for name, expected in theirs.cv_results_.items():
        values = ours.cv_results_[name]
        if name == "params":
            assert repr(values) == repr(expected)
            continue
        assert values.shape == expected.shape
        assert values.dtype == expected.dtype
        if name.startswith("param_"):
            assert repr(values) == repr(expected)
        elif not name.endswith("_time"):
            assert_allclose(values, expected, rtol=1e-6, atol=1e-9)
    for name in ("n_splits_", "multimetric_", "best_index_", "best_params_"):
        assert repr(getattr(ours, name, None)) == repr(getattr(theirs, name, None))
    public = [
        {n for n in vars(search) if n.endswith("_") and not n.startswith("_")}
        for search in (ours, theirs)
    ]
    assert public[0] == public[1]
    if hasattr(theirs, "best_score_"):
        assert ours.best_score_ == pytest.approx(theirs.best_score_, rel=1e-6)
    if hasattr(theirs, "best_estimator_"):
        assert type(ours.best_estimator_) is type(theirs.best_estimator_)
        assert repr(ours.best_estimator_) == repr(theirs.best_estimator_)


def assert_same_as_plain(search, spectra, abundances, **params):
    """Fit both, and compare what they found; ours in stacks."""
    theirs = plain(search).fit(spectra, abundances, **params)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "StackedGridSearchCV")
        ours = search.fit(spectra, abundances, **params)
    assert_same(ours, theirs)
    return ours


def assert_is_a_grid_search(search, spectra, abundances, **params):
    """Fit both, and compare them."""
    ours = assert_same_as_plain(search, spectra, abundances, **params)
    if search.refit:
        theirs = plain(search).fit(spectra, abundances, **params)
        assert_array_equal(ours.predict(spectra), theirs.predict(spectra))
        assert_array_equal(ours.transform(spectra), theirs.transform(spectra))
        if not callable(search.refit):
            assert ours.score(spectra, abundances) == theirs.score(spectra, abundances)
    return ours


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "search",
    [
        {},
        {"cv": ShuffleSplit(3, random_state=0), "return_train_score": True},
        {"scoring": None, "cv": KFold(3, shuffle=True, random_state=0)},
        {
            "scoring": {"rmse": abundance_rmse_scorer, "angle": spectral_angle_scorer},
            "refit": "angle",
        },
        {"scoring": ["r2", "neg_mean_absolute_error"], "refit": False},
        {"refit": lambda results: 3},
    ],
    ids=["defaults", "shuffled", "r2", "by angle", "no refit", "refit by a function"],
)
def test_it_is_a_grid_search(problem, network, search):
    spectra, abundances, endmembers = problem
    assert_is_a_grid_search(stacked(network, endmembers, search=search), spectra, abundances)


@pytest.mark.parametrize("batch_size", [16, 20, 64])  # the last batches have 1 to 17 pixels
def test_scores_are_equal_to_the_bit(problem, batch_size):
    spectra, abundances, endmembers = problem
    search = stacked(UADMMRegressor, endmembers, max_epochs=20, batch_size=batch_size)
    theirs = plain(search).fit(spectra, abundances)
    assert_array_equal(
        search.fit(spectra, abundances).cv_results_["mean_test_score"],
        theirs.cv_results_["mean_test_score"],
    )


def test_lists_of_grids_and_shapes_of_networks(problem):
    spectra, abundances, endmembers = problem
    grid = [
        {"n_layers": [1, 3], "mu": ["auto", 0.1]},
        {"sum_to_one": [False, True], "batch_size": [8, 50]},
    ]
    search = stacked(UADMMRegressor, endmembers, grid, search={"cv": 2})
    assert_is_a_grid_search(search, spectra, abundances)


def test_groups_stay_together(problem):
    spectra, abundances, endmembers = problem
    groups = np.repeat(np.arange(7), 15)[:101]  # folds of 60 to 75 pixels: 4 or 5 batches
    search = stacked(UADMMRegressor, endmembers, search={"cv": GroupKFold(3)})
    assert_is_a_grid_search(search, spectra, abundances, groups=groups)
    with pytest.raises(ValueError, match="groups"):
        search.fit(spectra, abundances)


def test_metadata_is_routed(problem):
    """Groups to the splitter, endmembers through a pipeline, weights to the scorer."""
    spectra, abundances, endmembers = problem
    groups, weight = np.arange(101) % 4, np.linspace(0, 1, 101)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), UADMMRegressor.paper(**QUICK))
        pipeline.set_params(transform_input=["endmembers"])
        scorer = clone_of(abundance_rmse_scorer).set_score_request(sample_weight=True)
        search = StackedGridSearchCV(
            pipeline,
            {"uadmmregressor__alpha_aid": [0.0, 1e-2], "standardscaler__with_std": [True, False]},
            scoring=scorer,
            cv=GroupKFold(2),
        )
        pipeline.named_steps["standardscaler"].set_fit_request(sample_weight=False)
        search = assert_same_as_plain(
            search,
            spectra,
            abundances,
            groups=groups,
            endmembers=endmembers,
            sample_weight=weight,
        )
    scaler = search.best_estimator_[0]
    assert_allclose(search.best_estimator_[-1].endmembers_, scaler.transform(endmembers))


def clone_of(scorer):
    return pickle.loads(pickle.dumps(scorer))


class Silent(Callback):
    """A callback that does nothing."""

    def __repr__(self):
        return "Silent()"


class Counting(TransformerMixin, BaseEstimator):
    """A scaler that counts its fits."""

    fits: list = []  # noqa: RUF012

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        self.fits.append(self.factor)
        self.n_features_in_ = np.shape(X)[1]
        self.length_ = self.factor * np.abs(X).max()
        return self

    def transform(self, X):
        return np.asarray(X) / self.length_


PIPELINES = {
    "scaler": (
        make_pipeline(StandardScaler(), UADMMRegressor.paper(**QUICK)),
        {"uadmmregressor__alpha_aid": [0, 1e-2], "uadmmregressor__learning_rate": [1e-4, 1e-3]},
    ),
    "steps searched too": (
        make_pipeline(PCA(random_state=0), StandardScaler(), ISTANetRegressor.paper(**QUICK)),
        {"pca__n_components": [5, 8], "istanetregressor__lam": [1e-3, 1e-2]},
    ),
    "a step replaced": (
        Pipeline([("scale", StandardScaler()), ("net", UADMMRegressor.paper(**QUICK))]),
        {"scale": [Normalizer(), "passthrough"], "net__alpha_mse": [0.5, 1.0]},
    ),
    "the network replaced": (
        Pipeline([("scale", Normalizer()), ("net", UADMMRegressor.paper(**QUICK))]),
        {
            "net": [
                UADMMRegressor.paper(**QUICK),
                ISTANetRegressor.paper(**QUICK),
                SunSALRegressor(lam=0),
            ]
        },
    ),
    "nested": (
        Pipeline(
            [
                ("scale", Normalizer()),
                ("inner", make_pipeline(StandardScaler(), UADMMRegressor.paper(**QUICK))),
            ]
        ),
        {
            "inner__uadmmregressor__alpha_mse": [0.5, 1.0],
            "inner__standardscaler__with_mean": [True, False],
        },
    ),
    "one step": (
        make_pipeline(UADMMRegressor.paper(**QUICK)),
        {"uadmmregressor__alpha_mse": [0.5, 1]},
    ),
    "what cannot be pickled": (
        make_pipeline(StandardScaler(), UADMMRegressor.paper(**QUICK)),
        {
            "standardscaler": [FunctionTransformer(lambda X: X**2), StandardScaler()],
            "uadmmregressor__alpha_mse": [0.5, 1.0],
        },
    ),
    "lists of grids": (
        make_pipeline(StandardScaler(), UADMMRegressor.paper(**QUICK)),
        [
            {"standardscaler__with_mean": [True], "uadmmregressor__alpha_mse": [0.5, 1.0]},
            {"standardscaler__with_mean": [False], "uadmmregressor__n_layers": [1, 3]},
        ],
    ),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_that_end_in_a_network(problem, name):
    spectra, abundances, _ = problem
    pipeline, grid = PIPELINES[name]
    search = StackedGridSearchCV(clone(pipeline), grid, cv=3, **RMSE)
    assert_same_as_plain(search, spectra, abundances)


def test_first_steps_are_fitted_once_for_each_split_and_set_of_parameters(problem):
    spectra, abundances, _ = problem
    pipeline = make_pipeline(Counting(), UADMMRegressor.paper(**QUICK))
    grid = {
        "counting__factor": [0.5, 2.0],
        "uadmmregressor__alpha_mse": [0.5, 1.0, 2.0],
        "uadmmregressor__n_layers": [1, 2],
    }
    Counting.fits.clear()
    search = StackedGridSearchCV(pipeline, grid, cv=3, **RMSE).fit(spectra, abundances)
    chosen = search.best_params_["counting__factor"]
    assert sorted(Counting.fits) == sorted([0.5] * 3 + [2.0] * 3 + [chosen])
    assert_same(search, plain(search).fit(spectra, abundances))


def test_a_memory_cache_is_used(problem, tmp_path):
    spectra, abundances, _ = problem
    pipeline = make_pipeline(Counting(), UADMMRegressor.paper(**QUICK), memory=str(tmp_path))
    grid = {"uadmmregressor__alpha_mse": [0.5, 1.0]}
    search = StackedGridSearchCV(pipeline, grid, cv=2, **RMSE)
    assert_same_as_plain(search, spectra, abundances)  # GridSearchCV first
    Counting.fits.clear()
    search.fit(spectra, abundances)
    assert Counting.fits == []


@pytest.mark.parametrize("endmembers", ["constructor", "fit", "estimated"])
def test_endmembers_from_anywhere(problem, endmembers):
    spectra, abundances, A = problem
    given = A if endmembers == "constructor" else None
    late = {"endmembers": A} if endmembers == "fit" else {}
    search = stacked(UADMMRegressor, given)
    assert_is_a_grid_search(search, spectra, abundances, **late)


def test_candidates_that_cannot_be_stacked_are_fitted_alone(problem):
    spectra, abundances, endmembers = problem
    seen = []

    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(len(net.history))

    grid = [
        {"callbacks": [None, [Watch()]], "alpha_mse": [0.5, 1.0]},
        {"noise_augmentation": ["auto"], "validation_fraction": [0.2]},
    ]
    search = stacked(UADMMRegressor, endmembers, grid, search={"cv": 2})
    search.fit(spectra, abundances)
    assert len(seen) >= 2 * 2 * 5  # two candidates on two folds
    without = stacked(UADMMRegressor, endmembers, [{"alpha_mse": [0.5, 1.0]}, grid[1]])
    without.set_params(cv=2)
    theirs = plain(without).fit(spectra, abundances)
    scores = search.cv_results_["mean_test_score"]
    assert_allclose(scores[[0, 2, 4]], theirs.cv_results_["mean_test_score"], rtol=1e-6)
    assert_allclose(scores[[1, 3]], scores[[0, 2]], rtol=1e-6)
    assert (search.cv_results_["mean_fit_time"] > 0).all()


def test_a_candidate_that_diverges_is_scored_as_asked(problem):
    spectra, abundances, endmembers = problem
    grid = {"learning_rate": [1e-4, 1e30, 1e-3], "sum_to_one": [False]}
    model = stacked(UADMMRegressor, endmembers, grid, search={"cv": 3})
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        model.fit(spectra, abundances)
    without = clone(model).set_params(param_grid={**grid, "learning_rate": [1e-4, 1e-3]})
    without.fit(spectra, abundances)
    for i in range(3):
        scores = model.cv_results_[f"split{i}_test_score"]
        assert np.isnan(scores[1])
        assert_allclose(scores[[0, 2]], without.cv_results_[f"split{i}_test_score"], rtol=1e-6)
    assert model.cv_results_["rank_test_score"][1] == 3
    assert model.best_params_ == without.best_params_

    with pytest.warns(FitFailedWarning):
        model.set_params(error_score=-7.0).fit(spectra, abundances)
    assert model.cv_results_["mean_test_score"][1] == -7.0
    with pytest.raises(ValueError, match="diverged in epoch 1.*lower the learning rate"):
        model.set_params(error_score="raise").fit(spectra, abundances)
    model.set_params(error_score=np.nan, param_grid={**grid, "learning_rate": [1e30]})
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        model.fit(spectra, abundances)


@pytest.mark.filterwarnings("ignore:.*non-finite", "ignore:.*fits failed")
def test_first_steps_that_fail_harm_no_other_candidate(problem):
    spectra, abundances, _ = problem
    grid = {"pca__n_components": [5, 99], "uadmmregressor__alpha_mse": [0.5, 1.0]}
    pipeline = make_pipeline(PCA(), StandardScaler(), UADMMRegressor.paper(**QUICK))
    search = StackedGridSearchCV(pipeline, grid, cv=2, **RMSE)
    assert_same_as_plain(search, spectra, abundances)
    assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), [0, 0, 1, 1])


def test_names_and_one_dimensional_abundances(problem):
    spectra, abundances, endmembers = problem
    bands = [f"band {i}" for i in range(N_BANDS)]
    frame = pd.DataFrame(spectra, columns=bands)
    names = ["tree", "water", "dirt", "road"]
    model = stacked(UADMMRegressor, pd.DataFrame(endmembers, index=names), search={"cv": 2})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(frame, pd.DataFrame(abundances, columns=names))
        model.best_estimator_.set_output(transform="pandas")
        assert list(model.transform(frame).columns) == names
    assert list(model.feature_names_in_) == bands
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[bands[::-1]])

    one = stacked(
        ISTANetRegressor, None, {"lam": [1e-3, 1e-2]}, search={"cv": 2, "scoring": None},
        sum_to_one=False,
    )  # fmt: skip
    one.fit(spectra, abundances[:, 0])
    assert one.predict(spectra).shape == (101,)
    assert one.score(spectra, abundances[:, 0]) <= 1


def test_clone_pickle_and_nesting(problem):
    spectra, abundances, endmembers = problem
    model = stacked(UADMMRegressor, endmembers, search={"cv": 2, "scoring": None})
    model.fit(spectra, abundances)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(spectra), model.predict(spectra))
    assert_array_equal(
        clone(model).fit(spectra, abundances).predict(spectra), again.predict(spectra)
    )
    pipeline = make_pipeline(Normalizer(), stacked(UADMMRegressor, None, search={"cv": 2}))
    assert pipeline.fit(spectra, abundances).predict(spectra).shape == abundances.shape
    scores = cross_val_score(model, spectra, abundances, cv=3, error_score="raise", **RMSE)
    assert (scores < 0).all()


def test_without_refit_there_is_no_prediction(problem):
    spectra, abundances, endmembers = problem
    model = stacked(UADMMRegressor, endmembers, search={"cv": 2, "refit": False})
    model.fit(spectra, abundances)
    assert model.best_score_ < 0
    theirs = plain(model).fit(spectra, abundances)
    for call in (lambda m: m.predict(spectra), lambda m: m.score(spectra, abundances)):
        with pytest.raises(AttributeError) as expected:
            call(theirs)
        with pytest.raises(AttributeError) as found:
            call(model)
        assert str(found.value).replace("Stacked", "") == str(expected.value)


def test_the_chosen_learning_rate_is_a_good_one(problem):
    """That the search serves its purpose: of a useless rate and a useful one the latter."""
    spectra, abundances, endmembers = problem
    options = {"max_epochs": 60, "mu": "max-eigenvalue"}
    model = stacked(UADMMRegressor, endmembers, {"learning_rate": [1e-8, 1e-3]}, **options)
    model.fit(spectra, abundances)
    assert model.best_params_ == {"learning_rate": 1e-3}
    useless = UADMMRegressor.paper(endmembers, learning_rate=1e-8, random_state=0)
    useless.fit(spectra, abundances)
    assert abundance_rmse(abundances, model.predict(spectra)) < 0.9 * abundance_rmse(
        abundances, useless.predict(spectra)
    )


def test_verbose_prints(problem, capsys):
    spectra, abundances, endmembers = problem
    stacked(UADMMRegressor, endmembers, search={"cv": 2}).fit(spectra, abundances)
    assert capsys.readouterr().out == ""
    stacked(UADMMRegressor, endmembers, search={"cv": 2, "verbose": 1}).fit(spectra, abundances)
    printed = capsys.readouterr().out
    assert "Training 6 candidates on 2 folds together" in printed
    assert "Fitting 2 folds for each of 6 candidates, totalling 12 fits" in printed


@pytest.mark.parametrize(
    ("grid", "search", "message"),
    [
        ({"momentum": [0.9]}, {}, "Invalid parameter 'momentum'"),
        ({"learning_rate": []}, {}, "non-empty sequence"),
        (GRID, {"scoring": "nonsense"}, "'scoring' parameter"),
        (GRID, {"scoring": ["r2", "neg_mean_absolute_error"]}, "multi-metric|multimetric"),
        (GRID, {"cv": 1000}, "greater than the number of samples"),
        (GRID, {"error_score": "ignore"}, "'error_score' parameter"),
        ({"max_epochs": [-1]}, {"error_score": "raise"}, "'max_epochs' parameter"),
    ],
)
def test_parameters_that_will_not_do(problem, grid, search, message):
    spectra, abundances, endmembers = problem
    for kind in (lambda search: search, plain):  # scikit-learn says the same
        with pytest.raises(ValueError, match=message):
            kind(stacked(UADMMRegressor, endmembers, grid, search=search)).fit(spectra, abundances)


def test_abundances_are_needed(problem):
    model = stacked(UADMMRegressor, problem[2], search={"error_score": "raise"})
    with pytest.raises(ValueError, match="UADMMRegressor requires y.*pass the abundances"):
        model.fit(problem[0])


def test_an_unknown_argument_of_fit_is_as_ever(problem):
    spectra, abundances, endmembers = problem
    model = stacked(UADMMRegressor, endmembers, search={"error_score": "raise"})
    for search in (model, plain(model)):
        with pytest.raises(TypeError, match="nonsense"):
            search.fit(spectra, abundances, nonsense=1)


@pytest.mark.parametrize(
    ("estimator", "grid", "reason"),
    [
        (Ridge(), {"alpha": [0.1, 1.0]}, "Ridge is not a network of skunmix"),
        (
            make_pipeline(StandardScaler(), Ridge()),
            {"ridge__alpha": [0.1, 1.0]},
            "Ridge is not a network of skunmix",
        ),
        (
            UADMMRegressor.paper(callbacks=[Silent()], **QUICK),
            {"alpha_mse": [0.5, 1.0]},
            "UADMMRegressor has callbacks",
        ),
    ],
    ids=["Ridge", "pipeline", "callbacks"],
)
def test_what_cannot_be_stacked_is_a_grid_search_with_a_warning(problem, estimator, grid, reason):
    spectra, abundances, _ = problem
    search = StackedGridSearchCV(estimator, grid, cv=2, **RMSE)
    with pytest.warns(UserWarning, match=f"but {reason}.*use GridSearchCV"):
        search.fit(spectra, abundances)
    assert_same(search, plain(search).fit(spectra, abundances))


def test_nothing_of_the_caller_changes(problem):
    spectra, abundances, endmembers = problem
    copies = [a.copy() for a in problem]
    model = stacked(UADMMRegressor, endmembers, search={"cv": KFold(2, shuffle=True)})
    before = model.get_params()
    with parallel_config(n_jobs=2):
        model.fit(spectra, abundances)
    after = model.get_params()
    assert before.keys() == after.keys()
    assert all(before[name] is after[name] for name in before)
    for array, copy in zip(problem, copies):
        assert_array_equal(array, copy)
    assert not hasattr(model.estimator, "net_")


def test_a_failed_search_leaves_the_last_one_whole(problem):
    spectra, abundances, endmembers = problem
    model = stacked(UADMMRegressor, endmembers, search={"cv": 2}).fit(spectra, abundances)
    expected = model.predict(spectra)
    with pytest.raises(ValueError, match="fits failed"):
        model.fit(spectra[:, :5], abundances)
    assert_array_equal(model.predict(spectra), expected)


class AsSklearnCallsIt(StackedGridSearchCV):
    """With the two parameters that a search by one process has no use for."""

    def __init__(
        self,
        estimator,
        param_grid,
        *,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        pre_dispatch="2*n_jobs",
        error_score=np.nan,
        return_train_score=False,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.n_jobs, self.pre_dispatch = n_jobs, pre_dispatch


# not those of other searches, and not those that count warnings or look into the call stack
OF_OTHERS = (
    *("random", "param_sampler", "parameter_grid", "parameters_sampler", "validate_parameter"),
    *("callbacks", "custom", "yield_masked", "array_api", "cv_results_none_param", "html_repr"),
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, test in vars(sklearn_tests).items()
        if name.startswith("test_")
        and "GridSearchCV" in inspect.getsource(test)
        and not any(other in name for other in OF_OTHERS)
        and not inspect.signature(test).parameters
    ],
)
def test_scikit_learns_own_tests_of_searches(monkeypatch, name):
    monkeypatch.setattr(sklearn_tests, "GridSearchCV", AsSklearnCallsIt)
    getattr(sklearn_tests, name)()
