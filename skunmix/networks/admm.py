"""ADMM unrolled into a network: U-ADMM-AENet."""

import numpy as np
import torch

from ._layers import as_parameter, layer_products, multiply_add, normalize, project
from .contract import UnmixingNetwork


class UnrolledADMM(UnmixingNetwork):
    """K iterations of ADMM with the matrices, thresholds and steps made trainable (eqs. 6-9).

    From z = d = 0, layer k is ::

        x ← W_kᵀy + B_kᵀ(z + d)  (+ s)
        z ← max(soft(x − d, θ_k), 0)
        d ← d − η_k(x − z)

    and the last z, normalised to sum to one, is the output. The warm start is W = A(AᵀA + µI)⁻¹,
    B = µ(AᵀA + µI)⁻¹, θ = λ/µ, η = 1: untrained, K layers are K iterations of ADMM.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ), in the units of the spectra.
    n_layers : int
        K.
    mu, lam : float
        µ and λ of the warm start, in the units of transformed spectra squared.
    tied : bool, default=False
        Whether all layers share their parameters.
    sum_to_one : {False, True, "normalize"}, default="normalize"
        "normalize" rescales the output. True also keeps the warm-started x-update on the plane
        Σx = 1, by a bias s in each layer, which is not trained. False does neither.
    transform : SpectrumTransform, default=None
        Transform of the spectra before the network.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, "An ADMM Based Network for Hyperspectral Unmixing Tasks",
    ICASSP 2021.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skunmix.networks import UnrolledADMM
    >>> module = UnrolledADMM(np.eye(2, 3), n_layers=10, mu=0.5, lam=0.0)
    >>> module(torch.tensor([[0.6, 0.2, 0.0]])).detach().numpy().round(3)
    array([[0.75, 0.25]], dtype=float32)
    """

    def __init__(
        self, endmembers, *, n_layers, mu, lam, tied=False, sum_to_one="normalize", transform=None
    ):
        options = {"mu": mu, "lam": lam, "tied": tied}
        super().__init__(endmembers, transform, n_layers=n_layers, sum_to_one=sum_to_one, **options)
        self.n_layers = n_layers
        self.sum_to_one = sum_to_one
        self.warm_start(endmembers, **options)

    def warm_start(self, endmembers, *, mu, lam, tied=False):
        """Set W = A(AᵀA + µI)⁻¹, B = µ(AᵀA + µI)⁻¹, θ = λ/µ and η = 1 in each layer."""
        endmembers = self.transform.rescale(endmembers)
        eye = np.eye(len(endmembers))
        inverse = np.linalg.solve(endmembers @ endmembers.T + mu * eye, eye)
        if self.sum_to_one is True:
            # on the plane, x = s + (I − s1ᵀ)(…), where s = M1/(1ᵀM1) and M = (AᵀA + µI)⁻¹
            s = inverse.sum(axis=1, keepdims=True) / inverse.sum()
            inverse = inverse - s * inverse.sum(axis=0)
            s = torch.tensor(s, dtype=torch.float32)
        else:
            s = None
        # a buffer, because training s does not reduce the error
        self.register_buffer("s", s)
        W = self.transform.to_coordinates(inverse @ endmembers)
        self.W = as_parameter(W, self.n_layers, tied)
        self.B = as_parameter(mu * inverse, self.n_layers, tied)
        self.theta = as_parameter(lam / mu, self.n_layers, tied)
        self.eta = as_parameter(1.0, self.n_layers, tied)

    def project_spectra(self, spectra):
        """Return W_kᵀy of all layers, stacked in rows."""
        return layer_products(spectra, self.W)

    def unroll(self, projected):
        """Return the output of the last layer."""
        W_y = projected.chunk(self.W.shape[-3], dim=-2)
        z_plus_d = d = None
        for k in range(self.n_layers):
            k = k % len(W_y)  # tied layers share one entry
            theta, eta = self.theta[..., k, None, None], self.eta[..., k, None, None]
            x = W_y[k] if self.s is None else W_y[k] + self.s
            if z_plus_d is None:  # z = d = 0
                z = project(x - theta, self.training)
                d = eta * (z - x)
            else:
                x = multiply_add(x, self.B[..., k, :, :], z_plus_d)
                z = project(x - d - theta, self.training)
                d = d - eta * (x - z)
            z_plus_d = z + d
        return normalize(z) if self.sum_to_one else z
