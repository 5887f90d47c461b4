import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skunmix.solvers import optimality
from skunmix.solvers.optimality import csr_objective, csr_optimality

# Orthogonal endmembers of norms 2 and 1, and a spectrum of norm 5. Without more, x = (1.5, 4);
# with λ, x = max((6 − λ)/4, 0), max(4 − λ, 0); on the simplex x = (½(1 + ⅕), …), see below.
ENDMEMBERS = np.array([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
SPECTRUM = np.array([[3.0, 4.0, 0.0]])


def residual(abundances, **options):
    return csr_optimality(SPECTRUM, ENDMEMBERS, [abundances], **options)[0]


@pytest.mark.parametrize(
    ("abundances", "options"),
    [
        ([1.5, 4.0], {}),
        ([1.0, 2.0], {"lam": 2.0}),
        ([0.25, 0.0], {"lam": 5.0}),
        ([0.0, 0.0], {"lam": 6.0}),
        ([0.0, 0.0], {"lam": 60.0}),
        # 2(2x₁ − 3) = x₂ − 4 on x₁ + x₂ = 1, at x₁ = 3/5
        ([0.6, 0.4], {"sum_to_one": True}),
        ([0.6, 0.4], {"sum_to_one": True, "lam": 3.0}),
    ],
)
def test_zero_at_the_optimum(abundances, options):
    assert residual(abundances, **options) < 1e-15


@pytest.mark.parametrize(
    ("abundances", "options", "expected"),
    [
        # short by 0.1 of norm 2: g = −2 · 0.2, over its endmember's norm 2 and 5
        ([1.4, 4.0], {}, 0.2 / 5),
        ([1.5, 3.9], {}, 0.1 / 5),
        # too much of it: the reconstruction is what is longer
        ([1.5, 4.1], {}, 0.1 / np.hypot(3, 4.1)),
        # off the support, though the gradient pulls in
        ([0.0, 4.0], {}, 3 / 5),
        # on the support, though it should be zero: g₂ = λ − 4 = 1
        ([0.25, 0.01], {"lam": 5.0}, 0.01 / 5),
        ([0.25, 2.0], {"lam": 5.0}, 2 / 5),
        # negative
        ([1.5, -0.1], {}, 4.1 / 5),
        ([-0.1, 0.0], {"lam": 60.0}, 0.2 / 5),
        # an optimum of another λ
        ([1.0, 2.0], {"lam": 2.1}, 0.1 / 5),
    ],
)
def test_how_far_from_the_optimum(abundances, options, expected):
    assert residual(abundances, **options) == pytest.approx(expected, rel=1e-12)


def test_sum_counts_only_where_it_is_constrained():
    assert residual([1.5, 4.0], sum_to_one=True) >= 4.5
    assert residual([0.6, 0.4 + 1e-6], sum_to_one=True) == pytest.approx(1e-6, rel=1e-3)
    assert residual([0.5, 0.5], sum_to_one=True) > 1e-3
    assert residual([0.0, 0.0], sum_to_one=True) == pytest.approx(1.0)
    # sums to one, at the price of a negative abundance
    outside = csr_optimality([[-1.0, 2.0]], np.eye(2), [[-1.0, 2.0]], sum_to_one=True)[0]
    assert outside > 0.1
    assert csr_optimality([[-1.0, 2.0]], np.eye(2), [[0.0, 1.0]], sum_to_one=True)[0] == 0


def test_zeros():
    zero = np.zeros((1, 3))
    assert csr_optimality(zero, ENDMEMBERS, [[0.0, 0.0]])[0] == 0
    assert csr_optimality(zero, ENDMEMBERS, [[0.1, 0.0]])[0] > 0.1
    # an endmember of all zeros may be anything without λ, and nothing with it
    library = np.vstack([ENDMEMBERS, np.zeros(3)])
    assert csr_optimality(SPECTRUM, library, [[1.5, 4.0, 9.0]])[0] == 0
    assert csr_optimality(SPECTRUM, library, [[1.0, 2.0, 9.0]], lam=2.0)[0] > 0.1
    assert csr_optimality(zero, zero, [[5.0]], lam=2.0)[0] > 0.1
    assert csr_optimality(zero, zero, [[1.0]], sum_to_one=True)[0] == 0


def random_points(seed):
    """Solutions, near misses and anything else, with zeros among them."""
    rng = np.random.default_rng(seed)
    n_endmembers, n_bands = rng.integers(1, 6), rng.integers(1, 8)
    endmembers = rng.normal(size=(n_endmembers, n_bands))
    abundances = rng.uniform(size=(6, n_endmembers)) * rng.integers(0, 2, (6, n_endmembers))
    abundances[:, 0] += 0.1
    abundances[:3] /= abundances[:3].sum(axis=1, keepdims=True)
    return rng.normal(size=(6, n_bands)), endmembers, abundances


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3]), st.booleans())
def test_zero_if_and_only_if_no_feasible_step_descends(seed, lam, sum_to_one):
    spectra, endmembers, abundances = random_points(seed)
    if sum_to_one:
        abundances = abundances / abundances.sum(axis=1, keepdims=True)
        # every feasible direction is a sum of moves from one endmember to another
        n = len(endmembers)
        moves = [np.eye(n)[i] - np.eye(n)[j] for i in range(n) for j in range(n) if i != j]
    else:
        moves = [sign * row for row in np.eye(len(endmembers)) for sign in (1, -1)]
    # spectra for which the abundances are optimal: the residual is made normal to the endmembers
    # in use, and turned from the others
    basis = np.linalg.pinv(endmembers)
    wanted = np.where(abundances > 0, lam, lam - 1.0)
    optimal = abundances @ endmembers + wanted @ basis.T
    attained = np.allclose((wanted @ basis.T) @ endmembers.T, wanted, atol=1e-9)

    for y in (spectra, optimal):
        found = csr_optimality(y, endmembers, abundances, lam=lam, sum_to_one=sum_to_one)
        step = 1e-4
        before = csr_objective(y, endmembers, abundances, lam=lam)
        best_slope = np.zeros(len(y))
        for move in moves:
            moved = abundances + step * move
            feasible = (moved >= 0).all(axis=1)
            # the objective is quadratic: what its curvature adds is known
            curvature = 0.5 * step**2 * np.sum((move @ endmembers) ** 2)
            after = csr_objective(y, endmembers, moved.clip(min=0), lam=lam)
            slope = (after - before - curvature) / step
            best_slope = np.where(feasible, np.minimum(best_slope, slope), best_slope)
        descends = best_slope < -1e-6
        assert (found[descends] > 1e-9).all()
        assert (found[~descends] < 1e-4).all()
        if y is optimal and attained:
            assert (found < 1e-9).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6), st.booleans())
def test_does_not_depend_on_the_scale(seed, factor, sum_to_one):
    spectra, endmembers, abundances = random_points(seed)
    options = {"lam": 0.3, "sum_to_one": sum_to_one}
    expected = csr_optimality(spectra, endmembers, abundances, **options)
    options["lam"] = 0.3 * factor**2
    both = csr_optimality(factor * spectra, factor * endmembers, abundances, **options)
    np.testing.assert_allclose(both, expected, rtol=1e-9, atol=1e-14)
    if not sum_to_one:
        one = csr_optimality(factor * spectra, endmembers, factor * abundances, lam=0.3 * factor)
        np.testing.assert_allclose(one, expected, rtol=1e-9, atol=1e-14)
        # an endmember in other units, where λ weighs none
        expected = csr_optimality(spectra, endmembers, abundances)
        endmembers[0] *= factor
        abundances[:, 0] /= factor
        rescaled = csr_optimality(spectra, endmembers, abundances)
        np.testing.assert_allclose(rescaled, expected, rtol=1e-9, atol=1e-14)


def test_objective():
    found = csr_objective(SPECTRUM, ENDMEMBERS, [[1.0, 5.0]], lam=0.1)
    np.testing.assert_allclose(found, [0.5 * (1 + 1) + 0.1 * 6])
    np.testing.assert_allclose(csr_objective(SPECTRUM, ENDMEMBERS, [[-1.0, 4.0]], lam=1.0), 17.5)


def test_blocks_and_types(monkeypatch):
    rng = np.random.default_rng(0)
    spectra, endmembers, abundances = rng.random((50, 6)), rng.random((4, 6)), rng.random((50, 4))
    whole = [
        csr_optimality(spectra, endmembers, abundances, lam=0.1),
        csr_objective(spectra, endmembers, abundances, lam=0.1),
    ]
    monkeypatch.setattr(optimality, "_BLOCK_BYTES", 2000)
    given_types = spectra[:, ::-1].tolist(), endmembers[:, ::-1], np.asfortranarray(abundances)
    for found, expected in zip(
        (csr_optimality(*given_types, lam=0.1), csr_objective(*given_types, lam=0.1)), whole
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"abundances": np.ones((2, 5))}, r"Expected abundances of shape \(5, 2\).*\(2, 5\)"),
        ({"endmembers": np.ones((2, 4))}, r"same number of bands.*\(5, 3\).*\(2, 4\)"),
        ({"lam": -1.0}, "lam == -1.0, must be >= 0"),
        ({"spectra": np.full((5, 3), np.nan)}, "spectra contains NaN"),
    ],
)
@pytest.mark.parametrize("function", [csr_objective, csr_optimality])
def test_bad_arguments(function, arguments, message):
    good = {"spectra": np.ones((5, 3)), "endmembers": ENDMEMBERS, "abundances": np.ones((5, 2))}
    with pytest.raises(ValueError, match=message):
        function(**(good | arguments))
