"""Many networks of one architecture trained at once, as one stack of matrices."""

from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from ...utils.compat import fused_adam
from .losses import TERMS

# Of each parameter: itself, its gradient, two moments and a copy.
_COPIES_OF_PARAMETERS = 5
# What the backward pass holds for a while, relative to what the forward pass leaves for it.
_KEPT_AND_WORKED_ON = 2


@dataclass
class Fold:
    """What the networks of a fold are trained on.

    Parameters
    ----------
    batches : iterable of (spectra, abundances)
        Tensors of shape (n_pixels, n_bands) and (n_pixels, n_endmembers); each pass over it is an
        epoch, and draws what there is to draw.
    validation : iterable of (spectra, abundances), default=None
        The same for early stopping.
    """

    batches: object
    validation: object = None


@dataclass
class StackedTraining:
    """What came of it; the first two axes of each array are folds and candidates.

    Parameters
    ----------
    loss, validation_loss : ndarray of shape (n_folds, n_candidates, n_epochs)
        Mean loss of each epoch; of epochs that a network was not trained for, NaN.
    n_epochs : ndarray of shape (n_folds, n_candidates)
        Epochs that each network was trained for.
    diverged : ndarray of shape (n_folds, n_candidates), bool
        Whether the last of them left a loss or a parameter that is not finite.
    """

    loss: np.ndarray
    validation_loss: np.ndarray
    n_epochs: np.ndarray
    diverged: np.ndarray
    _networks: list = field(repr=False)
    _state: dict = field(repr=False)

    def module(self, fold, candidate):
        """Return a network of its own for one fold and candidate."""
        module = deepcopy(self._networks[fold][candidate])
        i = fold * len(self._networks[fold]) + candidate
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(self._state[name][i])
        return module.eval()


def stack(networks):
    """Return a network that is all given ones side by side.

    Parameters
    ----------
    networks : sequence of UnmixingNetwork
        Of one class, whose parameters have the same shapes. A buffer that some of them lack is
        zero for these.

    Returns
    -------
    stacked : UnmixingNetwork
        Its parameters and buffers have the networks as their first axis.
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
    """Set a parameter or a buffer, of a part of the network if its name has dots."""
    part, _, name = name.rpartition(".")
    setattr(network.get_submodule(part), name, tensor)


def bytes_per_network(network, batch_size):
    """Estimate the memory that training takes for each network of a stack.

    Parameters
    ----------
    network : UnmixingNetwork
        One of them.
    batch_size : int

    Returns
    -------
    n_bytes : int
    """
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            kept[storage.data_ptr()] = (
                storage.nbytes(),
                tensor,
            )  # held, so that no other takes its place
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

    Each goes the way that it would go alone: it sees the batches of its fold, has an Adam of its
    own, a learning rate and weights of the loss, and stops when it would. Every operation is that
    of a network alone, in the order that it has there: where products of matrices do not depend on
    how many rows these have, as is usual on one thread, the parameters are the same to the bit. One
    that diverges does no harm to the others.

    Parameters
    ----------
    modules : list of n_folds lists of n_candidates UnmixingNetwork
        The untrained networks, as `stack` takes them.
    folds : list of n_folds Fold
        With batches of the same sizes.
    weights : array-like of shape (n_candidates, 3)
        α₁, α₂ and α₃ of each candidate.
    learning_rates : array-like of shape (n_candidates,)
    n_epochs : int
        Epochs to train for, at most.
    schedule : callable, default=None
        Gives the factor of the learning rate at a progress in [0, 1).
    patience : int, default=None
        Epochs without a lower validation loss after which a network stops, and goes back to the
        parameters that had the lowest; None trains to the end.

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
    state = {name: p.detach() for name, p in stacked.named_parameters()}
    return StackedTraining(
        progress.loss,
        progress.validation_loss,
        progress.n_epochs,
        progress.diverged,
        modules,
        state,
    )


class _StackedLoss:
    """`CompositeLoss` of each network of a stack, with the weights of its candidate."""

    def __init__(self, weights, device):
        weights = torch.as_tensor(weights, dtype=torch.float32, device=device)
        self.terms = [(alphas, term) for alphas, term in zip(weights.T, TERMS) if alphas.any()]

    def __call__(self, estimate, abundances):
        """Return the loss of each network, (n_folds, n_candidates).

        Parameters
        ----------
        estimate : Tensor of shape (n_networks, n_endmembers, n_pixels)
        abundances : Tensor of shape (n_folds, n_pixels, n_endmembers)
        """
        estimate = estimate.unflatten(0, (len(abundances), -1))
        truth = abundances.mT.contiguous().unsqueeze(1)
        return sum(
            alphas * term(estimate, truth, dim=-2).mean(dim=-1) for alphas, term in self.terms
        )


class _StackedAdam:
    """Adam with a learning rate for each network of a stack.

    It calls what `torch.optim.Adam` calls with ``fused=True``: one by one for each network, so that
    its steps are rounded as those of a network alone.
    """

    def __init__(self, stacked, learning_rates):
        self.parameters = list(stacked.parameters())
        # of each parameter, lists over the networks: the values and two moments
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
        """Go one step down the loss of each network, at a multiple of its learning rate."""
        # each loss knows the parameters of its own network only
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
    """Return a tensor with the networks as its first axis as vectors, one for each.

    They are views of a parameter; of a gradient, perhaps copies: Adam takes no notice of strides.
    """
    return tensor.contiguous().flatten(1).unbind()


class _Progress:
    """What each network has reached: losses, divergence, early stopping."""

    # of skorch's EarlyStopping: a loss counts as lower when it is by this part of it
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
        """Take in an epoch; return whether any network is still training."""
        running = self._running
        self.n_epochs[running] += 1
        self.loss[running, epoch] = loss.numpy(force=True)[running]
        # what is not finite in any of them shows in the sum
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
        """Keep the parameters of some networks as the best they had."""
        which = torch.from_numpy(np.flatnonzero(which)).to(self.stacked.device)
        for name, parameter in self.stacked.named_parameters():
            self._best[name][which] = parameter.detach()[which]

    def finish(self):
        """Go back to the best parameters of each network, where there was a validation."""
        if self._best is not None:
            self.stacked.load_state_dict(self._best)


def _validate(stacked, loss, batches):
    """Return the loss of each network on the validation part of its fold, as skorch has it."""
    stacked.eval()
    total, n_pixels = 0.0, 0
    with torch.inference_mode():
        for spectra, abundances in _side_by_side(batches):
            value = loss(stacked(spectra).mT, abundances)
            total, n_pixels = total + value * spectra.shape[1], n_pixels + spectra.shape[1]
    stacked.train()
    return total / n_pixels


def _side_by_side(batches):
    """Iterate over the batches of all folds together.

    Yields
    ------
    spectra : Tensor of shape (n_folds, n_pixels, n_bands)
    abundances : Tensor of shape (n_folds, n_pixels, n_endmembers)
    """
    for pairs in zip(*batches, strict=True):
        yield tuple(torch.stack(tensors) for tensors in zip(*pairs))
