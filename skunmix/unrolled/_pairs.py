"""Training pairs, and the number of threads for training."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from ..utils.threads import torch_on_one_thread

# Multiplications in the forward pass of a training step. With 1e7 (240 endmembers, 198 bands, two
# layers, batches of 64), one thread is still a third faster than two.
_LARGE_STEP = 1e8


@dataclass(frozen=True)
class TrainingPairs:
    """Pairs of spectra and abundances for training and, optionally, validation.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
    y : ndarray of shape (n_pixels, n_endmembers)
    validation : tuple of two such arrays, default=None
    """

    X: np.ndarray
    y: np.ndarray
    validation: tuple | None = None

    def split(self, training, validation):
        """Return the pairs of the rows for training and for validation."""
        held_out = self.X[validation], self.y[validation]
        return TrainingPairs(self.X[training], self.y[training], held_out)


def few_threads(network, batch_size, n_networks=1):
    """Return a context for training with the number of threads that suits steps of this size."""
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    small = n_networks * n_parameters * batch_size < _LARGE_STEP
    return torch_on_one_thread() if small else nullcontext()
