import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold

from skunmix import SunSALRegressor, SunSALRegressorCV
from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.solvers import csr_admm, csr_optimality

N_BANDS = 30
PROBLEM = {"n_pixels": 60, "n_bands": N_BANDS, "noise": 0.03}


SOLVERS = ["admm", "active-set", "auto"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_without_lam_it_is_nnls(problem, solver):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers, lam=0, solver=solver).fit(spectra)
    expected = np.array([nnls(endmembers.T, y)[0] for y in spectra])
    np.testing.assert_allclose(model.predict(spectra), expected, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_sum_to_one(problem, solver):
    spectra, _, endmembers = problem
    free, held, rescaled = (
        SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=how, solver=solver)
        .fit(spectra)
        .predict(spectra)
        for how in (False, True, "normalize")
    )
    np.testing.assert_allclose(held.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(rescaled, free / free.sum(axis=1, keepdims=True))
    # FCLS: the heavily weighted row of ones holds the sum of NNLS
    heavy = 1e4
    expected = np.array(
        [nnls(np.vstack([endmembers.T, [[heavy] * 4]]), np.r_[y, heavy])[0] for y in spectra]
    )
    np.testing.assert_allclose(held, expected, atol=1e-5)
    assert abs(held - rescaled).max() > 1e-3


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sum_to_one", [False, True, "normalize"])
def test_a_zero_spectrum(problem, solver, sum_to_one):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers, sum_to_one=sum_to_one, solver=solver)
    result = model.fit(spectra).predict(np.zeros((1, N_BANDS)))
    assert (result >= 0).all()
    np.testing.assert_allclose(result.sum(), 1 if sum_to_one else 0, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("sum_to_one", [False, True, "normalize"])
def test_a_pixel_depends_on_itself_alone(problem, solver, sum_to_one):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers, sum_to_one=sum_to_one, solver=solver).fit(
        spectra
    )
    together = model.predict(spectra)
    np.testing.assert_allclose(model.predict(spectra[::-1])[::-1], together, atol=1e-6)
    for size in (1, 7):
        apart = np.vstack([model.predict(spectra[i : i + size]) for i in range(0, 60, size)])
        np.testing.assert_allclose(apart, together, atol=1e-6)


def test_pixels_that_did_not_converge_are_counted(problem):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers, solver="admm", max_iter=3).fit(spectra)
    with pytest.warns(ConvergenceWarning, match="60 of 60 pixels did not converge in 3 iterations"):
        model.predict(spectra)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(max_iter=10_000).predict(spectra)


def test_mu_changes_the_way_not_the_solution(problem):
    spectra, _, endmembers = problem
    results = [
        SunSALRegressor(endmembers=endmembers, solver="admm", mu=mu).fit(spectra).predict(spectra)
        for mu in (0.1, 10.0, None)
    ]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-6)
    iterated = SunSALRegressor(endmembers=endmembers, solver="admm", mu=0.5).fit(spectra)
    np.testing.assert_allclose(
        iterated.predict(spectra),
        csr_admm(spectra, endmembers, lam=1e-3, mu=0.5).abundances,
        atol=1e-6,
    )


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(
    ("convert", "dtype"),
    [
        (lambda a: (1000 * a).astype(np.uint16), np.float64),
        (lambda a: a.astype(np.float16), np.float32),
        (lambda a: a.astype(np.float32), np.float32),
        (lambda a: a.astype(">f8"), np.float64),
        (np.asfortranarray, np.float64),
        (pd.DataFrame, np.float64),
        (np.ndarray.tolist, np.float64),
    ],
    ids=["uint16", "float16", "float32", "big-endian", "Fortran", "DataFrame", "list"],
)
def test_arrays_of_every_kind(problem, solver, convert, dtype):
    spectra, _, endmembers = problem
    spectra = abs(spectra)
    converted = convert(spectra)
    scale = 1000 if getattr(converted, "dtype", None) == np.uint16 else 1
    model = SunSALRegressor(endmembers=scale * endmembers, lam=0, solver=solver).fit(converted)
    expected = SunSALRegressor(endmembers=endmembers, lam=0, solver=solver).fit(spectra)
    result = model.predict(converted)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected.predict(spectra), atol=5e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_memory_mapped_and_read_only_spectra(problem, solver, tmp_path):
    spectra, _, endmembers = problem
    np.save(tmp_path / "scene.npy", spectra)
    scene = np.load(tmp_path / "scene.npy", mmap_mode="r")
    model = SunSALRegressor(endmembers=endmembers, solver=solver).fit(scene)
    expected = model.predict(spectra)
    np.testing.assert_array_equal(model.predict(scene), expected)
    spectra.flags.writeable = False
    np.testing.assert_array_equal(model.predict(spectra), expected)


def test_nothing_of_the_caller_changes(problem):
    spectra, _, endmembers = problem
    copies = spectra.copy(), endmembers.copy()
    state = np.random.get_state()[1].copy()
    SunSALRegressor(endmembers=endmembers, sum_to_one="normalize").fit(spectra).predict(spectra)
    np.testing.assert_array_equal(spectra, copies[0])
    np.testing.assert_array_equal(endmembers, copies[1])
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_pickle_and_clone(problem):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers).fit(spectra)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(spectra), model.predict(spectra))
    np.testing.assert_array_equal(
        clone(model).fit(spectra).predict(spectra), model.predict(spectra)
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"lam": -1}, "'lam' parameter .* must be a float in the range"),
        ({"mu": 0}, "'mu' parameter .* must be a float in the range"),
        ({"sum_to_one": "yes"}, "'sum_to_one' parameter"),
        ({"solver": "simplex"}, "'solver' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"tol": -1.0}, "'tol' parameter"),
    ],
)
def test_parameters_out_of_range(problem, parameters, message):
    spectra, _, endmembers = problem
    with pytest.raises(ValueError, match=message):
        SunSALRegressor(endmembers=endmembers, **parameters).fit(spectra)


def test_neither_endmembers_nor_abundances(problem):
    with pytest.raises(ValueError, match="requires y to be passed.*`endmembers`"):
        SunSALRegressor().fit(problem[0])


def test_sparse_spectra_are_refused(problem):
    spectra, _, endmembers = problem
    with pytest.raises(TypeError, match="[Ss]parse"):
        SunSALRegressor(endmembers=endmembers).fit(scipy.sparse.csr_array(spectra))


@pytest.mark.parametrize(("solver", "bound"), [("active-set", 1e-12), ("admm", 1e-5)])
@pytest.mark.parametrize("sum_to_one", [False, True, "normalize"])
def test_optimality_certifies_each_pixel(problem, solver, bound, sum_to_one):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers, sum_to_one=sum_to_one, solver=solver)
    residual = model.fit(spectra).optimality(spectra)
    assert residual.shape == (60,)
    assert residual.max() <= bound
    if sum_to_one != "normalize":
        expected = csr_optimality(
            spectra,
            endmembers,
            model.predict(spectra),
            lam=1e-3,
            sum_to_one=sum_to_one,
        )
        np.testing.assert_allclose(residual, expected, atol=1e-15)
    model.set_params(solver="admm", max_iter=2).fit(spectra)
    with pytest.warns(ConvergenceWarning):
        residual = model.optimality(spectra)
    assert residual.max() > 1e-4


@pytest.mark.parametrize("solver", ["active-set", "admm"])
def test_n_jobs_changes_nothing_but_the_time(problem, solver):
    spectra, _, endmembers = problem
    many = np.tile(spectra, (300, 1))
    one, two = (
        SunSALRegressor(endmembers=endmembers, solver=solver, n_jobs=n_jobs).fit(many).predict(many)
        for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


@pytest.fixture(scope="module")
def sparse_scene():
    library = make_endmembers(40, 60, random_state=0).endmembers
    return make_mixtures(library, 150, n_active=3, snr=30, random_state=0)


def test_cv_is_grid_search(sparse_scene):
    """The scores of each fold are those of fits from scratch, by scikit-learn's search."""
    scene, lams = sparse_scene, [1e-4, 1e-2, 0.3]

    def rmse(model, X, y):
        return -np.sqrt(((model.predict(X) - y) ** 2).mean(axis=1)).mean()

    cv = KFold(3, shuffle=True, random_state=0)
    for endmembers in (scene.endmembers, None):
        ours = SunSALRegressorCV(endmembers=endmembers, lams=lams, cv=cv)
        ours.fit(scene.spectra, scene.abundances)
        search = GridSearchCV(
            SunSALRegressor(endmembers=endmembers), {"lam": lams[::-1]}, scoring=rmse, cv=cv
        ).fit(scene.spectra, scene.abundances)
        assert ours.lam_ == search.best_params_["lam"]
        for key, values in ours.cv_results_.items():
            if "score" in key:
                np.testing.assert_allclose(values, search.cv_results_[key], rtol=1e-6)
        np.testing.assert_allclose(
            ours.predict(scene.spectra), search.predict(scene.spectra), atol=1e-8
        )


def test_cv_without_abundances_rebuilds_held_out_bands(sparse_scene):
    scene = sparse_scene
    model = SunSALRegressorCV(endmembers=scene.endmembers, cv=4).fit(scene.spectra)
    path = model.lam_path_
    assert len(path) == 12
    assert path[0] == pytest.approx((scene.spectra @ scene.endmembers.T).max())
    assert path[-1] == pytest.approx(1e-6 * path[0])
    assert path[-1] <= model.lam_ < path[0] / 10
    assert list(model.cv_results_["rank_test_score"]).count(1) == 1
    assert "split3_test_score" in model.cv_results_
    # one fold and one λ by hand
    seen = np.arange(60) % 4 != 0
    x = (
        SunSALRegressor(endmembers=scene.endmembers[:, seen], lam=0.75 * path[7])
        .fit(scene.spectra[:, seen])
        .predict(scene.spectra[:, seen])
    )
    residual = x @ scene.endmembers[:, ~seen] - scene.spectra[:, ~seen]
    expected = -np.sqrt((residual**2).mean(axis=1)).mean()
    assert model.cv_results_["split0_test_score"][7] == pytest.approx(expected, rel=1e-9)


def test_cv_chooses_well_on_pixels_it_has_not_seen(sparse_scene):
    scene = sparse_scene
    train, test = slice(0, 100), slice(100, None)
    model = SunSALRegressorCV(endmembers=scene.endmembers)
    model.fit(scene.spectra[train], scene.abundances[train])

    def error(lam):
        estimated = SunSALRegressor(endmembers=scene.endmembers, lam=lam).fit(scene.spectra)
        return abs(estimated.predict(scene.spectra[test]) - scene.abundances[test]).mean()

    assert error(model.lam_) < 0.8 * max(error(0.0), error(model.lam_path_[1]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sum_to_one": True}, "got True, for which λ has no effect"),
        ({"lams": [[0.1]]}, r"array of shape \(1, 1\)"),
        ({"lams": [0.1, -0.1]}, "smallest value -0.1"),
        ({"lams": 0}, "'lams' parameter"),
        ({"cv": 100}, "30 bands requires y to be passed.*too few for 100 folds"),
    ],
)
def test_cv_parameters_that_will_not_do(problem, parameters, message):
    spectra, _, endmembers = problem
    with pytest.raises(ValueError, match=message):
        SunSALRegressorCV(endmembers=endmembers, **parameters).fit(spectra)
