"""scikit-learn's searches, backends and ways to save, on every estimator."""

import json
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils import estimator_html_repr

from skunmix import (
    ISTANetRegressor,
    SunSALRegressor,
    SunSALRegressorCV,
    UADMMRegressor,
)
from skunmix.metrics import (
    abundance_angle_scorer,
    abundance_rmse_scorer,
    spectral_angle_scorer,
)
from skunmix.model_selection import StackedGridSearchCV
from skunmix.preprocessing import BandSelector, SpectralResampler

N_BANDS = 12
PROBLEM = {"n_pixels": 60, "n_bands": N_BANDS, "noise": 0.01}
QUICK = {"max_epochs": 2, "random_state": 0}
LEARNERS = [
    SunSALRegressor(),
    SunSALRegressorCV(lams=3, cv=2),
    ISTANetRegressor.paper(**QUICK),
    UADMMRegressor.paper(**QUICK),
]
SCORERS = {
    "rmse": abundance_rmse_scorer,
    "angle": abundance_angle_scorer,
    "rebuilt": spectral_angle_scorer,
}
# for each parameter, values other than the default
VALUES = {
    "lam": [0.0, 0.1],
    "lams": [2, [1e-3, 1e-1]],
    "eps": [1e-3, 1e-4],
    "sum_to_one": [False, "normalize"],
    "groups": [["a", "b", "c", "d"], None],
    "positive": [False, True],
    "band_weights": [np.arange(1.0, 1.0 + N_BANDS), None],
    "noise_covariance": [np.diag(np.arange(1.0, 1.0 + N_BANDS)), None],
    "solver": ["admm", "active-set"],
    "mu": [0.1, 1.0],
    "max_iter": [500, 2000],
    "tol": [1e-4, 1e-6],
    "n_jobs": [1, 2],
    "cv": [2, KFold(3)],
    "n_layers": [1, 3],
    "tied": [True, False],
    "alpha_mse": [0.5, 2.0],
    "alpha_aad": [0.0, 1e-2],
    "alpha_aid": [0.0, 1e-2],
    "norm": ["l2", "auto"],
    "noise_augmentation": [True, "auto"],
    "fallback": ["auto", None],
    "learning_rate": [1e-5, 1e-3],
    "lr_schedule": ["cosine", "one-cycle"],
    "batch_size": [7, 1000],
    "max_epochs": [0, 1],
    "early_stopping": [True, False],
    "validation_fraction": [0.2, 0.3],
    "n_iter_no_change": [1, 2],
    "warm_start": [True, False],
    "device": ["cpu"],
    "random_state": [1, None, np.random.RandomState(0)],
    "callbacks": [[], None],
    "verbose": [0],
}


def label(learner):
    return type(learner).__name__


def given(learner, problem):
    return clone(learner).set_params(endmembers=problem[2])


@pytest.fixture(params=[False, True], ids=["no routing", "routing"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield


CASES = [
    pytest.param(learner, name, id=f"{label(learner)}-{name}")
    for learner in LEARNERS
    for name in learner.get_params()
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("learner", "name"), CASES)
def test_a_grid_search_over_each_parameter(problem, learner, name):
    spectra, abundances, endmembers = problem
    values = [endmembers, endmembers.T.copy(), None] if name == "endmembers" else VALUES[name]
    search = GridSearchCV(given(learner, problem), {name: values}, cv=2, error_score="raise")
    search.fit(spectra, abundances)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(spectra).shape == abundances.shape


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_parameters_go_round(problem, learner):
    learner = given(learner, problem)
    parameters = learner.get_params()
    again = type(learner)().set_params(**parameters)
    copy = clone(learner)
    for name, value in parameters.items():
        assert getattr(again, name) is value
        assert repr(getattr(copy, name)) == repr(value)
    assert repr(again) == repr(copy) == repr(learner)
    assert label(learner) in repr(learner)
    for model in (learner, clone(learner).fit(*problem[:2])):
        assert label(learner) in estimator_html_repr(model)
        assert "<div" in model._repr_html_()


WAVELENGTHS = np.linspace(400.0, 950.0, N_BANDS)
STEPS = [
    (
        BandSelector(ranges=[(400, 900)], wavelengths=WAVELENGTHS, unit="nm"),
        {
            "bands": [None, slice(2, 9), np.arange(N_BANDS) < 8],
            "ranges": [[(400, 700)], [(400, 500), (600, 950)]],
            "exclude": [None, [(690, 710)]],
            "wavelengths": [WAVELENGTHS, (WAVELENGTHS + 1).tolist()],
            "unit": ["nm"],
            "bbl": [None, np.r_[0, np.ones(N_BANDS - 1)]],
        },
    ),
    (
        SpectralResampler(
            WAVELENGTHS,
            np.linspace(450, 900, 7),
            np.full(7, 60.0),
            source_unit="nm",
            target_unit="nm",
        ),
        {
            "source": [WAVELENGTHS, WAVELENGTHS + 1],
            "target": [np.linspace(450, 900, 7), np.linspace(500, 850, 7)],
            "fwhm": [None, np.full(7, 90.0)],
            "source_unit": ["nm"],
            "target_unit": ["nm"],
        },
    ),
]


@pytest.mark.parametrize(("step", "values"), STEPS, ids=[label(step) for step, _ in STEPS])
def test_preprocessing_goes_round_and_is_searched(problem, step, values):
    spectra, abundances, _ = problem
    parameters = step.get_params()
    assert parameters.keys() == values.keys()
    again = type(step)(**dict.fromkeys(parameters)).set_params(**parameters)
    assert repr(again) == repr(clone(step)) == repr(step)
    assert label(step) in estimator_html_repr(clone(step).fit(spectra))
    for name, candidates in values.items():
        pipeline = Pipeline([("step", clone(step)), ("unmixer", SunSALRegressor())])
        search = GridSearchCV(pipeline, {f"step__{name}": candidates}, cv=2, error_score="raise")
        search.fit(spectra, abundances)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_several_scorers_at_once(problem, learner):
    spectra, abundances, _ = problem
    scores = cross_validate(
        given(learner, problem),
        spectra,
        abundances,
        scoring=SCORERS,
        cv=3,
        return_train_score=True,
        error_score="raise",
        params={},  # as scikit-learn 1.6 has no default with routing
    )
    for name, scorer in SCORERS.items():
        assert scores[f"test_{name}"].shape == (3,)
        for i, (train, test) in enumerate(KFold(3).split(spectra)):
            model = given(learner, problem).fit(spectra[train], abundances[train])
            expected = scorer(model, spectra[test], abundances[test])
            assert scores[f"test_{name}"][i] == pytest.approx(expected, abs=1e-6)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("learner", [SunSALRegressor(), UADMMRegressor.paper(**QUICK)], ids=label)
@pytest.mark.parametrize(
    "make",
    [
        lambda model: RandomizedSearchCV(
            model, {"lam": np.geomspace(1e-4, 1, 9)}, n_iter=3, random_state=0, cv=2
        ),
        lambda model: HalvingGridSearchCV(
            model, {"lam": [0.0, 1e-3, 1.0]}, min_resources=10, cv=2, random_state=0
        ),
        lambda model: GridSearchCV(model, {"lam": [0.0, 1e-3]}, cv=2, n_jobs=2),
        lambda model: GridSearchCV(
            GridSearchCV(model, {"lam": [0.0, 1e-3]}, cv=2),
            {"estimator__sum_to_one": ["normalize"]},
            cv=2,
        ),
    ],
    ids=["randomized", "halving", "n_jobs", "nested"],
)
def test_searches(problem, learner, make):
    spectra, abundances, _ = problem
    search = make(given(learner, problem))
    search.set_params(scoring=abundance_rmse_scorer, error_score="raise")
    search.fit(spectra, abundances)
    assert -1 < search.best_score_ < 0
    assert search.predict(spectra).shape == abundances.shape


@pytest.mark.usefixtures("routing")
def test_tiles_stay_together(problem):
    """A spatial split: no tile of the image is trained on and tested."""
    spectra, abundances, endmembers = problem
    row, column = np.divmod(np.arange(60), 10)
    tiles = (row // 2) * 5 + column // 2
    splitter = GroupKFold(3)
    for train, test in splitter.split(spectra, groups=tiles):
        assert not set(tiles[train]) & set(tiles[test])
    searches = [
        kind(UADMMRegressor.paper(endmembers, **QUICK), {"alpha_aid": [0.0, 1e-3]}, cv=splitter)
        for kind in (GridSearchCV, StackedGridSearchCV)
    ]
    single, stacked = (search.fit(spectra, abundances, groups=tiles) for search in searches)
    assert_allclose(
        single.cv_results_["mean_test_score"], stacked.cv_results_["mean_test_score"], rtol=1e-3
    )


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def run_in_processes(problem, backend, **parameters):
    """Search in a backend; return its scores, and the processes that it ran in."""
    spectra, abundances, _ = problem
    results = {}
    for learner in (SunSALRegressor(), UADMMRegressor.paper(**QUICK)):
        search = GridSearchCV(
            given(learner, problem),
            {"lam": [0.0, 1e-3, 1e-1]},
            scoring=abundance_rmse_scorer,
            cv=2,
            error_score="raise",
        )
        with joblib.parallel_config(backend, **parameters):
            search.fit(spectra, abundances)
        results[label(learner)] = search.cv_results_["mean_test_score"]
    return results


@pytest.mark.parametrize("backend", ["loky", "threading", "dask"])
def test_backends_give_the_same(problem, backend, request):
    expected = run_in_processes(problem, "sequential")
    if backend == "dask":
        client = request.getfixturevalue("cluster")
        assert len(client.scheduler_info()["workers"]) == 2
        scores = run_in_processes(problem, backend)
        done = client.run(lambda dask_worker: dask_worker.state.transition_counter)
        assert min(done.values()) > 0  # both had work to do
    else:
        scores = run_in_processes(problem, backend, n_jobs=2)
    for name, values in expected.items():
        assert_allclose(scores[name], values, rtol=1e-5)


LOAD = """
import json, sys
import numpy as np
{imports}
model = {load}
print(json.dumps(np.asarray(model.predict(np.load(sys.argv[2]))).tolist()))
"""


def predict_elsewhere(path, problem, tmp_path, imports, load):
    """Load a model in a new process that has no GPU, and return its predictions."""
    np.save(tmp_path / "spectra.npy", problem[0])
    script = LOAD.format(imports=imports, load=load)
    result = subprocess.run(
        [sys.executable, "-c", script, str(path), str(tmp_path / "spectra.npy")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    return np.array(json.loads(result.stdout))


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_saved_and_loaded_elsewhere(problem, learner, tmp_path):
    spectra, abundances, _ = problem
    model = make_pipeline(Normalizer(), clone(learner)).fit(spectra, abundances)
    joblib.dump(model, tmp_path / "model.joblib")
    assert_allclose(joblib.load(tmp_path / "model.joblib").predict(spectra), model.predict(spectra))
    if label(learner) in ("SunSALRegressor", "UADMMRegressor"):
        loaded = predict_elsewhere(
            tmp_path / "model.joblib",
            problem,
            tmp_path,
            "import joblib",
            "joblib.load(sys.argv[1])",
        )
        assert_allclose(loaded, model.predict(spectra), atol=1e-6)


@pytest.mark.parametrize("learner", LEARNERS, ids=label)
def test_skops_needs_trust_in_skunmix_alone(problem, learner, tmp_path):
    sio = pytest.importorskip("skops.io")
    spectra, abundances, _ = problem
    model = given(learner, problem).fit(spectra, abundances)
    sio.dump(model, tmp_path / "model.skops")
    unknown = sio.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith("skunmix.") for name in unknown)
    loaded = sio.load(tmp_path / "model.skops", trusted=unknown)
    assert_array_equal(loaded.predict(spectra), model.predict(spectra))
    assert loaded.get_feature_names_out().tolist() == model.get_feature_names_out().tolist()
    if label(learner) == "UADMMRegressor":
        elsewhere = predict_elsewhere(
            tmp_path / "model.skops",
            problem,
            tmp_path,
            "import skops.io",
            f"skops.io.load(sys.argv[1], trusted={unknown})",
        )
        assert_allclose(elsewhere, model.predict(spectra), atol=1e-6)


def test_a_model_of_another_device_is_loaded_on_the_cpu(problem):
    spectra, abundances, _ = problem
    model = given(UADMMRegressor.paper(**QUICK), problem).fit(spectra, abundances)
    expected = model.predict(spectra)
    model.device = "abacus"  # as "cuda" is where there is none
    saved = pickle.dumps(model)
    with pytest.warns(UserWarning, match="'abacus' cannot be used here.*loaded on the CPU"):
        loaded = pickle.loads(saved)
    assert_array_equal(loaded.predict(spectra), expected)
    assert loaded.get_params()["device"] == "abacus"
    with pytest.raises(ValueError, match="device='abacus' cannot be used"):
        loaded.fit(spectra, abundances)
