"""VCA, SPA and N-FINDR against independent readings of their papers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix.datasets import make_endmembers, make_mixtures, make_scene
from skunmix.extraction import NFINDR, SPA, VCA
from skunmix.extraction._nfindr import exchange
from skunmix.extraction._subspace import signal_subspace

EXTRACTORS = [SPA(4), VCA(4, random_state=0), NFINDR(4, random_state=0)]
each = pytest.mark.parametrize("extractor", EXTRACTORS, ids=lambda e: type(e).__name__)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([SPA(2), VCA(2, random_state=0), NFINDR(2, random_state=0)])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def simplex(n_endmembers, n_bands, n_mixtures, seed):
    """Return spectra whose first rows are pure, and the others mixtures of them."""
    rng = np.random.RandomState(seed)
    endmembers = rng.uniform(0.1, 0.9, (n_endmembers, n_bands))
    abundances = rng.dirichlet(np.ones(n_endmembers), n_mixtures)
    return np.vstack([endmembers, abundances @ endmembers])


@settings(deadline=None, max_examples=40)
@given(
    n_endmembers=st.integers(2, 6),
    n_bands=st.integers(6, 30),
    seed=st.integers(0, 1000),
    order=st.randoms(use_true_random=False),
    kind=st.sampled_from(["SPA", "VCA", "NFINDR"]),
)
def test_exact_vertices_in_any_order(n_endmembers, n_bands, seed, order, kind):
    X = simplex(n_endmembers, n_bands, 60, seed)
    shuffled = list(range(len(X)))
    order.shuffle(shuffled)
    extractor = {
        "SPA": SPA(n_endmembers),
        "VCA": VCA(n_endmembers, random_state=seed),
        "NFINDR": NFINDR(n_endmembers, random_state=seed),
    }[kind]
    extractor.fit(X[shuffled])
    found = np.array(shuffled)[extractor.indices_]
    assert set(found) == set(range(n_endmembers))
    np.testing.assert_allclose(extractor.endmembers_, X[found], atol=1e-10)


@each
@pytest.mark.parametrize("snr", [15, 40])
def test_any_order_with_noise(extractor, snr):
    X = make_scene(n_endmembers=4, shape=(30, 30), snr=snr, random_state=0).spectra
    shuffled = np.random.RandomState(1).permutation(len(X))
    found = extractor.fit(X[shuffled]).indices_
    np.testing.assert_array_equal(shuffled[found], extractor.fit(X).indices_)


def textbook_spa(X, n_endmembers):
    """Return the farthest pixels, with the projector of each step from scratch."""
    found = []
    for _ in range(n_endmembers):
        U = X[found].T
        P = np.eye(X.shape[1]) - U @ np.linalg.pinv(U)
        found.append(int(np.linalg.norm(X @ P, axis=1).argmax()))
    return found


def textbook_vca(X, p, w):
    """Return the pixels of the paper's Algorithm 1, with its random vectors in the subspace."""
    R, (N, L) = X.T, X.shape
    r_m = R.mean(axis=1, keepdims=True)
    U = np.linalg.svd((R - r_m) @ (R - r_m).T / N)[0][:, :p]
    P_y = np.sum(R**2) / N
    P_x = np.sum((U.T @ (R - r_m)) ** 2) / N + np.sum(r_m**2)
    snr = 10 * np.log10((P_x - p / L * P_y) / (P_y - P_x))
    if snr > 15 + 10 * np.log10(p):
        U = np.linalg.svd(R @ R.T / N)[0][:, :p]
        x = U.T @ R
        u = x.mean(axis=1)
        Y = x / (u @ x)
    else:
        U = U[:, : p - 1]
        x = U.T @ (R - r_m)
        c = np.linalg.norm(x, axis=0).max()
        Y = np.vstack([x, np.full(N, c)])
    A = np.zeros((p, p))
    A[-1, 0] = 1
    found = []
    for i in range(p):
        draw = U.T @ w[i, :-1]
        draw = draw if len(draw) == p else np.append(draw, w[i, -1])
        f = draw - A @ np.linalg.pinv(A) @ draw
        v = f @ Y
        found.append(int(np.abs(v).argmax()))
        A[:, i] = Y[:, found[-1]]
    return snr, found


def textbook_nfindr(X, p):
    """Return the largest simplex of all, which N-FINDR looks for, by trying every one."""
    centred = X - X.mean(axis=0)
    z = centred @ np.linalg.svd(centred, full_matrices=False)[2][: p - 1].T
    ones = np.ones((len(X), 1))
    matrices = np.hstack([ones, z])
    return max(
        itertools.combinations(range(len(X)), p),
        key=lambda chosen: abs(np.linalg.det(matrices[list(chosen)])),
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("snr", [10, 25, 60])
def test_spa_is_the_textbooks(seed, snr):
    library = make_endmembers(4, n_bands=30, random_state=seed)
    X = make_mixtures(library, 200, snr=snr, random_state=seed).spectra
    V = np.linalg.svd(X, full_matrices=False)[2][:4]
    spa = SPA(4).fit(X)
    assert spa.indices_.tolist() == textbook_spa(X @ V.T @ V, 4)
    np.testing.assert_allclose(spa.endmembers_, (X @ V.T @ V)[spa.indices_], atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("snr", [10, 25, 60])
def test_vca_is_the_textbooks(seed, snr):
    library = make_endmembers(4, n_bands=30, random_state=seed)
    X = make_mixtures(library, 200, snr=snr, random_state=seed).spectra
    w = np.random.RandomState(seed).normal(size=(4, 31))
    expected_snr, expected = textbook_vca(X, 4, w)
    vca = VCA(4, random_state=seed).fit(X)
    # the sign of a basis vector is arbitrary, but neither the subspace's inner products nor the
    # magnitudes of projections depend on it
    assert vca.indices_.tolist() == expected
    assert vca.snr_ == pytest.approx(expected_snr)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("p", [2, 3, 4])
def test_nfindr_finds_the_largest_simplex(seed, p):
    library = make_endmembers(p, n_bands=12, random_state=seed)
    X = make_mixtures(library, 25, snr=20, random_state=seed).spectra
    nfindr = NFINDR(p, random_state=0).fit(X)
    assert set(nfindr.indices_) == set(textbook_nfindr(X, p))


@pytest.mark.parametrize("n_init", [1, 10])
def test_no_exchange_enlarges_the_simplex(n_init):
    """Also among so many pixels that the candidates come from a sample of them."""
    library = make_endmembers(5, n_bands=20, random_state=0)
    X = make_mixtures(library, 20_000, snr=20, random_state=0).spectra
    nfindr = NFINDR(5, n_init=n_init, random_state=0).fit(X)
    subspace = signal_subspace(X, 4, centred=True)
    matrices = np.hstack([np.ones((len(X), 1)), subspace.project(X)])
    volume = abs(np.linalg.det(matrices[nfindr.indices_]))
    assert nfindr.volume_ == pytest.approx(volume / 24)
    factors = matrices @ np.linalg.inv(matrices[nfindr.indices_])
    assert np.abs(factors).max() < 1 + 1e-6


def test_more_starts_find_no_smaller_simplex():
    X = make_scene(n_endmembers=6, shape=(40, 40), snr=20, random_state=0).spectra
    volumes = [NFINDR(6, n_init=n, random_state=0).fit(X).volume_ for n in (1, 5, 20)]
    assert volumes[0] <= volumes[1] * (1 + 1e-9)
    assert volumes[1] <= volumes[2] * (1 + 1e-9)


@each
def test_denoise(extractor):
    """Endmembers are pixels, or lie in the subspace and nearer to the truth."""
    scene = make_scene(n_endmembers=4, fractions=(1.0,), snr=15, random_state=0)
    X = scene.spectra
    raw = extractor.set_params(denoise=False).fit(X)
    pixels, chosen = raw.endmembers_, raw.indices_
    np.testing.assert_array_equal(pixels, X[chosen])
    clean = extractor.set_params(denoise=True).fit(X)
    np.testing.assert_array_equal(clean.indices_, chosen)
    truth = scene.endmembers[scene.abundances[chosen].argmax(axis=1)]
    error, before = (np.linalg.norm(E - truth) for E in (clean.endmembers_, pixels))
    assert error < before / 3
    assert np.linalg.matrix_rank(clean.endmembers_, tol=1e-8) <= 4


@each
def test_weights(extractor):
    X = simplex(4, 10, 60, seed=0)
    outliers = 5 * np.random.RandomState(1).uniform(size=(3, 10))
    weight = np.r_[np.ones(len(X)), np.zeros(3)]
    extractor.fit(np.vstack([X, outliers]), sample_weight=weight)
    assert set(extractor.indices_) == {0, 1, 2, 3}
    alone = extractor.fit(X)
    np.testing.assert_allclose(
        np.sort(alone.endmembers_, axis=0),
        np.sort(
            extractor.fit(np.vstack([outliers, X]), sample_weight=weight[::-1]).endmembers_, axis=0
        ),
        atol=1e-10,
    )


def test_weights_are_those_of_repeated_pixels():
    X = make_mixtures(make_endmembers(3, n_bands=20, random_state=0), 100, snr=20, random_state=0)
    X = X.spectra
    weight = np.random.RandomState(0).randint(1, 4, len(X))
    weighted = SPA(3).fit(X, sample_weight=weight)
    repeated = SPA(3).fit(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.endmembers_, repeated.endmembers_, atol=1e-10)


@each
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32])
def test_types_and_memory_maps(extractor, dtype, tmp_path):
    X = simplex(4, 30, 500, seed=3)
    X = (250 * X).round().astype(dtype) if dtype != np.float32 else X.astype(dtype)
    path = tmp_path / "X.npy"
    np.save(path, X)
    mapped = extractor.fit(np.load(path, mmap_mode="r"))
    assert set(mapped.indices_) == {0, 1, 2, 3}
    assert mapped.endmembers_.dtype == np.float64
    by_bands = extractor.fit(np.asfortranarray(X))
    assert set(by_bands.indices_) == {0, 1, 2, 3}


@each
def test_duplicates_and_dark_pixels(extractor):
    X = simplex(4, 10, 60, seed=0)
    X = np.vstack([X, X[:4], 1e-9 * X[:2], np.zeros((2, 10))])
    if isinstance(extractor, NFINDR):  # zero is one more vertex
        extractor = NFINDR(5, random_state=0)
        expected = {*map(tuple, X[:4].round(9)), (0.0,) * 10}
    else:
        expected = set(map(tuple, X[:4].round(9)))
    found = extractor.fit(X).endmembers_
    assert set(map(tuple, (found.round(9) + 0.0))) == expected


@each
def test_one_endmember_is_the_brightest_pixel(extractor):
    X = simplex(4, 10, 60, seed=0)
    X[7] *= 3
    one = extractor.__class__(1).fit(X)
    assert one.indices_.tolist() == [7]
    assert one.endmembers_.shape == (1, 10)


@each
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.random.RandomState(0).uniform(size=(50, 2)), r"at most [23] endmembers .*=2 bands"),
        (np.full((50, 10), 0.3), r"at least 4 different spectra, .* 1 can mix; pass n_endm.*=1\."),
        (np.zeros((50, 10)), r"at least 4 different .*(0|1) can mix"),
        (simplex(3, 10, 50, 0), r"at least 4 different .* 3 can mix; pass n_endmembers=3\."),
        (np.repeat(simplex(2, 10, 0, 0), 20, axis=0), r"n_samples=40 pixels that 2 can mix"),
        (np.r_[simplex(4, 10, 9, 0), [[np.nan] * 10]], "Input X contains NaN"),
    ],
    ids=["bands", "constant", "zero", "span", "distinct", "NaN"],
)
def test_bad_spectra(extractor, X, message):
    with pytest.raises(ValueError, match=message):
        extractor.fit(X)


@each
def test_a_count_of_zero_is_an_error(extractor):
    X = np.random.RandomState(0).normal(size=(2000, 20))
    extractor = extractor.__class__("elbow")
    with pytest.raises(ValueError, match="'elbow' finds at least one endmember, got 0"):
        extractor.fit(X)


@each
@pytest.mark.parametrize("method", ["elbow", "hysime"])
def test_a_method_counts(extractor, method):
    X = make_scene(n_endmembers=4, snr=30, random_state=0).spectra
    extractor = extractor.__class__(method).fit(X)
    assert extractor.n_endmembers_ == len(extractor.indices_) == 4
    assert list(extractor.get_feature_names_out()) == [f"endmember{i}" for i in range(4)]


def test_random_state():
    X = make_scene(n_endmembers=5, shape=(40, 40), snr=20, random_state=0).spectra
    state = np.random.get_state()[1].copy()
    found = {tuple(VCA(5, random_state=seed).fit(X).indices_) for seed in (0, 0, 1, 2)}
    assert 2 <= len(found) <= 3
    VCA(5).fit(X)
    NFINDR(5).fit(X)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


@pytest.mark.parametrize("seed", range(5))
def test_exchanges_end_at_a_local_optimum(seed, monkeypatch):
    rng = np.random.RandomState(seed)
    points = np.hstack([np.ones((300, 1)), rng.normal(size=(300, 6))])
    start = rng.choice(300, 7, replace=False)
    inverses, invert = [], np.linalg.inv
    monkeypatch.setattr(np.linalg, "inv", lambda E: inverses.append(E) or invert(E))
    chosen, volume = exchange(points, start)
    # the second finds no exchange, because the updates of rank one were right
    assert len(inverses) == 2
    assert volume == pytest.approx(abs(np.linalg.det(points[chosen])))
    assert volume > abs(np.linalg.det(points[start]))
    for vertex, point in itertools.product(range(7), range(300)):
        other = chosen.copy()
        other[vertex] = point
        assert abs(np.linalg.det(points[other])) <= volume * (1 + 1e-6)


def test_vca_leaves_out_what_the_mean_cannot_scale():
    """Pixels with no-data values, or of zeros, have no place in the hyperplane of the mean."""
    X = simplex(4, 10, 60, seed=0)
    X = np.vstack([X, -20 * X[5:6], np.zeros((1, 10))])
    vca = VCA(4, random_state=0).fit(X, sample_weight=np.r_[np.ones(64), 1e-3, 1.0])
    assert vca.snr_ > 60
    assert set(vca.indices_) == {0, 1, 2, 3}
