"""Training of many networks of one architecture at once, as one stack of matrices."""

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from ...utils import fused_adam
from ..devices import as_tensor
from .losses import TERMS

# Tensors of the size of the parameters: they, their gradients, two moments and a copy.
_COPIES_OF_PARAMETERS = 5
# Memory of the backward pass, relative to what the forward pass keeps for it.
_KEPT_AND_WORKED_ON = 2


@dataclass
class Fold:
    """Training data of the networks of a fold.

    Parameters
    ----------
    batches : iterable of (spectra, abundances)
        Tensors of shape (n_pixels, n_bands) and (n_pixels, n_endmembers). Each pass over it is an
        epoch.
    validation : iterable of (spectra, abundances), default=None
        Batches for early stopping.
    """

    batches: object
    validation: object = None


@dataclass
class StackedTraining:
    """Result of a training.

    Parameters
    ----------
    loss, validation_loss : ndarray of shape (n_folds, n_candidates, n_epochs)
        Mean loss of each epoch, NaN after a network has stopped.
    n_epochs : ndarray of shape (n_folds, n_candidates)
        Number of epochs that each network was trained for.
    diverged : ndarray of shape (n_folds, n_candidates), bool
        Whether the last epoch ended with a loss or a parameter that is not finite.
    """

    loss: np.ndarray
    validation_loss: np.ndarray
    n_epochs: np.ndarray
    diverged: np.ndarray
    _networks: list = field(repr=False)
    _state: dict = field(repr=False)

    def module(self, fold, candidate):
        """Return the trained network of one fold and candidate."""
        module = deepcopy(self._networks[fold][candidate])
        i = fold * len(self._networks[fold]) + candidate
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(self._state[name][i])
        return module.eval()


def stack(networks):
    """Return a network whose parameters and buffers have the given networks as their first axis.

    The networks are of one class, and their parameters have the same shapes. If some of them do not
    have a buffer, it is zero for these.
    """
    stacked = deepcopy(networks[0])
    for name in dict(stacked.named_parameters()):
        values = [network.get_parameter(name).detach() for network in networks]
        _set(stacked, name, nn.Parameter(torch.stack(values)))
    buffers = [dict(network.named_buffers()) for network in networks]
    for name, some in {name: b for present in buffers for name, b in present.items()}.items():
        values = [present.get(name, torch.zeros_like(some)) for present in buffers]
        _set(stacked, name, torch.stack(values))
    return stacked


def _set(network, name, tensor):
    """Set a parameter or buffer, whose name has dots if it belongs to a submodule."""
    part, _, name = name.rpartition(".")
    setattr(network.get_submodule(part), name, tensor)


def bytes_per_network(network, batch_size):
    """Estimate the memory, in bytes, that training takes for each network of a stack."""
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            # the tensor is held, so that no other takes its address
            kept[storage.data_ptr()] = storage.nbytes(), tensor
        return tensor

    n_endmembers, n_bands = network.shape
    basis = network.transform.basis
    n_coordinates = n_bands if basis is None else basis.shape[1]
    spectra = torch.ones((1, batch_size, n_coordinates), device=network.device)
    abundances = torch.ones((1, batch_size, n_endmembers), device=network.device)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        stacked = stack([network]).train()
        parameters |= {p.untyped_storage().data_ptr() for p in stacked.parameters()}
        parameters.add(spectra.untyped_storage().data_ptr())
        _StackedLoss([[1.0, 1.0, 1.0]], network.device)(stacked(spectra).mT, abundances)
    n_bytes = _COPIES_OF_PARAMETERS * sum(p.nbytes for p in network.parameters())
    return n_bytes + _KEPT_AND_WORKED_ON * sum(size for size, _ in kept.values())


def train_stacked(
    modules, folds, weights, learning_rates, *, n_epochs, schedule=None, patience=None
):
    """Train a network for each fold and candidate, all of them in the same steps.

    Each network is trained as it would be on its own: on the batches of its fold, with its own
    Adam, learning rate, loss weights and early stopping, by the same operations in the same order.
    If the rounding of matrix products does not depend on the number of rows, as is usual on one
    thread, the parameters are equal to the bit. A network that diverges does not affect others.

    Parameters
    ----------
    modules : list of n_folds lists of n_candidates UnmixingNetwork
        The untrained networks, as `stack` accepts them.
    folds : list of n_folds Fold
        Their batches must have the same sizes.
    weights : array-like of shape (n_candidates, 3)
        α₁, α₂ and α₃ of each candidate.
    learning_rates : array-like of shape (n_candidates,)
    n_epochs : int
        Largest number of epochs.
    schedule : callable, default=None
        Returns the factor of the learning rate for a progress in [0, 1).
    patience : int, default=None
        Number of epochs without a lower validation loss, after which a network stops and restores
        the parameters with the lowest loss. None trains for all epochs.

    Returns
    -------
    training : StackedTraining
    """
    shape = len(folds), len(learning_rates)
    stacked = stack([module for fold in modules for module in fold]).train()
    loss = _StackedLoss(weights, stacked.device)
    adam = _StackedAdam(stacked, np.tile(learning_rates, shape[0]))
    progress = _Progress(stacked, shape, n_epochs, patience)
    n_steps = n_epochs * len(folds[0].batches)
    step = 0
    for epoch in range(n_epochs):
        total, n_pixels = 0.0, 0
        for spectra, abundances in _side_by_side([fold.batches for fold in folds]):
            value = loss(stacked(spectra).mT, abundances)
            adam.step(value, schedule(step / n_steps) if schedule else 1.0)
            step += 1
            total = total + value.detach() * spectra.shape[1]
            n_pixels += spectra.shape[1]
        validation = None
        if patience is not None:
            validation = _validate(stacked, loss, [fold.validation for fold in folds])
        if not progress.update(epoch, total / n_pixels, validation):
            break
    progress.finish()
    arrays = progress.loss, progress.validation_loss, progress.n_epochs, progress.diverged
    state = {name: p.detach() for name, p in stacked.named_parameters()}
    return StackedTraining(*arrays, modules, state)


class _StackedLoss:
    """`CompositeLoss` of each network of a stack, with the weights of its candidate."""

    def __init__(self, weights, device):
        weights = as_tensor(weights, device)
        self.terms = [(alphas, term) for alphas, term in zip(weights.T, TERMS) if alphas.any()]

    def __call__(self, estimate, abundances):
        """Return the loss of each network, (n_folds, n_candidates).

        `estimate` is (n_networks, n_endmembers, n_pixels), and `abundances` is (n_folds, n_pixels,
        n_endmembers).
        """
        estimate = estimate.unflatten(0, (len(abundances), -1))
        truth = abundances.mT.contiguous().unsqueeze(1)
        return sum(
            alphas * term(estimate, truth, dim=-2).mean(dim=-1) for alphas, term in self.terms
        )


class _StackedAdam:
    """Adam with a learning rate for each network of a stack.

    It calls the kernel of `torch.optim.Adam` with ``fused=True`` on the tensors of each network, so
    that the steps are rounded as for a single network.
    """

    def __init__(self, stacked, learning_rates):
        self.parameters = list(stacked.parameters())
        # for each parameter, lists over the networks of the values and two moments
        self.state = []
        for parameter in self.parameters:
            values = _by_network(parameter.detach())
            moments = [[torch.zeros_like(value) for value in values] for _ in range(2)]
            self.state.append([values, *moments])
        self.n_steps = torch.zeros((), device=stacked.device)
        self.networks = {}
        for i, rate in enumerate(learning_rates):
            self.networks.setdefault(float(rate), []).append(i)

    def step(self, loss, factor):
        """Take a step for each network, with its learning rate times the factor."""
        # each loss depends on the parameters of its own network only
        gradients = torch.autograd.grad(loss.sum(), self.parameters, allow_unused=True)
        used = [
            (values, _by_network(gradient), *moments)
            for gradient, (values, *moments) in zip(gradients, self.state)
            if gradient is not None  # one layer uses no B, S or η
        ]
        self.n_steps += 1
        for rate, networks in self.networks.items():
            values, gradients, means, squares = (
                [rows[i] for rows in kind for i in networks] for kind in zip(*used)
            )
            steps = [self.n_steps] * len(values)
            fused_adam(values, gradients, means, squares, steps, learning_rate=factor * rate)


def _by_network(tensor):
    """Return the parts of a tensor for each network as vectors: views, or copies of a gradient."""
    return tensor.contiguous().flatten(1).unbind()


class _Progress:
    """Losses, divergence and early stopping of each network."""

    # skorch's EarlyStopping: a loss is lower if it is by this fraction
    _THRESHOLD = 1e-4

    def __init__(self, stacked, shape, n_epochs, patience):
        self.stacked = stacked
        self.patience = patience
        self.loss = np.full((*shape, n_epochs), np.nan)
        self.validation_loss = self.loss.copy()
        self.n_epochs = np.zeros(shape, dtype=int)
        self.diverged = np.zeros(shape, dtype=bool)
        self._running = np.ones(shape, dtype=bool)
        self._misses = np.zeros(shape, dtype=int)
        self._to_beat = np.full(shape, np.inf)
        self._best = deepcopy(stacked.state_dict()) if patience is not None else None

    def update(self, epoch, loss, validation_loss):
        """Record an epoch, and return whether any network is still training."""
        running = self._running
        self.n_epochs[running] += 1
        self.loss[running, epoch] = loss.numpy(force=True)[running]
        # the sum is finite only if all parameters are
        total = sum(p.detach().flatten(1).sum(dim=1) for p in self.stacked.parameters())
        diverged = running & ~np.isfinite((total.view_as(loss) + loss).numpy(force=True))
        self.diverged |= diverged
        running &= ~diverged
        if validation_loss is not None:
            validation_loss = validation_loss.numpy(force=True)
            self.validation_loss[running, epoch] = validation_loss[running]
            lower = running & (validation_loss < self._to_beat)
            self._to_beat[lower] = validation_loss[lower] * (1 - self._THRESHOLD)
            self._misses = np.where(lower, 0, self._misses + 1)
            self._keep(lower)
            running &= self._misses < self.patience
        return running.any()

    def _keep(self, which):
        """Keep the parameters of some networks as their best."""
        which = torch.from_numpy(np.flatnonzero(which)).to(self.stacked.device)
        for name, parameter in self.stacked.named_parameters():
            self._best[name][which] = parameter.detach()[which]

    def finish(self):
        """Restore the best parameters of each network, if there was a validation."""
        if self._best is not None:
            self.stacked.load_state_dict(self._best)


def _validate(stacked, loss, batches):
    """Return the mean loss of each network on the validation part of its fold."""
    stacked.eval()
    total, n_pixels = 0.0, 0
    with torch.inference_mode():
        for spectra, abundances in _side_by_side(batches):
            value = loss(stacked(spectra).mT, abundances)
            total, n_pixels = total + value * spectra.shape[1], n_pixels + spectra.shape[1]
    stacked.train()
    return total / n_pixels


def _side_by_side(batches):
    """Yield the spectra and the abundances of all folds, with the folds as their first axis."""
    for pairs in zip(*batches, strict=True):
        yield tuple(torch.stack(tensors) for tensors in zip(*pairs))
