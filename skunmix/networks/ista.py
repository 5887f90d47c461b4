"""ISTA unrolled into a network: MNN-AE-2, and tied MNN-AE-1."""

import numpy as np
from torch import nn

from ._layers import as_parameter, multiply_add, normalize, project, project_spectra
from .start import max_eigenvalue


class UnrolledISTA(nn.Module):
    """K iterations of ISTA with the matrices and thresholds made trainable.

    From z = 0, layer k is ``z ← max(soft(W_kᵀy + S_kᵀz, θ_k), 0)``, and the last z, normalised to
    sum to one, is the output. The warm start is W = A/L, S = I − AᵀA/L, θ = λ/L with
    L = λ_max(AᵀA): untrained, K layers are K iterations of ISTA.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ).
    n_layers : int
        K.
    lam : float
        λ of the warm start.
    tied : bool, default=False
        Whether all layers share their parameters: MNN-AE-1 rather than MNN-AE-2.
    sum_to_one : {False, "normalize"}, default="normalize"
        Whether to rescale the output.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skunmix.networks import UnrolledISTA
    >>> module = UnrolledISTA(np.eye(2, 3), n_layers=2, lam=0.0)
    >>> module(torch.tensor([[0.6, 0.2, 0.0]])).detach().numpy().round(3)
    array([[0.75, 0.25]], dtype=float32)
    """

    def __init__(self, endmembers, *, n_layers, lam, tied=False, sum_to_one="normalize"):
        super().__init__()
        endmembers = np.asarray(endmembers, dtype=np.float64)
        gram = endmembers @ endmembers.T
        lipschitz = max_eigenvalue(endmembers)
        self.W = as_parameter(endmembers / lipschitz, n_layers, tied)
        self.S = as_parameter(np.eye(len(gram)) - gram / lipschitz, n_layers, tied)
        self.theta = as_parameter(lam / lipschitz, n_layers, tied)
        self.n_layers = n_layers
        self.sum_to_one = sum_to_one

    def forward(self, spectra):
        """Return the abundances, (n_pixels, n_endmembers), of spectra (n_pixels, n_bands)."""
        return self.unroll(project_spectra(spectra, self.W)).T

    def unroll(self, W_y):
        """Go through the layers, given W_kᵀy of each; pixels are columns, in and out."""
        z = None
        for k in range(self.n_layers):
            # tied layers all read the one entry there is
            k = k % len(W_y)
            v = W_y[k] if z is None else multiply_add(W_y[k], self.S[k], z)
            z = project(v - self.theta[k], self.training)
        return normalize(z) if self.sum_to_one else z
