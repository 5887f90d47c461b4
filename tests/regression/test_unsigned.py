"""SunSALRegressor without x ≥ 0."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.linalg import LinAlgWarning, lstsq

from skunmix import SunSALRegressor
from skunmix.scenes import unmix
from skunmix.solvers import lasso, least_squares

PROBLEM = {"n_pixels": 60, "noise": 0.1}


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("lam", [0, 0.1])
def test_predictions_are_those_of_the_solvers(problem, sum_to_one, lam):
    spectra, _, endmembers = problem
    model = SunSALRegressor(endmembers=endmembers, lam=lam, sum_to_one=sum_to_one, positive=False)
    if lam and sum_to_one:
        with pytest.raises(ValueError, match="lam=0 for sum_to_one=True with positive=False, got"):
            model.fit(spectra)
        model.set_params(lam=0).fit(spectra).set_params(lam=lam)
        with pytest.raises(ValueError, match="lam=0 for sum_to_one=True with positive=False, got"):
            model.predict(spectra)
        return
    solve = lasso if lam else least_squares
    options = {"lam": lam} if lam else {"sum_to_one": sum_to_one}
    expected = solve(spectra, endmembers, **options).abundances
    found = model.fit(spectra).predict(spectra)
    np.testing.assert_array_equal(found, expected)
    assert found.min() < -0.1
    assert model.optimality(spectra).max() < 1e-13
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(spectra), found)
    single = model.predict(spectra.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, found, atol=1e-4)
    assert model.score(spectra, problem.abundances) < 1
    np.testing.assert_array_equal(unmix(model, spectra.reshape(6, 10, -1)).reshape(60, -1), found)


def test_a_missing_endmember_shows_as_negative_abundances(problem):
    _, abundances, endmembers = problem
    spectra = abundances @ endmembers
    complete, missing = (
        SunSALRegressor(endmembers=rows, lam=0, positive=False).fit(spectra).predict(spectra)
        for rows in (endmembers, endmembers[:-1])
    )
    assert complete.min() > -1e-12
    assert missing.min() < -0.05


def test_dependent_endmembers_warn_in_fit_only(problem):
    spectra, _, endmembers = problem
    rows = np.vstack([endmembers, endmembers[0] + endmembers[1]])
    model = SunSALRegressor(endmembers=rows, lam=0, positive=False)
    with pytest.warns(LinAlgWarning, match="not unique without positive=True") as caught:
        model.fit(spectra)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = model.predict(spectra)
        SunSALRegressor(endmembers=rows, positive=False).fit(spectra)  # unique for λ > 0
    np.testing.assert_allclose(found, lstsq(rows.T, spectra.T)[0].T, atol=1e-12)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sum_to_one": "normalize"}, "sum_to_one=True or False with positive=False, got 'norm"),
        ({"solver": "admm"}, "solver='auto' or 'active-set' with positive=False, got 'admm'"),
        ({"positive": "no"}, "'positive' parameter"),
    ],
)
def test_what_has_no_solution_without_signs(problem, parameters, message):
    model = SunSALRegressor(
        endmembers=problem.endmembers, **{"lam": 0, "positive": False, **parameters}
    )
    with pytest.raises(ValueError, match=message):
        model.fit(problem.spectra)


def test_refused_spectra(problem):
    model = SunSALRegressor(endmembers=problem.endmembers, lam=0, positive=False)
    model.fit(problem.spectra)
    spectra = problem.spectra.copy()
    spectra[3, 3] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(spectra)
    spectra[3, 3] = 1e30
    with pytest.raises(ValueError, match="too large: pixel 3 has"):
        model.predict(spectra)
