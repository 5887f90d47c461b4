"""Other solvers of CSR, each as a function of (spectra, endmembers, lam, threads).

`prepare` does what a user of the package would do once, such as changing memory layouts, which is
not timed. It returns the function to time, which returns abundances of shape
(n_pixels, n_endmembers).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from sklearn.decomposition import sparse_encode
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso

from skunmix.solvers import csr_active_set, csr_admm

try:
    import spams
except ImportError:
    spams = None

OURS = "skunmix, active set"


@dataclass(frozen=True)
class Peer:
    """A solver, and the problems that it solves."""

    name: str
    prepare: Callable
    max_pixels: int | None = None  # a loop in Python is timed on this many pixels, and scaled
    lams: str = "any"
    missing: str = ""


def _active_set(spectra, endmembers, lam, threads):
    return lambda: csr_active_set(spectra, endmembers, lam=lam, n_jobs=threads).abundances


def _admm(spectra, endmembers, lam, threads):
    def run():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return csr_admm(spectra, endmembers, lam=lam, n_jobs=threads).abundances

    return run


def textbook_sunsal(spectra, endmembers, lam, tol=1e-4, max_iter=1000):
    """Return abundances by a textbook SUnSAL: all pixels at once, with one stopping criterion.

    The equations are those of Bioucas-Dias and Figueiredo (2010), with common settings: the data
    are divided by their root mean square; µ starts at 0.01 + 10 λ, and is doubled or halved every
    ten iterations if one residual is ten times the other; the tolerance is √(n_pixels ·
    n_endmembers) · 1e-4.
    """
    scale = np.sqrt(np.mean(spectra**2))
    A, Y, lam = endmembers.T / scale, spectra.T / scale, lam / scale**2
    n_endmembers, n_pixels = A.shape[1], Y.shape[1]
    tol = tol * np.sqrt(n_endmembers * n_pixels)
    eigenvalues, U = np.linalg.eigh(A.T @ A)
    AtY = A.T @ Y
    mu = 1e-2 + 10 * lam
    inverse = (U / (eigenvalues + mu)) @ U.T
    x = inverse @ AtY
    z = x
    d = np.zeros_like(x)
    for iteration in range(1, max_iter + 1):
        z_previous = z
        z = np.maximum(x - d - lam / mu, 0.0)
        x = inverse @ (AtY + mu * (z + d))
        d = d - (x - z)
        if iteration % 10 == 1:
            primal = np.linalg.norm(x - z)
            dual = mu * np.linalg.norm(z - z_previous)
            if primal <= tol and dual <= tol:
                break
            factor = 2.0 if primal > 10 * dual else 0.5 if dual > 10 * primal else 1.0
            if factor != 1.0:
                mu, d = factor * mu, d / factor
                inverse = (U / (eigenvalues + mu)) @ U.T
    return z.T


def _textbook(spectra, endmembers, lam, threads):
    return lambda: textbook_sunsal(spectra, endmembers, lam)


def _spams(spectra, endmembers, lam, threads):
    # mode 2 has the same objective, ½‖y − Ax‖² + λ1‖x‖₁
    Y, A = np.asfortranarray(spectra.T), np.asfortranarray(endmembers.T)

    def run():
        return spams.lasso(Y, D=A, lambda1=float(lam), mode=2, pos=True, numThreads=threads)

    run.dense = lambda sparse: sparse.T.toarray()
    return run


def _nnls(spectra, endmembers, lam, threads):
    A = np.ascontiguousarray(endmembers.T)
    return lambda: np.array([nnls(A, y, maxiter=10 * A.shape[1])[0] for y in spectra])


def _lasso(spectra, endmembers, lam, threads):
    A = np.asfortranarray(endmembers.T)
    # Lasso minimises 1/(2 n_bands) ‖y − Ax‖² + α‖x‖₁
    model = Lasso(alpha=lam / len(A), positive=True, fit_intercept=False, precompute=A.T @ A)
    return lambda: _quietly(lambda: np.array([model.fit(A, y).coef_ for y in spectra]))


def _sparse_encode(algorithm):
    def prepare(spectra, endmembers, lam, threads):
        return lambda: _quietly(
            lambda: sparse_encode(
                spectra, endmembers, algorithm=algorithm, alpha=lam, positive=True, n_jobs=threads
            )
        )

    return prepare


def _quietly(function):
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the table shows what has not converged at the default tolerance
        return function()


def peers(quick=False):
    """Return the solvers, that of skunmix first."""
    some = 20 if quick else 100
    return [
        Peer(OURS, _active_set),
        Peer("skunmix, ADMM", _admm, max_pixels=some),
        Peer("SPAMS lasso", _spams, missing="" if spams else "pip install spams-bin"),
        Peer("scipy nnls, loop", _nnls, max_pixels=10 * some, lams="0"),
        Peer("sklearn Lasso, loop", _lasso, max_pixels=some, lams="> 0"),
        Peer("sparse_encode lasso_cd", _sparse_encode("lasso_cd"), max_pixels=some, lams="> 0"),
        Peer("sparse_encode lasso_lars", _sparse_encode("lasso_lars"), max_pixels=some, lams="> 0"),
        Peer("SUnSAL, textbook", _textbook),
    ]
