"""Least squares with a volume term: the maths of `MinimumVolume`."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from ..solvers import csr_active_set

# Weights that are tried, as multiples of the variance of the noise. In the limit of many pixels of
# uniform abundances, the multiple of maximum likelihood is 1.
_MULTIPLES = 2.0 ** np.arange(-2.0, 2.25, 0.5)
# The residual by which the weight is chosen may exceed what noise leaves by this factor, before
# larger weights are given up.
_GIVE_UP = 2.5
# A weight is taken if its residual exceeds what noise leaves by less than this factor.
_TOLERATED = 1.05
# Without noise: a variance that is this share of the signal's.
_LEAST_NOISE = 1e-8
# Smaller weights, as shares of the signal, are approached in steps of this factor.
_APPROACH, _STEP = 1e-6, 10.0
# δ and the weight of negative values, as shares of the signal and of the squared residual.
_DELTA, _PENALTY = 1e-10, 1.0
_HISTORY = 20


class Problem(NamedTuple):
    """Spectra in a subspace, and what the objective needs of them.

    Z : (n_pixels, n_dimensions); basis : (n_bands, n_dimensions), orthonormal columns;
    shares : (n_pixels,), weights of the pixels that sum to one; delta : δ.
    """

    Z: np.ndarray
    basis: np.ndarray
    shares: np.ndarray
    delta: float
    positive: bool


class Fit(NamedTuple):
    """Endmembers F (n_endmembers, n_dimensions) at a weight, and what they leave."""

    F: np.ndarray
    weight: float
    residual: float
    n_active: float
    objective: float
    n_iter: int


def make_problem(Z, basis, sample_weight=None, positive=True):
    """Return the problem for spectra Z in the coordinates of an orthonormal basis."""
    if sample_weight is None:
        shares = np.full(len(Z), 1 / len(Z))
    else:
        shares = sample_weight / sample_weight.sum()
    signal = shares @ np.square(Z).sum(axis=1)
    return Problem(Z, basis, shares, _DELTA * signal, positive)


def minimum_volume(problem, F, *, volume_weight, noise_variance, max_iter):
    r"""Find endmembers by least squares with a volume term.

    They minimise :func:`volume_objective`. With `volume_weight` "auto", the weights are multiples
    of the variance of the noise, from weak to strong, each from the result of the last. The one
    is taken whose residual is closest to what noise alone leaves,

    .. math:: \sigma^2 (d - \bar k + 1),

    where d is the dimension of the subspace and :math:`\bar k` the mean number of endmembers in a
    pixel: each endmember beyond the first fits one dimension of the noise. (This is exact for
    the projection on a cone, whose statistical dimension is the mean dimension of the faces.)

    Parameters
    ----------
    problem : Problem
    F : ndarray of shape (n_endmembers, n_dimensions)
        Start.
    volume_weight : float or "auto"
        w, in the units of the spectra squared.
    noise_variance : float
        :math:`\sigma^2`, the variance of the noise of a band.
    max_iter : int
        Largest number of iterations of L-BFGS for a weight.

    Returns
    -------
    fit : Fit
    """
    n_dimensions = problem.Z.shape[1]
    signal = problem.shares @ np.square(problem.Z).sum(axis=1)
    if volume_weight != "auto":
        return approach(problem, F, float(volume_weight), signal, max_iter)
    variance = max(noise_variance, _LEAST_NOISE * signal)
    fit = approach(problem, F, _MULTIPLES[0] * variance, signal, max_iter)
    best, least = fit, np.inf
    for multiple in _MULTIPLES:
        fit = lower(problem, fit.F, multiple * variance, max_iter)
        excess = fit.residual / (variance * (n_dimensions - fit.n_active + 1))
        if excess <= max(least, _TOLERATED):
            best, least = fit, excess
        if excess > _GIVE_UP:
            break
    return lower(problem, best.F, best.weight, 4 * max_iter)


def approach(problem, F, weight, signal, max_iter):
    """Lower the objective at `weight`, by way of stronger weights where it is very small."""
    strong = _APPROACH * signal
    while strong > _STEP * weight:
        F = lower(problem, F, strong, max_iter).F
        strong /= _STEP
    return lower(problem, F, weight, 4 * max_iter)


def lower(problem, F, weight, max_iter):
    """Lower the objective by L-BFGS from F, with the abundances always at their optimum."""
    # of the order of one
    scale = 1 / max(weight, 1e-300)

    def scaled(x):
        objective, gradient, *_ = volume_objective(problem, x.reshape(F.shape), weight)
        return scale * objective, scale * gradient.ravel()

    result = minimize(
        scaled,
        F.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iter, "maxcor": _HISTORY, "ftol": 1e-10, "gtol": 1e-7},
    )
    F = result.x.reshape(F.shape)
    objective, _, residual, n_active = volume_objective(problem, F, weight)
    return Fit(F, weight, residual, n_active, objective, max(result.nit, 1))


def volume_objective(problem, F, weight):
    r"""Return the objective of endmembers and its gradient, and what they leave.

    .. math:: J(F) = \min_A \frac{1}{2} \sum_i c_i \|z_i - a_i F\|^2
              + \frac{w}{2} \log\det(F F^T + \delta I)
              + \frac{1}{2} \|\min(F B^T, 0)\|^2

    with :math:`a_i` on the simplex and :math:`\sum_i c_i = 1`. The last term, if endmembers are
    to be positive, keeps their spectra :math:`F B^T` from being negative. By the envelope theorem,
    the gradient of the minimum over A is the gradient at the optimal A.

    Returns
    -------
    objective : float
    gradient : ndarray of shape (n_endmembers, n_dimensions)
    residual : float
        The mean squared residual of a pixel.
    n_active : float
        The mean number of endmembers in a pixel.
    """
    Z, basis, shares, delta, positive = problem
    A = csr_active_set(Z, F, sum_to_one=True).abundances
    R = A @ F - Z
    residual = shares @ np.square(R).sum(axis=1)
    volume = F @ F.T + delta * np.eye(len(F))
    objective = 0.5 * residual + 0.5 * weight * np.linalg.slogdet(volume)[1]
    gradient = (A.T * shares) @ R + weight * np.linalg.solve(volume, F)
    if positive:
        negative = np.minimum(F @ basis.T, 0.0)
        objective += 0.5 * _PENALTY * np.square(negative).sum()
        gradient += _PENALTY * negative @ basis
    return objective, gradient, residual, shares @ np.count_nonzero(A, axis=1)
