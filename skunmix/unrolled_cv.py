"""The networks with parameters chosen by cross-validation, all candidates trained at once."""

import time
from itertools import chain
from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn import config_context
from sklearn.base import _fit_context, clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import GridSearchCV, ParameterGrid, check_cv
from sklearn.utils import indexable
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from ._stacked_fits import fit_stacked
from ._unrolled import UnrolledRegressor
from .base import BaseUnmixer
from .unrolled import ISTANetRegressor, UADMMRegressor

# The paper's values; beside its weights, with which the loss is hardly more than the squared error,
# such as make the other terms count.
_DEFAULT_GRID = {
    "alpha_aad": [1e-7, 0.1, 1.0],
    "alpha_aid": [1e-5, 1e-4, 1e-3],
    "learning_rate": [3e-5, 1e-4, 3e-4],
}


class _TakesItsFits:
    """Mixed into an estimator, it takes its fits from a row of those that were done elsewhere.

    So that a `GridSearchCV` of it scores them, and makes its tables, ranks and warnings.
    """

    def fit(self, X, y=None, *, fits):
        fit = next(fits)
        if isinstance(fit, Exception):
            raise fit
        vars(self).update(vars(fit))
        return self


class _FittedISTANet(_TakesItsFits, ISTANetRegressor):
    pass


class _FittedUADMM(_TakesItsFits, UADMMRegressor):
    pass


class _UnrolledRegressorCV(BaseUnmixer):
    """What the cross-validated networks share."""

    _learns_from_pairs = True
    _checks_finite = False  # the network does

    _parameter_constraints: ClassVar[dict] = {
        "param_grid": [dict, list, None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, list, tuple, dict, None],
        "refit": ["boolean", str, callable],
        "error_score": [StrOptions({"raise"}), Real],
        "return_train_score": ["boolean"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, endmembers=None, groups=None):
        """Train all candidates on all folds, choose one, and train it on all pairs.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one a row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances, non-negative.

        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, in place of the parameter of that name.

        groups : array-like of shape (n_pixels,), default=None
            Labels for a `cv` that splits by groups, such as tiles of the image.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As the `fit` of a candidate does, where all of them fail, or one and
            ``error_score="raise"``; if there are too few pixels for the folds, or the grid names
            what is no parameter.
        """
        self._fit_endmembers(X, y, endmembers)
        X, y, groups = indexable(X, y, groups)
        splits = list(check_cv(self.cv, y).split(X, y, groups))
        grid = _DEFAULT_GRID if self.param_grid is None else self.param_grid
        candidates = list(ParameterGrid(grid))
        if self.verbose:
            print(
                f"Fitting {len(splits)} folds for each of {len(candidates)} candidates, totalling "
                f"{len(splits) * len(candidates)} fits, in stacks"
            )
        alone = self._alone(self._estimator_class)
        fits, seconds = fit_stacked(
            [
                clone(alone).set_params(callbacks=None, verbose=0, **clone(candidate, safe=False))
                for candidate in candidates
            ],
            X,
            y,
            splits,
            endmembers,
        )
        self._search(X, y, splits, grid, fits, seconds)
        if self.refit:
            start = time.perf_counter()
            best = alone.set_params(**clone(self.best_params_, safe=False))
            self.best_estimator_ = best.fit(X, y, endmembers=endmembers)
            self.refit_time_ = time.perf_counter() - start
            parameters = best.get_params(deep=False)
            vars(self).update({k: v for k, v in vars(best).items() if k not in parameters})
        return self

    def _alone(self, estimator_class):
        """Return an estimator with the parameters that it shares with this one."""
        names = estimator_class._get_param_names()
        return clone(
            estimator_class(**{name: getattr(self, name) for name in names if hasattr(self, name)})
        )

    def _search(self, X, y, splits, grid, fits, seconds):
        """Score the fits, and set what `GridSearchCV` sets."""
        search = GridSearchCV(
            self._alone(self._fitted_class),
            grid,
            cv=splits,
            scoring=self.scoring,
            refit=self.refit,
            error_score=self.error_score,
            return_train_score=self.return_train_score,
            n_jobs=1,  # the fits come in turn
        )
        # none for its refit, which comes later
        with config_context(enable_metadata_routing=False):
            search.fit(X, y, fits=chain(fits, [search.estimator]))
        search.cv_results_["mean_fit_time"] = seconds.mean(axis=1)
        search.cv_results_["std_fit_time"] = seconds.std(axis=1)
        for name in (
            "cv_results_",
            "n_splits_",
            "scorer_",
            "multimetric_",
            "best_index_",
            "best_params_",
            "best_score_",
        ):
            if hasattr(search, name):
                setattr(self, name, getattr(search, name))
        if self.scoring is None:  # that of the search holds on to its stand-in
            self.scorer_ = check_scoring(self._alone(self._estimator_class))

    def score(self, X, y=None):
        """Score the best estimator, as `scoring` says.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one a row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances.

        Returns
        -------
        score : float
            By `scoring`, or what `refit` names of several; R² where it is None.
        """
        check_is_fitted(self)
        scorer = self.scorer_[self.refit] if isinstance(self.scorer_, dict) else self.scorer_
        score = scorer(self._best(), X, y)
        return score[self.refit] if isinstance(score, dict) else score

    def _best(self):
        if not hasattr(self, "best_estimator_"):
            raise NotFittedError(
                f"{type(self).__name__} was fitted with refit=False, so that there is no network "
                f"trained on all pairs; set refit=True, or fit one with best_params_."
            )
        return self.best_estimator_

    def _unmix(self, X, out):
        self._best()._unmix(X, out)

    def __getstate__(self):
        # the net is that of the best estimator, which knows how to save it
        return {name: value for name, value in super().__getstate__().items() if name != "net_"}

    def __setstate__(self, state):
        super().__setstate__(state)
        if hasattr(self, "best_estimator_"):
            self.net_ = self.best_estimator_.net_

    _message_y_missing = UnrolledRegressor._message_y_missing


class ISTANetRegressorCV(_UnrolledRegressorCV):
    """A network of unrolled ISTA layers, its parameters chosen by cross-validation.

    All candidates are trained on all folds at once, as one stack of networks with one training step
    for all, instead of one after the other.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), default=None
        Endmember spectra, one a row, in the units of the spectra; (n_bands, n_endmembers) is
        turned. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`, in the space that the network sees.

    param_grid : dict or list of dict, default=None
        The candidates, as :class:`~sklearn.model_selection.GridSearchCV` takes them: parameters of
        :class:`ISTANetRegressor` and lists of their values. Candidates that differ in
        the weights of the loss, `learning_rate`, and `lam`
        are trained together; those which differ in anything else, one such stack after another.
        None is {"alpha_aad": [1e-7, 0.1, 1], "alpha_aid": [1e-5, 1e-4, 1e-3],
        "learning_rate": [3e-5, 1e-4, 3e-4]}: the paper's values and others.

    cv : int, cross-validation generator or iterable, default=None
        How to split the pixels: None is 5-fold, and the rest as scikit-learn has it. Neighbouring
        pixels are alike: for an image take :class:`~sklearn.model_selection.GroupKFold` with
        tiles as groups.

    scoring : str, callable, list, tuple or dict, default=None
        How to score held-out pixels, as for :class:`~sklearn.model_selection.GridSearchCV`; None
        is R². See `skunmix.metrics` for scorers of abundances.

    refit : bool, str or callable, default=True
        Whether to train the best candidate on all pairs; where there are several scores, the name
        of the one that decides, or a function that takes `cv_results_` and returns the index of
        the best.

    error_score : "raise" or float, default=nan
        The score of a candidate on a fold where its training diverges or fails otherwise, with a
        warning; or "raise".

    return_train_score : bool, default=False
        Whether to score the training pixels, too.

    n_layers : int, default=2
        Number of layers, K.

    tied : bool, default=False
        Whether all layers share their parameters (MNN-AE-1).

    lam : float, default=1e-3
        λ ≥ 0 of the warm start, the weight of the sparsity term, in the units of the spectra
        squared.

    sum_to_one : {False, "normalize"}, default="normalize"
        Whether to rescale the output to sum to one; a pixel whose output is zero then gets
        1 / n_endmembers of each.

    alpha_mse : float, default=1.0
        α₁ ≥ 0, the weight of the mean squared error in the loss.

    alpha_aad : float, default=0.0
        α₂ ≥ 0, the weight of the mean angle between abundances.

    alpha_aid : float, default=0.0
        α₃ ≥ 0, the weight of the mean information divergence between abundances.

    norm : {"l2", "auto"}, default=None
        "l2" lets the network see each spectrum, and each endmember, at unit length: better where
        pixels differ in brightness. None leaves their length. "auto" is explained under
        `noise_augmentation`.

    noise_augmentation : bool or "auto", default=False
        Whether the network learns from mixtures of the endmembers, in the proportions of the given
        abundances, with noise that is drawn anew in each epoch, in place of the given spectra:
        better where spectra are linear mixtures. The noise has the second moments of what the
        given spectra are besides the mixtures, and the network sees no more of a spectrum than its
        projection on the span of the endmembers. "auto", here or as `norm`, sets a part of the
        pairs aside (`validation_fraction`), trains each choice that is left open for 1,000 steps
        on the rest, and takes the one with the least RMSE on that part; it then learns from all
        pairs.

    learning_rate : float, default=1e-4
        Learning rate of Adam, for spectra whose largest value is one: the network divides
        spectra by the largest magnitude in the training spectra.

    lr_schedule : {"cosine", "one-cycle"}, default=None
        None keeps the learning rate constant; "cosine" lets it fall to zero along half a cosine,
        and "one-cycle" first rise to it and then fall.

    batch_size : int, default=64
        Pixels in a batch; fewer pixels than this make one batch.

    max_epochs : int, default=300
        Passes over the training pairs. 0 leaves the network untrained, which is K iterations of
        ISTA.

    early_stopping : bool, default=False
        Whether to set a part of the pairs aside, to stop when the loss on it no longer falls, and
        to restore the parameters that had the lowest.

    validation_fraction : float, default=0.1
        The fraction of the pairs to set aside for early stopping, and for choosing what is "auto".

    n_iter_no_change : int, default=20
        Epochs without a lower validation loss after which to stop.

    device : str or torch.device, default="cpu"
        Where to train and predict, as torch names it.

    random_state : int, RandomState instance or None, default=None
        Draws the order of the pixels in each epoch, and the validation part. Pass an int for
        reproducible results. None draws from the operating system, and leaves NumPy's global
        generator alone.

    callbacks : list of skorch callbacks, default=None
        Appended to the network's own.

    verbose : int, default=0
        Above 0, skorch prints a line an epoch.

    Attributes
    ----------
    best_params_ : dict
        The parameters of the best candidate.

    best_score_ : float
        Its mean score over the folds.

    best_index_ : int
        Its row in `cv_results_`.

    best_estimator_ : ISTANetRegressor
        It, trained on all pairs. Its fitted attributes are this estimator's as well.

    cv_results_ : dict of ndarrays of shape (n_candidates,)
        That of :class:`~sklearn.model_selection.GridSearchCV`, to be read as a DataFrame. The time
        of a fit is its share of the time of the stack.

    scorer_ : callable or dict
        What scores the held-out pixels.

    multimetric_ : bool
        Whether there are several scores.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds that training the best candidate on all pairs took.

    net_ : skorch.NeuralNetRegressor
        The trained net.

    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers as used.

    n_endmembers_ : int
        Number of endmembers.

    scale_ : float
        The largest magnitude in the training spectra, at unit length where `norm_` is "l2", which
        the network divides spectra by.

    norm_ : "l2" or None
        The `norm` used.

    noise_augmentation_ : bool
        Whether noise was drawn.

    choice_scores_ : dict
        RMSE on the validation part of each pair of `norm` and `noise_augmentation` that was tried.
        Only where one of them is "auto".

    loss_curve_ : list of float
        Mean training loss of each epoch of the last fit.

    validation_loss_curve_ : list of float or None
        Loss on the validation part after each epoch; None without early stopping.

    n_iter_ : int
        Epochs trained in the last fit.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, when the spectra were a DataFrame with string columns.

    See Also
    --------
    ISTANetRegressor : The same with given parameters.
    sklearn.model_selection.GridSearchCV : One training after another, of any estimator, such as a
        pipeline.

    Notes
    -----
    It is to ``GridSearchCV(ISTANetRegressor(), param_grid)`` what
    :class:`~sklearn.linear_model.LassoCV` is to ``GridSearchCV(Lasso())``: each candidate goes on
    each fold the way that it would go alone, from the same start, through the same batches, in
    steps of its own length, so that scores are the same but for the rounding of float32. It takes
    a fraction of the time, since there is one training step for all of them. What a stack needs of
    memory grows in proportion to its networks, and is held below ``working_memory`` (see
    :func:`sklearn.set_config`) by splitting it.

    With ``random_state=None`` the candidates of a fold see the same batches as each other.

    Examples
    --------
    >>> from skunmix import ISTANetRegressorCV
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[:500], scene.abundances[:500]
    >>> grid = {"learning_rate": [1e-5, 1e-3], "alpha_aid": [0, 1e-5]}
    >>> model = ISTANetRegressorCV(
    ...     endmembers=scene.endmembers, param_grid=grid, max_epochs=20, cv=3, random_state=0
    ... )
    >>> model.fit(Y, X).best_params_["learning_rate"]
    0.001
    >>> len(model.cv_results_["params"])
    4
    """

    _estimator_class = ISTANetRegressor
    _fitted_class = _FittedISTANet

    _parameter_constraints: ClassVar[dict] = {
        **ISTANetRegressor._parameter_constraints,
        **_UnrolledRegressorCV._parameter_constraints,
    }
    del _parameter_constraints["warm_start"]

    def __init__(
        self,
        endmembers=None,
        *,
        param_grid=None,
        cv=None,
        scoring=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
        n_layers=2,
        tied=False,
        lam=1e-3,
        sum_to_one="normalize",
        alpha_mse=1.0,
        alpha_aad=0.0,
        alpha_aid=0.0,
        norm=None,
        noise_augmentation=False,
        learning_rate=1e-4,
        lr_schedule=None,
        batch_size=64,
        max_epochs=300,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="cpu",
        random_state=None,
        callbacks=None,
        verbose=0,
    ):
        self.endmembers = endmembers
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.n_layers = n_layers
        self.tied = tied
        self.lam = lam
        self.sum_to_one = sum_to_one
        self.alpha_mse = alpha_mse
        self.alpha_aad = alpha_aad
        self.alpha_aid = alpha_aid
        self.norm = norm
        self.noise_augmentation = noise_augmentation
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose


class UADMMRegressorCV(_UnrolledRegressorCV):
    """A network of unrolled ADMM layers, its parameters chosen by cross-validation.

    All candidates are trained on all folds at once, as one stack of networks with one training step
    for all, instead of one after the other.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), default=None
        Endmember spectra, one a row, in the units of the spectra; (n_bands, n_endmembers) is
        turned. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`, in the space that the network sees.

    param_grid : dict or list of dict, default=None
        The candidates, as :class:`~sklearn.model_selection.GridSearchCV` takes them: parameters of
        :class:`UADMMRegressor` and lists of their values. Candidates that differ in
        the weights of the loss, `learning_rate`, `lam` and `mu`
        are trained together; those which differ in anything else, one such stack after another.
        None is {"alpha_aad": [1e-7, 0.1, 1], "alpha_aid": [1e-5, 1e-4, 1e-3],
        "learning_rate": [3e-5, 1e-4, 3e-4]}: the paper's values and others.

    cv : int, cross-validation generator or iterable, default=None
        How to split the pixels: None is 5-fold, and the rest as scikit-learn has it. Neighbouring
        pixels are alike: for an image take :class:`~sklearn.model_selection.GroupKFold` with
        tiles as groups.

    scoring : str, callable, list, tuple or dict, default=None
        How to score held-out pixels, as for :class:`~sklearn.model_selection.GridSearchCV`; None
        is R². See `skunmix.metrics` for scorers of abundances.

    refit : bool, str or callable, default=True
        Whether to train the best candidate on all pairs; where there are several scores, the name
        of the one that decides, or a function that takes `cv_results_` and returns the index of
        the best.

    error_score : "raise" or float, default=nan
        The score of a candidate on a fold where its training diverges or fails otherwise, with a
        warning; or "raise".

    return_train_score : bool, default=False
        Whether to score the training pixels, too.

    n_layers : int, default=2
        Number of layers, K.

    tied : bool, default=False
        Whether all layers share their parameters.

    lam : float, default=1e-3
        λ ≥ 0 of the warm start, the weight of the sparsity term, in the units of the spectra
        squared.

    mu : float, "auto" or "max-eigenvalue", default="auto"
        µ > 0 of the warm start, in the units of the spectra squared. "auto" tries a grid on the
        training pairs, one pass of the untrained network each, and takes the largest µ whose error
        is at most twice the least. "max-eigenvalue" is λ_max(AᵀA).

    sum_to_one : {"auto", False, True, "normalize"}, default="auto"
        "normalize" rescales the output to sum to one; a pixel whose output is zero then gets
        1 / n_endmembers of each. True also holds the warm-started x-update on the plane
        Σx = 1, which adds a bias to each layer: better where spectra are linear mixtures. False
        does neither. "auto" chooses between "normalize" and True together with µ, by the error on
        the training pairs; where µ is not "auto" it is "normalize", as in the paper.

    alpha_mse : float, default=1.0
        α₁ ≥ 0, the weight of the mean squared error in the loss.

    alpha_aad : float, default=1e-7
        α₂ ≥ 0, the weight of the mean angle between abundances.

    alpha_aid : float, default=1e-5
        α₃ ≥ 0, the weight of the mean information divergence between abundances.

    norm : {"l2", "auto"}, default=None
        "l2" lets the network see each spectrum, and each endmember, at unit length: better where
        pixels differ in brightness. None leaves their length. "auto" is explained under
        `noise_augmentation`.

    noise_augmentation : bool or "auto", default=False
        Whether the network learns from mixtures of the endmembers, in the proportions of the given
        abundances, with noise that is drawn anew in each epoch, in place of the given spectra:
        better where spectra are linear mixtures. The noise has the second moments of what the
        given spectra are besides the mixtures, and the network sees no more of a spectrum than its
        projection on the span of the endmembers. "auto", here or as `norm`, sets a part of the
        pairs aside (`validation_fraction`), trains each choice that is left open for 1,000 steps
        on the rest, and takes the one with the least RMSE on that part; it then learns from all
        pairs.

    learning_rate : float, default=1e-4
        Learning rate of Adam, for spectra whose largest value is one: the network divides
        spectra by the largest magnitude in the training spectra.

    lr_schedule : {"cosine", "one-cycle"}, default=None
        None keeps the learning rate constant; "cosine" lets it fall to zero along half a cosine,
        and "one-cycle" first rise to it and then fall.

    batch_size : int, default=64
        Pixels in a batch; fewer pixels than this make one batch.

    max_epochs : int, default=300
        Passes over the training pairs. 0 leaves the network untrained, which is K iterations of
        ADMM.

    early_stopping : bool, default=False
        Whether to set a part of the pairs aside, to stop when the loss on it no longer falls, and
        to restore the parameters that had the lowest.

    validation_fraction : float, default=0.1
        The fraction of the pairs to set aside for early stopping, and for choosing what is "auto".

    n_iter_no_change : int, default=20
        Epochs without a lower validation loss after which to stop.

    device : str or torch.device, default="cpu"
        Where to train and predict, as torch names it.

    random_state : int, RandomState instance or None, default=None
        Draws the order of the pixels in each epoch, and the validation part. Pass an int for
        reproducible results. None draws from the operating system, and leaves NumPy's global
        generator alone.

    callbacks : list of skorch callbacks, default=None
        Appended to the network's own.

    verbose : int, default=0
        Above 0, skorch prints a line an epoch.

    Attributes
    ----------
    best_params_ : dict
        The parameters of the best candidate.

    best_score_ : float
        Its mean score over the folds.

    best_index_ : int
        Its row in `cv_results_`.

    best_estimator_ : UADMMRegressor
        It, trained on all pairs. Its fitted attributes are this estimator's as well.

    cv_results_ : dict of ndarrays of shape (n_candidates,)
        That of :class:`~sklearn.model_selection.GridSearchCV`, to be read as a DataFrame. The time
        of a fit is its share of the time of the stack.

    scorer_ : callable or dict
        What scores the held-out pixels.

    multimetric_ : bool
        Whether there are several scores.

    n_splits_ : int
        Number of folds.

    refit_time_ : float
        Seconds that training the best candidate on all pairs took.

    net_ : skorch.NeuralNetRegressor
        The trained net.

    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers as used.

    n_endmembers_ : int
        Number of endmembers.

    mu_ : float
        µ of the warm start, in the units of the spectra squared.

    sum_to_one_ : bool or "normalize"
        The constraint that `sum_to_one` came to.

    scale_ : float
        The largest magnitude in the training spectra, at unit length where `norm_` is "l2", which
        the network divides spectra by.

    norm_ : "l2" or None
        The `norm` used.

    noise_augmentation_ : bool
        Whether noise was drawn.

    choice_scores_ : dict
        RMSE on the validation part of each pair of `norm` and `noise_augmentation` that was tried.
        Only where one of them is "auto".

    loss_curve_ : list of float
        Mean training loss of each epoch of the last fit.

    validation_loss_curve_ : list of float or None
        Loss on the validation part after each epoch; None without early stopping.

    n_iter_ : int
        Epochs trained in the last fit.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, when the spectra were a DataFrame with string columns.

    See Also
    --------
    UADMMRegressor : The same with given parameters.
    sklearn.model_selection.GridSearchCV : One training after another, of any estimator, such as a
        pipeline.

    Notes
    -----
    It is to ``GridSearchCV(UADMMRegressor(), param_grid)`` what
    :class:`~sklearn.linear_model.LassoCV` is to ``GridSearchCV(Lasso())``: each candidate goes on
    each fold the way that it would go alone, from the same start, through the same batches, in
    steps of its own length, so that scores are the same but for the rounding of float32. It takes
    a fraction of the time, since there is one training step for all of them. What a stack needs of
    memory grows in proportion to its networks, and is held below ``working_memory`` (see
    :func:`sklearn.set_config`) by splitting it.

    With ``random_state=None`` the candidates of a fold see the same batches as each other.

    Examples
    --------
    >>> from skunmix import UADMMRegressorCV
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[:500], scene.abundances[:500]
    >>> grid = {"learning_rate": [1e-5, 1e-3], "alpha_aid": [0, 1e-5]}
    >>> model = UADMMRegressorCV(
    ...     endmembers=scene.endmembers, param_grid=grid, max_epochs=20, cv=3, random_state=0
    ... )
    >>> model.fit(Y, X).best_params_["learning_rate"]
    0.001
    >>> len(model.cv_results_["params"])
    4
    """

    _estimator_class = UADMMRegressor
    _fitted_class = _FittedUADMM

    _parameter_constraints: ClassVar[dict] = {
        **UADMMRegressor._parameter_constraints,
        **_UnrolledRegressorCV._parameter_constraints,
    }
    del _parameter_constraints["warm_start"]

    def __init__(
        self,
        endmembers=None,
        *,
        param_grid=None,
        cv=None,
        scoring=None,
        refit=True,
        error_score=np.nan,
        return_train_score=False,
        n_layers=2,
        tied=False,
        lam=1e-3,
        mu="auto",
        sum_to_one="auto",
        alpha_mse=1.0,
        alpha_aad=1e-7,
        alpha_aid=1e-5,
        norm=None,
        noise_augmentation=False,
        learning_rate=1e-4,
        lr_schedule=None,
        batch_size=64,
        max_epochs=300,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        device="cpu",
        random_state=None,
        callbacks=None,
        verbose=0,
    ):
        self.endmembers = endmembers
        self.param_grid = param_grid
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.error_score = error_score
        self.return_train_score = return_train_score
        self.n_layers = n_layers
        self.tied = tied
        self.lam = lam
        self.mu = mu
        self.sum_to_one = sum_to_one
        self.alpha_mse = alpha_mse
        self.alpha_aad = alpha_aad
        self.alpha_aid = alpha_aid
        self.norm = norm
        self.noise_augmentation = noise_augmentation
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose
