"""A grid search whose networks are trained together."""

import warnings

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import indexable

from ..utils.compat import fit_context, index_fit_params, routed_fit_params
from ..utils.estimators import last_step
from ._serving import FixedSplits, serve


class StackedGridSearchCV(GridSearchCV):
    """A grid search that trains all candidates of a network on all folds at once.

    To a user it is :class:`~sklearn.model_selection.GridSearchCV`: the same candidates on the same
    splits get the same scores, and `cv_results_`, `best_estimator_`, `scoring`, `refit`, groups
    and metadata routing mean the same. But the networks of all candidates and folds are one stack
    of matrices, with one training step for all of them, which takes a fraction of the time.

    Parameters
    ----------
    estimator : UADMMRegressor, ISTANetRegressor or Pipeline
        The network, or a :class:`~sklearn.pipeline.Pipeline` whose last step is one. The steps
        before it are fitted once for each split and each set of their parameters, and shared by
        the candidates. Any other estimator is fitted as `GridSearchCV` fits it, with a warning.

    param_grid : dict or list of dict
        Names of parameters and lists of their values. Candidates that differ only in the weights
        of the loss (`alpha_mse`, `alpha_aad`, `alpha_aid`), `learning_rate`, `lam` and `mu` are
        trained in one stack; candidates that differ in anything else, one stack after another.

    scoring : str, callable, list, tuple or dict, default=None
        How to score the held-out pixels; None is R². See :mod:`skunmix.metrics` for scorers of
        abundances.

    refit : bool, str or callable, default=True
        Whether to train the best candidate on all pixels. With several scores, the name of the
        one that decides, or a function that takes `cv_results_` and returns the index of the best.

    cv : int, cross-validation generator or iterable, default=None
        How to split the pixels: None is 5-fold. Neighbouring pixels are alike: for an image, pass
        :class:`~sklearn.model_selection.GroupKFold` and tiles as groups.

    error_score : "raise" or float, default=nan
        The score of a candidate on a fold where its fit fails, as when its training diverges, with
        a warning; "raise" raises the error.

    return_train_score : bool, default=False
        Whether to score the training pixels, too.

    verbose : int, default=0
        As for `GridSearchCV`.

    Attributes
    ----------
    cv_results_ : dict of ndarrays
        As `GridSearchCV` gives it. The time of a fit is its share of the time of its stack.

    best_estimator_ : estimator
        The best candidate, trained on all pixels, unless ``refit=False``.

    best_params_ : dict
        Its parameters.

    best_score_ : float
        Its mean score over the folds.

    best_index_ : int
        Its row in `cv_results_`.

    scorer_ : callable or dict
        What scores the held-out pixels.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds that training the best candidate on all pixels took.

    multimetric_ : bool
        Whether there are several scores.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : One fit after another, of any estimator.

    Notes
    -----
    Each network takes the steps that it would take alone: from the same start, through the same
    batches, at its own learning rate. The memory that a stack needs grows with its networks, and
    stays below scikit-learn's ``working_memory`` (see :func:`sklearn.set_config`), because a
    larger stack is split.

    Networks that have callbacks, or that choose ``norm="auto"`` or ``noise_augmentation="auto"`` by
    trials of their own, are fitted alone. With ``random_state=None`` the candidates of a fold see
    the same batches.

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
        estimator,
        param_grid,
        *,
        scoring=None,
        refit=True,
        cv=None,
        error_score=np.nan,
        return_train_score=False,
        verbose=0,
    ):
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=1,  # the fits are served in turn
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Train all candidates on all folds, choose one, and train it on all pixels.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances.

        **params : dict
            Parameters of the estimator's `fit`, of the scorer and of the splitter, such as
            `groups`, as `GridSearchCV` takes them.

        Returns
        -------
        self : object
            Fitted search.

        Raises
        ------
        ValueError
            As the `fit` of a candidate does, where all of them fail, or one of them and
            ``error_score="raise"``; if there are too few pixels for the folds, or the grid names
            what is no parameter.

        Warns
        -----
        UserWarning
            If no candidate can be part of a stack.
        """
        # these import torch
        from ..unrolled import reason_to_fit_alone
        from ._fits import fit_candidates

        grid = list(ParameterGrid(self.param_grid))
        try:
            candidates = [
                clone(self.estimator).set_params(**clone(point, safe=False)) for point in grid
            ]
        except Exception:  # scikit-learn's search meets it, too, and says what is wrong
            return super().fit(X, y, **params)
        reasons = [reason_to_fit_alone(last_step(candidate)) for candidate in candidates]
        if all(reasons):
            warnings.warn(
                f"StackedGridSearchCV trains networks of skunmix together, but "
                f"{type(last_step(candidates[0])).__name__} {reasons[0]}, so that the candidates "
                f"are fitted one after another; use GridSearchCV, whose n_jobs shares them among "
                f"processes.",
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
        self._take(search, seconds)
        return self

    def _take(self, search, seconds):
        """Take what a search over served fits has found."""
        results = search.cv_results_
        results["mean_fit_time"], results["std_fit_time"] = (
            seconds.mean(axis=1),
            seconds.std(axis=1),
        )
        if hasattr(search, "best_estimator_"):
            search.best_estimator_.__class__ = type(self.estimator)
        if self.scoring is None:  # its scorer holds the estimator that was served
            search.scorer_ = check_scoring(self.estimator)
        for name, value in vars(search).items():
            if name.endswith("_") and not name.startswith("_"):
                setattr(self, name, value)
