"""Sparse unmixing by constrained regression, with λ chosen by cross-validation."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.model_selection import check_cv
from sklearn.utils import check_array, gen_batches

from ..endmembers import ENDMEMBERS, estimate_endmembers
from ..solvers import csr_path, normalize_abundances
from ..utils import Interval, StrOptions, fit_context
from ..utils.groups import mean_groups
from ..utils.magnitudes import check_magnitudes, warn_of_mixtures
from ..utils.state import restored_on_error
from ._base import BLOCK_SIZE, SOLVER_CONSTRAINTS, BaseSunSAL


class SunSALRegressorCV(BaseSunSAL):
    """Sparse unmixing with λ chosen by cross-validation.

    The whole path of λ is solved at once: each pixel starts at the largest λ, and each solution is
    the start for the next smaller λ. With abundances, the score of a λ is the error of the
    abundances of held-out pixels. Without them, it is the error of held-out bands, reconstructed
    from the abundances that the other bands give.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
        Endmember spectra, one per row, in the units of the spectra. (n_bands, n_endmembers) is
        transposed. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`: from the training pixels of each fold, and from all
        pixels for the final model. An extractor, which is any estimator that has `endmembers_`
        after ``fit(X)``, is cloned and fitted to the spectra given to `fit`; see
        :mod:`skunmix.extraction`.

    groups : array-like of shape (n_endmembers,), str or int, default=None
        A label for each endmember, such as its material. `predict` and `transform` then return the
        sum of the abundances of each group, and abundances given to `fit` and `score` have a column
        for each group. Labels of a Series, or keys of a dict, are matched to the names of the
        endmembers. A string is the name of a level of the index (or of a column or coordinate) of
        `endmembers`, or "class" for the classes of a library. An int is the number of a level.

    lams : int or array-like of shape (n_lams,), default=12
        The λ ≥ 0 to choose from, or their number. A number gives logarithmically spaced λ from the
        smallest λ for which all abundances are zero down to `eps` times it.

    eps : float, default=1e-6
        Ratio of the smallest to the largest λ, if `lams` is a number.

    sum_to_one : {False, "normalize"}, default=False
        As for :class:`SunSALRegressor`. True is not allowed, because λ then has no effect.

    cv : int, cross-validation generator or iterable, default=None
        With abundances, how to split the pixels, as in scikit-learn; None is 5-fold. Without them,
        how to split the bands: with a number n, or 5 for None, each fold holds every n-th band, so
        that the other folds cover all parts of the spectrum.

    solver : {"auto", "active-set", "admm"}, default="auto"
        "active-set" is exact. "admm" is SUnSAL itself, the alternating direction method of
        multipliers. "auto" takes the fastest, which is "active-set". numba compiles it on first
        use, which takes some seconds, and keeps it on disk.

    mu : float, default=None
        µ > 0, the penalty of ADMM, in the units of the spectra squared. None takes √(λ_min λ_max)
        of AᵀA.

    max_iter : int, default=10_000
        Largest number of iterations of ADMM, or of exchanges of the active set, for a pixel.

    tol : float, default=1e-8
        With ADMM, a pixel has converged if its own primal and dual residuals, each divided by its
        scale, are not larger than this. The active set needs no tolerance.

    n_jobs : int, default=None
        Number of threads; None means 1 unless in a :obj:`joblib.parallel_config` context, -1
        means all processors.

    Attributes
    ----------
    lam_ : float
        The best λ, which `predict` uses.

    lam_path_ : ndarray of shape (n_lams,)
        The λ of the path, in descending order.

    cv_results_ : dict of ndarrays of shape (n_lams,)
        ``"param_lam"``, ``"split0_test_score"``, …, ``"mean_test_score"``, ``"std_test_score"`` and
        ``"rank_test_score"``. Pass it to :class:`pandas.DataFrame` to read it. A score is the
        negative RMSE of the abundances or of the held-out bands: the mean over pixels of each
        pixel's RMSE.

    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, as used.

    n_endmembers_ : int
        Number of endmembers.

    groups_ : ndarray of shape (n_groups,)
        Names of the groups, in the order of their first endmember, if `groups` is given.

    extractor_ : estimator
        The fitted extractor, if `endmembers` is one.

    n_iter_ : int
        Number of passes of the final fit over the data: always 1.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    SunSALRegressor : The same regression, for a given λ.

    Notes
    -----
    Without abundances, each fold solves the problem for a part of the bands, for which ½‖y − Ax‖²
    is smaller. λ is multiplied by the fraction of these bands, so that it has the same meaning as
    for all bands.

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
        "endmembers": list(ENDMEMBERS),
        "groups": ["array-like", str, Integral, None],
        "lams": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "sum_to_one": [StrOptions({"normalize"}), "boolean"],
        "cv": ["cv_object"],
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        endmembers: Any = None,
        *,
        groups: Any = None,
        lams: Any = 12,
        eps: float = 1e-6,
        sum_to_one: bool | str = False,
        cv: Any = None,
        solver: str = "auto",
        mu: float | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-8,
        n_jobs: int | None = None,
    ) -> None:
        self.endmembers = endmembers
        self.groups = groups
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
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None) -> Self:
        """Choose λ.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,), default=None
            Abundances, for the scores, and to estimate the endmembers if they are not given. If
            several endmembers are given, a one-dimensional `y` is ignored, as it is the target of a
            later step of a pipeline.

        endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
            Endmember spectra, used instead of the parameter of the same name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As in :meth:`SunSALRegressor.fit`, or if there are too few pixels or bands for the
            folds, or if ``sum_to_one=True``.
        """
        if self.sum_to_one is True:
            raise ValueError(
                "Expected sum_to_one to be False or 'normalize', got True, for which λ has no "
                "effect, as ‖x‖₁ is then 1 for every x; use SunSALRegressor."
            )
        with restored_on_error(self):
            X, y = self._fit_endmembers(X, y, endmembers, groups=self.groups)
            check_magnitudes(X, "X")
            self._prepare()
            self.lam_path_ = self._path(X)
            if y is None:
                errors = self._errors_of_bands(X)
            else:
                given = None if self._endmembers_estimated else self.endmembers_
                if given is not None:
                    pure = given if self.groups is None else mean_groups(given, self._group_of)
                    warn_of_mixtures(y, pure, X, stacklevel=3)
                errors = self._errors_of_pixels(X, y, given)
            self._rank(np.array(errors))
        return self

    def _path(self, X):
        """Return the λ of the path, in descending order."""
        if isinstance(self.lams, Integral):
            # above this λ, the gradient λ − Aᵀy of each pixel is positive at x = 0
            largest = max(
                (np.asarray(X[block], dtype=np.float64) @ self.endmembers_.T).max()
                for block in gen_batches(len(X), BLOCK_SIZE)
            )
            largest = largest if largest > 0 else 1.0
            return largest * np.geomspace(1.0, self.eps, self.lams)
        lams = check_array(self.lams, ensure_2d=False, dtype=np.float64, input_name="lams")
        if lams.ndim != 1 or lams.min() < 0:
            raise ValueError(
                f"Expected lams as a number of values, or a list of values of at least 0, got an "
                f"array of shape {lams.shape} with the smallest value {lams.min():g}; pass one of "
                f"these."
            )
        return np.sort(lams)[::-1]

    def _errors_of_pixels(self, X, y, endmembers):
        """Return the RMSE of abundances for each fold of pixels and each λ."""
        errors = []
        for train, test in check_cv(self.cv).split(X, y):
            fold = estimate_endmembers(X[train], y[train]) if endmembers is None else endmembers
            errors.append(self._mean_rmse(X[test], fold, self.lam_path_, y=y[test]))
        return errors

    def _errors_of_bands(self, X):
        """Return the RMSE of the reconstruction for each fold of bands and each λ."""
        n_bands = X.shape[1]
        if self.cv is None or isinstance(self.cv, Integral):
            n_folds = self.cv or 5
            folds = [np.arange(n_bands) % n_folds == fold for fold in range(n_folds)]
            if n_bands < max(n_folds, 2):
                raise ValueError(
                    f"{type(self).__name__} on {n_bands} bands requires y to be passed, but the "
                    f"target y is None, and the bands are too few for {n_folds} folds; pass "
                    f"abundances, or a smaller cv."
                )
            splits = [(np.flatnonzero(~fold), np.flatnonzero(fold)) for fold in folds]
        else:
            splits = check_cv(self.cv).split(np.arange(n_bands)[:, np.newaxis])
        return [
            self._mean_rmse(
                X[:, seen],
                self.endmembers_[:, seen],
                self.lam_path_ * len(seen) / n_bands,
                mix=self.endmembers_[:, held_out],
                y=X[:, held_out],
            )
            for seen, held_out in splits
        ]

    def _mean_rmse(self, X, endmembers, lams, *, y, mix=None):
        """Return the mean over pixels of the RMSE of abundances, or of their mixtures, for each λ.

        With `mix`, spectra of held-out bands, `y` holds the measured spectra of these bands.
        """
        total = np.zeros(len(lams))
        for block in gen_batches(len(X), BLOCK_SIZE):
            path = csr_path(
                X[block], endmembers, lams, max_iter=self.max_iter, n_jobs=self.n_jobs
            ).abundances
            for k, abundances in enumerate(path):
                if mix is not None:
                    abundances = abundances @ mix
                else:
                    if self.sum_to_one == "normalize":
                        normalize_abundances(abundances)
                    abundances = self._by_group(abundances)
                total[k] += np.sqrt(((abundances - y[block]) ** 2).mean(axis=1)).sum()
        return total / len(X)

    def _rank(self, errors):
        """Set the table of scores and the best λ."""
        scores = {f"split{i}_test_score": -fold for i, fold in enumerate(errors)}
        mean = -errors.mean(axis=0)
        self.cv_results_ = {
            "param_lam": self.lam_path_,
            **scores,
            "mean_test_score": mean,
            "std_test_score": errors.std(axis=0),
            "rank_test_score": rankdata(-mean, method="min").astype(np.int32),
        }
        # argmax takes the largest of equally good λ, which has the sparsest solution
        self.lam_ = float(self.lam_path_[np.argmax(mean)])

    def _lam(self):
        return self.lam_
