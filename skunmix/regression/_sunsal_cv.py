"""Sparse unmixing by constrained regression, with λ chosen by cross-validation."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy.stats import rankdata
from sklearn.model_selection import check_cv
from sklearn.utils import check_array, gen_batches

from ..endmembers import estimate_endmembers
from ..solvers import csr_path, normalize_abundances
from ..utils import Interval, StrOptions, fit_context, restored_on_error
from ._base import BLOCK_SIZE, BaseSunSAL
from ._sunsal import SunSALRegressor


class SunSALRegressorCV(BaseSunSAL):
    """Sparse unmixing with λ chosen by cross-validation.

    The whole path of λ is solved at once, each pixel going down from the largest λ to the smallest
    with the last solution as its start. With abundances, a λ is scored by the abundances of
    held-out pixels; without them, by how well the abundances that are found from some of the bands
    rebuild the others.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), default=None
        Endmember spectra, one a row, in the units of the spectra; (n_bands, n_endmembers) is
        turned. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`: for each fold from its training pixels, and in the
        end from all.

    lams : int or array-like of shape (n_lams,), default=12
        The λ ≥ 0 to choose from, or their number: they then lie evenly, on the logarithmic scale,
        between the smallest λ for which all abundances are zero and `eps` times it.

    eps : float, default=1e-6
        Length of the path, λ_min / λ_max, where `lams` is a number.

    sum_to_one : {False, "normalize"}, default=False
        As for :class:`SunSALRegressor`. The constraint proper is missing as λ has no effect on it.

    cv : int, cross-validation generator or iterable, default=None
        With abundances, how to split the pixels: None is 5-fold, and the rest as scikit-learn has
        it. Without them, how to split the bands; a number n, or None for 5, takes every n-th band
        for a fold, so that no part of the spectrum goes unseen.

    solver : {"auto", "active-set", "admm"}, default="auto"
        "active-set" is exact, and "admm" SUnSAL itself, the alternating direction method of
        multipliers. "auto" takes what is fastest, which is "active-set". It is compiled by numba
        on first use, which takes some seconds, and kept on disk.

    mu : float, default=None
        µ > 0, the penalty of ADMM, in the units of the spectra squared. None takes √(λ_min λ_max)
        of AᵀA.

    max_iter : int, default=10_000
        The most iterations of ADMM, or exchanges of the active set, that a pixel may take.

    tol : float, default=1e-8
        With ADMM a pixel has converged when its own primal and dual residual, each over its
        scale, are at most this. The active set needs no tolerance.
    n_jobs : int, default=None
        Number of threads; None means 1 unless in a :obj:`joblib.parallel_config` context, -1
        means all processors.

    Attributes
    ----------
    lam_ : float
        The chosen λ, which `predict` solves for.

    lam_path_ : ndarray of shape (n_lams,)
        The λ that were tried, descending.

    cv_results_ : dict of ndarrays of shape (n_lams,)
        ``"param_lam"``, ``"split0_test_score"``, …, ``"mean_test_score"``, ``"std_test_score"``
        and ``"rank_test_score"``, to be read as a DataFrame. A score is minus the RMSE, the mean
        over pixels of each pixel's, of abundances or of the held-out bands.

    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers as used.

    n_endmembers_ : int
        Number of endmembers.

    n_iter_ : int
        Passes over the data made by the final fit: always 1.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, when the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, numbers too, if the spectra had such.

    See Also
    --------
    SunSALRegressor : The same for a given λ.

    Notes
    -----
    Without abundances the path is that of the bands which are left, whose share of ½‖y − Ax‖² is
    smaller; λ is scaled by their fraction, so that it means the same as for all bands.

    Examples
    --------
    >>> from skunmix import SunSALRegressorCV
    >>> from skunmix.datasets import make_endmembers, make_mixtures
    >>> library = make_endmembers(60, random_state=0).endmembers
    >>> scene = make_mixtures(library, 200, n_active=3, snr=30, random_state=0)
    >>> model = SunSALRegressorCV(endmembers=library).fit(scene.spectra, scene.abundances)
    >>> bool(0 < model.lam_ < 1)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "endmembers": ["array-like", None],
        "lams": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "sum_to_one": [StrOptions({"normalize"}), "boolean"],
        "cv": ["cv_object"],
        "solver": SunSALRegressor._parameter_constraints["solver"],
        "mu": SunSALRegressor._parameter_constraints["mu"],
        "max_iter": SunSALRegressor._parameter_constraints["max_iter"],
        "tol": SunSALRegressor._parameter_constraints["tol"],
        "n_jobs": SunSALRegressor._parameter_constraints["n_jobs"],
    }

    def __init__(
        self,
        endmembers=None,
        *,
        lams=12,
        eps=1e-6,
        sum_to_one=False,
        cv=None,
        solver="auto",
        mu=None,
        max_iter=10_000,
        tol=1e-8,
        n_jobs=None,
    ):
        self.endmembers = endmembers
        self.lams = lams
        self.eps = eps
        self.sum_to_one = sum_to_one
        self.cv = cv
        self.solver = solver
        self.mu = mu
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, endmembers=None):
        """Choose λ.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one a row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,), default=None
            Abundances to score by, and to estimate the endmembers from where they are not given.
            With several endmembers given, a one-dimensional `y` is not looked at: it is what a
            later step of a pipeline learns.

        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, in place of the parameter of that name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As :meth:`SunSALRegressor.fit`, if there are too few pixels or bands for the folds, or
            ``sum_to_one=True``.
        """
        if self.sum_to_one is True:
            raise ValueError(
                "sum_to_one=True leaves no λ to choose, as ‖x‖₁ is then 1 for every x; expected "
                "False or 'normalize', or use SunSALRegressor."
            )
        with restored_on_error(self):
            X, y = self._fit_endmembers(X, y, endmembers)
            self._prepare()
            self.lam_path_ = self._path(X)
            if y is None:
                errors = self._errors_of_bands(X)
            else:
                given = None if self._endmembers_estimated else self.endmembers_
                errors = self._errors_of_pixels(X, y, given)
            self._rank(np.array(errors))
        return self

    def _path(self, X):
        """Return the λ to try, descending."""
        if isinstance(self.lams, Integral):
            # above it the gradient λ − Aᵀy of each pixel is positive at x = 0
            largest = max(
                (np.asarray(X[block], dtype=np.float64) @ self.endmembers_.T).max()
                for block in gen_batches(len(X), BLOCK_SIZE)
            )
            largest = largest if largest > 0 else 1.0
            return largest * np.geomspace(1.0, self.eps, self.lams)
        lams = check_array(self.lams, ensure_2d=False, dtype=np.float64, input_name="lams")
        if lams.ndim != 1 or lams.min() < 0:
            raise ValueError(
                f"lams must be a number of values or a list of values of at least 0, but is an "
                f"array of shape {lams.shape} with the smallest value {lams.min():g}."
            )
        return np.sort(lams)[::-1]

    def _errors_of_pixels(self, X, y, endmembers):
        """Return for each fold of pixels the RMSE of abundances for each λ."""
        errors = []
        for train, test in check_cv(self.cv).split(X, y):
            fold = estimate_endmembers(X[train], y[train]) if endmembers is None else endmembers
            errors.append(
                self._mean_rmse(
                    X[test], fold, self.lam_path_, lambda rows, x, test=test: x - y[test][rows]
                )
            )
        return errors

    def _errors_of_bands(self, X):
        """Return for each fold of bands the RMSE of their reconstruction for each λ."""
        n_bands = X.shape[1]
        if self.cv is None or isinstance(self.cv, Integral):
            n_folds = self.cv or 5
            folds = [np.arange(n_bands) % n_folds == fold for fold in range(n_folds)]
            if n_bands < max(n_folds, 2):
                raise ValueError(
                    f"{type(self).__name__} on {n_bands} bands requires y to be passed, but the "
                    f"target y is None: the bands are too few to hold them out in {n_folds} "
                    f"folds; pass abundances, or a smaller cv."
                )
            splits = [(np.flatnonzero(~fold), np.flatnonzero(fold)) for fold in folds]
        else:
            splits = check_cv(self.cv).split(np.arange(n_bands)[:, np.newaxis])
        errors = []
        for seen, held_out in splits:
            errors.append(
                self._mean_rmse(
                    X[:, seen],
                    self.endmembers_[:, seen],
                    self.lam_path_ * len(seen) / n_bands,
                    lambda rows, x, held_out=held_out: (
                        x @ self.endmembers_[:, held_out] - X[rows][:, held_out]
                    ),
                    rescale=False,
                )
            )
        return errors

    def _mean_rmse(self, X, endmembers, lams, residual, rescale=True):
        """Return for each λ the mean over pixels of the RMSE of residual(rows, abundances)."""
        total = np.zeros(len(lams))
        for block in gen_batches(len(X), BLOCK_SIZE):
            path = csr_path(
                X[block], endmembers, lams, max_iter=self.max_iter, n_jobs=self.n_jobs
            ).abundances
            for k, abundances in enumerate(path):
                if rescale and self.sum_to_one == "normalize":
                    normalize_abundances(abundances)
                total[k] += np.sqrt((residual(block, abundances) ** 2).mean(axis=1)).sum()
        return total / len(X)

    def _rank(self, errors):
        """Set the table of scores, and the best λ."""
        scores = {f"split{i}_test_score": -fold for i, fold in enumerate(errors)}
        mean = -errors.mean(axis=0)
        self.cv_results_ = {
            "param_lam": self.lam_path_,
            **scores,
            "mean_test_score": mean,
            "std_test_score": errors.std(axis=0),
            "rank_test_score": rankdata(-mean, method="min").astype(np.int32),
        }
        # of equals the largest λ, which is the sparsest solution
        self.lam_ = float(self.lam_path_[np.argmax(mean)])

    def _lam(self):
        return self.lam_
