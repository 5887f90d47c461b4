"""The choice by cross-validation among views of the spectra and untrained solvers."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV
from skunmix.unrolled._choice import cross_validate, is_better, solvers_for
from skunmix.unrolled._pairs import TrainingPairs

NETWORKS = [ISTANetRegressor, UADMMRegressor]
VIEWS = {(None, False), (None, True), ("l2", False)}
SOLVERS = {"FCLS", "SunSAL"}
PROBLEM = {"n_pixels": 150, "n_bands": 25}


def brief(network, endmembers, **parameters):
    return network(endmembers, **{"max_epochs": 20, "random_state": 0, **parameters})


def shaded(problem, least):
    spectra, abundances, endmembers = problem
    shade = np.random.default_rng(1).uniform(least, 1, (len(spectra), 1))
    return shade * spectra, abundances, endmembers


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("least", "expected"), [(1.0, (None, True)), (0.1, ("l2", False))], ids=["linear", "shaded"]
)
def test_the_view_that_suits_the_scene_is_chosen(problem, network, least, expected, capsys):
    spectra, abundances, endmembers = shaded(problem, least)
    model = network(endmembers, n_layers=5, max_epochs=200, random_state=0, verbose=1)
    model.fit(spectra, abundances)
    assert set(model.choice_scores_) == VIEWS | SOLVERS
    assert (model.norm_, model.noise_augmentation_) == expected
    assert min(VIEWS, key=model.choice_scores_.get) == expected
    assert model.n_iter_ == 200
    assert capsys.readouterr().out.count("in cross-validation") == 5


def test_a_choice_is_open_only_where_it_is_auto(problem):
    spectra, abundances, endmembers = problem
    for parameters, tried in (
        ({"noise_augmentation": False, "fallback": None}, {(None, False), ("l2", False)}),
        ({"norm": None, "fallback": None}, {(None, False), (None, True)}),
        ({"norm": "l2", "noise_augmentation": False}, {("l2", False)} | SOLVERS),
        ({"sum_to_one": False}, VIEWS | {"SunSAL"}),
    ):
        model = brief(UADMMRegressor, endmembers, **parameters).fit(spectra, abundances)
        assert set(model.choice_scores_) == tried
    for parameters in (
        {"noise_augmentation": True, "fallback": None},
        {"norm": "l2", "noise_augmentation": False, "fallback": None},
        {"max_epochs": 0},
    ):
        model = brief(UADMMRegressor, endmembers, **parameters).fit(spectra, abundances)
        assert not hasattr(model, "choice_scores_")
        assert model.fallback_ is None


@pytest.mark.parametrize("network", NETWORKS)
def test_the_error_of_a_choice_is_that_of_fits_to_the_folds(problem, network):
    spectra, abundances, endmembers = problem
    pairs = TrainingPairs(spectra, abundances)
    estimator = brief(network, endmembers, n_layers=3, max_epochs=4)
    solvers = solvers_for("normalize")
    errors = cross_validate(
        estimator, [(None, False), ("l2", False)], solvers, pairs, endmembers, 7
    )
    for choice in ((None, False), ("l2", False), "FCLS", "SunSAL"):
        estimate = np.empty_like(abundances)
        for training, held_out in KFold(5, shuffle=True, random_state=7).split(spectra):
            if choice in solvers:
                model = SunSALRegressor(
                    endmembers,
                    lam=0.0 if choice == "FCLS" else 1e-3,
                    sum_to_one=True if choice == "FCLS" else "normalize",
                )
            else:
                view = {"norm": choice[0], "noise_augmentation": choice[1], "fallback": None}
                start = {}
                if network is UADMMRegressor:  # that of all pairs
                    whole = network(endmembers, n_layers=3, max_epochs=0, **view)
                    whole.fit(spectra, abundances)
                    start = {"mu": whole.mu_, "sum_to_one": whole.sum_to_one_}
                model = network(
                    endmembers, n_layers=3, max_epochs=4, random_state=7, **view, **start
                )
            model.fit(spectra[training], abundances[training])
            estimate[held_out] = model.predict(spectra[held_out])
        error = np.linalg.norm(estimate - abundances, axis=1) / 2  # of four endmembers
        np.testing.assert_allclose(errors[choice], error, rtol=1e-2, atol=1e-5)
        assert errors[choice].mean() == pytest.approx(abundance_rmse(abundances, estimate), 1e-3)


def test_a_network_is_better_by_more_than_one_standard_error():
    others = np.array([0.3, 0.2, 0.4, 0.3])
    gains = np.array([0.1, -0.1, 0.05, 0.05])  # mean 0.025, standard error 0.043
    assert not is_better(others - gains, others)
    assert is_better(others - gains - 0.02, others)
    assert not is_better(others, others)
    failed = np.full(4, np.inf)
    assert is_better(others, failed)
    assert not is_better(failed, others)
    assert not is_better(failed, failed)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_solver_answers_where_training_cannot_help(problem, network):
    """Exact mixtures, and a training far too short to come near them."""
    _, abundances, endmembers = problem
    spectra = abundances @ endmembers
    model = brief(network, endmembers, max_epochs=1).fit(spectra, abundances)
    assert model.fallback_ is not None
    assert model.n_iter_ == 1
    solver = SunSALRegressor(endmembers, lam=0.0, sum_to_one=True).fit(spectra)
    np.testing.assert_allclose(model.predict(spectra), solver.predict(spectra), atol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = brief(network, endmembers, max_epochs=1, fallback=None).fit(spectra, abundances)
    assert np.abs(alone.predict(spectra) - abundances).max() > 1e-3
    # and after saving, in float32, and after more training
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(spectra), model.predict(spectra))
    assert model.predict(spectra.astype(np.float32)).dtype == np.float32
    again.set_params(warm_start=True).fit(spectra, abundances)
    np.testing.assert_array_equal(again.predict(spectra), model.predict(spectra))
    # a NaN is still refused
    spectra[3, 4] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        model.predict(spectra)


@pytest.mark.parametrize("max_epochs", [1, 20])
@pytest.mark.parametrize("way", ["pickle", "skops"])
def test_a_choice_is_saved(problem, way, max_epochs, tmp_path):
    spectra, abundances, endmembers = problem
    model = brief(UADMMRegressor, endmembers, max_epochs=max_epochs).fit(spectra, abundances)
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        sio = pytest.importorskip("skops.io")
        sio.dump(model, tmp_path / "model.skops")
        unknown = sio.get_untrusted_types(file=tmp_path / "model.skops")
        loaded = sio.load(tmp_path / "model.skops", trusted=unknown)
    assert loaded.choice_scores_ == model.choice_scores_
    assert type(loaded.fallback_) is type(model.fallback_)
    np.testing.assert_array_equal(loaded.predict(spectra), model.predict(spectra))


@pytest.mark.parametrize("n_pixels", [1, 2, 3, 7, 150])
@pytest.mark.parametrize("endmembers", ["given", "estimated"])
def test_any_number_of_pairs(problem, n_pixels, endmembers):
    rows = np.argsort(-problem.abundances.max(axis=1))[:n_pixels]  # some lack an endmember
    given = problem.endmembers if endmembers == "given" else None
    model = brief(UADMMRegressor, given, max_epochs=3)
    if given is None and n_pixels < 4:
        with pytest.raises(ValueError, match="endmembers"):
            model.fit(problem.spectra[rows], problem.abundances[rows])
        return
    model.fit(problem.spectra[rows], problem.abundances[rows])
    assert np.isfinite(model.predict(problem.spectra)).all()


def test_labels_make_nothing_worse_than_no_labels(problem):
    """The error of the default is about that of the better solver, or smaller."""
    rng = np.random.default_rng(5)
    for noise in (0.01, 0.1):
        spectra = problem.abundances @ problem.endmembers
        spectra = spectra + noise * rng.normal(size=spectra.shape)
        model = UADMMRegressor(problem.endmembers, random_state=0)
        model.fit(spectra[:100], problem.abundances[:100])
        errors = {
            name: abundance_rmse(problem.abundances[100:], fitted.predict(spectra[100:]))
            for name, fitted in (
                ("default", model),
                *(
                    (k, s.fit(spectra, endmembers=problem.endmembers))
                    for k, s in solvers_for(True).items()
                ),
            )
        }
        assert errors["default"] <= 1.05 * min(errors["FCLS"], errors["SunSAL"])


def test_auto_epochs_are_a_number_of_steps(problem):
    spectra, abundances, endmembers = problem
    fixed = {"norm": None, "noise_augmentation": False, "fallback": None, "n_layers": 1}
    for n_pixels, batch_size, expected in ((64, 64, 1500), (150, 64, 500), (150, 1, 10)):
        model = UADMMRegressor(endmembers, batch_size=batch_size, random_state=0, **fixed)
        model.fit(spectra[:n_pixels], abundances[:n_pixels])
        assert model.n_iter_ == expected


@pytest.mark.parametrize("network", NETWORKS)
def test_a_search_chooses_as_each_fit_does(problem, network):
    """The choice does not depend on what a stack's candidates differ in."""
    spectra, abundances, endmembers = shaded(problem, 0.3)
    estimator = brief(network, endmembers, n_layers=2, max_epochs=10)
    grid = {"alpha_aid": [0.0, 1e-3], "lam": [0.0, 1e-3]}
    searches = [
        search(clone(estimator), grid, scoring=abundance_rmse_scorer, cv=3).fit(spectra, abundances)
        for search in (GridSearchCV, StackedGridSearchCV)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4)
    assert searches[0].best_params_ == searches[1].best_params_


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_search_trains_for_auto_epochs(problem, early_stopping):
    spectra, abundances, endmembers = problem
    fixed = {"norm": None, "noise_augmentation": False, "fallback": None, "n_layers": 1}
    training = {"early_stopping": early_stopping, "n_iter_no_change": 20, "batch_size": 16}
    estimator = UADMMRegressor(endmembers, random_state=0, **fixed, **training)
    grid = {"learning_rate": [1e-3]}
    searches = [
        search(estimator, grid, scoring=abundance_rmse_scorer, cv=2).fit(spectra, abundances)
        for search in (GridSearchCV, StackedGridSearchCV)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-4)
    assert searches[0].best_estimator_.n_iter_ == searches[1].best_estimator_.n_iter_


def test_one_random_state_is_one_choice(problem):
    spectra, abundances, endmembers = problem
    first, second = (
        brief(UADMMRegressor, endmembers, random_state=4).fit(spectra, abundances) for _ in range(2)
    )
    assert first.choice_scores_ == second.choice_scores_
    np.testing.assert_array_equal(first.predict(spectra), second.predict(spectra))
