"""What training, stacking, saving and prediction ask of a network."""

from abc import ABC, abstractmethod

import numpy as np
from torch import nn

from .transform import SpectrumTransform


class UnmixingNetwork(nn.Module, ABC):
    """The contract of a network: whatever keeps it trains, stacks, saves, loads and predicts.

    A subclass calls ``super().__init__(endmembers, transform, **options)`` first, where `options`
    are its own keyword arguments, and `warm_start` last. It must keep five promises:

    1. Pixels are columns inside, as in the equations: `project_spectra` returns the products of
       the spectra that all layers need, and `unroll` makes abundances of them.
    2. `project_spectra` is linear in the spectra, without an offset. Prediction relies on it: it
       applies `transform` to the matrix of that product rather than to each pixel of a scene.
    3. Both take one network or a stack. The parameters and buffers of a stack have one more axis,
       the networks, in front; so do the products and the abundances. Index parameters from the
       end, as in ``self.W[..., k, :, :]``.
    4. A pixel's abundances depend on that pixel alone.
    5. Beside parameters and buffers a network holds nothing that `options` does not determine.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ), in the units of the spectra.
    transform : SpectrumTransform, default=None
        What is done to spectra before the network sees them; None leaves them as they are.
    **options : dict
        The other arguments of the constructor: plain numbers, strings and booleans.

    Attributes
    ----------
    transform : SpectrumTransform
        As given.
    options : dict
        As given; they and `shape` make the network again, whose parameters are then loaded.
    shape : tuple of (int, int)
        Of the endmembers.

    See Also
    --------
    UnrolledADMM, UnrolledISTA : The two networks.
    """

    def __init__(self, endmembers, transform=None, **options):
        super().__init__()
        self.transform = SpectrumTransform() if transform is None else transform
        self.options = options
        self.shape = tuple(np.shape(endmembers))

    @abstractmethod
    def warm_start(self, endmembers, **start):
        """Set all parameters to where training starts.

        Parameters
        ----------
        endmembers : ndarray of shape (n_endmembers, n_bands)
            Spectra in rows (Aᵀ), in the units of the spectra. `transform` brings them into those
            of the network.
        **start : dict
            What else the start depends on.
        """

    @abstractmethod
    def project_spectra(self, spectra):
        """Return the products of spectra that all layers need.

        Parameters
        ----------
        spectra : Tensor of shape (n_pixels, n_bands) or (n_folds, n_pixels, n_bands)
            As `transform` leaves them. The first ``n_networks / n_folds`` networks of a stack see
            the first fold, the next ones the second, and so on.

        Returns
        -------
        projected : Tensor of shape (n_products, n_pixels) or (n_networks, n_products, n_pixels)
        """

    @abstractmethod
    def unroll(self, projected):
        """Return the abundances that the layers make of the products.

        Parameters
        ----------
        projected : Tensor of shape (…, n_products, n_pixels)
            From `project_spectra`.

        Returns
        -------
        abundances : Tensor of shape (…, n_endmembers, n_pixels)
        """

    def forward(self, spectra):
        """Return the abundances, (…, n_pixels, n_endmembers), of transformed spectra."""
        return self.unroll(self.project_spectra(spectra)).mT

    @property
    def device(self):
        """Where the parameters are."""
        return next(self.parameters()).device
