"""The maths of ArchetypalAnalysis, and what it finds."""

import numpy as np
import pytest
from scipy.special import softmax

from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.extraction import ArchetypalAnalysis
from skunmix.extraction._archetypal_analysis import l1_residual
from skunmix.extraction._archetypes import (
    choose,
    descend,
    entropic_descent,
    matched_angle,
)
from skunmix.extraction._sample import distinct_pixels
from skunmix.metrics import endmember_angle
from skunmix.solvers import csr_active_set


def edaa(Y, C, p, B, step, n_rounds, n_steps, weight):
    """Return B and the objective of each round: one start of EDAA, as the paper writes it."""
    A = np.full((len(Y), p), 1 / p)
    step_a = step / np.linalg.norm(B @ C, ord=2) ** 2
    step_b = step_a * np.sqrt(p / len(Y))
    objectives = []
    for _ in range(n_rounds):
        for _ in range(n_steps):
            A = softmax(np.log(A) + step_a * (Y - A @ B @ C) @ (B @ C).T, axis=1)
        for _ in range(n_steps):
            R = (Y - A @ B @ C) * weight[:, np.newaxis]
            B = softmax(np.log(B) + step_b * A.T @ R @ C.T, axis=1)
        objectives.append(0.5 * np.sum(weight * np.sum((Y - A @ B @ C) ** 2, axis=1)))
    return B, np.array(objectives)


@pytest.fixture
def spectra():
    library = make_endmembers(3, n_bands=20, random_state=0)
    Y = make_mixtures(library, 150, concentration=0.5, snr=40, random_state=0).spectra
    return Y / np.linalg.norm(Y, axis=1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
def test_descent_is_edaa(spectra, weighted):
    """All starts at once, in float32, are the single starts."""
    Y, C = spectra[:100].astype(np.float32), spectra[100:].astype(np.float32)
    weight = np.random.RandomState(1).uniform(0.5, 1.5, 100) if weighted else np.ones(100)
    weight /= weight.mean()
    found = entropic_descent(
        Y, C, 3, np.random.RandomState(0), n_init=4, weight=3 * weight, n_rounds=20
    )
    rng = np.random.RandomState(0)
    starts = np.exp(0.1 * rng.uniform(size=(4, 3, 50)))
    starts /= starts.sum(axis=2, keepdims=True)
    factors = 2.0 ** np.arange(-3, 4)[rng.randint(7, size=4)]
    for B, start, factor in zip(found, starts, factors):
        expected, objectives = edaa(spectra[:100], spectra[100:], 3, start, factor, 20, 5, weight)
        np.testing.assert_allclose(B, expected, rtol=2e-2, atol=1e-3)
        assert (np.diff(objectives) < 0).all()


def test_descend_is_softmax():
    rng = np.random.RandomState(0)
    weights, step = rng.dirichlet(np.ones(5), (2, 3)), 100 * rng.normal(size=(2, 3, 5))
    expected = softmax(np.log(weights) - step, axis=2)
    descend(weights, step, axis=2)
    np.testing.assert_allclose(weights, expected, atol=1e-12)


def test_weights_stay_on_the_simplex(spectra):
    Y = spectra.astype(np.float32)
    B = entropic_descent(Y, Y, 3, np.random.RandomState(0), n_init=5, n_rounds=20)
    assert B.min() >= 0
    np.testing.assert_allclose(B.sum(axis=2), 1, rtol=1e-5)


def test_choice():
    """The most typical of those within 5 % of the least residual."""
    rng = np.random.RandomState(0)
    centre = rng.uniform(size=(3, 30))
    near = [2 * centre[::-1] + 0.02 * rng.normal(size=(3, 30)) for _ in range(4)]
    far = [rng.uniform(size=(3, 30)) for _ in range(2)]
    archetypes = np.array([far[0], *near[:2], centre, *near[2:], far[1]])
    assert choose(archetypes, np.full(7, 1.0)) == 3
    # all others leave too much
    assert choose(archetypes, np.array([1.0, 2, 2, 2, 2, 2, 1.04])) in (0, 6)
    assert choose(archetypes, np.array([1.0, 2, 2, 2, 2, 2, 1.06])) == 0
    assert choose(archetypes, np.array([2.0, 1, 2, 2, 1.04, 1.04, 1.04])) in (1, 4, 5)


def test_matched_angle_is_the_metric():
    E, F = np.random.RandomState(0).uniform(size=(2, 4, 10))
    assert matched_angle(E, F) == pytest.approx(endmember_angle(E, F))
    assert matched_angle(E, 3 * E[::-1]) == pytest.approx(0, abs=1e-7)


def test_l1_residual(spectra):
    A = csr_active_set(spectra, spectra[:3], sum_to_one=True).abundances
    weight = np.arange(150.0)
    expected = sum(w * abs(y - a @ spectra[:3]).sum() for w, y, a in zip(weight, spectra, A))
    assert l1_residual(spectra, spectra[:3], weight) == pytest.approx(expected)


def test_endmembers_are_in_units_of_the_spectra():
    library = make_endmembers(3, random_state=0)
    mixtures = make_mixtures(library, 1000, concentration=0.1, snr=40, random_state=0)
    brightness = np.random.RandomState(0).uniform(0.5, 1.5, size=(1000, 1))
    unmixer = ArchetypalAnalysis(3, n_init=5, random_state=0).fit(brightness * mixtures.spectra)
    found, true = unmixer.endmembers_, library.endmembers
    lengths = [np.linalg.norm(E, axis=1) for E in (found, true)]
    cosines = (found @ true.T) / np.outer(*lengths)
    order = cosines.argmax(axis=0)
    assert sorted(order) == [0, 1, 2]
    assert np.degrees(np.arccos(cosines.max(axis=0))).max() < 3
    np.testing.assert_allclose(lengths[0][order], lengths[1], rtol=0.3)
    error = unmixer.predict(brightness * mixtures.spectra)[:, order] - mixtures.abundances
    assert np.sqrt(np.mean(error**2)) < 0.1


def test_scale_does_not_matter(spectra):
    a = ArchetypalAnalysis(3, n_init=3, max_iter=10, random_state=0).fit(spectra)
    b = ArchetypalAnalysis(3, n_init=3, max_iter=10, random_state=0).fit(1024 * spectra)
    np.testing.assert_allclose(1024 * a.endmembers_, b.endmembers_, rtol=1e-3)


def test_sample(spectra):
    rng = np.random.RandomState(0)
    repeated = spectra[[0, 1, 1, 2, 2, 2]]
    Y, weight = distinct_pixels(repeated, None, 10, rng)
    for y, w in zip(Y, weight):
        assert w == (repeated == y).all(axis=1).sum()
    Y, weight = distinct_pixels(spectra, np.arange(150) % 2 * 2.0, 40, rng)
    assert Y.shape == (40, 20)
    assert (weight == 2).all()
    rows = [int(np.flatnonzero((spectra == y).all(axis=1))[0]) for y in Y]
    assert all(row % 2 for row in rows)
