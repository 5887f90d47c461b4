"""Archetypal analysis by entropic descent: the maths of `ArchetypalAnalysis`."""

from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

# EDAA: steps in a round, and the factors of the step.
_N_STEPS = 5
_FACTORS = 2.0 ** np.arange(-3, 4)
# The start of the weights of candidates, softmax of uniform noise of this height.
_NOISE = 0.1
# Starts whose residual exceeds the least by at most this share are nearly the best, as in EDAA.
_NEARLY_BEST = 0.05
_TINY = 1e-30


def entropic_descent(Y, C, n_archetypes, rng, *, n_init, n_rounds, weight=None):
    r"""Find archetypes of spectra by entropic descent, from several starts at once.

    .. math:: \min_{A, B} \frac{1}{2} \|Y - A B C\|_F^2

    with rows of A and B on the simplex: spectra Y are mixtures of archetypes :math:`E = B C`, which
    are mixtures of candidates C. Steps are exponentiated gradients,
    :math:`A \propto A \exp(-\eta_A \nabla_A)`, in turns, as in EDAA, with a random factor of the
    step for each start.

    Parameters
    ----------
    Y : ndarray of shape (n_pixels, n_dimensions), float32
    C : ndarray of shape (n_candidates, n_dimensions), float32
    n_archetypes : int
    rng : RandomState
    n_init : int
        Number of starts.
    n_rounds : int
        Number of rounds, of five steps for A and five for B.
    weight : ndarray of shape (n_pixels,), default=None
        Weights of the pixels.

    Returns
    -------
    B : ndarray of shape (n_init, n_archetypes, n_candidates)
    """
    n_pixels = len(Y)
    weight = np.ones(n_pixels) if weight is None else weight / weight.mean()
    weight = weight.astype(np.float32)
    B = np.exp(_NOISE * rng.uniform(size=(n_init, n_archetypes, len(C)))).astype(np.float32)
    B /= B.sum(axis=2, keepdims=True)
    A = np.full((n_init, n_archetypes, n_pixels), 1 / n_archetypes, dtype=np.float32)
    factors = _FACTORS[rng.randint(len(_FACTORS), size=n_init)]
    largest = np.linalg.norm(B @ C, ord=2, axis=(1, 2)) ** 2
    step_a = (factors / largest).astype(np.float32)[:, np.newaxis, np.newaxis]
    ratio = np.float32(np.sqrt(n_archetypes / n_pixels))
    for _ in range(n_rounds):
        descend_in_turns(A, B, Y, C, weight, step_a, ratio * step_a)
    return B


def descend_in_turns(A, B, Y, C, weight, step_a, step_b):
    """Do the steps of a round, in place, for A and B with a first axis for the starts.

    A is transposed, (n_starts, n_archetypes, n_pixels), so that its products are those of large
    matrices.
    """
    E = B @ C
    G, P = E @ E.transpose(0, 2, 1), product(E, Y.T)
    for _ in range(_N_STEPS):
        descend(A, step_a * (G @ A - P), axis=1)
    weighted = A * weight
    H, Q = weighted @ A.transpose(0, 2, 1), product(weighted, Y)
    for _ in range(_N_STEPS):
        descend(B, step_b * product(H @ (B @ C) - Q, C.T), axis=2)


def descend(weights, step, axis):
    """Multiply weights on the simplex by exp(-step), and rescale them, in place."""
    step -= step.min(axis=axis, keepdims=True)
    np.negative(step, out=step)
    weights *= np.exp(step, out=step)
    np.maximum(weights, _TINY, out=weights)
    weights /= weights.sum(axis=axis, keepdims=True)


def product(stack, matrix):
    """Return the product of each matrix of a stack with the same matrix."""
    n, rows, columns = stack.shape
    return (stack.reshape(n * rows, columns) @ matrix).reshape(n, rows, -1)


def choose(archetypes, residuals):
    """Return the index of the start that most resembles the others of nearly the least residual.

    Its archetypes have the least mean angle to those of the others, after matching.

    Parameters
    ----------
    archetypes : ndarray of shape (n_init, n_archetypes, n_dimensions)
        In the coordinates of an orthonormal basis.
    residuals : ndarray of shape (n_init,)
        L1 norms.
    """
    nearly = np.flatnonzero(residuals <= residuals.min() / (1 - _NEARLY_BEST))
    distances = np.zeros((len(nearly), len(nearly)))
    for i, j in combinations(range(len(nearly)), 2):
        distances[i, j] = distances[j, i] = matched_angle(*archetypes[nearly[[i, j]]])
    return nearly[distances.sum(axis=1).argmin()]


def matched_angle(E, F):
    """Return the mean angle between matched rows of two matrices, in radians."""
    lengths = np.outer(np.linalg.norm(E, axis=1), np.linalg.norm(F, axis=1))
    angles = np.arccos(np.clip(E @ F.T / np.maximum(lengths, _TINY), -1, 1))
    return angles[linear_sum_assignment(angles)].mean()
