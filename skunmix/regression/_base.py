"""The base class of both SunSAL regressors, which solves the problem of each pixel for one λ."""

import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches

from ..base import BaseUnmixer
from ..endmembers import check_endmembers
from ..solvers import (
    ADMMFactorization,
    LeastSquaresFactorization,
    Whitening,
    csr_active_set,
    csr_admm,
    csr_optimality,
    lasso,
    least_squares,
    least_squares_intervals,
    normalize_abundances,
)
from ..utils import Interval, StrOptions
from ..utils.groups import sum_groups
from ..utils.magnitudes import check_magnitudes

# Compared with 1, this saves a fifth to a third of the iterations for 4 to 240 endmembers.
_RELAXATION = 1.6
# Number of pixels whose certificates, or paths of λ, are computed at once.
BLOCK_SIZE = 4096
# Number of pixels that are whitened at once: enough for several threads.
_WHITENED = 2**14

SOLVER_CONSTRAINTS = {
    "solver": [StrOptions({"auto", "active-set", "admm"})],
    "mu": [Interval(Real, 0, None, closed="neither"), None],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "n_jobs": [Integral, None],
}


class BaseSunSAL(BaseUnmixer):
    """Base class of SunSALRegressor and SunSALRegressorCV: solves for one λ."""

    positive = True
    # the map of spectra with band weights or a covariance of the noise
    _whitening = None

    @property
    def _checks_finite(self):
        return self._whitening is not None  # otherwise the solvers check

    def _prepare(self, **noise):
        """Prepare what the solver uses in every call.

        `noise` is `band_weights` or `noise_covariance`.
        """
        self.n_iter_ = 1
        self._constrained = self.sum_to_one is True
        vars(self).pop("_whitening", None)
        self._rows = self.endmembers_
        if any(values is not None for values in noise.values()):
            self._whitening = Whitening(self.n_features_in_, bands=self.band_labels_, **noise)
            self._rows = self._whitening(self._check_kept_bands(self._whitening.kept))
        self._least_squares = None
        if not self.positive:
            self._check_unsigned()
            self._least_squares = LeastSquaresFactorization(
                self._rows, sum_to_one=self._constrained
            )
            if self._lam() == 0:
                self._least_squares.warn_if_not_unique(stacklevel=4)
        # "auto" is the active set, which is faster in all cases of benchmarks/sunsal.py
        self._factorization = (
            ADMMFactorization(self._rows, sum_to_one=self._constrained, mu=self.mu)
            if self.solver == "admm"
            else None
        )

    def _check_kept_bands(self, kept):
        """Return the endmembers, which must not be zero or equal in the bands with a weight."""
        try:
            check_endmembers(self.endmembers_[:, kept], kept.sum(), shade=self._constrained)
        except ValueError as error:
            raise ValueError(f"In the bands of positive band_weights, {error}") from None
        return self.endmembers_

    def _solve(self, X, lam, out=None):
        """Return the solution of the CSR problem for whitened spectra, before rescaling."""
        options = {"lam": lam, "max_iter": self.max_iter, "n_jobs": self.n_jobs, "out": out}
        if not self.positive:
            return self._solve_unsigned(X, options)
        if self._factorization is None:
            return csr_active_set(X, self._rows, sum_to_one=self._constrained, **options)
        solution = csr_admm(
            X,
            self._rows,
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

    def _solve_unsigned(self, X, options):
        """Return the solution of the problem without x ≥ 0."""
        self._check_unsigned()  # again, because λ may have been set after `fit`
        if options["lam"] > 0:
            return lasso(X, self._rows, **options)
        return least_squares(
            X,
            self._rows,
            factorization=self._least_squares,
            n_jobs=options["n_jobs"],
            out=options["out"],
        )

    def _check_unsigned(self):
        """Check the parameters of the problem without x ≥ 0."""
        for name, wrong, expected, why in (
            ("sum_to_one", self.sum_to_one == "normalize", "True or False", "a sum may be zero"),
            ("solver", self.solver == "admm", "'auto' or 'active-set'", "ADMM keeps x ≥ 0"),
            (
                "lam",
                self._constrained and self._lam() > 0,
                "0 for sum_to_one=True",
                "‖x‖₁ is not constant, and no solver has both",
            ),
        ):
            if wrong:
                raise ValueError(
                    f"Expected {name}={expected} with positive=False, got "
                    f"{getattr(self, name)!r}, because {why}; change {name}, or set positive=True."
                )

    def _unmix(self, X, out):
        if self._whitening is None:
            largest = self._solve(X, self._lam(), out).largest
        else:
            largest = None
            for block in gen_batches(len(X), _WHITENED):
                self._solve(self._whitening(X[block]), self._lam(), out[block])
        if self.sum_to_one == "normalize":
            normalize_abundances(out)
        return largest

    def endmember_abundances(self, X: ArrayLike) -> NDArray[Any]:
        """Estimate the abundances of all endmembers, also if `predict` sums them by group.

        `inverse_transform` reconstructs spectra from them.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        Returns
        -------
        abundances : ndarray of shape (n_pixels, n_endmembers)
            In the order of `endmembers_`.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.
        """
        return self._abundances(X)

    def predict_interval(
        self, X: ArrayLike, *, coverage: float = 0.9
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return intervals that hold the abundances in a share of the pixels, if errors are noise.

        They are in closed form, from least squares without x ≥ 0 over all endmembers, cut to the
        constraints: see :func:`skunmix.solvers.least_squares_intervals`. λ has no effect on them.
        The noise is measured by the residual of each pixel, weighted by `band_weights` or
        `noise_covariance` if the estimator has them. On real scenes a part of the error is the
        model's, which these intervals do not cover: see
        :class:`skunmix.uncertainty.ConformalUnmixer`.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        coverage : float, default=0.9
            The share, between 0 and 1, for each endmember or group.

        Returns
        -------
        lower, upper : ndarray of shape (n_pixels, n_endmembers) or (n_pixels, n_groups)
            In the order of the columns of `predict`.

        Raises
        ------
        ValueError
            If `coverage` is not between 0 and 1, the endmembers are linearly dependent or not fewer
            than the bands, ``positive=False``, the number of bands is not that of `fit`, or there
            is a NaN.
        """
        X = self._checked_spectra(X)
        check_magnitudes(X, "X")
        if not self.positive:
            raise ValueError(
                "Expected positive=True for intervals, got False; set positive=True, or use "
                "ConformalUnmixer."
            )
        sums = np.eye(self.n_endmembers_)
        if self._group_of is not None:
            sums = sum_groups(sums, self._group_of).T
        factorization = LeastSquaresFactorization(self._rows, sum_to_one=self._constrained)
        lower, upper = np.empty((2, len(X), len(sums)))
        for block in gen_batches(len(X), BLOCK_SIZE):
            lower[block], upper[block] = least_squares_intervals(
                X[block] if self._whitening is None else self._whitening(X[block]),
                self._rows,
                coverage=coverage,
                sum_to_one=self.sum_to_one,
                sums=sums,
                factorization=factorization,
            )
        if self._predict_1d:
            lower, upper = lower[:, 0], upper[:, 0]
        return lower, upper

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
            spectra = X[block] if self._whitening is None else self._whitening(X[block])
            residual[block] = csr_optimality(
                spectra,
                self._rows,
                self._solve(spectra, self._lam()).abundances,
                lam=self._lam(),
                sum_to_one=self._constrained,
                positive=self.positive,
            )
        return residual
