"""ISTA unrolled into a network: MNN-AE-2, and tied MNN-AE-1."""

import numpy as np

from ._layers import as_parameter, layer_products, multiply_add, normalize, project
from .contract import UnmixingNetwork
from .start import max_eigenvalue


class UnrolledISTA(UnmixingNetwork):
    """K iterations of ISTA with the matrices and thresholds made trainable.

    From z = 0, layer k is ``z ← max(soft(W_kᵀy + S_kᵀz, θ_k), 0)``, and the last z, normalised to
    sum to one, is the output. The warm start is W = A/L, S = I − AᵀA/L, θ = λ/L with
    L = λ_max(AᵀA): untrained, K layers are K iterations of ISTA.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ), in the units of the spectra.
    n_layers : int
        K.
    lam : float
        λ of the warm start, in the units of transformed spectra squared.
    tied : bool, default=False
        Whether all layers share their parameters: MNN-AE-1 rather than MNN-AE-2.
    sum_to_one : {False, "normalize"}, default="normalize"
        Whether to rescale the output.
    transform : SpectrumTransform, default=None
        Transform of the spectra before the network.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skunmix.networks import UnrolledISTA
    >>> module = UnrolledISTA(np.eye(2, 3), n_layers=2, lam=0.0)
    >>> module(torch.tensor([[0.6, 0.2, 0.0]])).detach().numpy().round(3)
    array([[0.75, 0.25]], dtype=float32)
    """

    def __init__(
        self, endmembers, *, n_layers, lam, tied=False, sum_to_one="normalize", transform=None
    ):
        options = {"lam": lam, "tied": tied}
        super().__init__(endmembers, transform, n_layers=n_layers, sum_to_one=sum_to_one, **options)
        self.n_layers = n_layers
        self.sum_to_one = sum_to_one
        self.warm_start(endmembers, **options)

    def warm_start(self, endmembers, *, lam, tied=False):
        """Set W = A/L, S = I − AᵀA/L and θ = λ/L in each layer, with L = λ_max(AᵀA)."""
        endmembers = self.transform.rescale(endmembers)
        gram = endmembers @ endmembers.T
        lipschitz = max_eigenvalue(endmembers)
        W = self.transform.to_coordinates(endmembers / lipschitz)
        self.W = as_parameter(W, self.n_layers, tied)
        self.S = as_parameter(np.eye(len(gram)) - gram / lipschitz, self.n_layers, tied)
        self.theta = as_parameter(lam / lipschitz, self.n_layers, tied)

    def project_spectra(self, spectra):
        """Return W_kᵀy of all layers, stacked in rows."""
        return layer_products(spectra, self.W)

    def unroll(self, projected):
        """Return the output of the last layer."""
        W_y = projected.chunk(self.W.shape[-3], dim=-2)
        z = None
        for k in range(self.n_layers):
            k = k % len(W_y)  # tied layers share one entry
            v = W_y[k] if z is None else multiply_add(W_y[k], self.S[..., k, :, :], z)
            z = project(v - self.theta[..., k, None, None], self.training)
        return normalize(z) if self.sum_to_one else z
