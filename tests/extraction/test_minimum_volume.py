"""The maths of MinimumVolume, and what it finds."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.utils import check_random_state

from skunmix.datasets import make_endmembers, make_mixtures, make_scene
from skunmix.extraction import NFINDR, MinimumVolume
from skunmix.extraction._minimum_volume import (
    excess,
    lower,
    make_problem,
    minimum_volume,
    volume_objective,
)
from skunmix.extraction._subspace import signal_subspace
from skunmix.solvers import csr_active_set


def angles(E, F):
    """Return the angle of each row of E to the closest row of F, in degrees."""
    E, F = (M / np.linalg.norm(M, axis=1, keepdims=True) for M in (E, F))
    return np.degrees(np.arccos(np.clip(E @ F.T, -1, 1))).min(axis=1)


@pytest.fixture(scope="module")
def mixtures():
    library = make_endmembers(4, n_bands=60, random_state=0)
    return make_mixtures(library, 500, concentration=0.7, snr=25, random_state=0)


def problem_of(mixtures, **kwargs):
    subspace = signal_subspace(mixtures.spectra, 3, centred=True)
    noise = subspace.energies[3:].mean()
    problem = make_problem(mixtures.spectra, subspace, noise, **kwargs)
    start = NFINDR(4, random_state=0).fit(mixtures.spectra).endmembers_
    return problem, subspace.project(start)


@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_gradient(mixtures, shift):
    """Against finite differences, also where spectra are negative."""
    weight = check_random_state(0).uniform(0, 2, 500)
    problem, F = problem_of(mixtures, sample_weight=weight)
    problem = problem._replace(origin=problem.origin + shift)
    w = 3 * problem.noise

    def objective(x):
        return volume_objective(problem, x.reshape(F.shape), w)[0]

    gradient = volume_objective(problem, F, w)[1].ravel()
    numerical = approx_fprime(F.ravel(), objective, 1e-6)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-3, atol=1e-5 * abs(gradient).max())


def test_objective_by_its_definition(mixtures):
    problem, F = problem_of(mixtures, positive=False)
    A = csr_active_set(problem.Z, F, sum_to_one=True).abundances
    edges = F[1:] - F[0]
    volume = np.sqrt(np.linalg.det(edges @ edges.T))  # times 3!
    problem = problem._replace(noise=1e-12)
    objective, _, residual, n_active = volume_objective(problem, F, 1.0)
    expected = np.mean(np.sum((problem.Z - A @ F) ** 2, axis=1))
    assert residual == pytest.approx(expected)
    assert n_active == pytest.approx(np.mean(np.sum(A > 0, axis=1)))
    # the Gram matrix of the centred vertices has the squared volume / 4 as its three eigenvalues'
    # product, and δ as the fourth eigenvalue
    log_det = np.log(volume**2 / 4) + np.log(30e-12)
    assert objective == pytest.approx(0.5 * expected + 0.5 * log_det)


def test_objective_decreases(mixtures):
    problem, F = problem_of(mixtures)
    w = 2 * problem.noise
    objectives = []
    for _ in range(8):
        objectives.append(volume_objective(problem, F, w)[0])
        F = lower(problem, F, w, 3).F
    assert (np.diff(objectives) <= 1e-12).all()
    assert objectives[-1] < objectives[0]


def test_weights_count_as_copies(mixtures):
    copies = np.arange(500) % 3 + 1
    weighted, F = problem_of(mixtures, sample_weight=copies.astype(float))
    repeated = weighted._replace(Z=weighted.Z.repeat(copies, axis=0), shares=None)
    repeated = repeated._replace(shares=np.full(copies.sum(), 1 / copies.sum()))
    a, b = (volume_objective(p, F, p.noise) for p in (weighted, repeated))
    np.testing.assert_allclose(a[0], b[0])
    np.testing.assert_allclose(a[1], b[1], atol=1e-14)


def test_larger_weights_are_smaller_simplices(mixtures):
    problem, F = problem_of(mixtures)

    def volume(multiple):
        F_ = lower(problem, F, multiple * problem.noise, 100).F
        edges = F_[1:] - F_[0]
        return np.linalg.det(edges @ edges.T)

    assert volume(0.5) > volume(1) > volume(2)


def test_the_weight_leaves_what_noise_leaves(mixtures):
    problem, F = problem_of(mixtures)
    fit = minimum_volume(problem, F, volume_weight="auto", max_iter=25)
    assert 0.5 < excess(problem, fit) < 1.15
    # what the true endmembers leave agrees with what noise leaves in theory
    subspace = signal_subspace(mixtures.spectra, 3, centred=True)
    truth = subspace.project(mixtures.endmembers)
    _, _, residual, n_active = volume_objective(problem, truth, 1.0)
    assert residual / (problem.noise * (3 - n_active + 1)) == pytest.approx(1, abs=0.15)


def test_finds_endmembers_without_pure_pixels():
    library = make_endmembers(4, random_state=0)
    mixtures = make_mixtures(library, 4000, n_active=(1, 3), snr=30, random_state=0)
    mixed = mixtures.abundances.max(axis=1) < 0.8
    X = mixtures.spectra[mixed]
    found = angles(library.endmembers, MinimumVolume(4, random_state=0).fit(X).endmembers_)
    assert found.max() < 1
    assert angles(library.endmembers, NFINDR(4, random_state=0).fit(X).endmembers_).max() > 2


def test_vertices_of_a_simplex_without_noise():
    library = make_endmembers(3, random_state=0)
    mixtures = make_mixtures(library, 800, n_active=2, snr=None, random_state=0)
    unmixer = MinimumVolume(3, random_state=0).fit(mixtures.spectra)
    assert angles(library.endmembers, unmixer.endmembers_).max() < 0.1


def test_order_of_pixels_does_not_matter():
    scene = make_scene(n_endmembers=3, shape=(20, 20), snr=30, random_state=0)
    order = np.random.RandomState(0).permutation(400)
    a, b = (
        MinimumVolume(3, random_state=0).fit(X).endmembers_
        for X in (scene.spectra, scene.spectra[order])
    )
    assert angles(a, b).max() < 1e-3


def test_positive():
    scene = make_scene(n_endmembers=3, shape=(20, 20), snr=20, random_state=0)
    X = scene.spectra - scene.spectra.min(axis=0).max()
    assert MinimumVolume(3, random_state=0).fit(X).endmembers_.min() >= 0
    assert MinimumVolume(3, positive=False, random_state=0).fit(X).endmembers_.min() < 0


def test_given_weight_and_bounded_sample():
    scene = make_scene(n_endmembers=3, shape=(30, 30), snr=30, random_state=0)
    unmixer = MinimumVolume(3, volume_weight=1e-4, max_samples=200, random_state=0)
    unmixer.fit(scene.spectra)
    assert unmixer.volume_weight_ == 1e-4
    assert angles(scene.endmembers, unmixer.endmembers_).max() < 15
