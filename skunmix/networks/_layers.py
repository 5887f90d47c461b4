"""Parts of the layers of unrolled networks.

Each accepts one network, or a stack, whose parameters have the networks as their first axis.
"""

import torch
from torch import nn

# BLAS may use another kernel for products of fewer columns, which was seen for one column.
_FEW = 16
# A float32 sum of abundances below this is zero: dividing by it would make gradients overflow.
_TINY_SUM = 1e-6


def as_parameter(start, n_layers, tied):
    """Return a parameter of shape (K, …), or (1, …) if tied, whose layers all have this start."""
    start = torch.as_tensor(start, dtype=torch.float32)
    return nn.Parameter(start.repeat(1 if tied else n_layers, *[1] * start.ndim))


def layer_products(spectra, W):
    """Return W_kᵀy of all layers in one product, with pixels in columns.

    Parameters
    ----------
    spectra : Tensor of shape (n_pixels, n_bands) or (n_folds, n_pixels, n_bands)
    W : Tensor of shape (K, n_endmembers, n_bands) or (n_networks, K, n_endmembers, n_bands)

    Returns
    -------
    products : Tensor of shape (…, K · n_endmembers, n_pixels)
    """
    if W.ndim == 3:
        return _products_of_each(W.flatten(0, 1)[None], spectra)[0]
    matrices = W.flatten(1, 2).chunk(len(spectra))
    return torch.cat([_products_of_each(*fold) for fold in zip(matrices, spectra)])


def _products_of_each(matrices, spectra):
    """Return matrix · spectraᵀ for each matrix, rounded as for a single matrix.

    The order of BLAS's sums may depend on the shape of a product, so that the matrices are not
    combined into one large product. Few pixels are padded with zeros, because BLAS may treat a
    single product of few columns differently from a batch.
    """
    n_pixels = len(spectra)
    if n_pixels < _FEW:
        spectra = nn.functional.pad(spectra, (0, 0, 0, _FEW - n_pixels))
    products = torch.bmm(matrices, spectra.T.expand(len(matrices), -1, -1))
    return products[..., :n_pixels].contiguous()


def multiply_add(v, matrix, z):
    """Return v + matrix · z, for one network or a stack."""
    if z.ndim == 3:
        return torch.baddbmm(v, matrix, z)
    # as a stack of one network, so that sums are rounded as in a larger stack
    return torch.baddbmm(v[None], matrix[None], z[None])[0]


def project(v, training):
    """Return max(v, 0) of v (…, n_endmembers, n_pixels), whose dead units can recover in training.

    A unit that is zero for the whole batch has no gradient. As spectra are positive in every band,
    one step that is too large makes it zero for all pixels and all later steps: the endmember is
    dead. For such units, the part of the gradient that would raise them is kept. All other units
    have the gradient of max(v, 0).
    """
    if training:
        closed = closed_units(v.detach())
        if closed.any():
            return _ReopeningProjection.apply(v, closed)
    return torch.relu(v)


def closed_units(v):
    """Return whether each unit of v (…, n_endmembers, n_pixels) is zero for all pixels."""
    return v.amax(dim=-1, keepdim=True) <= 0


def projection_gradient(gradient, is_open, closed=None):
    """Return the gradient with respect to v, given that with respect to max(v, 0).

    Parameters
    ----------
    gradient : Tensor of shape (…, n_endmembers, n_pixels)
    is_open : Tensor of the same shape, bool
        Whether v > 0.
    closed : Tensor of shape (…, n_endmembers, 1), bool, default=None
        The units that are closed for the whole batch, and may be reopened. None lets no gradient
        through them.
    """
    if closed is None or not closed.any():
        return gradient * is_open
    # descent raises v where its gradient is negative
    return torch.where(is_open, gradient, closed * gradient.clamp(max=0))


class _ReopeningProjection(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v, closed):
        ctx.save_for_backward(v > 0, closed)
        return torch.relu(v)

    @staticmethod
    def backward(ctx, grad):
        return projection_gradient(grad, *ctx.saved_tensors), None


def normalize(z):
    """Rescale each pixel of z (…, n_endmembers, n_pixels), which is ≥ 0, to sum to one.

    A pixel of zeros becomes 1 / n_endmembers, without a gradient.
    """
    total = z.sum(dim=-2, keepdim=True)
    if total.detach().amin() > _TINY_SUM:
        return z / total
    empty = total <= _TINY_SUM
    return torch.where(empty, 1.0 / z.shape[-2], z / total.masked_fill(empty, 1.0))
