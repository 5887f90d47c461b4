"""Multiple endmember spectral mixture analysis: many spectra for each material."""

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..base import BaseUnmixer
from ..endmembers import ENDMEMBERS, check_endmembers
from ..solvers import MESMASolution, count_models, mesma
from ..utils import Interval, fit_context
from ..utils.magnitudes import are_values_seen_to, check_magnitudes, usual_magnitude
from ..utils.state import restored_on_error

# What `append` may hold.
_COLUMNS = ("shade", "rmse", "n_endmembers", "models")
# If the endmembers are larger than a reflectance, a bound on the RMSE that is a smaller fraction of
# them seems to be in other units.
_LARGEST_REFLECTANCE = 1.5
_LEAST_RMSE = 1e-3


class MESMARegressor(BaseUnmixer):
    """Multiple endmember spectral mixture analysis (MESMA).

    A library has several spectra of each material. A model takes one spectrum from each of some
    groups, and shade. For each pixel, all models of one up to `max_endmembers` groups are fitted by
    least squares. The best model with k groups is the one with the smallest root mean square error
    (RMSE) of those within the bounds. It is taken if its RMSE is smaller by `min_rmse_decrease`
    than that of the best with k - 1 groups. `fit` needs no abundances.

    Bounds on the RMSE and on residuals are in the units of the spectra. The defaults are those of
    VIPER Tools, for reflectance from 0 to 1. The names in VIPER Tools are in parentheses below.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
        The spectral library, one spectrum per row, in the units of the spectra. None and an
        extractor are as in :class:`SunSALRegressor`.

    groups : array-like of shape (n_endmembers,), str or int, default=None
        The group (*class*) of each spectrum, such as its material. Labels of a Series, or keys of
        a dict, are matched to the names of the endmembers. A string is the name of a level of the
        index (or of a column or coordinate) of `endmembers`, or "class" for the classes of a
        library. An int is the number of a level. None takes the classes of a library; without any,
        each spectrum is a group.

    max_endmembers : int, default=3
        Largest number of groups in a model, without shade (*complexity level*, which counts shade:
        3 are 2-, 3- and 4-EM models).

    min_fraction, max_fraction : float or None, default=-0.05, 1.05
        Bounds on the fraction of each group in a model (*minimum* and *maximum allowable endmember
        fraction*). None is no bound.

    min_shade, max_shade : float or None, default=0.0, 0.8
        Bounds on the fraction of shade (*minimum* and *maximum allowable shade fraction*).

    max_rmse : float or None, default=0.025
        Bound on the RMSE (*maximum allowable RMSE*).

    residual_limit : float or None, default=None
        If given, a model is excluded if the residuals of `residual_bands` consecutive bands have at
        least this magnitude (*residual constraint*, threshold).

    residual_bands : int, default=7
        Number of consecutive bands for `residual_limit` (*residual constraint*, number of bands).

    min_rmse_decrease : float, default=0.007
        Least decrease of the RMSE for a model with one more group (*complexity fusion threshold*).
        If no model with one group less is within the bounds, any model is a decrease.

    shade : array-like of shape (n_bands,), default=None
        Spectrum of shade (*non-photometric shade*). None is photometric shade, which is zero.

    append : sequence of str, default=()
        Columns that `predict` adds to the fractions of the groups: "shade", whose fraction is what
        the others leave of 1; "rmse"; "n_endmembers", the number of groups in the model, without
        shade; "models", for each group the position of its spectrum in `endmembers_`, or -1.

    max_models : int, default=1_000_000
        `fit` raises an error if there are more models. A core computes some 10⁸ models in a second.

    n_jobs : int, default=None
        Number of threads; None means 1 unless in a :obj:`joblib.parallel_config` context, -1
        means all processors.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The spectra of the library, as used.

    n_endmembers_ : int
        Number of spectra.

    endmember_names_ : ndarray of shape (n_endmembers,), of str objects
        Names of the spectra.

    groups_ : ndarray of shape (n_groups,), of str objects
        Names of the groups, in the order of their first spectrum.

    group_of_ : ndarray of shape (n_endmembers,), of int
        Position in `groups_` of each spectrum's group.

    shade_ : ndarray of shape (n_bands,)
        Spectrum of shade.

    n_models_ : int
        Number of models.

    extractor_ : estimator
        The fitted extractor, if `endmembers` is one.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    SunSALRegressor : All spectra in one model; `groups` sums their abundances.
    skunmix.solvers.mesma : The same for arrays.

    Notes
    -----
    A pixel without a model within the bounds is NaN in all columns, and one warning counts these
    pixels. `score` takes its fractions as 0. The result of a pixel depends on that pixel alone.

    References
    ----------
    D. A. Roberts et al., "Mapping chaparral in the Santa Monica Mountains using multiple endmember
    spectral mixture models", Remote Sensing of Environment 65(3), 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix import MESMARegressor
    >>> library = np.array([[0.05, 0.5, 0.3], [0.04, 0.4, 0.2], [0.2, 0.3, 0.4], [0.3, 0.4, 0.6]])
    >>> spectra = np.array([[0.096, 0.28, 0.24], [0.024, 0.24, 0.12]])
    >>> groups = ["grass", "grass", "soil", "soil"]
    >>> mesma = MESMARegressor(library, groups=groups, append=["shade"])
    >>> mesma.fit(spectra).predict(spectra).round(3)
    array([[0.4, 0.4, 0.2],
           [0.6, 0. , 0.4]])
    >>> mesma.get_feature_names_out().tolist()
    ['grass', 'soil', 'shade']
    >>> mesma.predict_models(spectra).models
    array([[ 1,  2],
           [ 1, -1]])
    """

    _checks_finite = False  # the solver checks

    _parameter_constraints: ClassVar[dict] = {
        "endmembers": list(ENDMEMBERS),
        "groups": ["array-like", dict, str, Integral, None],
        "max_endmembers": [Interval(Integral, 1, None, closed="left")],
        "min_fraction": [Interval(Real, None, None, closed="neither"), None],
        "max_fraction": [Interval(Real, None, None, closed="neither"), None],
        "min_shade": [Interval(Real, None, None, closed="neither"), None],
        "max_shade": [Interval(Real, None, None, closed="neither"), None],
        "max_rmse": [Interval(Real, 0, None, closed="neither"), None],
        "residual_limit": [Interval(Real, 0, None, closed="neither"), None],
        "residual_bands": [Interval(Integral, 1, None, closed="left")],
        "min_rmse_decrease": [Interval(Real, 0, None, closed="left")],
        "shade": ["array-like", None],
        "append": [list, tuple],
        "max_models": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        endmembers: Any = None,
        *,
        groups: Any = None,
        max_endmembers: int = 3,
        min_fraction: float | None = -0.05,
        max_fraction: float | None = 1.05,
        min_shade: float | None = 0.0,
        max_shade: float | None = 0.8,
        max_rmse: float | None = 0.025,
        residual_limit: float | None = None,
        residual_bands: int = 7,
        min_rmse_decrease: float = 0.007,
        shade: Any = None,
        append: Any = (),
        max_models: int = 1_000_000,
        n_jobs: int | None = None,
    ) -> None:
        self.endmembers = endmembers
        self.groups = groups
        self.max_endmembers = max_endmembers
        self.min_fraction = min_fraction
        self.max_fraction = max_fraction
        self.min_shade = min_shade
        self.max_shade = max_shade
        self.max_rmse = max_rmse
        self.residual_limit = residual_limit
        self.residual_bands = residual_bands
        self.min_rmse_decrease = min_rmse_decrease
        self.shade = shade
        self.append = append
        self.max_models = max_models
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None) -> Self:
        """Set the library and its groups, and count the models.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_groups) or (n_pixels,), default=None
            Abundances, needed only to estimate the endmembers from the pairs.

        endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
            Spectral library, used instead of the parameter of the same name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If there are more than `max_models` models, groups are not one label for each spectrum,
            bounds exclude all models, or endmembers are as :meth:`SunSALRegressor.fit` refuses
            them.
        """
        with restored_on_error(self):
            groups, given = self.groups, self._given_endmembers(endmembers)
            if groups is None and getattr(given, "classes", None) is not None:
                groups = "class"
            self._fit_endmembers(X, y, endmembers, groups=groups)
            self.endmember_names_ = self._endmember_names
            if groups is None:
                self.groups_ = self._endmember_names.copy()
                self._group_of = np.arange(self.n_endmembers_)
            self.group_of_ = self._group_of
            self._check_append()
            self.n_models_ = self._checked_count()
            self.shade_ = self._checked_shade()
            self._warn_of_bounds()
            self._solve(self.endmembers_[:1], self.endmembers_[:1], [0])  # checks the bounds
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Estimate the fractions of the groups, and the columns in `append`.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row, in the units of the endmembers.

        Returns
        -------
        fractions : ndarray of shape (n_pixels, n_outputs), or (n_pixels,)
            The columns of `get_feature_names_out`. The fraction of a group that is not in the model
            is 0. All are NaN for a pixel without a model within the bounds. One-dimensional if the
            model was fitted with one-dimensional abundances and has no other column. float32 for
            float32 (and float16) spectra, else float64.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.

        Warns
        -----
        UserWarning
            If a pixel has no model within the bounds, with the number of such pixels.
        """
        fractions = self._abundances(X)
        return fractions[:, 0] if self._predict_1d and fractions.shape[1] == 1 else fractions

    def predict_models(self, X: ArrayLike) -> MESMASolution:
        """Return the chosen model of each pixel.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        Returns
        -------
        solution : skunmix.solvers.MESMASolution
            With `fractions`, `shade`, `models` (positions in `endmembers_` and `endmember_names_`,
            or -1), `rmse` and `n_endmembers`.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.
        """
        X = self._checked_spectra(X)
        check_magnitudes(X, "X")
        return self._solve(X, self.endmembers_, self.group_of_)

    def endmember_abundances(self, X: ArrayLike) -> NDArray[Any]:
        """Estimate the abundances of all spectra of the library.

        `inverse_transform` reconstructs spectra from them.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        Returns
        -------
        abundances : ndarray of shape (n_pixels, n_endmembers)
            In the order of `endmembers_`. NaN for a pixel without a model within the bounds.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.
        """
        solution = self.predict_models(X)
        abundances = np.zeros((len(solution.rmse), self.n_endmembers_))
        pixels, groups = np.nonzero(solution.models >= 0)
        abundances[pixels, solution.models[pixels, groups]] = solution.fractions[pixels, groups]
        abundances[solution.n_endmembers == 0] = np.nan
        return abundances

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Reconstruct spectra from abundances of all spectra of the library, and shade.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_endmembers)
            Abundances, as `endmember_abundances` returns them.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
            ``X @ endmembers_ + (1 - X.sum(axis=1)) * shade_``, for each pixel.

        Raises
        ------
        ValueError
            If the number of columns is not that of the endmembers, or there is a NaN.
        """
        spectra = super().inverse_transform(X)
        if self.shade_.any():
            sums = np.asarray(X).reshape(len(spectra), -1).sum(axis=1)
            spectra = spectra + np.outer(1.0 - sums, self.shade_)
        return spectra

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the columns of `predict`.

        Parameters
        ----------
        input_features : array-like of shape (n_bands,), default=None
            Ignored, except that its length must be the number of bands.

        Returns
        -------
        names : ndarray of shape (n_outputs,), of str objects
            The groups, then those in `append`; "models" is "<group>_spectrum" for each group.
        """
        groups = super().get_feature_names_out(input_features)
        return np.array([*groups, *self._appended_names()], dtype=object)

    def _n_columns(self):
        return len(self.groups_) + len(self._appended_names())

    def _unmix(self, X, out):
        solution = self._solve(X, self.endmembers_, self.group_of_)
        n_groups = len(self.groups_)
        out[:, :n_groups] = solution.fractions
        out[:, n_groups:] = np.column_stack(
            [np.empty((len(X), 0)), *(getattr(solution, name) for name in self.append)]
        )
        missing = solution.n_endmembers == 0
        out[missing] = np.nan
        n_missing = np.count_nonzero(missing)
        if n_missing and not are_values_seen_to():
            warnings.warn(
                f"{n_missing} of {len(X)} pixels have no model within the bounds, and are NaN; "
                f"widen the bounds on fractions, shade or RMSE, or add spectra to the library.",
                UserWarning,
                stacklevel=4,
            )
        return solution.largest

    def _solve(self, X, endmembers, group_of):
        """Return the solution for checked spectra."""
        return mesma(
            X,
            endmembers,
            group_of,
            shade=self.shade_,
            **{
                name: getattr(self, name)
                for name in (
                    *("max_endmembers", "min_fraction", "max_fraction", "min_shade", "max_shade"),
                    *("max_rmse", "residual_limit", "residual_bands", "min_rmse_decrease"),
                    "n_jobs",
                )
            },
        )

    def _by_group(self, abundances):
        return abundances  # `_unmix` returns fractions of groups

    def _fractions(self, X):
        # a pixel without a model counts with fractions of 0
        fractions = np.nan_to_num(self.predict_models(X).fractions)
        return fractions[:, 0] if self._predict_1d else fractions

    def _appended_names(self):
        names = []
        for name in self.append:
            names += [f"{g}_spectrum" for g in self.groups_] if name == "models" else [name]
        return names

    def _check_append(self):
        wrong = [name for name in self.append if name not in _COLUMNS]
        if wrong or len(set(self.append)) < len(self.append):
            raise ValueError(
                f"Expected append with some of {', '.join(map(repr, _COLUMNS))}, each once, got "
                f"{self.append!r}; drop {wrong[0] if wrong else 'the second'!r}."
            )
        both = sorted(set(self.groups_) & set(self._appended_names()))
        if both:
            raise ValueError(
                f"Expected groups with other names than the columns in append, got the group "
                f"{both[0]!r}; rename the group, or drop {both[0]!r} from append."
            )

    def _checked_count(self):
        """Return the number of models, if it is not too large."""
        n_models = count_models(self.group_of_, self.max_endmembers)
        if n_models > self.max_models:
            sizes = np.bincount(self.group_of_)
            largest = ", ".join(
                f"{sizes[g]} of {self.groups_[g]!r}" for g in np.argsort(-sizes, kind="stable")[:3]
            )
            raise ValueError(
                f"Expected at most max_models={self.max_models:,} models, got {n_models:,} of up "
                f"to {self.max_endmembers} of {len(sizes)} groups (spectra: {largest}"
                f"{', …' if len(sizes) > 3 else ''}); keep fewer spectra with "
                f"skunmix.libraries.iterative_endmember_selection, lower max_endmembers, or raise "
                f"max_models."
            )
        return n_models

    def _checked_shade(self):
        """Return the spectrum of shade in the bands of the endmembers."""
        n_bands = self.n_features_in_
        if self.shade is None:
            return np.zeros(n_bands)
        shade = self.shade
        if np.ndim(shade) == 1:
            series = hasattr(shade, "to_frame") and hasattr(shade, "index")
            shade = shade.to_frame().T if series else np.asarray(shade)[np.newaxis]
        shade, _ = check_endmembers(shade, n_bands, self.band_labels_, shade=True)
        if len(shade) != 1:
            raise ValueError(
                f"Expected shade as one spectrum of {n_bands} bands, got {len(shade)} spectra; "
                f"pass one of them."
            )
        same = np.flatnonzero((self.endmembers_ == shade).all(axis=1))
        if len(same):
            raise ValueError(
                f"Expected endmembers that differ from shade, got the spectrum of shade for "
                f"endmember {same[0]} ({self.endmember_names_[same[0]]!r}); drop this endmember."
            )
        return shade[0]

    def _warn_of_bounds(self):
        """Warn if the bound on the RMSE seems to be in other units than the endmembers."""
        size = usual_magnitude(self.endmembers_)
        for name in ("max_rmse", "min_rmse_decrease"):
            value = getattr(self, name)
            if not value or not size:
                continue
            if value > size or (size > _LARGEST_REFLECTANCE and value < _LEAST_RMSE * size):
                warnings.warn(
                    f"Expected {name} in the units of the spectra, got {value:g} for endmembers "
                    f"that go up to about {size:.3g}: it seems to be for other units, such as "
                    f"reflectance from 0 to 1; change {name}, or scale spectra and endmembers.",
                    UserWarning,
                    stacklevel=4,
                )
