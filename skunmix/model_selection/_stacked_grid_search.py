"""Grid search that trains networks together."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import indexable

from ..utils import fit_context, index_fit_params, routed_fit_params
from ..utils.estimators import last_step
from ._serving import FixedSplits, serve


class StackedGridSearchCV(GridSearchCV):
    """Grid search that trains all candidates of a network on all folds at once.

    It replaces :class:`~sklearn.model_selection.GridSearchCV`: the same candidates on the same
    splits get the same scores, and `cv_results_`, `best_estimator_`, `scoring`, `refit`, groups
    and metadata routing have the same meaning. The networks of all candidates and folds are one
    stack of matrices with common training steps, which takes a fraction of the time.

    Parameters
    ----------
    estimator : UADMMRegressor, ISTANetRegressor or Pipeline
        The network, or a :class:`~sklearn.pipeline.Pipeline` whose last step is a network. The
        steps before it are fitted once for each split and each set of their parameters. Any other
        estimator is fitted as in `GridSearchCV`, with a warning.

    param_grid : dict or list of dict
        Names of parameters and lists of their values. Candidates that differ only in the weights
        of the loss (`alpha_mse`, `alpha_aad`, `alpha_aid`), `learning_rate`, `lam` and `mu` are
        trained in one stack. Other candidates are trained in separate stacks.

    scoring : str, callable, list, tuple or dict, default=None
        How to score the held-out pixels. None is R². :mod:`skunmix.metrics` has scorers of
        abundances.

    refit : bool, str or callable, default=True
        Whether to train the best candidate on all pixels. With several scores, the name of the
        score to use, or a function from `cv_results_` to the index of the best candidate.

    cv : int, cross-validation generator or iterable, default=None
        How to split the pixels. None is 5-fold. As neighbouring pixels are similar, pass
        :class:`~sklearn.model_selection.GroupKFold` for an image, with tiles as groups.

    error_score : "raise" or float, default=nan
        Score of a candidate on a fold where its fit fails, with a warning, for example because
        training diverges. "raise" raises the error.

    return_train_score : bool, default=False
        Whether to also score the training pixels.

    verbose : int, default=0
        As for `GridSearchCV`.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        As in `GridSearchCV`. The time of a fit is its share of the time of its stack.

    best_estimator_ : estimator
        The best candidate, trained on all pixels, unless ``refit=False``.

    best_params_ : dict
        Parameters of the best candidate.

    best_score_ : float
        Mean score of the best candidate over the folds.

    best_index_ : int
        Row of the best candidate in `cv_results_`.

    scorer_ : callable or dict
        The scorers used.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Time of training the best candidate on all pixels, in seconds.

    multimetric_ : bool
        Whether there are several scores.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Fits any estimators one after another.

    Notes
    -----
    Each network takes the same steps as on its own: from the same start, with the same batches and
    its own learning rate. A stack that would need more memory than scikit-learn's
    ``working_memory`` (see :func:`sklearn.set_config`) is split.

    The networks of a stack share the choices of "auto", which are made once for each fold.

    Networks with callbacks are fitted alone. With ``random_state=None``, all candidates of a fold
    get the same batches.

    Examples
    --------
    >>> from skunmix import UADMMRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.metrics import abundance_rmse_scorer
    >>> from skunmix.model_selection import StackedGridSearchCV
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[:500], scene.abundances[:500]
    >>> search = StackedGridSearchCV(
    ...     UADMMRegressor(endmembers=scene.endmembers, max_epochs=20, random_state=0),
    ...     {"learning_rate": [1e-5, 1e-3], "alpha_aid": [0, 1e-5]},
    ...     scoring=abundance_rmse_scorer,
    ...     cv=3,
    ... )
    >>> search.fit(Y, X).best_params_["learning_rate"]
    0.001
    >>> len(search.cv_results_["params"])
    4
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        refit: Any = True,
        cv: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        verbose: Any = 0,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=1,  # the fits are done before
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **params: Any) -> Self:
        """Train all candidates on all folds, choose the best, and train it on all pixels.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances.

        **params : dict
            Parameters of the estimator's `fit`, of the scorer and of the splitter, such as
            `groups`, as for `GridSearchCV`.

        Returns
        -------
        self : object
            Fitted search.

        Raises
        ------
        ValueError
            If all candidates fail, or one of them with ``error_score="raise"``; if there are too
            few pixels for the folds, or the grid has an unknown parameter.

        Warns
        -----
        UserWarning
            If no candidate can be stacked.
        """
        # these import torch
        from ..unrolled import reason_to_fit_alone
        from ._fits import fit_candidates

        grid = list(ParameterGrid(self.param_grid))
        try:
            candidates = [
                clone(self.estimator).set_params(**clone(point, safe=False)) for point in grid
            ]
        except Exception:  # scikit-learn's search raises the same, with an explanation
            return super().fit(X, y, **params)
        reasons = [reason_to_fit_alone(last_step(candidate)) for candidate in candidates]
        if all(reasons):
            warnings.warn(
                f"StackedGridSearchCV trains networks of skunmix together, but "
                f"{type(last_step(candidates[0])).__name__} {reasons[0]}, so that the candidates "
                f"are fitted one after another; use GridSearchCV, whose n_jobs fits them in "
                f"parallel.",
                UserWarning,
                stacklevel=3,
            )
            return super().fit(X, y, **params)

        X, y = indexable(X, y)
        routed = routed_fit_params(self, index_fit_params(X, params))
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(cv.split(X, y, **routed.splitter.split))
        if self.verbose:
            print(f"Training {len(grid)} candidates on {len(splits)} folds together")
        fits, seconds = fit_candidates(candidates, grid, X, y, splits, routed.estimator.fit)

        search = object.__new__(type(self))
        vars(search).update(vars(self))
        search.estimator = serve(self.estimator, fits.ravel(), seconds.reshape(-1))
        search.cv = FixedSplits(self.cv, splits)
        GridSearchCV.fit(search, X, y, **params)

        results = search.cv_results_
        results["mean_fit_time"] = seconds.mean(axis=1)
        results["std_fit_time"] = seconds.std(axis=1)
        if hasattr(search, "best_estimator_"):
            search.best_estimator_.__class__ = type(self.estimator)
        if self.scoring is None:  # the default scorer holds the estimator of `serve`
            search.scorer_ = check_scoring(self.estimator)
        for name, value in vars(search).items():
            if name.endswith("_") and not name.startswith("_"):
                setattr(self, name, value)
        return self
