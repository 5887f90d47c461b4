"""What all unrolled networks share: training by skorch, saving and prediction."""

import warnings
from abc import abstractmethod
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
import torch
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, EarlyStopping, PassthroughScoring, PrintLog
from skorch.helper import predefined_split
from skorch.utils import noop

from ..base import BaseUnmixer
from ..networks import (
    CompositeLoss,
    LearningRate,
    ReportEpochs,
    StopOnDivergence,
    TensorBatches,
    check_device,
    cosine,
    net_to_state,
    network_from_state,
    one_cycle,
    predict_blocks,
    restore_net,
)
from ..utils import CallbackSupportMixin, Interval, StrOptions, has_callbacks
from ._pairs import few_threads

SCHEDULES = {None: None, "cosine": cosine, "one-cycle": one_cycle}

POSITIVE = Interval(Real, 0, np.inf, closed="neither")
_NON_NEGATIVE = Interval(Real, 0, np.inf, closed="left")


class UnrolledUnmixer(CallbackSupportMixin, BaseUnmixer):
    """Base class of the unmixers that train a network, from labels or without.

    A subclass sets `_network`, a subclass of `skunmix.networks.UnmixingNetwork`, and implements
    `_dataset`, `_training_set` and `_warn_of_dead_endmembers`.
    """

    _checks_finite = False  # predict_blocks does

    _parameter_constraints: ClassVar[dict] = {
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "tied": ["boolean"],
        "lam": [_NON_NEGATIVE],
        "alpha_mse": [_NON_NEGATIVE],
        "alpha_aad": [_NON_NEGATIVE],
        "alpha_aid": [_NON_NEGATIVE],
        "learning_rate": [POSITIVE],
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

    # the class of the network
    _network: ClassVar[type]

    # factor of the noise that is added in each epoch, or None
    _noise = None

    @abstractmethod
    def _dataset(self, spectra, targets):
        """Return spectra and targets as the network sees them, on its device."""

    @abstractmethod
    def _training_set(self, pairs):
        """Return the data set to train on."""

    @abstractmethod
    def _warn_of_dead_endmembers(self, training):
        """Warn if the output has none of an endmember for any pixel of the training set."""

    def _check_loss(self):
        if not (self.alpha_mse or self.alpha_aad or self.alpha_aid):
            raise ValueError(
                "alpha_mse, alpha_aad and alpha_aid are all 0, so that there is no loss to train "
                "with; expected at least one above 0, set one of them."
            )

    def _split(self, pairs):
        """Return the pairs with a random part held out for validation."""
        n_pixels = len(pairs.X)
        n_validation = int(self.validation_fraction * n_pixels)
        if n_validation == 0:
            raise ValueError(
                f"early_stopping=True with validation_fraction={self.validation_fraction} leaves "
                f"no pixel to validate on of n_samples = {n_pixels}; pass more pixels or a larger "
                f"fraction."
            )
        rows = self._random_state.permutation(n_pixels)
        return pairs.split(rows[n_validation:], rows[:n_validation])

    def _criterion(self, network):
        """Return the loss and its arguments besides the weights."""
        return {"criterion": CompositeLoss}

    def _constraint(self):
        """Return the callback that constrains the parameters of the network."""
        return Callback()

    def _make_net(self, network, device=None):
        """Return an initialised skorch net around the network."""
        return NeuralNetRegressor(
            network,
            criterion__alpha_mse=self.alpha_mse,
            criterion__alpha_aad=self.alpha_aad,
            criterion__alpha_aid=self.alpha_aid,
            **self._criterion(network),
            optimizer=torch.optim.Adam,
            optimizer__fused=True,  # one kernel per step instead of a dozen per parameter
            lr=self.learning_rate,
            batch_size=self.batch_size,
            iterator_train=TensorBatches,
            iterator_train__random_state=self._random_state,
            iterator_train__noise=self._noise,
            iterator_valid=TensorBatches,
            train_split=None,
            callbacks=[
                # each call of fit replaces these Callbacks, which do nothing
                ("early_stopping", Callback()),
                ("learning_rate", Callback()),
                ("constraint", self._constraint()),
                ("stop_on_divergence", StopOnDivergence()),
                ("report", Callback()),
                *(self.callbacks or ()),
            ],
            device=self.device if device is None else device,
        ).initialize()

    def __getstate__(self):
        # arrays replace the net, so that files hold no class of torch or skorch
        state = super().__getstate__()
        return {**state, "net_": net_to_state(state["net_"])} if "net_" in state else state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "net_" not in state:
            return
        device = self.device
        try:
            check_device(device)
        except ValueError:
            device = "cpu"
            warnings.warn(
                f"device={self.device!r} cannot be used here: {type(self).__name__} is loaded on "
                f"the CPU, where its predictions are the same; set device='cpu' to train it.",
                UserWarning,
                stacklevel=2,
            )
        self._restore_net(state["net_"], device)

    def _restore_net(self, state, device):
        """Set the net to that of a state, on the device."""
        self.net_ = self._make_net(network_from_state(self._network, state), device)
        restore_net(self.net_, state)

    def _set_net(self, learning_rate, validation=None, report=None):
        """Set what each call of `fit` changes in the net."""
        if self.net_.device != self.device:  # which was set after an earlier `fit`
            self._restore_net(net_to_state(self.net_), self.device)
        scores = early_stopping = Callback()
        if validation is not None:
            scores = PassthroughScoring("valid_loss").initialize()
            early_stopping = EarlyStopping(
                patience=self.n_iter_no_change,
                load_best=True,
                sink=print if self.verbose else noop,
            ).initialize()
        self.net_.set_params(
            train_split=None if validation is None else predefined_split(validation),
            verbose=int(self.verbose),
            callbacks__print_log=PrintLog().initialize() if self.verbose else Callback(),
            callbacks__valid_loss=scores,
            callbacks__early_stopping=early_stopping,
            callbacks__learning_rate=learning_rate,
            callbacks__report=report or Callback(),
        )

    def _n_epochs(self, n_pixels):
        """Return the number of epochs of a training with this number of pixels."""
        return self.max_epochs

    def _n_steps(self, n_pixels):
        """Return the number of steps of a training with this number of pixels."""
        return self._n_epochs(n_pixels) * self._n_batches(n_pixels)

    def _n_batches(self, n_pixels):
        return -(-n_pixels // self.batch_size)

    def _set_schedule(self, pairs, epochs, X, y):
        """Set the net for all epochs; `epochs` is the context of scikit-learn's callbacks."""
        n_steps = self._n_steps(len(pairs.X))
        self._set_net(
            LearningRate(self.learning_rate, SCHEDULES[self.lr_schedule], n_steps),
            pairs.validation and self._dataset(*pairs.validation),
            self._reporter(epochs, X, y) if has_callbacks(self) else None,
        )

    def _reporter(self, context, X, y):
        """Return the callback that reports each epoch to scikit-learn's callbacks."""

        def begin():
            epoch = context.subcontext(task_name="epoch")
            return epoch.call_on_fit_task_begin(estimator=self, X=X, y=y)

        def end(epoch):
            return epoch.call_on_fit_task_end(
                estimator=self, X=X, y=y, reconstruction_attributes={}
            )

        return ReportEpochs(begin, end)

    def _train(self, pairs, n_epochs):
        """Train the net on pairs, and set the attributes of the training."""
        training = self._training_set(pairs)
        try:
            if n_epochs:
                with few_threads(self.net_.module_, self.batch_size):
                    # as skorch's partial_fit, except that Ctrl-C raises
                    self.net_.notify("on_train_begin", X=training, y=None)
                    try:
                        self.net_.fit_loop(training, epochs=n_epochs)
                    except KeyboardInterrupt:  # skorch also raises it to stop early
                        if not self._stopped_early():
                            raise
                    self.net_.notify("on_train_end", X=training, y=None)
        finally:
            self.net_.set_params(callbacks__report=Callback())  # the reporter cannot be pickled
            # an epoch that was interrupted has no loss
            epochs = [epoch for epoch in self.net_.history if "train_loss" in epoch]
            self._set_losses(
                [epoch["train_loss"] for epoch in epochs],
                [epoch.get("valid_loss", np.nan) for epoch in epochs],
            )
        if n_epochs:
            self._warn_of_dead_endmembers(training)

    def _set_losses(self, losses, validation_losses):
        """Set the attributes of a training."""
        self.n_iter_ = len(losses)
        self.loss_curve_ = losses
        self.validation_loss_curve_ = validation_losses if self.early_stopping else None

    def _stopped_early(self):
        return any(
            (isinstance(callback, EarlyStopping) and callback.misses_ >= callback.patience)
            or (isinstance(callback, ReportEpochs) and callback.stopped_)
            for _, callback in self.net_.callbacks_
        )

    def _unmix(self, X, out):
        size = predict_blocks(self.net_.module_, X, out)
        # spectra of usual magnitudes need no further pass
        return size if size <= np.abs(self.endmembers_).max() else None
