import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning

from skunmix.datasets import make_mixtures
from skunmix.solvers import (
    _careful_kernel,
    csr_active_set,
    csr_objective,
    csr_optimality,
    csr_path,
)

CERTIFIED = 1e-8


def mixtures(seed, n_endmembers, n_bands, n_pixels=8):
    """Positive endmembers and noisy sparse mixtures of them."""
    rng = np.random.default_rng(seed)
    endmembers = rng.uniform(0.05, 0.95, (n_endmembers, n_bands))
    abundances = rng.dirichlet(np.full(n_endmembers, 0.3), n_pixels)
    spectra = abundances @ endmembers + 0.02 * rng.normal(size=(n_pixels, n_bands))
    return spectra, endmembers


def nnls_or_none(A, y):
    try:
        return nnls(A, y, maxiter=10_000)[0]
    except (RuntimeError, np.linalg.LinAlgError):  # it gave up
        return None


def reference(spectra, endmembers, lam, sum_to_one):
    """SciPy's NNLS, on a problem that has the same solution; None for a pixel it gives up on.

    For λ > 0 it is ‖Rx − q‖² with RᵀR = AᵀA and Rᵀq = Aᵀy − λ, which needs independent endmembers.
    For the simplex it is ‖Bu‖² + (1ᵀu − 1)² with B = A − y1ᵀ: for u = tx with Σx = 1 the best t
    leaves ‖Bx‖²/(1 + ‖Bx‖²), so x = u/Σu is what is nearest to y.
    """
    if sum_to_one:
        scale = np.abs(endmembers).max() or 1.0
        solutions = []
        for y in spectra:
            offsets = (endmembers - y).T / scale
            u = nnls_or_none(
                np.vstack([offsets, np.ones(len(endmembers))]), np.r_[np.zeros(len(y)), 1.0]
            )
            solutions.append(None if u is None or not u.any() else u / u.sum())
        return solutions
    if lam == 0:
        return [nnls_or_none(endmembers.T, y) for y in spectra]
    Q, R = np.linalg.qr(endmembers.T)
    penalty = np.linalg.solve(R.T, np.full(len(endmembers), lam))
    return [nnls_or_none(R, y @ Q - penalty) for y in spectra]


def assert_solved(spectra, endmembers, solution, lam=0.0, sum_to_one=False):
    """Feasible, certified, and no worse than the reference where there is one."""
    x = solution.abundances
    assert np.all(np.isfinite(x))
    assert np.all(x >= 0)
    if sum_to_one:
        np.testing.assert_allclose(x.sum(axis=1), 1.0, rtol=0, atol=1e-12)
    assert solution.converged.all()
    residual = csr_optimality(spectra, endmembers, x, lam=lam, sum_to_one=sum_to_one)
    # no certificate tells a fit that is exact but for some bits from an exact one
    distance = np.linalg.norm(spectra - x @ endmembers, axis=1)
    exact = distance <= 1e-13 * (x @ np.linalg.norm(endmembers, axis=1))
    assert residual[~exact].max(initial=0.0) <= CERTIFIED
    assert residual.max() <= 1e-7

    independent = np.linalg.matrix_rank(endmembers, rtol=1e-6) == len(endmembers)
    if lam > 0 and not sum_to_one and not independent:
        return
    for y, found, other in zip(spectra, x, reference(spectra, endmembers, lam, sum_to_one)):
        if other is None:
            continue
        # the objectives from the abundances: the norm that nnls returns may be wrong
        ours, theirs = (
            csr_objective([y], endmembers, [abundances], lam=lam)[0]
            for abundances in (found, other)
        )
        size = 0.5 * max(y @ y, np.mean(endmembers**2) * len(y) if sum_to_one else 0.0)
        assert ours - theirs <= 1e-8 * max(theirs, size)


@pytest.mark.parametrize("lam", [0.0, 1e-3, 0.1, 2.0])
@pytest.mark.parametrize(("n_endmembers", "n_bands"), [(1, 5), (4, 30), (40, 60), (60, 60)])
def test_agrees_with_nnls(n_endmembers, n_bands, lam):
    spectra, endmembers = mixtures(0, n_endmembers, n_bands)
    solution = csr_active_set(spectra, endmembers, lam=lam)
    assert_solved(spectra, endmembers, solution, lam)
    expected = reference(spectra, endmembers, lam, False)
    np.testing.assert_allclose(solution.abundances, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("n_endmembers", "n_bands"), [(1, 5), (4, 30), (40, 60), (60, 60)])
def test_agrees_with_nnls_on_the_simplex(n_endmembers, n_bands):
    spectra, endmembers = mixtures(1, n_endmembers, n_bands)
    solution = csr_active_set(spectra, endmembers, sum_to_one=True)
    assert_solved(spectra, endmembers, solution, sum_to_one=True)
    expected = reference(spectra, endmembers, 0.0, True)
    np.testing.assert_allclose(solution.abundances, expected, rtol=0, atol=1e-9)


KINDS = ("normal", "positive", "collinear", "opposed", "scaled", "integer", "binary", "low rank")


def adversarial_problem(kind, seed):
    """A small problem of a kind that active-set methods stumble on."""
    rng = np.random.default_rng(seed)
    n_bands, n = rng.integers(1, 12), rng.integers(1, 16)
    tiny = 10.0 ** -rng.uniform(1, 6)
    if kind == "normal":
        A = rng.normal(size=(n, n_bands))
    elif kind == "positive":
        A = rng.uniform(size=(n, n_bands))
    elif kind == "collinear":
        A = rng.uniform(0.1, 1.0, n_bands) + tiny * rng.normal(size=(n, n_bands))
    elif kind == "opposed":
        A = rng.normal(size=(n, n_bands))
        half = n // 2
        A[half : 2 * half] = -A[:half] + tiny * rng.normal(size=(half, n_bands))
    elif kind == "scaled":  # duplicates, and the same brighter or darker
        A = rng.uniform(size=(n, n_bands))[rng.integers(0, n, n)]
        A *= rng.choice([1.0, 2.0, 0.5, 1e-3], (n, 1))
    elif kind == "integer":  # ties, zeros
        A = rng.integers(-2, 3, (n, n_bands)).astype(float)
    elif kind == "binary":
        A = rng.integers(0, 2, (n, n_bands)).astype(float)
    else:
        rank = max(1, n_bands // 2)
        A = rng.uniform(size=(n, rank)) @ rng.normal(size=(rank, n_bands))
    Y = rng.normal(size=(6, n_bands))
    Y[0] = 0.0
    Y[1] = A[rng.integers(n)]
    Y[2] = rng.dirichlet(np.ones(n)) @ A
    Y[3] = rng.integers(-1, 2, n_bands)
    return Y, A, rng


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
@example("scaled", 2545499396)  # exact, up to 2e-14
def test_adversarial_problems(kind, seed):
    Y, A, rng = adversarial_problem(kind, seed)
    Y *= 10.0 ** rng.integers(-4, 5)
    largest = np.abs(Y @ A.T).max() or 1.0
    # up to where all is zero, and that point itself
    for lam in (0.0, 1e-6 * largest, rng.choice([1e-3, 0.1, 0.5, 1.0, 2.0]) * largest):
        assert_solved(Y, A, csr_active_set(Y, A, lam=lam), lam)
    assert_solved(Y, A, csr_active_set(Y, A, sum_to_one=True), sum_to_one=True)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda n_bands: st.lists(
            st.lists(
                st.sampled_from([-1.0, 0.0, 0.5, 1.0, 3.0]), min_size=n_bands, max_size=n_bands
            ),
            min_size=2,
            max_size=8,
        )
    ),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.booleans(),
)
def test_rows_of_few_values(rows, lam, sum_to_one):
    # shrinks to something readable, where the test above shows a seed
    spectra, endmembers = np.array(rows[:1]), np.array(rows[1:])
    solution = csr_active_set(spectra, endmembers, lam=lam, sum_to_one=sum_to_one)
    assert_solved(spectra, endmembers, solution, 0.0 if sum_to_one else lam, sum_to_one)


@pytest.fixture(scope="module")
def usgs_mixtures(usgs):
    library = usgs.endmembers
    return make_mixtures(library, 100, n_active=9, snr=30, random_state=0).spectra, library


@pytest.mark.parametrize("lam", [0.0, 1e-3, 1e-2, 1.0])
def test_usgs(usgs_mixtures, lam):
    spectra, library = usgs_mixtures
    solution = csr_active_set(spectra, library, lam=lam)
    assert solution.converged.all()
    assert csr_optimality(spectra, library, solution.abundances, lam=lam).max() <= CERTIFIED


def test_usgs_sum_to_one(usgs_mixtures):
    spectra, library = usgs_mixtures
    solution = csr_active_set(spectra, library, sum_to_one=True)
    assert_solved(
        spectra[:20],
        library,
        csr_active_set(spectra[:20], library, sum_to_one=True),
        sum_to_one=True,
    )
    residual = csr_optimality(spectra, library, solution.abundances, sum_to_one=True)
    assert residual.max() <= CERTIFIED


def test_usgs_with_more_atoms_than_bands(usgs_mixtures):
    spectra, library = usgs_mixtures
    few_bands = np.ascontiguousarray(spectra[:, ::8]), library[:, ::8]
    for lam in (0.0, 1e-3):
        assert_solved(*few_bands, csr_active_set(*few_bands, lam=lam), lam)


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_jasper(jasper, sum_to_one):
    spectra, endmembers = jasper.spectra, jasper.endmembers
    solution = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one, n_jobs=2)
    residual = csr_optimality(spectra, endmembers, solution.abundances, sum_to_one=sum_to_one)
    assert residual.max() <= CERTIFIED
    some = slice(None, None, 500)
    np.testing.assert_allclose(
        solution.abundances[some],
        reference(spectra[some], endmembers, 0.0, sum_to_one),
        rtol=0,
        atol=1e-9,
    )


# A pixel's answer depends on that pixel alone.


@pytest.mark.parametrize("options", [{}, {"lam": 0.05}, {"sum_to_one": True}])
@pytest.mark.parametrize("n_endmembers", [3, 40, 90])
def test_neighbours_blocks_and_threads_change_no_bit(n_endmembers, options):
    spectra, endmembers = mixtures(2, n_endmembers, 50, n_pixels=61)
    expected = csr_active_set(spectra, endmembers, **options).abundances
    order = np.random.default_rng(0).permutation(len(spectra))
    for block_size, n_jobs in ((1, None), (7, 2), (61, 1), (1000, -1)):
        found = csr_active_set(
            spectra[order], endmembers, block_size=block_size, n_jobs=n_jobs, **options
        )
        np.testing.assert_array_equal(found.abundances, expected[order])
    alone = csr_active_set(spectra[17:18], endmembers, **options).abundances
    np.testing.assert_array_equal(alone[0], expected[17])


# What comes in.


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "i4", "u2"])
def test_types(dtype):
    spectra, endmembers = mixtures(4, 5, 20)
    spectra = (1000 * spectra).round().clip(min=0).astype(dtype)
    found = csr_active_set(spectra, 1000 * endmembers)
    assert found.abundances.dtype == np.float64
    expected = csr_active_set(spectra.astype(float), 1000 * endmembers)
    np.testing.assert_array_equal(found.abundances, expected.abundances)


def test_layouts(tmp_path):
    spectra, endmembers = mixtures(5, 5, 20)
    expected = csr_active_set(spectra, endmembers).abundances
    wide = np.zeros((16, 40))
    wide[::2, ::2] = spectra
    read_only = spectra.copy()
    read_only.flags.writeable = False
    (tmp_path / "header.bin").write_bytes(b"abc" + spectra.tobytes())
    mapped = np.memmap(tmp_path / "header.bin", np.float64, "r", offset=3, shape=spectra.shape)
    for given_spectra in (
        wide[::2, ::2],
        read_only,
        spectra.tolist(),
        mapped,
    ):
        found = csr_active_set(given_spectra, np.asfortranarray(endmembers)).abundances
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", ">f4"])
@pytest.mark.parametrize("n_pixels", [2, 61, 700])
@pytest.mark.parametrize(("n_endmembers", "n_bands"), [(1, 5), (5, 20), (40, 50)])
def test_bands_that_lie_together(n_endmembers, n_bands, n_pixels, dtype):
    spectra, endmembers = mixtures(5, n_endmembers, n_bands, n_pixels=n_pixels)
    spectra = (1000 * spectra).round().astype(dtype)
    endmembers *= 1000
    expected = csr_active_set(spectra, endmembers).abundances
    bands = np.asfortranarray(spectra)
    for given_spectra in (bands, np.repeat(bands, 2, axis=0)[::2]):
        found = csr_active_set(given_spectra, endmembers).abundances
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)  # summed in another order


def test_neighbours_change_no_bit_where_bands_lie_together():
    spectra, endmembers = mixtures(2, 5, 51, n_pixels=601)
    expected = csr_active_set(np.asfortranarray(spectra), endmembers).abundances
    order = np.random.default_rng(0).permutation(len(spectra))
    for block_size, n_jobs in ((7, 2), (300, 1), (1000, -1)):
        found = csr_active_set(
            np.asfortranarray(spectra[order]), endmembers, block_size=block_size, n_jobs=n_jobs
        )
        np.testing.assert_array_equal(found.abundances, expected[order])
    some = csr_active_set(np.asfortranarray(spectra[17:20]), endmembers).abundances
    np.testing.assert_array_equal(some, expected[17:20])


def test_changes_nothing_given():
    spectra, endmembers = mixtures(6, 5, 20)
    before = spectra.copy(), endmembers.copy()
    for sum_to_one in (False, True):
        csr_active_set(spectra, endmembers, sum_to_one=sum_to_one)
    np.testing.assert_array_equal(spectra, before[0])
    np.testing.assert_array_equal(endmembers, before[1])


@pytest.mark.parametrize("factor", [1e-150, 1e-4, 1e4, 1e100])
@pytest.mark.parametrize("sum_to_one", [False, True])
def test_scale_of_the_data_does_not_matter(factor, sum_to_one):
    spectra, endmembers = mixtures(7, 12, 20)
    options = {"sum_to_one": sum_to_one}
    expected = csr_active_set(spectra, endmembers, lam=1e-2, **options).abundances
    both = csr_active_set(factor * spectra, factor * endmembers, lam=1e-2 * factor**2, **options)
    np.testing.assert_allclose(both.abundances, expected, rtol=1e-9, atol=1e-12)
    if not sum_to_one:
        one = csr_active_set(factor * spectra, endmembers, lam=1e-2 * factor)
        np.testing.assert_allclose(
            one.abundances, factor * expected, rtol=1e-9, atol=1e-12 * factor
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_out(dtype):
    spectra, endmembers = mixtures(8, 5, 20)
    out = np.full((8, 5), 7, dtype=dtype)
    solution = csr_active_set(spectra, endmembers, out=out, block_size=3)
    assert solution.abundances.base is out
    expected = csr_active_set(spectra, endmembers).abundances
    np.testing.assert_array_equal(out, expected.astype(dtype))


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_memory_besides_input_and_output(tmp_path, sum_to_one):
    some, endmembers = mixtures(9, 4, 198, n_pixels=2000)
    spectra = np.lib.format.open_memmap(tmp_path / "y.npy", "w+", np.float32, (40_000, 198))
    for start in range(0, len(spectra), len(some)):
        spectra[start : start + len(some)] = some
    out = np.empty((len(spectra), 4), np.float32)
    csr_active_set(spectra[:10], endmembers, out=out[:10], sum_to_one=sum_to_one)
    tracemalloc.start()
    try:
        csr_active_set(spectra, endmembers, out=out, sum_to_one=sum_to_one)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8e6  # of 32e6 that the spectra take


# Corners.


@pytest.mark.parametrize("n_endmembers", [1, 4, 40])
def test_zero_spectrum(n_endmembers):
    endmembers = mixtures(9, n_endmembers, 20)[1]
    spectra = np.zeros((2, 20))
    for lam in (0.0, 1.0):
        assert not csr_active_set(spectra, endmembers, lam=lam).abundances.any()
    assert_solved(
        spectra, endmembers, csr_active_set(spectra, endmembers, sum_to_one=True), sum_to_one=True
    )


def test_lam_beyond_the_largest_correlation_gives_zeros():
    spectra, endmembers = mixtures(10, 6, 20)
    largest = (spectra @ endmembers.T).max()
    assert not csr_active_set(spectra, endmembers, lam=1.0001 * largest).abundances.any()
    assert np.count_nonzero(csr_active_set(spectra, endmembers, lam=0.99 * largest).abundances) == 1
    assert not csr_active_set(spectra, endmembers, lam=1e300).abundances.any()


def test_zero_endmember():
    spectra, endmembers = mixtures(11, 4, 20)
    endmembers[2] = 0.0
    solution = csr_active_set(spectra, endmembers)
    assert_solved(spectra, endmembers, solution)
    assert not solution.abundances[:, 2].any()
    # With the constraint it is shade, and takes what the others leave.
    shade = csr_active_set(0.5 * spectra, endmembers, sum_to_one=True)
    assert_solved(0.5 * spectra, endmembers, shade, sum_to_one=True)
    assert (shade.abundances[:, 2] > 0.4).all()
    zeros = csr_active_set(spectra, np.zeros((3, 20)), sum_to_one=True).abundances
    np.testing.assert_array_equal(zeros.sum(axis=1), 1.0)


def test_brighter_copies_with_sum_to_one():
    # Dependent as vectors, but a pixel of 1.5 a is half of each.
    a = mixtures(12, 1, 20)[1]
    endmembers = np.vstack([a, 2 * a])
    solution = csr_active_set(1.5 * a, endmembers, sum_to_one=True)
    np.testing.assert_allclose(solution.abundances, [[0.5, 0.5]], rtol=1e-9)


@pytest.mark.parametrize("lam", [0.0, 1e-3])
def test_duplicates_share_what_one_would_have(lam):
    spectra, endmembers = mixtures(13, 5, 20)
    twice = np.vstack([endmembers, endmembers])
    expected = csr_active_set(spectra, endmembers, lam=lam).abundances
    found = csr_active_set(spectra, twice, lam=lam)
    assert_solved(spectra, twice, found, lam)
    np.testing.assert_allclose(
        found.abundances[:, :5] + found.abundances[:, 5:], expected, atol=1e-9
    )


def test_dependent_endmember_takes_over():
    # The same spectrum from an abundance of 1 costs less than from two, and takes both away.
    endmembers = np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.9]])
    solution = csr_active_set([[3.0, 1.0], [1.0, 1.0]], endmembers, lam=0.1)
    assert_solved(np.array([[3.0, 1.0], [1.0, 1.0]]), endmembers, solution, 0.1)
    np.testing.assert_allclose(solution.abundances[1], [0, 0, (1.8 - 0.1) / 1.62], atol=1e-12)


def test_collinear_endmembers_are_solved_with_care(monkeypatch):
    # A pair 1e-6 apart, of which the Gram matrix keeps four digits.
    spectra, endmembers = mixtures(14, 6, 20)
    rng = np.random.default_rng(0)
    endmembers[1] = endmembers[0] + 1e-6 * rng.normal(size=20)
    spectra = np.vstack([spectra, 0.3 * endmembers[0] + 0.7 * endmembers[1]])
    solve_with_qr, calls = _careful_kernel.solve_with_qr, []

    def spy(spectra, *args):
        calls.append(len(spectra))
        return solve_with_qr(spectra, *args)

    monkeypatch.setattr(_careful_kernel, "solve_with_qr", spy)
    solution = csr_active_set(spectra, endmembers)
    assert sum(calls) >= 1
    assert_solved(spectra, endmembers, solution)
    np.testing.assert_allclose(solution.abundances[-1, :2], [0.3, 0.7], atol=1e-8)


# A path of λ.


@pytest.mark.parametrize("sum_to_one", [False, True])
@pytest.mark.parametrize("n_endmembers", [4, 60])
def test_path_is_its_points(n_endmembers, sum_to_one):
    spectra, endmembers = mixtures(15, n_endmembers, 40)
    lams = [1e-3, 100.0, 0.0, 0.3, 0.3]
    path = csr_path(spectra, endmembers, lams, sum_to_one=sum_to_one)
    assert path.abundances.shape == (5, 8, n_endmembers)
    assert path.n_iter.shape == path.converged.shape == (5, 8)
    assert path.converged.all()
    for lam, abundances in zip(lams, path.abundances):
        alone = csr_active_set(spectra, endmembers, lam=lam, sum_to_one=sum_to_one)
        np.testing.assert_allclose(abundances, alone.abundances, rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2**32 - 1))
def test_path_of_adversarial_problems(kind, seed):
    Y, A, _ = adversarial_problem(kind, seed)
    lams = np.append(np.geomspace(1e-4, 1.0, 6) * (np.abs(Y @ A.T).max() or 1.0), 0.0)
    path = csr_path(Y, A, lams)
    assert path.converged.all()
    for lam, abundances in zip(lams, path.abundances):
        assert (abundances >= 0).all()
        assert csr_optimality(Y, A, abundances, lam=lam).max() <= CERTIFIED


# Falling back.


@pytest.mark.parametrize("sum_to_one", [False, True])
def test_falls_back_to_admm_and_counts(sum_to_one):
    # more endmembers than supports are guessed of
    spectra, endmembers = mixtures(16, 12, 30, n_pixels=20)
    exact = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one)
    max_iter = int(np.median(exact.n_iter))
    easy = exact.n_iter <= max_iter
    needs_more = np.count_nonzero(~easy)
    assert 0 < needs_more < 20
    with pytest.warns(ConvergenceWarning, match=f"optimum of {needs_more} of 20 pixels") as record:
        capped = csr_active_set(spectra, endmembers, sum_to_one=sum_to_one, max_iter=max_iter)
    assert record[0].filename == __file__
    assert capped.converged.all()
    np.testing.assert_allclose(capped.abundances, exact.abundances, atol=1e-5)
    np.testing.assert_allclose(capped.abundances[easy], exact.abundances[easy], atol=1e-12)
    np.testing.assert_array_equal(capped.n_iter[easy], exact.n_iter[easy])


def test_path_falls_back_too():
    spectra, endmembers = mixtures(17, 6, 20)
    exact = csr_path(spectra, endmembers, [0.0, 1e-2])
    with pytest.warns(ConvergenceWarning, match="of 8 pixels"):
        capped = csr_path(spectra, endmembers, [0.0, 1e-2], max_iter=1)
    np.testing.assert_allclose(capped.abundances, exact.abundances, atol=1e-5)


# Bad input.


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_spectra_that_are_not_finite(bad, n_jobs):
    spectra, endmembers = mixtures(18, 4, 20)
    spectra[5, 3] = bad
    with pytest.raises(ValueError, match="Expected spectra of finite numbers .* in pixel 5"):
        csr_active_set(spectra, endmembers, block_size=2, n_jobs=n_jobs)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lam": -1.0}, ValueError, "lam == -1.0, must be >= 0"),
        ({"lam": np.inf}, ValueError, "Expected lam as a finite number, got inf"),
        ({"lam": [0.1, 0.2]}, TypeError, "lam must be an instance of"),
        ({"max_iter": 0}, ValueError, "max_iter == 0, must be >= 1"),
        ({"block_size": 0}, ValueError, "block_size == 0, must be >= 1"),
        (
            {"endmembers": np.ones((4, 19))},
            ValueError,
            r"same number of bands.*\(8, 20\).*\(4, 19\)",
        ),
        ({"endmembers": np.full((4, 20), np.nan)}, ValueError, "endmembers contains NaN"),
        ({"out": np.empty((8, 3))}, ValueError, r"Expected out of the shape \(8, 4\).*\(8, 3\)"),
        ({"spectra": np.ones(20)}, ValueError, "Expected 2D array"),
    ],
)
def test_bad_arguments(arguments, error, message):
    spectra, endmembers = mixtures(19, 4, 20)
    arguments = {"spectra": spectra, "endmembers": endmembers} | arguments
    with pytest.raises(error, match=message):
        csr_active_set(**arguments)


@pytest.mark.parametrize(
    ("lams", "message"),
    [
        ([], "non-empty list of numbers, got shape"),
        (0.1, "use csr_active_set for one λ"),
        ([[0.1, 0.2]], r"got shape \(1, 2\)"),
        ([0.1, -0.1], "must be >= 0"),
        ([0.1, np.nan], "Expected lam as a finite number"),
    ],
)
def test_bad_lams(lams, message):
    with pytest.raises(ValueError, match=message):
        csr_path(*mixtures(20, 4, 20), lams)


def test_numba_is_imported_on_first_use():
    code = (
        "import sys, skunmix.solvers.active_set\n"
        "assert not {'numba', 'torch'} & set(sys.modules), 'imported too early'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
