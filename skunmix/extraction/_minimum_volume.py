"""Least squares with a volume term: the maths of `MinimumVolume`."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from ..solvers import csr_active_set

# Factor between the weights that are tried, and the largest multiple of the noise's variance.
_STEP, _LARGEST = 2.0**0.5, 32.0
# A weight is taken if its residual exceeds what noise leaves by less than this factor.
_TOLERATED = 1.1
# Without noise: a variance that is this share of the signal's. Smaller ones converge more slowly,
# to a larger error.
_LEAST_NOISE = 1e-6
# Smaller weights, as shares of the signal, are approached in steps of this factor.
_APPROACH, _DOWN = 1e-5, 10.0
# δ as a multiple of the noise's variance: along an axis in which the simplex is shorter than the
# noise, its volume has no meaning, and would draw it together.
_DELTA = 30.0
# Number of past iterations from which L-BFGS knows the curvature.
_HISTORY = 20


class Problem(NamedTuple):
    """Spectra in an affine subspace, and what the objective needs of them.

    Z : (n_pixels, n_dims), coordinates; basis : (n_bands, n_dims), orthonormal columns;
    origin : (n_bands,); shares : (n_pixels,), weights of the pixels that sum to one;
    noise : variance of the noise of a band; positive : whether endmembers are at least 0.
    """

    Z: np.ndarray
    basis: np.ndarray
    origin: np.ndarray
    shares: np.ndarray
    noise: float
    positive: bool


class Fit(NamedTuple):
    """Endmembers F (n_endmembers, n_dims) at a weight, and what they leave.

    residual : mean squared residual of a pixel; n_active : mean number of endmembers in a pixel.
    """

    F: np.ndarray
    weight: float
    residual: float
    n_active: float
    n_iter: int


def make_problem(Y, subspace, noise, sample_weight=None, positive=True):
    """Return the problem for spectra Y, (n_pixels, n_bands), in a centred subspace."""
    if sample_weight is None:
        shares = np.full(len(Y), 1 / len(Y))
    else:
        shares = sample_weight / sample_weight.sum()
    Z = subspace.project(Y)
    least = _LEAST_NOISE * (shares @ np.square(Z).sum(axis=1))
    noise = max(noise, least)
    return Problem(Z, subspace.basis, subspace.origin, shares, noise, positive)


def minimum_volume(problem, F, *, volume_weight, max_iter):
    r"""Find endmembers by least squares with a volume term.

    They minimise :func:`volume_objective`. If `volume_weight` is "auto", it is the largest multiple
    of the noise's variance whose residual is not larger than what noise alone leaves,

    .. math:: \sigma^2 (d - \bar k + 1),

    but for a tolerance, where d is the dimension of the subspace and :math:`\bar k` the mean number
    of endmembers in a pixel: each endmember beyond the first fits one dimension of the noise. (For
    the projection on a cone this is exact: its statistical dimension is the mean dimension of
    the faces on which the projections lie.)

    Parameters
    ----------
    problem : Problem
    F : ndarray of shape (n_endmembers, n_dims)
        Start.
    volume_weight : float or "auto"
        w, in the units of the spectra squared.
    max_iter : int
        Largest number of iterations of L-BFGS for a weight.

    Returns
    -------
    fit : Fit
    """
    if volume_weight != "auto":
        return approach(problem, F, float(volume_weight), max_iter)
    best = fit = approach(problem, F, problem.noise, max_iter)
    if excess(problem, fit) <= _TOLERATED:
        while fit.weight < _LARGEST * problem.noise:
            fit = lower(problem, fit.F, _STEP * fit.weight, max_iter)
            if excess(problem, fit) > _TOLERATED:
                break
            best = fit
    else:
        while fit.weight > problem.noise / _LARGEST:
            fit = lower(problem, fit.F, fit.weight / _STEP, max_iter)
            if excess(problem, fit) < excess(problem, best):
                best = fit
            if excess(problem, fit) <= _TOLERATED:
                break
    return lower(problem, best.F, best.weight, 2 * max_iter)


def excess(problem, fit):
    """Return the ratio of the residual to what noise alone leaves."""
    n_dims = problem.Z.shape[1]
    return fit.residual / (problem.noise * max(n_dims - fit.n_active + 1, 1e-3))


def approach(problem, F, weight, max_iter):
    """Lower the objective at `weight`, by way of larger weights if it is very small."""
    larger = _APPROACH * (problem.shares @ np.square(problem.Z).sum(axis=1))
    while larger > _DOWN * weight:
        F = lower(problem, F, larger, max_iter).F
        larger /= _DOWN
    return lower(problem, F, weight, 2 * max_iter)


def lower(problem, F, weight, max_iter):
    """Lower the objective by L-BFGS from F."""

    # in units of the weight, so that the tolerances have a meaning
    def scaled(x):
        objective, gradient, *_ = volume_objective(problem, x.reshape(F.shape), weight)
        return objective / weight, gradient.ravel() / weight

    result = minimize(
        scaled,
        F.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iter, "maxcor": _HISTORY, "ftol": 1e-9, "gtol": 1e-7},
    )
    F = result.x.reshape(F.shape)
    _, _, residual, n_active = volume_objective(problem, F, weight)
    return Fit(F, weight, residual, n_active, max(result.nit, 1))


def volume_objective(problem, F, weight):
    r"""Return the objective of endmembers and its gradient, and what they leave.

    .. math:: J(F) = \min_A \frac{1}{2} \sum_i c_i \|z_i - a_i F\|^2
              + \frac{w}{2} \log\det(D D^T + \delta I)
              + \frac{1}{2} \|\min(F B^T + m, 0)\|^2

    with :math:`a_i` on the simplex, :math:`\sum_i c_i = 1`, and the endmembers less their mean D,
    so that the determinant is that of the squared volume of their simplex. The last term, if
    endmembers are to be positive, is of their spectra, with the basis B and the origin m. By the
    envelope theorem, the gradient of the minimum over A is the gradient at the minimiser.

    Returns
    -------
    objective : float
    gradient : ndarray of shape (n_endmembers, n_dims)
    residual : float
        The mean squared residual of a pixel.
    n_active : float
        The mean number of endmembers in a pixel.
    """
    A = csr_active_set(problem.Z, F, sum_to_one=True).abundances
    R = A @ F - problem.Z
    residual = problem.shares @ np.square(R).sum(axis=1)
    D = F - F.mean(axis=0)
    volume = D @ D.T + _DELTA * problem.noise * np.eye(len(F))
    shrink = np.linalg.solve(volume, D)
    objective = 0.5 * residual + 0.5 * weight * np.linalg.slogdet(volume)[1]
    gradient = (A.T * problem.shares) @ R + weight * (shrink - shrink.mean(axis=0))
    if problem.positive:
        negative = np.minimum(F @ problem.basis.T + problem.origin, 0.0)
        objective += 0.5 * np.square(negative).sum()
        gradient += negative @ problem.basis
    return objective, gradient, residual, problem.shares @ np.count_nonzero(A, axis=1)
