"""The composite loss of U-ADMM-AENet (eqs. 10-13)."""

import torch
from torch import nn

# Added inside the logarithms of the divergence, which is infinite where an endmember is absent
# from one of the two.
EPSILON = 1e-6


class CompositeLoss(nn.Module):
    """Weighted sum of squared error, angle and divergence between abundances.

    α₁·mean‖x − x̂‖² + α₂·mean ∠(x, x̂) + α₃·mean[KL(x|x̂) + KL(x̂|x)], means over the pixels. It is
    finite, with finite gradients, at x = x̂, at pure pixels and where x̂ is zero.

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
            (alpha, term)
            for alpha, term in (
                (alpha_mse, squared_error),
                (alpha_aad, angle),
                (alpha_aid, divergence),
            )
            if alpha
        ]

    def forward(self, y_pred, y_true):
        """Return the loss of estimated abundances, both (n_pixels, n_endmembers)."""
        return sum(alpha * term(y_pred, y_true).mean() for alpha, term in self.terms)


def squared_error(y_pred, y_true):
    """Return ‖x − x̂‖² of each row (eq. 11)."""
    return (y_pred - y_true).square().sum(dim=1)


def angle(y_pred, y_true):
    """Return the angle between rows, in radians (eq. 12).

    With unit vectors u and v it is 2·atan2(‖u − v‖, ‖u + v‖), whose gradient, unlike that of the
    arc cosine, stays finite for parallel vectors. A zero row counts as being at a right angle.
    """
    u, v = _unit(y_pred), _unit(y_true)
    # atan2 has no gradient at (0, 0), where both rows are zero
    adjacent = torch.linalg.vector_norm(u + v, dim=1).clamp(min=EPSILON)
    return 2 * torch.atan2(torch.linalg.vector_norm(u - v, dim=1), adjacent)


def divergence(y_pred, y_true):
    """Return KL(x|x̂) + KL(x̂|x) of each row, in nats (eq. 13): Σ(x − x̂)(log x − log x̂)."""
    log_ratio = torch.log((y_true.clamp(min=0) + EPSILON) / (y_pred + EPSILON))
    return ((y_true - y_pred) * log_ratio).sum(dim=1)


def _unit(x):
    return x / torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=EPSILON)
