"""The unrolled networks as torch modules, their loss and their start; knows no estimator."""

from .admm import UnrolledADMM
from .batches import TensorBatches
from .ista import UnrolledISTA
from .losses import CompositeLoss
from .start import choose_mu, max_eigenvalue

__all__ = [
    "CompositeLoss",
    "TensorBatches",
    "UnrolledADMM",
    "UnrolledISTA",
    "choose_mu",
    "max_eigenvalue",
]
