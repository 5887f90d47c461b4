"""Base class of the unrolled networks that learn from pairs of spectra and abundances."""

import warnings
from abc import abstractmethod
from itertools import product
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from torch.utils.data import TensorDataset

from ..endmembers import ENDMEMBERS
from ..networks import (
    LearningRate,
    SpectrumTransform,
    as_tensor,
    check_device,
    noise_factor,
)
from ..utils import Interval, StrOptions, begin_callbacks, fit_context
from ..utils.random import generator
from ..utils.state import restored_on_error
from ._choice import cross_validate, is_better, solvers_for
from ._pairs import TrainingPairs
from ._training import UnrolledUnmixer

# An endmember is dead if its output is below _DEAD in all training pixels, although its abundance
# is at least _PRESENT in one of them.
_DEAD = 0.01
_PRESENT = 0.1
# Training steps of max_epochs="auto", and its smallest number of epochs.
_STEPS = 1500
_LEAST_EPOCHS = 10


class UnrolledRegressor(UnrolledUnmixer):
    """Base class of the networks that learn from pairs.

    A subclass sets `_network`, a subclass of `skunmix.networks.UnmixingNetwork`, and creates it in
    `_make_network`. `_stacking` trains many of these estimators at once, by the same methods as
    `fit`: `_check_pairs`, `_choose`, `_split`, `_start`, `_batches` and `_finish`.
    """

    _learns_from_pairs = True

    _parameter_constraints: ClassVar[dict] = {
        **UnrolledUnmixer._parameter_constraints,
        "endmembers": list(ENDMEMBERS),
        "norm": [StrOptions({"l2", "auto"}), None],
        "noise_augmentation": ["boolean", StrOptions({"auto"})],
        "fallback": [StrOptions({"auto"}), None],
        "max_epochs": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
    }

    # parameters of `paper`
    _paper: ClassVar[dict] = {
        "n_layers": 2,
        "lam": 1e-3,
        "norm": None,
        "noise_augmentation": False,
        "fallback": None,
        "learning_rate": 1e-4,
        "lr_schedule": None,
        "max_epochs": 300,
    }

    # the fitted solver that answers instead of the network, or None
    fallback_ = None

    @classmethod
    def paper(cls, endmembers: Any = None, **parameters: Any) -> Self:
        """Return an estimator with the parameters of Zhou and Rodrigues (2021).

        It has two layers, and is trained for 300 epochs at a constant learning rate of 1e-4, on the
        spectra as they are.

        Parameters
        ----------
        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, as for the class.

        **parameters : dict
            Other parameters, which override these.

        Returns
        -------
        estimator : object
            Not fitted.

        Raises
        ------
        TypeError
            If a parameter does not exist.

        Examples
        --------
        >>> from skunmix import UADMMRegressor
        >>> UADMMRegressor.paper(n_layers=3).get_params()["max_epochs"]
        300
        """
        return cls(endmembers, **{**cls._paper, **parameters})

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
            pairs = training = TrainingPairs(X, y)
            if self.early_stopping:
                training = self._split(pairs)
            n_epochs = self._n_epochs(len(training.X))
            with_trials = not more and self._has_trials(len(X))
            context = epochs = begin_callbacks(self, 2 if with_trials else n_epochs)
            context.call_on_fit_task_begin(estimator=self, X=X, y=y)
            if not more:
                choice = self._choose(pairs, context if with_trials else None)
            if with_trials:
                epochs = context.subcontext(task_name="train", max_subtasks=n_epochs)
                epochs.call_on_fit_task_begin(estimator=self, X=X, y=y)
            if not more:
                self._start(training, *choice)
        self._set_schedule(training, epochs, X, y)
        self._train(training, n_epochs)
        if with_trials:
            epochs.call_on_fit_task_end(estimator=self, X=X, y=y)
        context.call_on_fit_task_end(estimator=self, X=X, y=y, reconstruction_attributes={})
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None
    ) -> Self:
        """Train for one epoch on the given pairs, with a constant learning rate.

        One epoch cannot choose: "auto" is None for `norm`, False for `noise_augmentation`, and None
        for `fallback`.

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
                self.fallback_ = None
                self._start(TrainingPairs(X, y), *self._choices()[0])
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

    def _n_epochs(self, n_pixels):
        if self.max_epochs != "auto":
            return self.max_epochs
        return max(_LEAST_EPOCHS, -(-_STEPS // self._n_batches(n_pixels)))

    def _choices(self):
        """Return the possible pairs of `norm` and `noise_augmentation`."""
        norms = [None, "l2"] if self.norm == "auto" else [self.norm]
        augmentations = (
            [False, True] if self.noise_augmentation == "auto" else [self.noise_augmentation]
        )
        # mixtures of unit length are not linear in the abundances
        return [choice for choice in product(norms, augmentations) if choice != ("l2", True)]

    def _has_trials(self, n_pixels):
        """Return whether `fit` makes a choice by cross-validation."""
        can_be_compared = self.max_epochs != 0 and n_pixels > 1
        return can_be_compared and (len(self._choices()) > 1 or self.fallback == "auto")

    def _choose(self, pairs, context=None):
        """Return `norm` and `noise_augmentation` of smallest error, and set `fallback_`.

        `context` is that of scikit-learn's callbacks.
        """
        choices = self._choices()
        self.fallback_ = None
        if not self._has_trials(len(pairs.X)):
            return choices[0]
        if context is not None:
            task = context.subcontext(task_name="choose")
            task.call_on_fit_task_begin(estimator=self, X=pairs.X, y=pairs.y)
        solvers = solvers_for(self.sum_to_one) if self.fallback == "auto" else {}
        seed = self._random_state.randint(2**31 - 1)
        endmembers = None if self._endmembers_estimated else self.endmembers_
        errors = cross_validate(self, choices, solvers, pairs, endmembers, seed)
        self.choice_scores_ = scores = {key: float(e.mean()) for key, e in errors.items()}
        if self.verbose:
            for choice, score in scores.items():
                print(f"{choice}: RMSE {score:.4f} in cross-validation")
        best = min(choices, key=scores.get)
        if solvers:
            solver = min(solvers, key=scores.get)
            if not is_better(errors[best], errors[solver]) and np.isfinite(scores[solver]):
                self.fallback_ = solvers[solver].fit(pairs.X, endmembers=self.endmembers_)
        if context is not None:
            task.call_on_fit_task_end(
                estimator=self, X=pairs.X, y=pairs.y, reconstruction_attributes={}
            )
        return best

    def __getstate__(self):
        state = super().__getstate__()
        if "choice_scores_" in state:  # skops saves no dict whose keys are tuples
            state = {**state, "choice_scores_": list(state["choice_scores_"].items())}
        return state

    def __setstate__(self, state):
        if "choice_scores_" in state:
            state = {**state, "choice_scores_": dict(state["choice_scores_"])}
        super().__setstate__(state)

    def _unmix(self, X, out):
        if self.fallback_ is not None:
            return self.fallback_._unmix(X, out)
        return super()._unmix(X, out)

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

    def _chosen_start(self):
        """Return the parameters of the start that were chosen on the pairs."""
        return {}

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
