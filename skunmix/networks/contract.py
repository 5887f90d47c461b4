"""The interface of a network, which training, stacking, saving and prediction use."""

from abc import ABC, abstractmethod

import numpy as np
from torch import nn

from .transform import SpectrumTransform


class UnmixingNetwork(nn.Module, ABC):
    """Base class of the networks: a subclass trains, stacks, saves, loads and predicts.

    A subclass first calls ``super().__init__(endmembers, transform, **options)``, where `options`
    are its own keyword arguments, and finally `warm_start`. It must follow five rules:

    1. Pixels are columns, as in the equations: `project_spectra` returns the products of the
       spectra that all layers need, and `unroll` computes the abundances from them.
    2. `project_spectra` is linear in the spectra, without an offset, because prediction applies
       `transform` to the matrix of that product instead of to each pixel of a scene.
    3. Both methods accept one network or a stack. The parameters, buffers, products and abundances
       of a stack have the networks as an additional first axis. Index parameters from the end, as
       in ``self.W[..., k, :, :]``.
    4. A pixel's abundances depend on that pixel alone.
    5. `options` determines everything but the parameters and buffers.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ), in the units of the spectra.
    transform : SpectrumTransform, default=None
        Transform of the spectra before the network. None does not change them.
    **options : dict
        The other arguments of the constructor: plain numbers, strings and booleans.

    Attributes
    ----------
    transform : SpectrumTransform
    options : dict
        With `shape`, they define the network up to its parameters, when it is loaded.
    shape : tuple of (int, int)
        Shape of the endmembers.

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
        """Set all parameters to their values at the start of training.

        Parameters
        ----------
        endmembers : ndarray of shape (n_endmembers, n_bands)
            Spectra in rows (Aᵀ), in the units of the spectra, before `transform`.
        **start : dict
            Other parameters of the start, such as λ.
        """

    @abstractmethod
    def project_spectra(self, spectra):
        """Return the products of spectra that all layers need.

        Parameters
        ----------
        spectra : Tensor of shape (n_pixels, n_bands) or (n_folds, n_pixels, n_bands)
            Transformed spectra. The first ``n_networks / n_folds`` networks of a stack get the
            first fold, the next ones the second, and so on.

        Returns
        -------
        projected : Tensor of shape (n_products, n_pixels) or (n_networks, n_products, n_pixels)
        """

    @abstractmethod
    def unroll(self, projected):
        """Return the abundances, given the products.

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
        """The device of the parameters."""
        return next(self.parameters()).device
