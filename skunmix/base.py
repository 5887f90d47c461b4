"""Base class of the unmixers: checks, endmembers, prediction, transform and its inverse."""

import warnings
from abc import ABCMeta, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from .endmembers import (
    band_labels,
    check_endmembers,
    estimate_endmembers,
    extract_endmembers,
    is_extractor,
)
from .utils.abundances import check_abundances
from .utils.estimators import check_order_is_known, pure_spectra
from .utils.groups import index_groups, split_groups, sum_groups
from .utils.labels import (
    ABUNDANCE_NAMES,
    BAND_NAMES,
    axis_labels,
    check_axes,
    check_columns,
    check_rows,
    check_unique,
    name_labels,
    order_of_columns,
    same_labels,
    take_columns,
)
from .utils.magnitudes import (
    LARGEST,
    are_values_seen_to,
    check_magnitudes,
    largest_bound,
    magnitudes,
    warn_of_fills,
    warn_of_sums,
    warn_of_suspects,
    warn_of_units,
)
from .utils.validation import check_numbers, check_sample_weight


class BaseUnmixer(
    TransformerMixin, RegressorMixin, MultiOutputMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base class of the unmixers, which estimate abundances of spectra.

    A subclass fits with `_fit_endmembers` and implements `_unmix`.
    """

    # a Pipeline with metadata routing passes them without a request
    __metadata_request__fit: ClassVar[dict] = {"endmembers": True}

    # whether `fit` needs abundances although the endmembers are given
    _learns_from_pairs = False
    # whether spectra are checked for NaN before `_unmix`, or in it
    _checks_finite = True
    # the group of each endmember, if `predict` sums abundances by group
    _group_of = None

    @abstractmethod
    def _unmix(self, X, out):
        """Write the abundances of the checked spectra X into `out`.

        Return a number that no magnitude in X exceeds, or None if that takes another pass over X.
        """

    def _n_columns(self):
        """Return the number of columns that `_unmix` writes."""
        return self.n_endmembers_

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Estimate the abundances of spectra.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row, in the units of the spectra in `fit`.

        Returns
        -------
        abundances : ndarray of shape (n_pixels, n_endmembers), or (n_pixels,)
            Abundances, non-negative unless the estimator allows others, with a column for each
            name of `get_feature_names_out`. One-dimensional if the model was fitted with
            one-dimensional abundances. float32 for float32 (and float16) spectra, else float64.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.
        """
        abundances = self._by_group(self._abundances(X))
        return abundances[:, 0] if self._predict_1d else abundances

    def transform(self, X: ArrayLike) -> Any:
        """Estimate the abundances of spectra, always as a matrix.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row, in the units of the spectra in `fit`.

        Returns
        -------
        abundances : ndarray of shape (n_pixels, n_endmembers)
            Abundances, as in `predict`.

        Raises
        ------
        ValueError
            If the number of bands is not that of `fit`, or there is a NaN.
        """
        return self._by_group(self._abundances(X))

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Reconstruct spectra from abundances, as mixtures of the endmembers.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_endmembers)
            Abundances, one pixel per row. (n_pixels,) is allowed for a single endmember.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
            ``X @ endmembers_``.

        Raises
        ------
        ValueError
            If the number of columns is not that of the endmembers, or there is a NaN.
        """
        check_is_fitted(self)
        X = self._in_order_of_endmembers(X)
        X = check_array(X, ensure_2d=False, dtype=[np.float64, np.float32], input_name="X")
        if X.ndim == 1:
            X = X[:, np.newaxis]
        if X.shape[1] != self.n_endmembers_:
            raise ValueError(
                f"X has {X.shape[1]} columns, but {type(self).__name__} has {self.n_endmembers_} "
                f"endmembers; pass abundances as `predict` returns them."
            )
        return X @ self.endmembers_.astype(X.dtype, copy=False)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the coefficient of determination, R², of the abundances of spectra.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.
        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances. Labels of columns are matched to the endmembers.
        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels.

        Returns
        -------
        score : float
            Mean of R² over the endmembers. The best score is 1.

        Raises
        ------
        ValueError
            If the columns of `y` have other labels than the endmembers, or an extractor found these
            in unknown order.
        """
        check_is_fitted(self)
        check_rows(X, y, "X", "y")
        check_rows(sample_weight, y, "sample_weight", "y")
        check_sample_weight(sample_weight, len(y))
        check_order_is_known(self, y, "score")
        y, y_pred = self._in_order_of_outputs(y), self._fractions(X)
        warn_of_sums(np.asarray(y), y_pred, stacklevel=2)
        return r2_score(y, y_pred, sample_weight=sample_weight)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the endmembers, or of the groups by which abundances are summed.

        Parameters
        ----------
        input_features : array-like of shape (n_bands,), default=None
            Ignored, except that its length must be the number of bands.

        Returns
        -------
        names : ndarray of shape (n_endmembers,) or (n_groups,), of str objects
            From the index of `endmembers` or the columns of `y`, if they are DataFrames with
            string labels, else "endmember0", "endmember1", …
        """
        check_is_fitted(self)
        if input_features is not None and len(input_features) != self.n_features_in_:
            raise ValueError(
                "input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(input_features)}"
            )
        return self._fraction_names().copy()

    def _fractions(self, X):
        """Return the abundances that `score` compares."""
        return self.predict(X)

    def _fraction_names(self):
        """Return the names of the columns that `_fractions` has, and abundances to compare."""
        return self._endmember_names if self._group_of is None else self.groups_

    def _by_group(self, abundances):
        """Return the sums of abundances over groups, or abundances if there are no groups."""
        return abundances if self._group_of is None else sum_groups(abundances, self._group_of)

    def _in_order_of_outputs(self, y):
        """Return abundances with their columns in the order of `_fraction_names`."""
        against = "the endmembers" if self._group_of is None else "the groups"
        return _ordered(y, "y", list(self._fraction_names()), against)

    def _in_order_of_endmembers(self, X):
        """Return abundances with their columns in the order of the endmembers."""
        if self._group_of is not None:
            shape, n_groups = np.shape(X), len(self.groups_)
            if n_groups < self.n_endmembers_ and len(shape) == 2 and shape[1] == n_groups:
                raise ValueError(
                    f"X has {n_groups} columns, which are sums over the groups of "
                    f"{self.n_endmembers_} endmembers and do not determine the spectra, expected "
                    f"an abundance for each endmember; pass the result of endmember_abundances."
                )
            if same_labels(axis_labels(X)[1], list(self.groups_)):
                return self._in_order_of_outputs(X)  # each endmember is a group
        return _ordered(X, "X", list(self._endmember_names), "the endmembers")

    def _checked_spectra(self, X, *, finite=True):
        """Return spectra as an array, after their bands are compared with those of `fit`.

        Bands in another order are refused, as in scikit-learn, because reconstructed spectra have
        the order of `fit`.
        """
        check_is_fitted(self)
        check_axes(X, "X", BAND_NAMES)
        # keeps the type, because a memory-mapped scene of integers is converted block by block
        checked = validate_data(self, X, dtype="numeric", ensure_all_finite=finite, reset=False)
        check_numbers(checked, "X")
        check_columns(axis_labels(X), self.band_labels_, "the bands of X", "those of `fit`")
        return checked

    def _abundances(self, X):
        X = self._checked_spectra(X, finite=self._checks_finite)
        out = np.empty((len(X), self._n_columns()), dtype=output_dtype(X))
        try:
            bound = self._unmix(X, out)
        except ValueError:
            assert_all_finite(X, input_name="X")
            check_magnitudes(X, "X")
            raise
        if bound is None:
            if are_values_seen_to():
                return out
            bound = largest_bound(X)
        if not bound <= LARGEST:
            check_magnitudes(X, "X")
        warn_of_suspects(X, pure_spectra(self), out, bound, stacklevel=3)
        return out

    def _fit_endmembers(self, X, y, endmembers, *, groups=None, reset=True):
        """Check the arguments of `fit`, and set the fitted attributes that all unmixers have.

        Parameters
        ----------
        X, y : array-like
            Arguments of `fit`. `y` may be None if the endmembers are given.
        endmembers : array-like, extractor or None
            Argument of `fit`. None takes the parameter of the same name, or else the least-squares
            estimate from the pairs.
        groups : array-like, str, int or None
            Groups of the endmembers, by which `predict` sums abundances, as `y` does.
        reset : bool
            Whether this is a new fit, and not further training of the same model.

        Returns
        -------
        X : ndarray of shape (n_pixels, n_bands)
        y : ndarray of shape (n_pixels, n_endmembers), float64, or None
        """
        given = self._given_endmembers(endmembers)
        extracts = is_extractor(given)
        if groups is not None:
            if given is None or extracts:
                raise ValueError(self._message_groups(given))
            groups, given = split_groups(groups, given)
        if y is None and (given is None or self._learns_from_pairs) and not extracts:
            raise ValueError(self._message_y_missing())
        if given is not None and not self._learns_from_pairs and _are_labels(y, given):
            y = None
        if extracts and (y is not None or self._learns_from_pairs):
            raise ValueError(self._message_order_unknown(given))
        x_labels, y_labels = _checked_labels(X, y)
        spectra_as_given = X
        if not reset:
            y = self._in_order_of_outputs(y)
        if y is None:
            X = validate_data(self, X, dtype="numeric", reset=reset)
            check_numbers(X, "X")
            predict_1d = False
        else:
            X, y = validate_data(
                self, X, y, dtype="numeric", multi_output=True, y_numeric=True, reset=reset
            )
            check_numbers(X, "X")
            check_magnitudes(X, "X")
            warn_of_fills(X, stacklevel=4)
            predict_1d = y.ndim == 1
            y = check_abundances(y, strict=given is not None)

        if not reset:
            check_columns(x_labels, self.band_labels_, "the bands of X", "those of `fit`")
            if y is not None and y.shape[1] != self.n_endmembers_:
                raise ValueError(_message_columns(y, self.n_endmembers_))
            if given is not None and not extracts:
                self._check_same_endmembers(given, x_labels[1] or self.band_labels_, y_labels[1])
            return X, y
        # its abundance is what the others leave of the sum, or what the pairs say
        shade = self._learns_from_pairs or getattr(self, "sum_to_one", False) is True
        vars(self).pop("extractor_", None)
        if given is None:
            spectra, names = estimate_endmembers(X, y), None
        elif extracts:
            self.extractor_, given, names = extract_endmembers(given, spectra_as_given)
            spectra, _ = check_endmembers(given, X.shape[1], shade=shade)
            names = name_labels(names)
        else:
            if endmembers is not None:
                self._check_not_sliced(endmembers, X, y)
            spectra, names = check_endmembers(
                given, X.shape[1], x_labels[1], y_labels[1], shade=shade
            )
            differ = warn_of_units(magnitudes(X), spectra, stacklevel=4)
            if y is None and not differ:
                warn_of_suspects(X, spectra, None, largest_bound(X), stacklevel=4)
        default = [f"endmember{i}" for i in range(len(spectra))]
        outputs, what = names or default, "endmembers"
        vars(self).pop("groups_", None)
        vars(self).pop("_group_of", None)
        if groups is not None:
            self.groups_, self._group_of = index_groups(groups, names or default)
            outputs, what = list(self.groups_), "groups"
        if given is not None and y is not None:
            if y.shape[1] != len(outputs):
                raise ValueError(_message_columns(y, len(outputs), what))
            y = take_columns(y, order_of_columns(y_labels, outputs, "the columns of y", what))
        bands = band_labels(given, X.shape[1], x_labels[1], y_labels[1])
        check_columns(x_labels, bands, "the bands of X", "those of the endmembers")
        self._endmembers_estimated = given is None
        # the endmembers of abundances in percent are a hundredth of pure pixels
        self._usual_sum = float(np.median(y.sum(axis=1))) if given is None else 1.0
        self.endmembers_ = spectra
        self.n_endmembers_ = len(spectra)
        self.band_labels_ = bands
        if names is None and groups is None:
            names = name_labels(y_labels[1])
        self._endmember_names = np.asarray(names or default, dtype=object)
        self._predict_1d = predict_1d
        return X, y

    def _given_endmembers(self, endmembers):
        """Return the endmembers of `fit` or the constructor, which are equal if both are given."""
        if endmembers is None or self.endmembers is None:
            return self.endmembers if endmembers is None else endmembers
        labels = zip(axis_labels(endmembers), axis_labels(self.endmembers))
        if not np.array_equal(np.asarray(endmembers), np.asarray(self.endmembers)) or any(
            a is not None and b is not None and a != b for a, b in labels
        ):
            raise ValueError(
                f"endmembers were passed to {type(self).__name__}(endmembers=…) and, with other "
                f"values or labels, to fit(…, endmembers=…); pass them once."
            )
        return endmembers

    def _check_same_endmembers(self, given, bands, names):
        """Check that a model that is trained further has the endmembers of its first fit."""
        spectra, _ = check_endmembers(given, self.n_features_in_, bands, names, shade=True)
        start = getattr(self, "initial_endmembers_", self.endmembers_)
        if not np.array_equal(spectra, start):
            raise ValueError(
                f"Expected the endmembers of the first fit, which {type(self).__name__} is trained "
                f"for, got others, or another order; set warm_start=False and call fit."
            )

    def _check_not_sliced(self, endmembers, X, y):
        """Detect endmembers that cross-validation has split, because they were as many as pixels.

        scikit-learn splits all arguments of `fit` that have the length of X. The endmembers are
        then as many as the pixels of the fold.
        """
        shape = np.shape(endmembers)
        if len(shape) != 2 or shape[0] != len(X):
            return
        n_bands = X.shape[1]
        lost = n_bands not in shape or (
            shape[1] == n_bands and y is not None and y.shape[1] > shape[0]
        )
        message = (
            f"endmembers of shape {shape} were passed to fit with as many rows as there are "
            f"pixels, so that cross-validation splits them too; pass them to the constructor, "
            f"{type(self).__name__}(endmembers=…), or change the number of pixels."
        )
        if lost:
            raise ValueError(message)
        if y is None:  # unknown whether some are missing
            warnings.warn(message, UserWarning, stacklevel=5)

    def _message_order_unknown(self, extractor):
        name = extractor.__name__ if isinstance(extractor, type) else type(extractor).__name__
        learns = self._learns_from_pairs
        return (
            f"{type(self).__name__} {'learns from' if learns else 'was given'} abundances, but the "
            f"order in which {name} finds endmembers is unknown, so that they cannot be matched to "
            f"the columns of y; {'' if learns else 'leave y out, or '}extract them first, E = "
            f"{name}(…).fit(X).endmembers_, find their order by "
            f"order = skunmix.metrics.match_endmembers(known_spectra, E), and pass "
            f"endmembers=E[order]."
        )

    def _message_groups(self, given):
        return (
            f"Expected the spectra of endmembers with groups, got endmembers="
            f"{'None' if given is None else type(given).__name__}, whose endmembers are not known "
            f"before `fit`; pass endmembers as an array or DataFrame, or groups=None."
        )

    def _message_y_missing(self):
        return (
            f"{type(self).__name__} without endmembers requires y to be passed, but the target y "
            f"is None: pass the spectra of the endmembers as `endmembers`, or abundances to "
            f"estimate them from."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # see check_abundances; with an extractor there are none
        tags.target_tags.positive_only = self.endmembers is not None and not is_extractor(
            self.endmembers
        )
        tags.target_tags.required = self._learns_from_pairs or self.endmembers is None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        # abundances cannot fit arbitrary targets
        tags.regressor_tags.poor_score = True
        return tags


class BlindMixin:
    """Mixin of the unmixers that learn endmembers and abundances from spectra alone."""

    def score(
        self, X: ArrayLike, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Return the share of the spectra's variance that the reconstruction explains.

        If pixels have unit length inside, both are compared at unit length.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : None or array-like of shape (n_pixels,)
            Ignored. Pipelines pass the targets of a later step. Abundances (two-dimensional) raise
            an error.

        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels.

        Returns
        -------
        score : float
            1 − Σ‖y − ŷ‖² / Σ‖y − ȳ‖² over all pixels and bands, with ŷ the reconstruction and ȳ
            the mean spectrum: at most 1.

        Raises
        ------
        ValueError
            If `y` is two-dimensional: the order of the endmembers is unknown.
        """
        fix = (
            "match them to yours by skunmix.metrics.match_endmembers, reorder the columns of "
            "predict(X), and use a function of skunmix.metrics, or leave y out"
        )
        self._refuse_abundances(y, "score", fix)
        spectra, rebuilt = self._reconstruction(X)
        check_sample_weight(sample_weight, len(spectra))
        return r2_score(
            spectra, rebuilt, sample_weight=sample_weight, multioutput="variance_weighted"
        )

    def _reconstruction(self, X):
        """Return spectra and their reconstruction, which `score` compares."""
        return self._checked_spectra(X), self.inverse_transform(self._abundances(X))

    def _refuse_abundances(self, y, method, fix):
        shape = np.asarray(y).shape
        if len(shape) > 1:
            raise ValueError(
                f"{type(self).__name__}.{method} takes no abundances, but y has shape "
                f"{shape}: the order of its endmembers is unknown; {fix}."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # a regressor would learn from y
        tags.estimator_type, tags.regressor_tags = None, None
        tags.target_tags.required = tags.target_tags.multi_output = False
        tags.target_tags.positive_only = False
        return tags


def output_dtype(X):
    """Return the type of the abundances of X: float32 for float32 and float16, else float64."""
    return np.float32 if X.dtype.kind == "f" and X.dtype.itemsize <= 4 else np.float64


def _checked_labels(X, y):
    """Return the labels of the rows and columns of spectra, and of abundances."""
    check_axes(X, "X", BAND_NAMES)
    check_axes(y, "y", ABUNDANCE_NAMES)
    check_rows(X, y, "X", "y")
    x_labels, y_labels = axis_labels(X), axis_labels(y)
    for (_, columns), what in ((x_labels, "the bands of X"), (y_labels, "the columns of y")):
        if columns is not None:
            check_unique(columns, what)
    return x_labels, y_labels


def _are_labels(y, endmembers):
    """Return whether y is one-dimensional although there are several endmembers.

    A Pipeline passes the targets of its last step, such as classes, to all steps.
    """
    return y is not None and np.asarray(y).ndim == 1 and 1 not in np.shape(endmembers)


def _ordered(abundances, what, expected, against):
    """Return abundances with their columns in the order of the expected labels."""
    check_axes(abundances, what, ABUNDANCE_NAMES)
    labels = axis_labels(abundances)
    order = order_of_columns(labels, expected, f"the columns of {what}", against)
    return take_columns(abundances, order)


def _message_columns(y, n_columns, what="endmembers"):
    return (
        f"y has {y.shape[1]} columns, but there are {n_columns} {what}: pass abundances of "
        f"shape ({len(y)}, {n_columns})."
    )
