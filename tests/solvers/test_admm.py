import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, nnls

from skunmix.solvers import ADMMFactorization, csr_admm, normalize_abundances

KINDS = ("few", "many", "collinear", "wide")


def random_problem(seed, kind):
    """Endmembers of a kind, and noisy sparse mixtures of them."""
    rng = np.random.default_rng(seed)
    n_endmembers, n_bands = {
        "few": (3, 30),
        "many": (40, 60),
        "collinear": (6, 30),
        "wide": (12, 9),
    }[kind]
    endmembers = rng.uniform(0.05, 0.95, (n_endmembers, n_bands))
    if kind == "collinear":
        # about half a degree from the first
        endmembers[1] = endmembers[0] + 0.01 * rng.normal(size=n_bands) * endmembers[0]
    abundances = rng.dirichlet(np.full(n_endmembers, 0.3), 8)
    spectra = abundances @ endmembers + 0.02 * rng.normal(size=(8, n_bands))
    return spectra, endmembers


def objective(spectra, endmembers, abundances, lam):
    return 0.5 * ((spectra - abundances @ endmembers) ** 2).sum(axis=1) + lam * abundances.sum(
        axis=1
    )


def nnls_reference(spectra, endmembers, lam):
    """SciPy's NNLS on ‖Rx − q‖² with RᵀR = AᵀA and Rᵀq = Aᵀy − λ, R the Cholesky factor."""
    if lam == 0.0:
        return np.array([nnls(endmembers.T, y, maxiter=10_000)[0] for y in spectra])
    R = np.linalg.cholesky(endmembers @ endmembers.T).T
    q = np.linalg.solve(R.T, (spectra @ endmembers.T - lam).T).T
    return np.array([nnls(R, row, maxiter=10_000)[0] for row in q])


def slsqp_reference(spectra, endmembers, lam, constraints=()):
    """SciPy's SLSQP, pixel by pixel."""
    n_endmembers = len(endmembers)
    return np.array(
        [
            minimize(
                lambda x, y=y: 0.5 * ((y - x @ endmembers) ** 2).sum() + lam * x.sum(),
                np.full(n_endmembers, 1 / n_endmembers),
                jac=lambda x, y=y: endmembers @ (x @ endmembers - y) + lam,
                bounds=[(0, None)] * n_endmembers,
                constraints=constraints,
                method="SLSQP",
                options={"ftol": 1e-15, "maxiter": 1000},
            ).x.clip(min=0)
            for y in spectra
        ]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lam", [0.0, 1e-3, 0.1])
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_objective_is_that_of_scipy(kind, lam, seed):
    spectra, endmembers = random_problem(seed, kind)
    # with more endmembers than bands there is no Cholesky factor
    solve = slsqp_reference if kind == "wide" and lam else nnls_reference
    reference = objective(spectra, endmembers, solve(spectra, endmembers, lam), lam)
    solution = csr_admm(spectra, endmembers, lam=lam, max_iter=50_000)
    reached = objective(spectra, endmembers, solution.abundances, lam)
    assert (solution.abundances >= 0).all()
    done = solution.converged
    # with more endmembers than bands, ADMM may creep, and then says so
    assert done.mean() >= (0.7 if kind == "wide" else 1.0)
    reached, reference, spectra = reached[done], reference[done], spectra[done]
    # an exact fit leaves nothing to be relative to but the spectra
    scale = 0.5 * (spectra**2).sum(axis=1)
    assert (reached <= reference * (1 + 1e-6) + 1e-10 * scale).all()
    if solve is nnls_reference:
        assert (reached >= reference * (1 - 1e-6) - 1e-10 * scale).all()


@pytest.mark.parametrize("kind", ["few", "collinear", "wide"])
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_objective_on_the_simplex_is_that_of_scipy(kind, seed):
    spectra, endmembers = random_problem(seed, kind)
    spectra = spectra[:2]
    sum_is_one = {"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like}
    reference = slsqp_reference(spectra, endmembers, 0.0, sum_is_one)
    solution = csr_admm(spectra, endmembers, sum_to_one=True, max_iter=100_000)
    np.testing.assert_allclose(solution.abundances.sum(axis=1), 1.0, rtol=1e-12)
    assert (solution.abundances >= 0).all()
    reached = objective(spectra, endmembers, solution.abundances, 0.0)
    reference = objective(spectra, endmembers, reference, 0.0)
    scale = 0.5 * (spectra**2).sum(axis=1)
    assert (reached <= reference * (1 + 1e-6) + 1e-9 * scale).all()


def test_iterations_are_the_equations():
    """Three iterations written out pixel by pixel, with the inverse as in the paper."""
    spectra, endmembers = random_problem(0, "few")
    mu, lam = 2.0, 0.3
    inverse = np.linalg.inv(endmembers @ endmembers.T + mu * np.eye(3))
    for y, result in zip(
        spectra, csr_admm(spectra, endmembers, lam=lam, mu=mu, max_iter=3, tol=0).abundances
    ):
        z = d = np.zeros(3)
        for _ in range(3):
            x = inverse @ (endmembers @ y + mu * (z + d))
            v = x - d
            z = np.maximum(np.sign(v) * np.maximum(np.abs(v) - lam / mu, 0), 0)
            d = d - (x - z)
        np.testing.assert_allclose(result, z, rtol=1e-10)


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_a_pixel_depends_on_itself_alone(sum_to_one):
    spectra, endmembers = random_problem(1, "many")
    spectra = np.tile(spectra, (110, 1)) * np.random.default_rng(0).uniform(0.5, 2, (880, 1))
    together = csr_admm(spectra, endmembers, lam=1e-3, sum_to_one=sum_to_one)
    for rows in (np.arange(0, 880, 97), np.arange(880)[::-1], np.array([3])):
        apart = csr_admm(spectra[rows], endmembers, lam=1e-3, sum_to_one=sum_to_one)
        np.testing.assert_allclose(apart.abundances, together.abundances[rows], atol=1e-7)


def test_over_relaxation_changes_the_way_not_the_solution():
    spectra, endmembers = random_problem(2, "few")
    plain = csr_admm(spectra, endmembers, lam=1e-3, tol=1e-12)
    relaxed = csr_admm(spectra, endmembers, lam=1e-3, tol=1e-12, relaxation=1.6)
    assert relaxed.n_iter.sum() < plain.n_iter.sum()
    np.testing.assert_allclose(relaxed.abundances, plain.abundances, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_convergence_does_not_depend_on_the_units(scale):
    spectra, endmembers = random_problem(3, "few")
    unit = csr_admm(spectra, endmembers, lam=1e-2)
    scaled = csr_admm(scale * spectra, scale * endmembers, lam=1e-2 * scale**2)
    np.testing.assert_allclose(scaled.abundances, unit.abundances, atol=1e-8)
    np.testing.assert_array_equal(scaled.n_iter, unit.n_iter)


def test_zero_spectra_and_large_lam():
    _, endmembers = random_problem(4, "few")
    zero = np.zeros((1, endmembers.shape[1]))
    assert (csr_admm(zero, endmembers).abundances == 0).all()
    constrained = csr_admm(zero, endmembers, sum_to_one=True)
    assert constrained.converged.all()
    assert constrained.abundances.sum() == pytest.approx(1)
    shrunk = csr_admm(endmembers, endmembers, lam=1e6)
    assert shrunk.converged.all()
    assert (shrunk.abundances == 0).all()


def test_pixels_that_did_not_converge_are_told():
    spectra, endmembers = random_problem(5, "many")
    solution = csr_admm(spectra, endmembers, max_iter=5)
    assert not solution.converged.any()
    assert (solution.n_iter == 5).all()


def test_factorization_is_the_inverse_on_the_plane():
    _, endmembers = random_problem(6, "wide")
    right = np.random.default_rng(0).normal(size=(4, len(endmembers)))
    system = endmembers @ endmembers.T + 0.5 * np.eye(len(endmembers))
    free = ADMMFactorization(endmembers, mu=0.5).solve(right)
    np.testing.assert_allclose(free @ system, right, atol=1e-9)
    # the equality-constrained optimum by its KKT system
    n = len(endmembers)
    kkt = np.block([[system, np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    expected = np.linalg.solve(kkt, np.c_[right, np.ones(4)].T).T[:, :n]
    held = ADMMFactorization(endmembers, mu=0.5, sum_to_one=True).solve(right)
    np.testing.assert_allclose(held, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lam": -1.0}, "lam == -1.0, must be >= 0"),
        ({"mu": 0.0}, "mu == 0.0, must be > 0"),
        ({"max_iter": 0}, "max_iter == 0, must be >= 1"),
        ({"tol": -1e-3}, "tol == -0.001, must be >= 0"),
        ({"relaxation": 2.0}, "relaxation == 2.0, must be < 2"),
    ],
)
def test_parameters_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        csr_admm(np.ones((2, 3)), np.eye(3), **arguments)


def test_numbers_of_bands_that_differ():
    with pytest.raises(ValueError, match=r"same number of bands.*\(2, 4\) and \(3, 3\)"):
        csr_admm(np.ones((2, 4)), np.eye(3))


@pytest.mark.parametrize(
    "convert",
    [
        lambda a: a.astype(np.float32),
        lambda a: a.astype(">f8"),
        np.asfortranarray,
        lambda a: a.tolist(),
        lambda a: a[::-1][::-1],
    ],
)
def test_arrays_of_every_kind(convert):
    spectra, endmembers = random_problem(7, "few")
    expected = csr_admm(spectra, endmembers).abundances
    np.testing.assert_allclose(
        csr_admm(convert(spectra), endmembers).abundances, expected, atol=1e-6
    )


def test_normalize_abundances_keeps_fractions():
    abundances = np.array([[2.0, 6.0], [0.0, 0.0], [1e-300, 1e-300]])
    result = normalize_abundances(abundances)
    assert result is abundances
    np.testing.assert_allclose(result, [[0.25, 0.75], [0.5, 0.5], [0.5, 0.5]])
