"""The base class of both SunSAL regressors, which solves the problem of each pixel for one λ."""

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from ..base import BaseUnmixer
from ..solvers import (
    ADMMFactorization,
    csr_active_set,
    csr_admm,
    csr_optimality,
    normalize_abundances,
)
from ..utils import Interval, StrOptions
from ..utils.magnitudes import check_magnitudes

# Compared with 1, this saves a fifth to a third of the iterations for 4 to 240 endmembers.
_RELAXATION = 1.6
# Number of pixels whose certificates, or paths of λ, are computed at once.
BLOCK_SIZE = 4096

SOLVER_CONSTRAINTS = {
    "solver": [StrOptions({"auto", "active-set", "admm"})],
    "mu": [Interval(Real, 0, None, closed="neither"), None],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "n_jobs": [Integral, None],
}


class BaseSunSAL(BaseUnmixer):
    """Base class of SunSALRegressor and SunSALRegressorCV: solves for one λ."""

    _checks_finite = False  # the solvers check

    def _prepare(self):
        """Prepare what the solver uses in every call."""
        self.n_iter_ = 1
        self._constrained = self.sum_to_one is True
        # "auto" is the active set, which is faster in all cases of benchmarks/sunsal.py
        self._factorization = (
            ADMMFactorization(self.endmembers_, sum_to_one=self._constrained, mu=self.mu)
            if self.solver == "admm"
            else None
        )

    def _solve(self, X, lam, out=None):
        """Return the solution of the CSR problem, before rescaling."""
        options = {"lam": lam, "max_iter": self.max_iter, "n_jobs": self.n_jobs, "out": out}
        if self._factorization is None:
            return csr_active_set(X, self.endmembers_, sum_to_one=self._constrained, **options)
        solution = csr_admm(
            X,
            self.endmembers_,
            tol=self.tol,
            relaxation=_RELAXATION,
            factorization=self._factorization,
            **options,
        )
        n_left = np.count_nonzero(~solution.converged)
        if n_left:
            warnings.warn(
                f"{n_left} of {len(X)} pixels did not converge in {self.max_iter} iterations; "
                f"increase max_iter or tol, or set solver='active-set'.",
                ConvergenceWarning,
                stacklevel=5,
            )
        return solution

    def _unmix(self, X, out):
        solution = self._solve(X, self._lam(), out)
        if self.sum_to_one == "normalize":
            normalize_abundances(out)
        return solution.largest

    def optimality(self, X: ArrayLike) -> NDArray[Any]:
        """Return the KKT residuals of the solutions, which certify them.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        Returns
        -------
        residual : ndarray of shape (n_pixels,)
            Distance of each pixel's solution, in float64 and before rescaling, from the optimum of
            its problem: see :func:`skunmix.solvers.csr_optimality`. Up to 1e-8 certifies it.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.
        """
        X = self._checked_spectra(X)
        check_magnitudes(X, "X")
        residual = np.empty(len(X))
        for block in gen_batches(len(X), BLOCK_SIZE):
            residual[block] = csr_optimality(
                X[block],
                self.endmembers_,
                self._solve(X[block], self._lam()).abundances,
                lam=self._lam(),
                sum_to_one=self._constrained,
            )
        return residual

    def _message_y_missing(self):
        return (
            f"{type(self).__name__} without endmembers requires y to be passed, but the target y "
            f"is None: pass the spectra of the endmembers as `endmembers`, or abundances to "
            f"estimate them from."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.endmembers is None
        return tags
