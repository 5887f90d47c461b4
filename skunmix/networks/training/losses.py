"""The composite loss of U-ADMM-AENet (eqs. 10-13).

Its terms accept abundances of any shape, with the endmembers along the axis `dim`.
"""

import torch
from torch import nn

# Added inside the logarithms of the divergence, which is infinite if one of the two is zero.
EPSILON = 1e-6
# Smallest length before it is subtracted again; a power of two, so that zero remains exactly zero.
_TINY_LENGTH = 2.0**-50


class CompositeLoss(nn.Module):
    """Weighted sum of squared error, angle and divergence between abundances.

    It is α₁·mean‖x − x̂‖² + α₂·mean ∠(x, x̂) + α₃·mean[KL(x|x̂) + KL(x̂|x)], with means over pixels.
    The loss and its gradients are finite everywhere, also for x = x̂, pure pixels and x̂ = 0.

    Parameters
    ----------
    alpha_mse, alpha_aad, alpha_aid : float
        The weights α₁, α₂, α₃, not all zero. A term of weight zero is not computed.

    Examples
    --------
    >>> import torch
    >>> from skunmix.networks import CompositeLoss
    >>> loss = CompositeLoss(alpha_mse=1.0, alpha_aad=0.0, alpha_aid=0.0)
    >>> loss(torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0]]))
    tensor(0.5000)
    """

    def __init__(self, alpha_mse=1.0, alpha_aad=1e-7, alpha_aid=1e-5):
        super().__init__()
        self.terms = [
            (alpha, term) for alpha, term in zip((alpha_mse, alpha_aad, alpha_aid), TERMS) if alpha
        ]

    def forward(self, y_pred, y_true):
        """Return the loss of estimated abundances, both (n_pixels, n_endmembers)."""
        return sum(alpha * term(y_pred, y_true).mean() for alpha, term in self.terms)


class ReconstructionLoss(CompositeLoss):
    """The composite loss between spectra and what a decoder makes of abundances.

    Parameters
    ----------
    decode : callable
        Makes spectra (n_pixels, n_bands) of abundances (n_pixels, n_endmembers). A method of the
        network, whose parameters the loss then trains, too.
    alpha_mse, alpha_aad, alpha_aid : float
        The weights α₁, α₂, α₃, not all zero.

    Examples
    --------
    >>> import torch
    >>> from skunmix.networks import ReconstructionLoss
    >>> endmembers = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> loss = ReconstructionLoss(lambda abundances: abundances @ endmembers)
    >>> loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.5, 1.0]]))
    tensor(0.2500)
    """

    def __init__(self, decode, alpha_mse=1.0, alpha_aad=0.0, alpha_aid=0.0):
        super().__init__(alpha_mse, alpha_aad, alpha_aid)
        self.decode = decode

    def forward(self, abundances, spectra):
        """Return the loss of estimated abundances against the spectra that they are to make."""
        return super().forward(self.decode(abundances), spectra)


def squared_error(y_pred, y_true, dim=1):
    """Return ‖x − x̂‖² of each pixel (eq. 11)."""
    return (y_pred - y_true).square().sum(dim)


def angle(y_pred, y_true, dim=1):
    """Return the angle of each pixel, in radians (eq. 12).

    For unit vectors u and v it is 2·atan2(‖u − v‖, ‖u + v‖), whose gradient is finite for parallel
    vectors, unlike that of the arc cosine. The angle of a pixel of zeros is a right angle.
    """
    u, v = _unit(y_pred, dim), _unit(y_true, dim)
    # atan2 has no gradient at (0, 0)
    return 2 * torch.atan2(_length(u - v, dim), _length(u + v, dim).clamp(min=EPSILON))


def divergence(y_pred, y_true, dim=1):
    """Return KL(x|x̂) + KL(x̂|x) of each pixel, in nats (eq. 13): Σ(x − x̂)(log x − log x̂)."""
    log_ratio = torch.log((y_true.clamp(min=0) + EPSILON) / (y_pred + EPSILON))
    return ((y_true - y_pred) * log_ratio).sum(dim)


# in the order of α₁, α₂ and α₃
TERMS = (squared_error, angle, divergence)


def _unit(x, dim):
    return x / _length(x, dim).clamp(min=EPSILON).unsqueeze(dim)


def _length(x, dim):
    # torch.linalg.vector_norm is 40 times slower along other axes than the last, on a stack of 135
    # networks. The root has no gradient at 0.
    return x.square().sum(dim).clamp(min=_TINY_LENGTH**2).sqrt() - _TINY_LENGTH
