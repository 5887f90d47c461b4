"""Problems at the end of what float64 resolves: collinear, out of scale, exact, with fill values.

Objectives are compared in extended precision, as float64 does not tell them apart here.
"""

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.utils.fixes import parse_version

from skunmix.solvers import (
    _careful_kernel,
    csr_active_set,
    csr_admm,
    csr_ista,
    csr_optimality,
    csr_path,
)

CERTIFIED = 1e-8
FILLS = (-1.23e34, -9999.0, -1e7, 1e12, 1e38)
KINDS = ("singular values", "pairs", "all alike", "nearly dependent")


def problem(kind, condition, noise, fill, scale, seed, n_pixels=20):
    """Endmembers of about that condition number, and mixtures of them."""
    rng = np.random.default_rng(seed)
    n, n_bands = rng.integers(1, 12), rng.integers(2, 40)
    endmembers = rng.uniform(0.05, 0.95, (n, n_bands))
    if kind == "singular values":
        rank = min(n, n_bands)
        left, right = (np.linalg.qr(rng.normal(size=(m, rank)))[0] for m in (n, n_bands))
        endmembers = (left * np.geomspace(1, 1 / condition, rank)) @ right.T
    elif kind == "pairs":
        half = n // 2
        apart = 1 + rng.normal(size=(half, n_bands)) / condition
        endmembers[:half] = endmembers[n - half :][::-1] * apart
    elif kind == "all alike":
        endmembers = endmembers[0] + rng.normal(size=(n, n_bands)) / condition
    elif n > 1:
        mixed = rng.dirichlet(np.ones(n - 1)) @ endmembers[1:]
        endmembers[0] = mixed + rng.normal(size=n_bands) / condition
    spectra = rng.dirichlet(np.full(n, rng.choice([0.3, 1.0, 5.0])), n_pixels) @ endmembers
    spectra += noise * np.abs(endmembers).mean() * rng.normal(size=spectra.shape)
    if fill is not None:
        bands = rng.choice(n_bands, rng.integers(1, min(4, n_bands) + 1), replace=False)
        endmembers[rng.integers(n), bands] = fill
    return scale * spectra, scale * endmembers


def objective(y, endmembers, x):
    residual = y.astype(np.longdouble) - x.astype(np.longdouble) @ endmembers.astype(np.longdouble)
    return 0.5 * float(residual @ residual)


def nnls_objective(y, endmembers):
    """The lower of SciPy's, with the endmembers as they are and of norm 1."""
    found = [0.5 * y @ y]
    for scales in (np.ones(len(endmembers)), np.linalg.norm(endmembers, axis=1)):
        try:
            x = nnls((endmembers / scales[:, None]).T, y, maxiter=10_000)[0] / scales
        except (RuntimeError, np.linalg.LinAlgError):  # it gave up
            continue
        found.append(objective(y, endmembers, x))
    return min(found)


def simplex_objective(y, endmembers):
    """The lowest of all vertices and of SciPy's, on the problem in `test_active_set.reference`."""
    sizes = np.abs(endmembers).max(axis=1)
    found = [objective(y, endmembers, vertex) for vertex in np.eye(len(endmembers))]
    for some in (np.arange(len(sizes)), np.flatnonzero(sizes <= 1e3 * np.median(sizes))):
        offsets = (endmembers[some] - y).T
        scale = np.linalg.norm(offsets, axis=0).min() or 1.0
        rows = np.vstack([offsets / scale, np.ones(len(some))])
        try:
            u = nnls(rows, np.r_[np.zeros(len(y)), 1.0], maxiter=10_000)[0]
        except (RuntimeError, np.linalg.LinAlgError):
            continue
        if u.any():
            x = np.zeros(len(sizes))
            x[some] = u / u.sum()
            found.append(objective(y, endmembers, x))
    return min(found)


def rounding(y, endmembers, x):
    """What float64 leaves of a residual."""
    return 3e-15 * (np.linalg.norm(y) + np.linalg.norm(endmembers, axis=1) @ x)


hard_problems = {
    "kind": st.sampled_from(KINDS),
    "condition": st.floats(0, 10).map(lambda power: 10.0**power),
    "noise": st.sampled_from([0.0, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 0.1]),
    "fill": st.none() | st.sampled_from(FILLS),
    "scale": st.floats(-6, 12).map(lambda power: 10.0**power),
    "seed": st.integers(0, 2**32 - 1),
}


@pytest.mark.slow
@settings(max_examples=500, deadline=None, derandomize=True)
@given(**hard_problems)
def test_certified_is_no_worse_than_nnls(**options):
    spectra, endmembers = problem(**options)  # 20 of each: 10,000 problems
    solution = csr_active_set(spectra, endmembers)
    assert solution.converged.all()
    certificate = csr_optimality(spectra, endmembers, solution.abundances)
    for y, x, residual in zip(spectra, solution.abundances, certificate):
        assert np.isfinite(x).all()
        assert (x >= 0).all()
        if residual <= CERTIFIED:
            ours, theirs = objective(y, endmembers, x), nnls_objective(y, endmembers)
            assert ours - theirs <= 1e-8 * theirs + 0.5 * rounding(y, endmembers, x) ** 2
    if options["condition"] <= 1e6:  # and it is certified, where that is possible
        assert certificate.max() <= CERTIFIED


@pytest.mark.slow
@settings(max_examples=100, deadline=None, derandomize=True)
@given(**hard_problems)
def test_certified_is_no_worse_than_nnls_on_the_simplex(**options):
    spectra, endmembers = problem(**options)
    solution = csr_active_set(spectra, endmembers, sum_to_one=True)
    certificate = csr_optimality(spectra, endmembers, solution.abundances, sum_to_one=True)
    for y, x, residual in zip(spectra, solution.abundances, certificate):
        assert np.isfinite(x).all()
        assert (x >= 0).all()
        if residual <= CERTIFIED:
            ours, theirs = objective(y, endmembers, x), simplex_objective(y, endmembers)
            # a sum that is off by one bit moves a residual by that much
            allowed = np.sqrt(2 * theirs) * (1 + 0.5e-8) + rounding(y, endmembers, x)
            assert np.sqrt(2 * ours) <= allowed
    if options["condition"] <= 1e6:
        assert certificate.max() <= CERTIFIED


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(step=st.floats(-12, -3), **hard_problems)
def test_certificate_says_no_to_what_is_wrong(step, **options):
    spectra, endmembers = problem(**options)
    rng = np.random.default_rng(options["seed"])
    best = csr_active_set(spectra, endmembers).abundances
    moved = best * np.maximum(1 + 10.0**step * rng.normal(size=best.shape), 0.0)
    without = np.zeros_like(best)
    if len(endmembers) > 1:
        without[:, 1:] = csr_active_set(spectra, endmembers[1:]).abundances
    admm = csr_admm(spectra, endmembers, max_iter=200).abundances
    for abundances in (moved, without, admm):
        certificate = csr_optimality(spectra, endmembers, abundances)
        for y, x, residual in zip(spectra, abundances, certificate):
            ours, theirs = objective(y, endmembers, x), nnls_objective(y, endmembers)
            if ours - theirs > 1e-8 * theirs + 0.5 * rounding(y, endmembers, x) ** 2:
                assert residual > CERTIFIED


# Two endmembers that are alike.


@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-10, 1e-9, 1e-8])
@pytest.mark.parametrize("apart", [1e-3, 1e-5, 1e-6, 1e-7, 1e-8])
@pytest.mark.parametrize("sum_to_one", [False, True])
def test_endmembers_alike(sum_to_one, apart, noise):
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.05, 0.95, (5, 50))
    endmembers[1] = endmembers[0] * (1 + apart * rng.normal(size=50))
    truth = rng.dirichlet(np.ones(5), 40)
    spectra = truth @ endmembers + noise * rng.normal(size=(40, 50))
    found = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one).abundances
    # SciPy's nnls solved normal equations before 1.15
    if not sum_to_one and parse_version(scipy.__version__) >= parse_version("1.15"):
        expected = [nnls(endmembers.T, y)[0] for y in spectra]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 / apart)
    # the truth is as far as the noise along the difference takes it
    np.testing.assert_allclose(found, truth, rtol=0, atol=1e-14 / apart + 2 * noise / apart)
    certificate = csr_optimality(spectra, endmembers, found, sum_to_one=sum_to_one)
    assert certificate.max() <= CERTIFIED
    # a share of 0.01 that goes to the other is seen, if the noise does not hide it
    given_to_other = found.copy()
    given_to_other[:, 0] += np.minimum(0.01, found[:, 1])
    given_to_other[:, 1] -= np.minimum(0.01, found[:, 1])
    if noise <= 1e-6 * apart:
        certificate = csr_optimality(spectra, endmembers, given_to_other, sum_to_one=sum_to_one)
        assert (certificate[found[:, 1] > 0] > CERTIFIED).all()


def test_endmembers_alike_among_many():
    # more than supports are guessed of, and more than bands
    rng = np.random.default_rng(1)
    endmembers = rng.uniform(0.05, 0.95, (60, 40))
    endmembers[30:45] = endmembers[:15] * (1 + 1e-6 * rng.normal(size=(15, 40)))
    weights = rng.dirichlet(np.full(60, 0.05), 30)
    for noise in (0.0, 1e-9, 1e-3):
        spectra = weights @ endmembers + noise * rng.normal(size=(30, 40))
        for lam in (0.0, 1e-6):
            path = csr_path(spectra, endmembers, [1e-2, lam])
            found = csr_active_set(spectra, endmembers, lam=lam)
            for abundances in (path.abundances[1], found.abundances):
                certificate = csr_optimality(spectra, endmembers, abundances, lam=lam)
                assert certificate.max() <= CERTIFIED


def test_exact_mixtures_are_exact():
    rng = np.random.default_rng(2)
    endmembers = rng.uniform(0.05, 0.95, (6, 50))
    truth = rng.dirichlet(np.ones(6), 20)
    for options in ({}, {"sum_to_one": True}):
        found = csr_active_set(truth @ endmembers, endmembers, **options).abundances
        np.testing.assert_allclose(found, truth, rtol=0, atol=2e-14)
        residual = np.linalg.norm(truth @ endmembers - found @ endmembers, axis=1)
        assert residual.max() < 1e-15 * np.linalg.norm(truth @ endmembers, axis=1).max()


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("n_endmembers", [5, 20])
def test_care_is_for_those_who_need_it(monkeypatch, n_endmembers, sum_to_one):
    rng = np.random.default_rng(3)
    endmembers = rng.uniform(0.05, 0.95, (n_endmembers, 30))
    endmembers[3], endmembers[4] = endmembers[1], 0.0  # a copy, and shade: still not hard
    spectra = rng.dirichlet(np.ones(n_endmembers), 50) @ endmembers + 0.01 * rng.normal(size=30)
    solve_with_qr, calls = _careful_kernel.solve_with_qr, []

    def spy(spectra, *args):
        calls.append(len(spectra))
        return solve_with_qr(spectra, *args)

    monkeypatch.setattr(_careful_kernel, "solve_with_qr", spy)
    found = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one).abundances
    assert not calls
    assert csr_optimality(spectra, endmembers, found, sum_to_one=sum_to_one).max() <= CERTIFIED


# An endmember out of all proportion.


def with_fills(fill):
    """Mixtures of four endmembers, a fifth with a fill value, and what is then to be found."""
    rng = np.random.default_rng(4)
    endmembers, bands = rng.uniform(0.05, 0.95, (5, 30)), [3, 17]
    spectra = rng.dirichlet(np.ones(4), 300) @ endmembers[:4] + 1e-3 * rng.normal(size=(300, 30))
    endmembers[4, bands] = fill
    # Without it, or with the least bit of it, which takes the mean of the two bands away.
    expected = csr_active_set(spectra, endmembers[:4], sum_to_one=True).abundances
    residual = spectra - expected @ endmembers[:4]
    helps = residual[:, bands].sum(axis=1) * np.sign(fill) > 0
    taken = np.eye(30)
    taken[np.ix_(bands, bands)] -= 0.5
    expected[helps] = csr_active_set(
        spectra[helps] @ taken, endmembers[:4] @ taken, sum_to_one=True
    ).abundances
    return spectra, endmembers, expected


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(
    ("solve", "tolerance", "certified"), [(csr_active_set, 1e-6, 1e-8), (csr_admm, 1e-5, 1e-6)]
)
def test_absent_endmember_with_a_fill_value(solve, tolerance, certified, fill):
    spectra, endmembers, expected = with_fills(fill)
    solution = solve(spectra, endmembers, sum_to_one=True)
    assert solution.converged.all()
    tolerance += 10 / abs(fill)
    np.testing.assert_allclose(solution.abundances[:, :4], expected, rtol=0, atol=tolerance)
    assert solution.abundances[:, 4].max() <= tolerance
    certificate = csr_optimality(spectra, endmembers, solution.abundances, sum_to_one=True)
    assert certificate.max() <= certified
    # what is wrong is not excused by its size
    wrong = solution.abundances[:, [1, 0, 2, 3, 4]]
    assert csr_optimality(spectra, endmembers, wrong, sum_to_one=True).min() > 1e-4


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e-6, 1e6, 1e12, 1e140])
@pytest.mark.parametrize("solve", [csr_active_set, csr_admm, csr_ista])
def test_units_do_not_matter(solve, scale, sum_to_one):
    rng = np.random.default_rng(5)
    endmembers = rng.uniform(0.05, 0.95, (5, 30))
    spectra = rng.dirichlet(np.ones(5), 20) @ endmembers + 1e-3 * rng.normal(size=(20, 30))
    options = {"sum_to_one": sum_to_one} if solve is not csr_ista else {}
    expected = solve(spectra, endmembers, **options)
    found = solve(scale * spectra, scale * endmembers, **options)
    np.testing.assert_allclose(found.abundances, expected.abundances, rtol=0, atol=1e-6)
    assert found.converged.all()
    certificates = (
        csr_optimality(factor * spectra, factor * endmembers, solution.abundances, **options)
        for factor, solution in ((1.0, expected), (scale, found))
    )
    np.testing.assert_allclose(*certificates, rtol=0, atol=1e-7)


@pytest.mark.parametrize("solve", [csr_active_set, csr_admm])
@pytest.mark.parametrize("size", [1e-9, 1e-4, 1e4, 1e12])
def test_endmembers_in_units_of_their_own(solve, size):
    rng = np.random.default_rng(6)
    endmembers = rng.uniform(0.05, 0.95, (5, 30))
    spectra = rng.dirichlet(np.ones(5), 20) @ endmembers + 1e-3 * rng.normal(size=(20, 30))
    expected = csr_active_set(spectra, endmembers).abundances
    units = np.array([1.0, 1.0, size, 1.0, 1.0])
    found = solve(spectra, endmembers * units[:, np.newaxis])
    assert found.converged.all()
    np.testing.assert_allclose(found.abundances * units, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("brightness", [1e-12, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("sum_to_one", [False, True])
def test_admm_is_never_nan(sum_to_one, brightness):
    rng = np.random.default_rng(7)
    endmembers = rng.uniform(0.05, 0.95, (5, 30))
    spectra = brightness * rng.dirichlet(np.ones(5), 20) @ endmembers
    for largest in (1.0, 1e12):
        endmembers[0, 0] = largest
        found = csr_admm(spectra, endmembers, sum_to_one=sum_to_one, max_iter=500).abundances
        assert np.isfinite(found).all()


@pytest.mark.parametrize("solve", [csr_active_set, csr_admm])
@pytest.mark.parametrize("light", [1.0, 1e-2, 1e-6])
def test_shade(solve, light):
    rng = np.random.default_rng(8)
    endmembers = np.vstack([rng.uniform(0.05, 0.95, (4, 30)), np.zeros(30)])
    truth = light * rng.dirichlet(np.ones(4), 20) * rng.uniform(0.2, 0.8, (20, 1))
    spectra = truth @ endmembers[:4]
    found = solve(spectra, endmembers, sum_to_one=True)
    assert found.converged.all()
    tolerance = 1e-6 * (1.0 if solve is csr_admm else light)
    np.testing.assert_allclose(found.abundances[:, :4], truth, rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.abundances.sum(axis=1), 1.0, rtol=1e-12)
    if solve is csr_active_set:
        certificate = csr_optimality(spectra, endmembers, found.abundances, sum_to_one=True)
        assert certificate.max() <= CERTIFIED


@pytest.mark.parametrize("solve", [csr_active_set, csr_admm, csr_ista])
def test_endmembers_too_small_to_divide_by(solve):
    with pytest.raises(ValueError, match="got 1e-300 for endmember 1; pass .* in larger units"):
        solve(np.ones((2, 3)), np.array([[1.0, 1.0, 1.0], [1e-300, 0.0, 0.0]]))
