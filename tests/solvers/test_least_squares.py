"""Least squares and the lasso without x ≥ 0, beside SciPy and scikit-learn."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import LinAlgWarning, lstsq, null_space
from scipy.optimize import minimize
from sklearn.linear_model import Lasso

from skunmix.solvers import (
    LeastSquaresFactorization,
    csr_active_set,
    csr_optimality,
    lasso,
    least_squares,
)

PROBLEM = {"n_pixels": 300, "noise": 0.1}


def by_elimination(spectra, endmembers):
    """Sum-constrained least squares by SciPy: the last abundance is 1 minus the others."""
    *others, last = endmembers
    w = lstsq((np.array(others) - last).T, (spectra - last).T, cond=1e-10)[0].T
    return np.column_stack([w, 1 - w.sum(axis=1)])


def test_least_squares_is_lstsq(problem):
    spectra, _, endmembers = problem
    solution = least_squares(spectra, endmembers)
    expected = lstsq(endmembers.T, spectra.T)[0].T
    np.testing.assert_allclose(solution.abundances, expected, atol=1e-12)
    assert solution.abundances.min() < -0.1
    assert solution.converged.all()
    assert np.linalg.norm(spectra, axis=1).max() <= solution.largest


def test_the_sum_is_eliminated(problem):
    spectra, _, endmembers = problem
    x = least_squares(spectra, endmembers, sum_to_one=True).abundances
    np.testing.assert_allclose(x, by_elimination(spectra, endmembers), atol=1e-12)
    np.testing.assert_allclose(x.sum(axis=1), 1, rtol=1e-13)
    assert x.min() < -0.1


def test_no_constraint_that_binds_is_the_same_problem(problem):
    """Where least squares is positive, it is the solution of the active set."""
    _, abundances, endmembers = problem
    inside = (0.2 + abundances) / 1.8
    for sum_to_one in (False, True):
        spectra = inside @ endmembers
        expected = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one).abundances
        found = least_squares(spectra, endmembers, sum_to_one=sum_to_one).abundances
        np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("kind", ["mixture", "more than bands"])
def test_dependent_endmembers_give_the_smallest_norm(problem, sum_to_one, kind):
    spectra, _, endmembers = problem
    if kind == "mixture":
        endmembers = np.vstack([endmembers, 0.25 * endmembers[:3].sum(axis=0)])
        if sum_to_one:
            endmembers[-1] = endmembers[:3].mean(axis=0)
    else:
        spectra, endmembers = spectra[:, :2], endmembers[:, :2]
    message = "affinely" if sum_to_one else "linearly"
    with pytest.warns(LinAlgWarning, match=f"endmembers are {message} dependent .rank"):
        x = least_squares(spectra, endmembers, sum_to_one=sum_to_one).abundances
    if not sum_to_one:
        np.testing.assert_allclose(x, lstsq(endmembers.T, spectra.T)[0].T, atol=1e-12)
    else:
        # no shorter solution: x has no part along directions that change neither sum nor spectrum
        kept = np.vstack([endmembers.T, np.ones(len(endmembers))])
        np.testing.assert_allclose(x @ null_space(kept), 0, atol=1e-12)
        np.testing.assert_allclose(x.sum(axis=1), 1, rtol=1e-13)
        np.testing.assert_allclose(
            x @ endmembers, by_elimination(spectra, endmembers) @ endmembers, atol=1e-12
        )
    residual = csr_optimality(spectra, endmembers, x, sum_to_one=sum_to_one, positive=False)
    assert residual.max() < 1e-13


def test_nearly_dependent_endmembers_warn(problem):
    spectra, _, endmembers = problem
    mixture = (0.5 * endmembers[0] + 0.5 * endmembers[1]).astype(np.float32)
    for sum_to_one in (False, True):
        with pytest.warns(LinAlgWarning, match="dependent but for a fraction of .e-0[89]"):
            least_squares(spectra, np.vstack([endmembers, mixture]), sum_to_one=sum_to_one)


def test_scales_and_shade_do_not_warn(problem):
    spectra, _, endmembers = problem
    scales = np.array([1, 1e-6, 1e3, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = least_squares(spectra, scales[:, np.newaxis] * endmembers).abundances
        np.testing.assert_allclose(
            scales * x, least_squares(spectra, endmembers).abundances, rtol=1e-5
        )
        shade = np.vstack([endmembers, np.zeros(endmembers.shape[1])])
        x = least_squares(spectra, shade, sum_to_one=True).abundances
    np.testing.assert_allclose(x[:, :-1], least_squares(spectra, endmembers).abundances, atol=1e-11)


def test_one_endmember():
    assert least_squares([[1.0, 3.0]], [[1.0, 1.0]]).abundances == pytest.approx(2.0)
    found = least_squares([[1.0, 3.0], [0.0, 0.0]], [[1.0, 1.0]], sum_to_one=True)
    np.testing.assert_array_equal(found.abundances, [[1.0], [1.0]])


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_a_pixel_depends_on_itself_alone(problem, sum_to_one):
    spectra, _, endmembers = problem
    options = {"sum_to_one": sum_to_one, "n_jobs": 2}
    together = least_squares(np.tile(spectra, (20, 1)), endmembers, **options).abundances
    alone = [least_squares(spectra[i : i + 1], endmembers, **options).abundances for i in range(9)]
    np.testing.assert_array_equal(together[:9], np.vstack(alone))
    out = np.empty((300, 4), dtype=np.float32)
    assert least_squares(spectra, endmembers, out=out, **options).abundances is out
    np.testing.assert_array_equal(out, together[:300].astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_pixels_that_are_not_finite(problem, value):
    spectra = problem.spectra.copy()
    spectra[7, 3] = value
    for solve in (least_squares, lambda *args: lasso(*args, lam=0.1)):
        with pytest.raises(ValueError, match="pixel 7"):
            solve(spectra, problem.endmembers)


def test_lasso_is_that_of_scikit_learn(problem):
    spectra, _, endmembers = problem
    for lam in (1e-3, 0.1, 1.0, 100.0):
        x = lasso(spectra[:20], endmembers, lam=lam).abundances
        n_bands = endmembers.shape[1]
        peer = Lasso(lam / n_bands, fit_intercept=False, tol=1e-14, max_iter=10**6)
        expected = [peer.fit(endmembers.T, y).coef_ for y in spectra[:20]]
        np.testing.assert_allclose(x, expected, atol=1e-7)
        residual = csr_optimality(spectra[:20], endmembers, x, lam=lam, positive=False)
        assert residual.max() < 1e-13
        wrong = csr_optimality(spectra[:20], endmembers, x + 1e-3, lam=lam, positive=False)
        assert wrong.min() > 1e-6
    assert x.min() == x.max() == 0
    with pytest.raises(ValueError, match="Expected lam > 0, got 0; use least_squares"):
        lasso(spectra, endmembers, lam=0)


@given(
    seed=st.integers(0, 10**6),
    n_endmembers=st.integers(1, 8),
    n_bands=st.integers(2, 12),
    sum_to_one=st.booleans(),
    exponent=st.integers(-8, 4),
)
def test_optimality_tells_solutions_from_others(seed, n_endmembers, n_bands, sum_to_one, exponent):
    rng = np.random.default_rng(seed)
    endmembers = rng.uniform(0.1, 0.9, (n_endmembers, n_bands))
    spectra = 10.0**exponent * rng.normal(size=(5, n_bands))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LinAlgWarning)
        x = least_squares(spectra, endmembers, sum_to_one=sum_to_one).abundances
    certificate = {"sum_to_one": sum_to_one, "positive": False}
    # rounding of the terms that cancel in Σx, or in Ax
    terms = abs(x) @ np.linalg.norm(endmembers, axis=1)
    terms /= 1.0 if sum_to_one else np.linalg.norm(spectra, axis=1)
    assert (csr_optimality(spectra, endmembers, x, **certificate) < 1e-10 + 1e-13 * terms).all()
    step = rng.normal(size=x.shape)
    if sum_to_one:
        step -= step.mean(axis=1, keepdims=True)
        if n_endmembers == 1:
            step = step + 1
    moved = np.linalg.norm(step @ endmembers, axis=1)
    scale = np.maximum(np.linalg.norm(spectra, axis=1), abs(x) @ np.linalg.norm(endmembers, axis=1))
    x = x + 1e-3 * step * (scale / moved)[:, np.newaxis]
    assert csr_optimality(spectra, endmembers, x, **certificate).min() > 1e-8


def test_optimality_of_a_general_minimiser(problem):
    spectra, _, endmembers = problem

    def objective(x):
        return 0.5 * np.sum((spectra[0] - x @ endmembers) ** 2)

    constraint = {"type": "eq", "fun": lambda x: x.sum() - 1}
    found = minimize(objective, np.full(4, 0.25), constraints=constraint, tol=1e-14)
    residual = csr_optimality(
        spectra[:1], endmembers, found.x[np.newaxis], sum_to_one=True, positive=False
    )
    assert residual < 1e-5
    ours = least_squares(spectra[:1], endmembers, sum_to_one=True).abundances[0]
    np.testing.assert_allclose(found.x, ours, atol=1e-4)


def test_the_optimum_of_another_problem_is_not_certified(problem):
    spectra, _, endmembers = problem
    for sum_to_one in (False, True):
        x = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one).abundances
        bound = (x == 0).any(axis=1)
        residual = csr_optimality(spectra, endmembers, x, sum_to_one=sum_to_one, positive=False)
        assert bound.any()
        assert (residual[bound] > 1e-8).all()
    free = least_squares(spectra, endmembers).abundances
    residual = csr_optimality(spectra, endmembers, free, sum_to_one=True, positive=False)
    assert (residual > 1e-8).all()
    with pytest.raises(ValueError, match="Expected lam=0 for sum_to_one=True with positive=False"):
        csr_optimality(spectra, endmembers, free, lam=0.1, sum_to_one=True, positive=False)


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_a_small_step_beside_a_smaller_residual_is_not_certified(problem, sum_to_one):
    _, abundances, endmembers = problem
    spectra = abundances @ endmembers
    spectra += 1e-7 * np.random.default_rng(0).normal(size=spectra.shape)
    x = least_squares(spectra, endmembers, sum_to_one=sum_to_one).abundances
    certificate = {"sum_to_one": sum_to_one, "positive": False}
    assert csr_optimality(spectra, endmembers, x, **certificate).max() < 1e-8
    # the objective is higher by about 1e-4 of its value
    x += 1e-9 * np.array([1, -1, 1, -1])
    residual = csr_optimality(spectra, endmembers, x, **certificate)
    np.testing.assert_array_equal(residual, 1e-7)


def test_a_factorization_serves_many_calls(problem):
    spectra, _, endmembers = problem
    factorization = LeastSquaresFactorization(endmembers, sum_to_one=True)
    assert factorization.unique
    np.testing.assert_array_equal(
        least_squares(spectra, endmembers, factorization=factorization).abundances,
        least_squares(spectra, endmembers, sum_to_one=True).abundances,
    )
