"""Sparse unmixing by constrained regression, for a given λ."""

from numbers import Integral, Real
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike

from ..endmembers import ENDMEMBERS
from ..utils import Interval, StrOptions, fit_context
from ..utils.state import restored_on_error
from ._base import SOLVER_CONSTRAINTS, BaseSunSAL


class SunSALRegressor(BaseSunSAL):
    """Sparse unmixing by variable splitting and augmented Lagrangian (SUnSAL).

    For each spectrum y it solves constrained sparse regression, ::

        minimise ½‖y − Ax‖² + λ‖x‖₁  subject to  x ≥ 0  (and Σx = 1 if sum_to_one=True),

    where the columns of A are the endmembers: a few, or a spectral library of hundreds. With
    ``lam=0`` this is non-negative least squares (NNLS), and with ``sum_to_one=True`` fully
    constrained least squares (FCLS). ``positive=False`` drops x ≥ 0: with ``lam=0`` this is
    unconstrained least squares (UCLS), or sum-constrained least squares (SCLS). If the endmembers
    are given, `fit` needs no abundances.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
        Endmember spectra, one per row, in the units of the spectra. (n_bands, n_endmembers) is
        transposed. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`. An extractor, which is any estimator that has
        `endmembers_` after ``fit(X)``, is cloned and fitted to the spectra given to `fit`; see
        :mod:`skunmix.extraction`.

    groups : array-like of shape (n_endmembers,), str or int, default=None
        A label for each endmember, such as its material. `predict` and `transform` then return the
        sum of the abundances of each group, and abundances given to `fit` and `score` have a column
        for each group. Labels of a Series, or keys of a dict, are matched to the names of the
        endmembers. A string is the name of a level of the index (or of a column or coordinate) of
        `endmembers`, or "class" for the classes of a library. An int is the number of a level.

    lam : float, default=1e-3
        λ ≥ 0, the weight of the sparsity term, in the units of the spectra squared. It has no
        effect if ``sum_to_one=True``, because ‖x‖₁ is then 1 for every x.

    sum_to_one : {False, True, "normalize"}, default=False
        False does not constrain the sum, and True constrains it to one. "normalize" solves without
        the constraint and rescales the solution; a pixel whose solution is zero then gets
        1 / n_endmembers of each endmember.

    positive : bool, default=True
        Whether to constrain the abundances to be at least 0. If not, negative abundances show
        noise, or a material that is not among the endmembers. The solution is then in closed form
        for ``lam=0``, and the lasso for ``lam > 0``, which is not possible with
        ``sum_to_one=True``. If the endmembers are linearly dependent, `fit` warns, and abundances
        are those of the smallest norm.

    band_weights : array-like of shape (n_bands,), default=None
        Weights w ≥ 0 of the bands, with which ½Σ w (y − Ax)² replaces ½‖y − Ax‖². A band of weight
        0 is left out. Labels, as of a Series, are matched to those of the bands. `lam` has the
        units of the weighted squares.

    noise_covariance : array-like of shape (n_bands, n_bands), default=None
        Covariance C of the noise of the bands, symmetric and positive definite, with which
        ½(y − Ax)ᵀC⁻¹(y − Ax) replaces ½‖y − Ax‖². It is used instead of `band_weights`, which are
        1 / variance for noise that is not correlated. `lam` then has no unit.

    solver : {"auto", "active-set", "admm"}, default="auto"
        "active-set" is exact. "admm" is SUnSAL itself, the alternating direction method of
        multipliers. "auto" takes the fastest, which is "active-set". numba compiles it on first
        use, which takes some seconds, and keeps it on disk.

    mu : float, default=None
        µ > 0, the penalty of ADMM, in the units of the spectra squared. None takes √(λ_min λ_max)
        of AᵀA. It affects the convergence, not the solution.

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
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, as used.

    n_endmembers_ : int
        Number of endmembers.

    groups_ : ndarray of shape (n_groups,)
        Names of the groups, in the order of their first endmember, if `groups` is given.

    extractor_ : estimator
        The fitted extractor, if `endmembers` is one.

    n_iter_ : int
        Number of passes of `fit` over the data: always 1. `max_iter` limits the iterations of a
        pixel in `predict`.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    SunSALRegressorCV : Choose λ by cross-validation.
    UADMMRegressor : ADMM unrolled into a network, trained on spectra with known abundances.
    ISTANetRegressor : ISTA unrolled into a network.

    References
    ----------
    J. M. Bioucas-Dias and M. A. T. Figueiredo, "Alternating direction algorithms for constrained
    sparse regression: Application to hyperspectral unmixing", WHISPERS 2010.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.metrics import abundance_rmse
    >>> scene = make_scene(snr=30, random_state=0)
    >>> fcls = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True)
    >>> abundances = fcls.fit(scene.spectra).predict(scene.spectra)
    >>> abundances.shape
    (10000, 6)
    >>> bool(abundance_rmse(scene.abundances, abundances) < 0.02)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "endmembers": list(ENDMEMBERS),
        "groups": ["array-like", str, Integral, None],
        "lam": [Interval(Real, 0, None, closed="left")],
        "sum_to_one": ["boolean", StrOptions({"normalize"})],
        "positive": ["boolean"],
        "band_weights": ["array-like", None],
        "noise_covariance": ["array-like", None],
        **SOLVER_CONSTRAINTS,
    }

    def __init__(
        self,
        endmembers: Any = None,
        *,
        groups: Any = None,
        lam: float = 1e-3,
        sum_to_one: bool | str = False,
        positive: bool = True,
        band_weights: Any = None,
        noise_covariance: Any = None,
        solver: str = "auto",
        mu: float | None = None,
        max_iter: int = 10_000,
        tol: float = 1e-8,
        n_jobs: int | None = None,
    ) -> None:
        self.endmembers = endmembers
        self.groups = groups
        self.lam = lam
        self.sum_to_one = sum_to_one
        self.positive = positive
        self.band_weights = band_weights
        self.noise_covariance = noise_covariance
        self.solver = solver
        self.mu = mu
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None) -> Self:
        """Set or estimate the endmembers, and prepare the solver.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,), default=None
            Abundances, needed only to estimate the endmembers from the pairs. If several endmembers
            are given, a one-dimensional `y` is ignored, as it is the target of a later step of a
            pipeline.

        endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
            Endmember spectra, used instead of the parameter of the same name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If neither endmembers nor abundances are given, endmembers fit neither layout or hold
            a fill value, the same spectrum twice or, without ``sum_to_one=True``, a zero spectrum,
            abundances are negative or given with an extractor, whose order of endmembers is
            unknown, there is a NaN, or groups, weights, a covariance or ``positive=False`` do not
            fit.
        TypeError
            If the extractor has no `endmembers_` after its `fit`.
        """
        with restored_on_error(self):
            self._fit_endmembers(X, y, endmembers, groups=self.groups)
            self._prepare(band_weights=self.band_weights, noise_covariance=self.noise_covariance)
        return self

    def _lam(self):
        return self.lam
