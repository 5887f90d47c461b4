"""Conformal intervals of abundances, from labelled pixels."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    check_cv,
)
from sklearn.utils import gen_batches, get_tags, indexable
from sklearn.utils.validation import check_is_fitted

from ..utils import HasMethods, StrOptions, fit_context, safe_indexing
from ..utils.estimators import in_order_of_endmembers
from ..utils.intervals import coverage_rank, warn_of_few_labels
from ..utils.labels import (
    ABUNDANCE_NAMES,
    BAND_NAMES,
    check_axes,
)
from ..utils.validation import check_coverage
from .spread import ConstantSpread, LocalSpread

_SPREADS = {"scaled": LocalSpread, "absolute": ConstantSpread}
_N_FOLDS = 5
_CALIBRATION = 0.25
# Abundances that exceed 1 by no more than this still count as fractions.
_ROUNDING = 1e-6
# Numbers that the intervals of a block of pixels are computed from at once: 2 MiB, near the cache.
_BLOCK = 2**18


class ConformalUnmixer(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Intervals that cover the true abundances of new pixels, from pixels with known abundances.

    A conformal interval makes no assumption on noise or mixing. It holds the abundance of an
    endmember in a share `coverage` of the pixels, if these are like the labelled ones: drawn at
    random from the same image, or, with spatial folds, from tiles like theirs. The share is a mean
    over all pixels, pure and mixed.

    Parameters
    ----------
    estimator : estimator
        An unmixer that learns from abundances, or a pipeline or search that ends in one. A clone is
        fitted. A fitted unmixer in a :class:`sklearn.frozen.FrozenEstimator` is not fitted again.

    method : {"cv+", "split"}, default="cv+"
        "cv+" fits one model per fold, whose residuals are of the pixels that it was not fitted on,
        and one on all pixels for `predict`. The intervals need the predictions of all of them.
        "split" fits one model, and takes residuals from a part of the pixels that is set aside. It
        is quicker, and suits many labels.

    conformity_score : {"scaled", "absolute"}, default="scaled"
        "scaled" divides residuals by s(p), the mean residual of entries with about the same
        predicted abundance p, so that intervals are narrow for absent and pure endmembers and wide
        for mixed ones. "absolute" gives all pixels intervals of about the same width, s(p) = 1.

    cv : int, splitter or iterable of (train, test), default=None
        Folds. None means 5 random folds, or folds of whole groups if `groups` is passed to `fit`;
        for "split", a random quarter of the pixels or of the groups. "split" uses the first split.

    random_state : int, RandomState instance or None, default=None
        Draws the folds if `cv` is None.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator that `predict` uses.

    estimators_ : list of estimators
        Those fitted on the folds; for "split", `estimator_` alone.

    n_calibration_ : int
        Number of pixels with residuals.

    See Also
    --------
    skunmix.model_selection.TileKFold : Folds for intervals that hold in other parts of an image.

    Notes
    -----
    Let ``Rᵢ = |xᵢ − x̂ᵢ| / s(x̂ᵢ)`` be the scores of the labelled pixels i, and pᵢ the abundance of
    the new pixel by the model that was not fitted on i. With α = 1 − coverage, the interval is from
    the ⌊α(n + 1)⌋-th smallest of pᵢ − Rᵢs(pᵢ) to the ⌈(1 − α)(n + 1)⌉-th smallest of pᵢ + Rᵢs(pᵢ).
    In the worst case "cv+" covers 1 − 2α; it usually covers about 1 − α.

    References
    ----------
    R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, "Predictive inference with the
    jackknife+", Annals of Statistics 49, 2021.

    Examples
    --------
    >>> from skunmix import UADMMRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.uncertainty import ConformalUnmixer
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[::20], scene.abundances[::20]
    >>> network = UADMMRegressor(endmembers=scene.endmembers, max_epochs=5, random_state=0)
    >>> model = ConformalUnmixer(network, random_state=0).fit(Y, X)
    >>> lower, upper = model.predict_interval(scene.spectra, coverage=0.9)
    >>> lower.shape
    (10000, 6)
    >>> inside = (lower <= scene.abundances) & (scene.abundances <= upper)
    >>> bool(0.85 < inside.mean() < 0.95)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "method": [StrOptions({"cv+", "split"})],
        "conformity_score": [StrOptions(set(_SPREADS))],
        "cv": ["cv_object"],
        "random_state": ["random_state"],
    }
    __metadata_request__fit: ClassVar[dict] = {"groups": True}

    def __init__(
        self,
        estimator: Any,
        *,
        method: str = "cv+",
        conformity_score: str = "scaled",
        cv: Any = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.conformity_score = conformity_score
        self.cv = cv
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: Any = None) -> Self:
        """Fit the estimator and its copies on folds, and keep their residuals.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances.

        groups : array-like of shape (n_pixels,), default=None
            Groups that are not split between folds, such as the tiles of an image, or what `cv`
            takes as groups.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If there are no abundances, fewer pixels or groups than folds, or the order of the
            endmembers of an extractor is unknown.
        """
        if y is None:
            raise ValueError(
                "ConformalUnmixer requires y to be passed, but the target y is None: pass the "
                "abundances of some pixels."
            )
        check_axes(X, "X", BAND_NAMES)
        check_axes(y, "y", ABUNDANCE_NAMES)
        X, y, groups = indexable(X, y, groups)
        folds = self._folds(X, y, groups)
        if self.method == "split":
            folds = folds[:1]
        estimators, predicted, true = [], [], []
        for train, test in folds:
            model = clone(self.estimator).fit(safe_indexing(X, train), safe_indexing(y, train))
            predicted.append(_as_matrix(model.predict(safe_indexing(X, test))))
            known = in_order_of_endmembers(model, safe_indexing(y, test), type(self).__name__)
            true.append(_as_matrix(known))
            estimators.append(model)
        last = model if self.method == "split" else clone(self.estimator).fit(X, y)
        # nothing is set before all is fitted
        self.estimators_, self.estimator_ = estimators, last
        self._models = np.repeat(np.arange(len(folds)), [len(test) for _, test in folds])
        predicted, true = np.concatenate(predicted), np.concatenate(true)
        residuals = np.abs(true - predicted)
        self._spread = _SPREADS[self.conformity_score](predicted, residuals)
        self._scores = residuals / self._spread.without_own(predicted, residuals)
        self.n_calibration_ = len(residuals)
        fractions = true.sum(axis=1).max() <= 1 + _ROUNDING
        self._largest = 1.0 if fractions else np.inf
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        self._one_dimensional = np.ndim(y) == 1
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Estimate the abundances of spectra with `estimator_`.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        Returns
        -------
        abundances : ndarray of shape (n_pixels, n_endmembers) or (n_pixels,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score of `estimator_`, which is R² for unmixers.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances.

        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels.

        Returns
        -------
        score : float
        """
        check_is_fitted(self)
        return self.estimator_.score(X, y, sample_weight)

    def predict_interval(
        self, X: ArrayLike, *, coverage: float = 0.9
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return intervals that hold the true abundances in a share of the pixels.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        coverage : float, default=0.9
            The share, between 0 and 1, for each endmember.

        Returns
        -------
        lower, upper : ndarray of shape (n_pixels, n_endmembers) or (n_pixels,)
            Within [0, 1], or at least 0 if the abundances in `fit` exceed one.

        Raises
        ------
        ValueError
            If `coverage` is not between 0 and 1.

        Warns
        -----
        UserWarning
            If `fit` had too few pixels for the coverage. The intervals are then [0, 1].
        """
        check_is_fitted(self)
        check_coverage(coverage)
        found = np.array([_as_matrix(model.predict(X)) for model in self.estimators_])
        lower, upper = np.zeros(found.shape[1:]), np.full(found.shape[1:], self._largest)
        n = self.n_calibration_
        warn_of_few_labels(n, coverage, stacklevel=2)
        rank = coverage_rank(n, coverage)
        if rank <= n:
            spreads = self._spread(found)
            for block in gen_batches(found.shape[1], max(1, _BLOCK // n)):
                self._fill(lower[block], upper[block], found[:, block], spreads[:, block], rank)
        if self._one_dimensional:
            lower, upper = lower[:, 0], upper[:, 0]
        return lower, upper

    def _fill(self, lower, upper, found, spreads, rank):
        """Write the intervals of a block of pixels, from the predictions of each model."""
        for j, scores in enumerate(self._scores.T):
            if len(found) == 1:
                width = np.partition(scores, rank - 1)[rank - 1] * spreads[0, :, j]
                start, end = found[0, :, j] - width, found[0, :, j] + width
            else:
                centres = found[self._models, :, j]
                widths = scores[:, np.newaxis] * spreads[self._models, :, j]
                end = np.partition(centres + widths, rank - 1, axis=0)[rank - 1]
                start = -np.partition(widths - centres, rank - 1, axis=0)[rank - 1]
            upper[:, j] = np.clip(end, 0, self._largest)
            lower[:, j] = np.clip(start, 0, upper[:, j])

    def _folds(self, X, y, groups):
        """Return the splits as a list of (train, test)."""
        cv, n_pixels = self.cv, len(y)
        least = cv if isinstance(cv, Integral) else _N_FOLDS if cv is None else 2
        if n_pixels < least:
            raise ValueError(
                f"Expected at least {least} labelled pixels, one per fold, got n_samples = "
                f"{n_pixels}; label more pixels, or lower cv."
            )
        if cv is None or isinstance(cv, Integral):
            n_folds = _N_FOLDS if cv is None else cv
            if self.method == "split" and cv is None:
                splitter = ShuffleSplit if groups is None else GroupShuffleSplit
                cv = splitter(1, test_size=_CALIBRATION, random_state=self.random_state)
            elif groups is None:
                cv = KFold(n_folds, shuffle=True, random_state=self.random_state)
            else:
                n_groups = len(np.unique(groups))
                if n_groups < n_folds:
                    raise ValueError(
                        f"Expected at least {n_folds} groups of labelled pixels, one per fold, got "
                        f"{n_groups}; label pixels of more groups, or lower cv."
                    )
                cv = GroupKFold(n_folds)
        return list(check_cv(cv).split(X, y, groups))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        tags.target_tags = inner.target_tags
        tags.target_tags.required = True
        tags.regressor_tags = inner.regressor_tags
        return tags


def _as_matrix(abundances):
    abundances = np.asarray(abundances, dtype=np.float64)
    return abundances.reshape(len(abundances), -1)
