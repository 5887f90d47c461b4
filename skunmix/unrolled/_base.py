"""Base class of the unrolled networks that learn from pairs of spectra and abundances."""

import warnings
from abc import abstractmethod
from itertools import product
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from torch.utils.data import TensorDataset

from ..endmembers import ENDMEMBERS, estimate_endmembers
from ..metrics import abundance_rmse
from ..networks import (
    DivergenceError,
    LearningRate,
    SpectrumTransform,
    as_tensor,
    check_device,
    noise_factor,
)
from ..utils import StrOptions, begin_callbacks, fit_context
from ..utils.random import generator
from ..utils.state import restored_on_error
from ._pairs import TrainingPairs
from ._training import UnrolledUnmixer

# An endmember is dead if its output is below _DEAD in all training pixels, although its abundance
# is at least _PRESENT in one of them.
_DEAD = 0.01
_PRESENT = 0.1
# Training steps after which the better choice is clear; 200 were too few.
_TRIAL_STEPS = 1000


class UnrolledRegressor(UnrolledUnmixer):
    """Base class of the networks that learn from pairs.

    A subclass sets `_network`, a subclass of `skunmix.networks.UnmixingNetwork`, and creates it in
    `_make_network`. `_stacking` trains many of these estimators at once, by the same methods as
    `fit`: `_check_pairs`, `_choices`, `_split`, `_start`, `_batches` and `_finish`.
    """

    _learns_from_pairs = True

    _parameter_constraints: ClassVar[dict] = {
        **UnrolledUnmixer._parameter_constraints,
        "endmembers": list(ENDMEMBERS),
        "norm": [StrOptions({"l2", "auto"}), None],
        "noise_augmentation": ["boolean", StrOptions({"auto"})],
    }

    @abstractmethod
    def _make_network(self, transform, spectra, abundances):
        """Return the untrained network for `endmembers_`.

        Parameters
        ----------
        transform : SpectrumTransform
            Transform of the spectra before the network.
        spectra, abundances : Tensor
            The training pairs, with transformed spectra.
        """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None) -> Self:
        """Train the network on pairs of spectra and abundances.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances, non-negative. A warning is given if they do not sum to one, unless
            ``sum_to_one=False``.

        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, used instead of the parameter of the same name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If abundances are missing or negative, endmembers fit neither layout or hold a zero
            spectrum or the same spectrum twice, the device cannot be used, or there is a NaN.
        """
        more = self.warm_start and hasattr(self, "net_")
        with restored_on_error(self):  # but a failure in _train keeps the new net
            X, y = self._check_pairs(X, y, endmembers, more=more)
            choices = [] if more else self._choices()
            with_trials = len(choices) > 1
            context = epochs = begin_callbacks(
                self, len(choices) + 1 if with_trials else self.max_epochs
            )
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            pairs = TrainingPairs(X, y)
            if self.early_stopping or with_trials:
                pairs = self._split(pairs)
            if with_trials:
                choices = [self._choose(choices, pairs, context)]
                epochs = context.subcontext(task_name="train", max_subtasks=self.max_epochs)
                epochs.call_on_fit_task_begin(estimator=self, X=X, y=y)
            if not self.early_stopping:
                pairs = TrainingPairs(X, y)  # the choice is trained on all pairs
            if not more:
                self._start(pairs, *choices[0])
        self._set_schedule(pairs, epochs, X, y)
        self._train(pairs, self.max_epochs)
        if with_trials:
            epochs.call_on_fit_task_end(estimator=self, X=X, y=y)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None
    ) -> Self:
        """Train for one epoch on the given pairs, with a constant learning rate.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their abundances, non-negative.

        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, used instead of the parameter of the same name. Only the first call
            uses or estimates endmembers.

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
        with restored_on_error(self):
            X, y = self._check_pairs(X, y, endmembers, more=more)
            if not more:
                choices = self._choices()
                if len(choices) > 1:
                    raise ValueError(
                        f"partial_fit expected norm and noise_augmentation other than 'auto', got "
                        f"{self.norm!r} and {self.noise_augmentation!r}, between which one epoch "
                        f"cannot choose; use fit, or set both."
                    )
                self._start(TrainingPairs(X, y), *choices[0])
        self._set_net(LearningRate(self.learning_rate))
        self._train(TrainingPairs(X, y), 1)
        return self

    def _check_pairs(self, X, y=None, endmembers=None, *, more=False):
        """Return the checked pairs, after the parameters are checked and the endmembers are set."""
        check_device(self.device)
        self._check_loss()
        if self.noise_augmentation is True:
            if self.norm == "l2":
                raise ValueError(
                    "noise_augmentation=True expected norm=None, got 'l2', after which spectra are "
                    "not linear mixtures; set norm=None, or 'auto' for either."
                )
            if self.endmembers is None and endmembers is None:
                raise ValueError(
                    "noise_augmentation=True expected endmembers to mix, got endmembers=None; pass "
                    "them, or use noise_augmentation='auto', which tries those estimated from the "
                    "pairs."
                )
        X, y = self._fit_endmembers(X, y, endmembers, reset=not more)
        self._warn_of_sums(y)
        if not more:
            self._random_state = generator(self.random_state)
        return X, y

    def _choices(self):
        """Return the possible pairs of `norm` and `noise_augmentation`."""
        norms = [None, "l2"] if self.norm == "auto" else [self.norm]
        augmentations = (
            [False, True] if self.noise_augmentation == "auto" else [self.noise_augmentation]
        )
        # mixtures of unit length are not linear in the abundances
        return [choice for choice in product(norms, augmentations) if choice != ("l2", True)]

    def _choose(self, choices, pairs, context):
        """Return the choice with the smallest RMSE on the held-out part after a short training."""
        endmembers = (
            estimate_endmembers(pairs.X, pairs.y)
            if self._endmembers_estimated
            else self.endmembers_
        )
        n_batches = -(-len(pairs.X) // self.batch_size)
        parameters = {
            **self.get_params(deep=False),
            "endmembers": None,
            "max_epochs": min(self.max_epochs, -(-_TRIAL_STEPS // n_batches)),
            "early_stopping": False,
            "random_state": self._random_state.randint(2**31 - 1),
            "callbacks": None,
            "verbose": 0,
        }
        self.choice_scores_ = {}
        for norm, noise_augmentation in choices:
            choice = {"norm": norm, "noise_augmentation": noise_augmentation}
            trial = type(self)(**{**parameters, **choice})
            task = context.subcontext(task_name=f"try {choice}")
            try:
                with warnings.catch_warnings(), task.propagate_callback_context(trial):
                    warnings.simplefilter("ignore")  # the final training repeats them
                    trial.fit(pairs.X, pairs.y, endmembers=endmembers)
                X, y = pairs.validation
                score = abundance_rmse(y, trial.predict(X))
            except DivergenceError:
                score = np.inf
            self.choice_scores_[norm, noise_augmentation] = score
            if self.verbose:
                print(f"{choice}: RMSE {score:.4f} on the validation part")
        return min(choices, key=self.choice_scores_.get)

    def _start(self, pairs, norm, noise_augmentation):
        """Set the transform and the untrained net."""
        # the learning rate is for spectra whose largest magnitude is one
        transform = SpectrumTransform.fit(pairs.X, norm)
        if noise_augmentation:
            transform = transform.onto_span(self.endmembers_)
        self.norm_, self.noise_augmentation_ = norm, noise_augmentation
        self.scale_ = transform.scale
        network = self._make_network(transform, as_tensor(transform(pairs.X)), as_tensor(pairs.y))
        self._noise = (
            noise_factor(transform(pairs.X - pairs.y @ self.endmembers_))
            if noise_augmentation
            else None
        )
        self.net_ = self._make_net(network)

    def _dataset(self, spectra, abundances):
        """Return pairs with transformed spectra, on the device."""
        transform = self.net_.module_.transform
        return TensorDataset(
            as_tensor(transform(spectra), self.device), as_tensor(abundances, self.device)
        )

    def _training_set(self, pairs):
        """Return the pairs to train on: the given ones, or mixtures without noise."""
        spectra = pairs.y @ self.endmembers_ if self.noise_augmentation_ else pairs.X
        return self._dataset(spectra, pairs.y)

    def _batches(self, pairs):
        """Return the batches of an epoch for training, and those for validation or None."""
        training = self.net_.get_iterator(self._training_set(pairs), training=True)
        if pairs.validation is None:
            return training, None
        return training, self.net_.get_iterator(self._dataset(*pairs.validation), training=False)

    def _finish(self, network, pairs, losses, validation_losses):
        """Take a trained network, as if `fit` had trained it."""
        self._set_losses(losses, validation_losses)
        self.net_ = self._make_net(network)
        if losses:
            self._warn_of_dead_endmembers(self._training_set(pairs))

    def _warn_of_dead_endmembers(self, training):
        """Warn of endmembers that are present in a training pixel, but in no output."""
        spectra, abundances = training.tensors
        with torch.inference_mode():
            most = self.net_.module_.eval()(spectra).amax(dim=0)
            dead = torch.nonzero((most < _DEAD) & (abundances.amax(dim=0) >= _PRESENT)).ravel()
        if len(dead):
            names = ", ".join(self._endmember_names[dead.cpu().numpy()])
            warnings.warn(
                f"After training, {names} is below {_DEAD} in the output for every training pixel, "
                f"but not in the abundances; lower learning_rate={self.learning_rate:g}, or train "
                f"for more epochs with mu='auto'.",
                ConvergenceWarning,
                stacklevel=5,
            )

    def _warn_of_sums(self, y):
        if self.sum_to_one is False:
            return
        sums = y.sum(axis=1)
        off = np.abs(sums - 1.0)
        if off.max() > 1e-3:
            warnings.warn(
                f"The abundances of {np.count_nonzero(off > 1e-3)} of {len(y)} pixels do not sum "
                f"to one (from {sums.min():.3g} to {sums.max():.3g}), but the network's output "
                f"does; rescale them, or set sum_to_one=False.",
                UserWarning,
                stacklevel=5,
            )

    def _message_y_missing(self):
        return (
            f"{type(self).__name__} requires y to be passed, but the target y is None; pass the "
            f"abundances to learn from, or use SunSALRegressor, which does not need them."
        )
