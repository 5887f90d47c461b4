"""The unrolled ADMM with a decoder that learns the endmembers: U-ADMM-BUNet."""

import numpy as np
import torch
from torch import nn

from .admm import UnrolledADMM


class UnrolledADMMAutoencoder(UnrolledADMM):
    """The layers of `UnrolledADMM` as encoder, and a linear decoder with weights E ≥ 0.

    The encoder makes abundances of spectra, and the decoder makes spectra of abundances: ŷ = Eᵀx.
    Training takes its loss from ŷ, and projects E on E ≥ 0 after each step with `constrain`.
    Both parts start from the same endmembers; negative values are zero in E.

    The parameters are those of `UnrolledADMM`.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, "ADMM-Based Hyperspectral Unmixing Networks for Abundance and
    Endmember Estimation", IEEE Transactions on Geoscience and Remote Sensing 60, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skunmix.networks import UnrolledADMMAutoencoder
    >>> module = UnrolledADMMAutoencoder(np.eye(2, 3), n_layers=10, mu=0.5, lam=0.0)
    >>> abundances = module(torch.tensor([[0.6, 0.2, 0.0]]))
    >>> module.decode(abundances).detach().numpy().round(3)
    array([[0.75, 0.25, 0.  ]], dtype=float32)
    """

    def warm_start(self, endmembers, **start):
        """Set the layers as `UnrolledADMM` does, and E = max(endmembers, 0)."""
        super().warm_start(endmembers, **start)
        E = np.maximum(self.transform.rescale(endmembers), 0.0)
        self.E = nn.Parameter(torch.tensor(E, dtype=torch.float32))

    def decode(self, abundances):
        """Return the spectra, (…, n_pixels, n_bands), of abundances, (…, n_pixels, n_endmembers).

        They are transformed spectra, as the encoder takes them.
        """
        return abundances @ self.E

    def constrain(self):
        """Project E on E ≥ 0."""
        with torch.no_grad():
            self.E.clamp_(min=0)

    @property
    def endmembers(self):
        """E in the units of the spectra, as an array (n_endmembers, n_bands)."""
        return self.E.numpy(force=True).astype(np.float64) * self.transform.scale
