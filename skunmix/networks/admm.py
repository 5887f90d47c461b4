"""ADMM unrolled into a network: U-ADMM-AENet."""

import numpy as np
import torch

from ._layers import as_parameter, closed_units, layer_products, normalize, projection_gradient
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
        parameters = self.B, self.theta, self.eta, self.s
        if projected.ndim == 2:  # as a stack of one network, so that sums are rounded alike
            z = self._last_z(projected[None], *(p if p is None else p[None] for p in parameters))[0]
        else:
            z = self._last_z(projected, *parameters)
        return normalize(z) if self.sum_to_one else z

    def _last_z(self, projected, B, theta, eta, s):
        """Return z of the last layer, for a stack of networks."""
        W_y = projected.unflatten(1, (-1, B.shape[-1]))
        if s is not None:
            W_y = W_y + s[:, None]
        if torch.is_grad_enabled():
            return _Layers.apply(W_y, B, theta, eta, self.n_layers, self.training)
        return _layers(W_y, B, theta, eta, self.n_layers)


def _layers(W_y, B, theta, eta, n_layers, kept=None):
    """Return z of the last layer.

    Parameters
    ----------
    W_y : Tensor of shape (n_networks, K, n_endmembers, n_pixels)
        W_kᵀy (+ s). K is 1 if all layers share their parameters, here and below.
    B : Tensor of shape (n_networks, K, n_endmembers, n_endmembers)
    theta, eta : Tensor of shape (n_networks, K)
    n_layers : int
    kept : list, default=None
        The z, x − z and (z + d) of each layer are appended to it; the last is its input.

    Returns
    -------
    z : Tensor of shape (n_networks, n_endmembers, n_pixels)
    """
    tied = W_y.shape[1] == 1
    W_y, B = W_y.unbind(1), B.unbind(1)
    theta, eta = (p[..., None, None].unbind(1) for p in (theta, eta))
    z_plus_d = d = None
    for layer in range(n_layers):
        k = 0 if tied else layer
        if d is None:  # z = d = 0
            x = W_y[k]
            z = torch.relu(x - theta[k])
            residual = x - z
            following = -eta[k] * residual
        else:
            x = torch.baddbmm(W_y[k], B[k], z_plus_d)
            z = torch.relu(x - d - theta[k])
            residual = x - z
            following = torch.addcmul(d, eta[k], residual, value=-1)
        if kept is not None:
            kept.append((z, residual, z if z_plus_d is None else z_plus_d))
        d = following
        z_plus_d = z + d
    return z


class _Layers(torch.autograd.Function):
    """`_layers` with its gradients, which take half the time of those that torch derives.

    The tensors are so small that a training step takes as long as its number of operations.
    """

    @staticmethod
    def forward(ctx, W_y, B, theta, eta, n_layers, training):
        kept = []
        z = _layers(W_y, B, theta, eta, n_layers, kept)
        ctx.save_for_backward(B, eta, *(tensor for layer in kept for tensor in layer))
        ctx.training = training
        return z

    @staticmethod
    def backward(ctx, gradient):
        B, eta, *kept = ctx.saved_tensors
        z, residuals, inputs = (torch.stack(kept[i::3], dim=1) for i in range(3))
        tied, n_layers = B.shape[1] == 1, z.shape[1]
        B_T, steps = B.mT.unbind(1), (-eta[..., None, None]).unbind(1)
        # gradients with respect to x, x − d − θ and d of each layer
        of_x, of_v, of_d = (torch.zeros_like(z) for _ in range(3))
        xs, vs, ds = of_x.unbind(1), of_v.unbind(1), of_d.unbind(1)
        is_open = (z > 0).unbind(1)
        closed = closed_units(z).unbind(1) if ctx.training else [None] * n_layers
        g_z, g_d = gradient, torch.zeros_like(gradient)  # the last d is not used
        for layer in reversed(range(n_layers)):
            k = 0 if tied else layer
            ds[layer].copy_(g_d)
            torch.mul(g_d, steps[k], out=xs[layer])
            g_z = g_z - xs[layer]
            g_v = vs[layer].copy_(projection_gradient(g_z, is_open[layer], closed[layer]))
            g_x = xs[layer].add_(g_v)
            if layer:
                g_z = torch.bmm(B_T[k], g_x)
                g_d = g_d + g_z - g_v
        of_B = of_x @ inputs.mT
        of_B[:, 0] = 0  # z = d = 0
        gradients = of_x, of_B, -of_v.sum((-2, -1)), -(of_d * residuals).sum((-2, -1))
        if tied:
            gradients = (g.sum(1, keepdim=True) for g in gradients)
        return *gradients, None, None
