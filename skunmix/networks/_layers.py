"""The pieces that both unrolled networks are made of."""

import torch
from torch import nn

# A float32 sum of abundances below this is zero for every purpose, and dividing by it would make
# gradients overflow.
_TINY_SUM = 1e-6


def as_parameter(start, n_layers, tied):
    """Return a parameter with a leading axis of layers, or of length one where they share it.

    Parameters
    ----------
    start : array-like
        The value that every layer starts from.
    n_layers : int
        Number of layers, K.
    tied : bool
        Whether the layers share one value.

    Returns
    -------
    parameter : nn.Parameter of shape (K, …) or (1, …), float32
    """
    start = torch.as_tensor(start, dtype=torch.float32)
    return nn.Parameter(start.repeat(1 if tied else n_layers, *[1] * start.ndim))


def drive(spectra, W):
    """Return W_kᵀy for all layers in one product.

    Parameters
    ----------
    spectra : Tensor of shape (n_pixels, n_bands)
    W : Tensor of shape (K, n_endmembers, n_bands)

    Returns
    -------
    drive : list of K Tensors of shape (n_pixels, n_endmembers)
    """
    return (spectra @ W.flatten(0, 1).T).split(W.shape[1], dim=1)


def project(v, training):
    """Return max(v, 0); in training, a unit that is closed for the whole batch may reopen.

    Such a unit gets no gradient, and the spectra being positive in every band, one step too far
    closes it for all pixels and for good: a dead endmember. So where a unit is closed for the
    whole batch, the part of the gradient that would open it is let through. Units that are open
    for any pixel have the gradient of max(v, 0).

    Parameters
    ----------
    v : Tensor of shape (n_pixels, n_endmembers)
    training : bool

    Returns
    -------
    z : Tensor of shape (n_pixels, n_endmembers)
    """
    if training:
        closed = v.detach().amax(dim=0) <= 0
        if closed.any():
            return _ReopeningProjection.apply(v, closed)
    return torch.relu(v)


class _ReopeningProjection(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, closed):
        ctx.save_for_backward(v, closed)
        return torch.relu(v)

    @staticmethod
    def backward(ctx, grad):
        v, closed = ctx.saved_tensors
        # descent raises v where its gradient is negative
        return torch.where(v > 0, grad, closed * grad.clamp(max=0)), None


def normalize(z):
    """Rescale each row to sum to one; a row of zeros becomes 1 / n_endmembers, without gradient.

    Parameters
    ----------
    z : Tensor of shape (n_pixels, n_endmembers)
        Non-negative.

    Returns
    -------
    abundances : Tensor of shape (n_pixels, n_endmembers)
    """
    total = z.sum(dim=1, keepdim=True)
    if total.detach().amin() > _TINY_SUM:
        return z / total
    empty = total <= _TINY_SUM
    return torch.where(empty, 1.0 / z.shape[1], z / total.masked_fill(empty, 1.0))
