"""Unmixing by unrolled, trainable networks: faces on `skunmix.networks`, holding a skorch net."""

import warnings
from abc import abstractmethod
from contextlib import nullcontext
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping
from skorch.helper import predefined_split
from skorch.utils import noop
from torch.utils.data import TensorDataset

from .base import BaseUnmixer
from .networks import (
    CompositeLoss,
    LearningRate,
    StopOnDivergence,
    TensorBatches,
    UnrolledADMM,
    UnrolledISTA,
    choose_start,
    cosine,
    max_eigenvalue,
    one_cycle,
    one_thread,
    predict_blocks,
)

# Multiplications of a training step's forward pass; with 1e7 of them (240 endmembers, 198 bands,
# two layers, batches of 64) one thread is still a third faster than two: a second only gets in the
# way of steps that short.
LARGE_STEP = 1e8
# An endmember is dead if no training pixel has this much of it in the output, though one has the
# other in truth.
_DEAD = 0.01
_PRESENT = 0.1

SCHEDULES = {None: None, "cosine": cosine, "one-cycle": one_cycle}

_POSITIVE = Interval(Real, 0, np.inf, closed="neither")
_NON_NEGATIVE = Interval(Real, 0, np.inf, closed="left")


class _UnrolledRegressor(BaseUnmixer):
    """What the two networks share: training, and prediction."""

    _learns_from_pairs = True
    _checks_finite = False  # predict_blocks does

    _parameter_constraints: ClassVar[dict] = {
        "endmembers": ["array-like", None],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "tied": ["boolean"],
        "lam": [_NON_NEGATIVE],
        "alpha_mse": [_NON_NEGATIVE],
        "alpha_aad": [_NON_NEGATIVE],
        "alpha_aid": [_NON_NEGATIVE],
        "learning_rate": [_POSITIVE],
        "lr_schedule": [StrOptions({"cosine", "one-cycle"}), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "callbacks": [list, tuple, None],
        "verbose": ["verbose"],
    }

    @abstractmethod
    def _make_module(self, endmembers, spectra, abundances):
        """Return the untrained module for scaled endmembers and pairs."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, endmembers=None):
        """Train the network on pairs of spectra and abundances.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one a row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances, non-negative. The network's output sums to one unless
            ``sum_to_one=False``, and there is a warning when these do not.

        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, in place of the parameter of that name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If abundances are missing or negative, endmembers fit neither layout or hold a zero
            spectrum or the same one twice, the device is not there, or there is a NaN.
        """
        more = self.warm_start and hasattr(self, "net_")
        training, validation = self._prepare(X, y, endmembers, more=more, split=True)
        self.net_.set_params(
            train_split=predefined_split(validation) if validation else None,
            callbacks__early_stopping=self._early_stopper() if validation else Callback(),
            callbacks__learning_rate=self._learning_rate(len(training)),
        )
        return self._train(training, self.max_epochs)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, *, endmembers=None):
        """Train for one epoch on the given pairs, at the constant learning rate.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one a row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances, non-negative.

        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, in place of the parameter of that name. Only the first call uses
            them, or estimates them.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            As `fit` does.
        """
        more = hasattr(self, "net_")
        training, _ = self._prepare(X, y, endmembers, more=more, split=False)
        self.net_.set_params(
            train_split=None,
            callbacks__early_stopping=Callback(),
            callbacks__learning_rate=LearningRate(self.learning_rate),
        )
        return self._train(training, 1)

    def _prepare(self, X, y, endmembers, *, more, split):
        """Check the input, make the net unless there is more training to do, split the pairs.

        Returns
        -------
        training : TensorDataset
        validation : TensorDataset or None
        """
        device = check_device(self.device)
        self._check_loss()
        X, y = self._fit_endmembers(X, y, endmembers, reset=not more)
        self._warn_of_sums(y)
        if not more:
            # the caller's generator, and never NumPy's global one
            self._random_state = (
                np.random.RandomState()
                if self.random_state is None
                else check_random_state(self.random_state)
            )
            # the learning rate is for spectra whose largest value is one
            self.scale_ = max(-float(X.min()), float(X.max())) or 1.0

        training, validation = np.arange(len(X)), None
        if split and self.early_stopping:
            training, validation = self._split(len(X))
        training, validation = (
            rows
            if rows is None
            else TensorDataset(
                torch.from_numpy((X[rows] / np.float64(self.scale_)).astype(np.float32)).to(device),
                torch.from_numpy(y[rows].astype(np.float32)).to(device),
            )
            for rows in (training, validation)
        )
        if not more:
            self._start(training)
        return training, validation

    def _start(self, training):
        """Make the untrained net for the pairs."""
        module = self._make_module(
            self.endmembers_ / self.scale_, *(tensor.cpu() for tensor in training.tensors)
        )
        self.net_ = self._make_net(module)

    def _check_loss(self):
        if not (self.alpha_mse or self.alpha_aad or self.alpha_aid):
            raise ValueError(
                "alpha_mse, alpha_aad and alpha_aid are all 0, so that there is no loss to "
                "train with; expected at least one above 0."
            )

    def _split(self, n_pixels):
        """Return the rows to train on and those to validate on."""
        n_validation = int(self.validation_fraction * n_pixels)
        if n_validation == 0:
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} leaves "
                f"no pixel to validate on of n_samples = {n_pixels}; give more pixels or a larger "
                f"fraction."
            )
        rows = self._random_state.permutation(n_pixels)
        return rows[n_validation:], rows[:n_validation]

    def _make_net(self, module):
        """Return an initialised skorch net around the module."""
        return NeuralNetRegressor(
            module,
            criterion=CompositeLoss,
            criterion__alpha_mse=self.alpha_mse,
            criterion__alpha_aad=self.alpha_aad,
            criterion__alpha_aid=self.alpha_aid,
            optimizer=torch.optim.Adam,
            optimizer__fused=True,  # one kernel a step in place of a dozen a parameter
            lr=self.learning_rate,
            batch_size=self.batch_size,
            iterator_train=TensorBatches,
            iterator_train__random_state=self._random_state,
            iterator_valid=TensorBatches,
            train_split=None,
            callbacks=[
                # places for what each call of fit sets; a bare Callback does nothing
                ("early_stopping", Callback()),
                ("learning_rate", Callback()),
                ("stop_on_divergence", StopOnDivergence()),
                *(self.callbacks or ()),
            ],
            device=self.device,
            verbose=int(self.verbose),
        ).initialize()

    def _early_stopper(self):
        return EarlyStopping(
            patience=self.n_iter_no_change,
            load_best=True,
            sink=print if self.verbose else noop,
        ).initialize()

    def _learning_rate(self, n_pixels):
        n_batches = -(-n_pixels // self.batch_size)
        return LearningRate(
            self.learning_rate, SCHEDULES[self.lr_schedule], n_batches * self.max_epochs
        )

    def _train(self, training, n_epochs):
        n_multiplications = self.batch_size * sum(
            parameter.numel() for parameter in self.net_.module_.parameters()
        )
        try:
            if n_epochs:
                with one_thread() if n_multiplications < LARGE_STEP else nullcontext():
                    # what partial_fit does, less its taking Ctrl-C for the end of training
                    self.net_.notify("on_train_begin", X=training, y=None)
                    try:
                        self.net_.fit_loop(training, epochs=n_epochs)
                    except KeyboardInterrupt:  # which is skorch's way to stop early, too
                        if not self._stopped_early():
                            raise
                    self.net_.notify("on_train_end", X=training, y=None)
        finally:
            # an epoch that was interrupted has no loss
            epochs = [epoch for epoch in self.net_.history if "train_loss" in epoch]
            self.n_iter_ = len(epochs)
            self.loss_curve_ = [epoch["train_loss"] for epoch in epochs]
            self.validation_loss_curve_ = (
                [epoch.get("valid_loss", np.nan) for epoch in epochs]
                if self.early_stopping
                else None
            )
        if n_epochs:
            self._warn_of_dead_endmembers(training)
        return self

    def _stopped_early(self):
        return any(
            isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience
            for _, callback in self.net_.callbacks_
        )

    def _warn_of_dead_endmembers(self, training):
        """Warn of an endmember that some training pixel has, and no output."""
        spectra, abundances = training.tensors
        with torch.inference_mode():
            most = self.net_.module_.eval()(spectra).amax(dim=0)
            dead = torch.nonzero((most < _DEAD) & (abundances.amax(dim=0) >= _PRESENT)).ravel()
        if len(dead):
            names = ", ".join(self._endmember_names[dead.cpu().numpy()])
            warnings.warn(
                f"After training, {names} is below {_DEAD} in the output for every training "
                f"pixel, though not in their abundances: lower learning_rate, which is "
                f"{self.learning_rate:g}, or train for more epochs from mu='auto'.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _unmix(self, X, out):
        predict_blocks(self.net_.module_, X, out, self.scale_)

    def _warn_of_sums(self, y):
        if self.sum_to_one is False:
            return
        sums = y.sum(axis=1)
        off = np.abs(sums - 1.0)
        if off.max() > 1e-3:
            warnings.warn(
                f"The abundances of {np.count_nonzero(off > 1e-3)} of {len(y)} pixels do not sum "
                f"to one (from {sums.min():.3g} to {sums.max():.3g}), but the network's output "
                f"does: rescale them, or use sum_to_one=False.",
                UserWarning,
                stacklevel=5,
            )

    def _message_y_missing(self):
        return (
            f"{type(self).__name__} requires y to be passed, but the target y is None: "
            f"SunSALRegressor needs none; the networks learn from pairs of spectra and abundances."
        )


def check_device(device):
    """Return the torch device of that name.

    Raises
    ------
    ValueError
        If there is no such device on this machine.
    """
    try:
        device = torch.device(device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={str(device)!r} cannot be used here, expected 'cpu' or a device that torch "
            f"finds, such as 'cuda'; install torch for that device or use 'cpu'."
        ) from error
    return device


class ISTANetRegressor(_UnrolledRegressor):
    """Unmixing by a network of unrolled ISTA layers (MNN-AE-2).

    K layers of ``z ← max(soft(W_kᵀy + S_kᵀz, θ_k), 0)`` with trainable W, S and θ, warm-started
    such that the untrained network is K iterations of ISTA, and trained on pairs of spectra and
    abundances. ``tied=True`` is MNN-AE-1.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), default=None
        Endmember spectra, one a row, in the units of the spectra; (n_bands, n_endmembers) is
        turned. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`, in the space that the network sees.

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
        The fraction of the pairs to set aside for early stopping.

    n_iter_no_change : int, default=20
        Epochs without a lower validation loss after which to stop.

    warm_start : bool, default=False
        Whether `fit` trains the present network further, for `max_epochs` more.

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
    net_ : skorch.NeuralNetRegressor
        The trained net.

    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers as used.

    n_endmembers_ : int
        Number of endmembers.

    scale_ : float
        The largest magnitude in the training spectra, which the network divides spectra by.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_loss_curve_ : list of float or None
        Loss on the validation part after each epoch; None without early stopping.

    n_iter_ : int
        Epochs trained.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, when the spectra were a DataFrame with string columns.

    See Also
    --------
    UADMMRegressor : The same for ADMM, more accurate.
    SunSALRegressor : Sparse regression, which needs no abundances.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, "An ADMM Based Network for Hyperspectral Unmixing Tasks",
    ICASSP 2021, which compares with it.

    Examples
    --------
    >>> from skunmix import ISTANetRegressor
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[:500], scene.abundances[:500]
    >>> model = ISTANetRegressor(endmembers=scene.endmembers, max_epochs=5, random_state=0)
    >>> model.fit(Y, X).predict(scene.spectra).shape
    (10000, 6)
    """

    _parameter_constraints: ClassVar[dict] = {
        **_UnrolledRegressor._parameter_constraints,
        "sum_to_one": ["boolean", StrOptions({"normalize"})],
    }

    def __init__(
        self,
        endmembers=None,
        *,
        n_layers=2,
        tied=False,
        lam=1e-3,
        sum_to_one="normalize",
        alpha_mse=1.0,
        alpha_aad=0.0,
        alpha_aid=0.0,
        learning_rate=1e-4,
        lr_schedule=None,
        batch_size=64,
        max_epochs=300,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        warm_start=False,
        device="cpu",
        random_state=None,
        callbacks=None,
        verbose=0,
    ):
        self.endmembers = endmembers
        self.n_layers = n_layers
        self.tied = tied
        self.lam = lam
        self.sum_to_one = sum_to_one
        self.alpha_mse = alpha_mse
        self.alpha_aad = alpha_aad
        self.alpha_aid = alpha_aid
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    def _make_module(self, endmembers, spectra, abundances):
        if self.sum_to_one is True:
            raise ValueError(
                "sum_to_one=True has no place in ISTANetRegressor, expected 'normalize' or False: "
                "only UADMMRegressor has an x-update to hold the constraint."
            )
        return UnrolledISTA(
            endmembers,
            n_layers=self.n_layers,
            lam=self.lam / self.scale_**2,
            tied=self.tied,
            sum_to_one=self.sum_to_one,
        )


class UADMMRegressor(_UnrolledRegressor):
    """Unmixing by a network of unrolled ADMM layers (U-ADMM-AENet).

    K layers of ::

        x ← W_kᵀy + B_kᵀ(z + d)
        z ← max(soft(x − d, θ_k), 0)
        d ← d − η_k(x − z)

    with trainable W, B, θ and η, (n_endmembers² + n_endmembers · n_bands + 2) · K parameters in
    all, warm-started such that the untrained network is K iterations of ADMM, and trained on pairs
    of spectra and abundances with the loss α₁·MSE + α₂·angle + α₃·divergence.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), default=None
        Endmember spectra, one a row, in the units of the spectra; (n_bands, n_endmembers) is
        turned. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`, in the space that the network sees.

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
        The fraction of the pairs to set aside for early stopping.

    n_iter_no_change : int, default=20
        Epochs without a lower validation loss after which to stop.

    warm_start : bool, default=False
        Whether `fit` trains the present network further, for `max_epochs` more.

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
        The largest magnitude in the training spectra, which the network divides spectra by.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_loss_curve_ : list of float or None
        Loss on the validation part after each epoch; None without early stopping.

    n_iter_ : int
        Epochs trained.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, when the spectra were a DataFrame with string columns.

    See Also
    --------
    ISTANetRegressor : The same for ISTA.
    SunSALRegressor : Sparse regression, which needs no abundances.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, "An ADMM Based Network for Hyperspectral Unmixing Tasks",
    ICASSP 2021.

    Examples
    --------
    >>> from skunmix import UADMMRegressor
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[:500], scene.abundances[:500]
    >>> model = UADMMRegressor(endmembers=scene.endmembers, max_epochs=5, random_state=0)
    >>> model.fit(Y, X).predict(scene.spectra).shape
    (10000, 6)
    """

    _parameter_constraints: ClassVar[dict] = {
        **_UnrolledRegressor._parameter_constraints,
        "mu": [_POSITIVE, StrOptions({"auto", "max-eigenvalue"})],
        "sum_to_one": ["boolean", StrOptions({"auto", "normalize"})],
    }

    def __init__(
        self,
        endmembers=None,
        *,
        n_layers=2,
        tied=False,
        lam=1e-3,
        mu="auto",
        sum_to_one="auto",
        alpha_mse=1.0,
        alpha_aad=1e-7,
        alpha_aid=1e-5,
        learning_rate=1e-4,
        lr_schedule=None,
        batch_size=64,
        max_epochs=300,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=20,
        warm_start=False,
        device="cpu",
        random_state=None,
        callbacks=None,
        verbose=0,
    ):
        self.endmembers = endmembers
        self.n_layers = n_layers
        self.tied = tied
        self.lam = lam
        self.mu = mu
        self.sum_to_one = sum_to_one
        self.alpha_mse = alpha_mse
        self.alpha_aad = alpha_aad
        self.alpha_aid = alpha_aid
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    def _make_module(self, endmembers, spectra, abundances):
        def make(mu, sum_to_one):
            return UnrolledADMM(
                endmembers,
                n_layers=self.n_layers,
                mu=mu,
                lam=self.lam / self.scale_**2,
                tied=self.tied,
                sum_to_one=sum_to_one,
            )

        sum_to_one = "normalize" if self.sum_to_one == "auto" else self.sum_to_one
        if self.mu == "auto":
            candidates = ["normalize", True] if self.sum_to_one == "auto" else [sum_to_one]
            mu, sum_to_one = choose_start(make, candidates, spectra, abundances, endmembers)
        elif self.mu == "max-eigenvalue":
            mu = max_eigenvalue(endmembers)
        else:
            mu = self.mu / self.scale_**2
        self.mu_, self.sum_to_one_ = mu * self.scale_**2, sum_to_one
        return make(mu, sum_to_one)
