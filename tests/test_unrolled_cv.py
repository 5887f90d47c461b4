import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import ISTANetRegressor, ISTANetRegressorCV, UADMMRegressor, UADMMRegressorCV
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer, spectral_angle_scorer

PAIRS = [(ISTANetRegressorCV, ISTANetRegressor), (UADMMRegressorCV, UADMMRegressor)]
N_BANDS = 15
GRID = {"alpha_aid": [0.0, 1e-2], "learning_rate": [1e-5, 1e-4, 3e-4]}
QUICK = {"max_epochs": 5, "random_state": 0, "batch_size": 16}
RMSE = {"scoring": abundance_rmse_scorer}


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.1, 0.9, (4, N_BANDS))
    abundances = rng.dirichlet(np.full(4, 0.5), 101)
    spectra = abundances @ endmembers + 0.02 * rng.normal(size=(101, N_BANDS))
    return spectra, abundances, endmembers


def quick(learner, endmembers, **parameters):
    return learner(endmembers, param_grid=GRID, **{**QUICK, **RMSE, **parameters})


@pytest.mark.parametrize(("learner", "single"), PAIRS)
@pytest.mark.parametrize(
    "parameters",
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
def test_it_is_a_grid_search(problem, learner, single, parameters):
    spectra, abundances, endmembers = problem
    model = quick(learner, endmembers, **parameters).fit(spectra, abundances)
    search = GridSearchCV(single(endmembers, **QUICK), GRID, **{**RMSE, **parameters})
    search.fit(spectra, abundances)

    assert model.cv_results_.keys() == search.cv_results_.keys()
    for name, expected in search.cv_results_.items():
        values = model.cv_results_[name]
        if name == "params":
            assert values == expected
        elif name.startswith("param_"):
            assert_array_equal(values.data, expected.data)
            assert_array_equal(values.mask, expected.mask)
            assert values.dtype == expected.dtype
        else:
            assert values.shape == expected.shape
            assert values.dtype == expected.dtype
            if not name.endswith("_time"):
                assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    for name in ("n_splits_", "multimetric_", "best_index_", "best_params_"):
        assert getattr(model, name, None) == getattr(search, name, None)
    assert hasattr(model, "best_score_") == hasattr(search, "best_score_")
    if hasattr(search, "best_score_"):
        assert model.best_score_ == pytest.approx(search.best_score_, rel=1e-4)
    if search.refit:
        assert_array_equal(model.predict(spectra), search.predict(spectra))
        assert_array_equal(model.transform(spectra), search.transform(spectra))
        if not callable(search.refit):
            assert model.score(spectra, abundances) == search.score(spectra, abundances)


@pytest.mark.parametrize(("learner", "single"), PAIRS)
def test_the_best_is_what_its_parameters_give(problem, learner, single):
    spectra, abundances, endmembers = problem
    model = quick(learner, endmembers).fit(spectra, abundances)
    expected = single(endmembers, **QUICK, **model.best_params_).fit(spectra, abundances)
    assert type(model.best_estimator_) is single
    assert repr(model.best_estimator_) == repr(expected)
    assert_array_equal(model.predict(spectra), expected.predict(spectra))
    assert_array_equal(model.inverse_transform(abundances), expected.inverse_transform(abundances))
    fitted = {name for name in vars(expected) if name.endswith("_") and not name.startswith("_")}
    assert fitted <= set(vars(model))
    assert model.loss_curve_ == expected.loss_curve_
    assert model.net_ is model.best_estimator_.net_
    assert model.refit_time_ > 0


def test_the_grid_by_default(problem):
    spectra, abundances, endmembers = problem
    model = UADMMRegressorCV(endmembers, **{**QUICK, "max_epochs": 1}).fit(spectra, abundances)
    assert len(model.cv_results_["params"]) == 27
    # the paper's values among them
    assert {"alpha_aad": 1e-7, "alpha_aid": 1e-5, "learning_rate": 1e-4} in model.cv_results_[
        "params"
    ]


@pytest.mark.parametrize(("learner", "single"), PAIRS)
def test_groups_stay_together(problem, learner, single):
    spectra, abundances, endmembers = problem
    groups = np.repeat(np.arange(7), 15)[:101]  # folds of 60 to 75 pixels: 4 or 5 batches
    model = quick(learner, endmembers, cv=GroupKFold(3))
    model.fit(spectra, abundances, groups=groups)
    search = GridSearchCV(single(endmembers, **QUICK), GRID, cv=GroupKFold(3), **RMSE)
    search.fit(spectra, abundances, groups=groups)
    for name in ("split0_test_score", "split1_test_score", "split2_test_score"):
        assert_allclose(model.cv_results_[name], search.cv_results_[name], rtol=1e-4)
    with pytest.raises(ValueError, match="groups"):
        model.fit(spectra, abundances)


def test_lists_of_grids_and_shapes_of_networks(problem):
    spectra, abundances, endmembers = problem
    grid = [
        {"n_layers": [1, 3], "mu": ["auto", 0.1]},
        {"sum_to_one": [False, True], "batch_size": [8, 50]},
    ]
    model = quick(UADMMRegressorCV, endmembers, cv=2)
    model.set_params(param_grid=grid).fit(spectra, abundances)
    search = GridSearchCV(UADMMRegressor(endmembers, **QUICK), grid, cv=2, **RMSE)
    search.fit(spectra, abundances)
    assert model.cv_results_["params"] == search.cv_results_["params"]
    for name in ("mean_test_score", "std_test_score"):
        assert_allclose(model.cv_results_[name], search.cv_results_[name], rtol=1e-4)
    assert_array_equal(
        model.cv_results_["param_n_layers"].mask, search.cv_results_["param_n_layers"].mask
    )


@pytest.mark.parametrize("endmembers", ["constructor", "fit", "estimated"])
def test_endmembers_from_anywhere(problem, endmembers):
    spectra, abundances, A = problem
    given = A if endmembers == "constructor" else None
    late = {"endmembers": A} if endmembers == "fit" else {}
    model = quick(UADMMRegressorCV, given).fit(spectra, abundances, **late)
    search = GridSearchCV(UADMMRegressor(given, **QUICK), GRID, **RMSE)
    search.fit(spectra, abundances, **late)
    assert_allclose(
        model.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"], rtol=1e-3
    )
    assert_array_equal(model.endmembers_, search.best_estimator_.endmembers_)


def test_a_candidate_that_diverges_is_scored_as_asked(problem):
    spectra, abundances, endmembers = problem
    grid = {"learning_rate": [1e-4, 1e30, 1e-3], "sum_to_one": [False]}
    model = quick(UADMMRegressorCV, endmembers, cv=3).set_params(param_grid=grid)
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        model.fit(spectra, abundances)
    without = clone(model).set_params(
        param_grid={"learning_rate": [1e-4, 1e-3], "sum_to_one": [False]}
    )
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
    model.set_params(error_score=np.nan, param_grid={"learning_rate": [1e30]}, sum_to_one=False)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        model.fit(spectra, abundances)


@pytest.mark.parametrize(("learner", "single"), PAIRS)
def test_names_and_one_dimensional_abundances(problem, learner, single):
    spectra, abundances, endmembers = problem
    bands = [f"band {i}" for i in range(N_BANDS)]
    frame = pd.DataFrame(spectra, columns=bands)
    names = ["tree", "water", "dirt", "road"]
    model = quick(learner, pd.DataFrame(endmembers, index=names), cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(frame, pd.DataFrame(abundances, columns=names))
        model.set_output(transform="pandas")
        assert list(model.transform(frame).columns) == names
        model.best_estimator_.predict(frame)
    assert list(model.feature_names_in_) == bands
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[bands[::-1]])

    one = quick(learner, None, sum_to_one=False, cv=2, scoring=None)
    one.fit(spectra, abundances[:, 0])
    assert one.predict(spectra).shape == (101,)
    assert one.score(spectra, abundances[:, 0]) <= 1


@pytest.mark.parametrize(("learner", "single"), PAIRS)
def test_clone_pickle_pipeline_and_nesting(problem, learner, single):
    spectra, abundances, endmembers = problem
    model = quick(learner, endmembers, cv=2).fit(spectra, abundances)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(spectra), model.predict(spectra))
    assert_array_equal(
        clone(model).fit(spectra, abundances).predict(spectra), again.predict(spectra)
    )

    pipeline = make_pipeline(Normalizer(), quick(learner, None, cv=2)).fit(spectra, abundances)
    assert pipeline.predict(spectra).shape == abundances.shape
    scores = cross_val_score(model, spectra, abundances, cv=3, error_score="raise", **RMSE)
    assert (scores < 0).all()


def test_without_refit_there_is_no_prediction(problem):
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressorCV, endmembers, cv=2, refit=False).fit(spectra, abundances)
    assert model.best_score_ < 0
    for method in (model.predict, model.transform):
        with pytest.raises(NotFittedError, match="refit=False"):
            method(spectra)
    with pytest.raises(NotFittedError, match="refit=False"):
        model.score(spectra, abundances)


def test_the_chosen_learning_rate_is_a_good_one(problem):
    """That the search serves its purpose: of a useless rate and a useful one the latter."""
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressorCV, endmembers, max_epochs=60, mu="max-eigenvalue")
    model.set_params(param_grid={"learning_rate": [1e-8, 1e-3]}).fit(spectra, abundances)
    assert model.best_params_ == {"learning_rate": 1e-3}
    useless = UADMMRegressor(endmembers, mu="max-eigenvalue", learning_rate=1e-8, random_state=0)
    useless.fit(spectra, abundances)
    assert abundance_rmse(abundances, model.predict(spectra)) < 0.9 * abundance_rmse(
        abundances, useless.predict(spectra)
    )


def test_verbose_prints(problem, capsys):
    spectra, abundances, endmembers = problem
    quick(UADMMRegressorCV, endmembers, cv=2).fit(spectra, abundances)
    assert capsys.readouterr().out == ""
    quick(UADMMRegressorCV, endmembers, cv=2, verbose=1).fit(spectra, abundances)
    assert "Fitting 2 folds for each of 6 candidates, totalling 12 fits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"param_grid": {"momentum": [0.9]}}, "Invalid parameter 'momentum'"),
        ({"param_grid": {"learning_rate": []}}, "non-empty sequence"),
        ({"param_grid": 3}, "'param_grid' parameter"),
        ({"scoring": "nonsense"}, "'scoring' parameter"),
        ({"scoring": ["r2", "neg_mean_absolute_error"]}, "multi-metric|multimetric"),
        ({"cv": 1000}, "greater than the number of samples"),
        ({"error_score": "ignore"}, "'error_score' parameter"),
        ({"max_epochs": -1}, "'max_epochs' parameter"),
    ],
)
def test_parameters_that_will_not_do(problem, parameters, message):
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressorCV, endmembers).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(spectra, abundances)


def test_abundances_are_needed(problem):
    with pytest.raises(ValueError, match="UADMMRegressorCV requires y.*networks learn from pairs"):
        quick(UADMMRegressorCV, problem[2]).fit(problem[0])
