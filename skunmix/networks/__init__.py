"""The unrolled networks as torch modules, their loss and their start; knows no estimator."""

from .admm import UnrolledADMM
from .batches import TensorBatches
from .divergence import StopOnDivergence, divergence_message
from .inference import predict_blocks
from .ista import UnrolledISTA
from .losses import CompositeLoss
from .schedules import LearningRate, cosine, one_cycle
from .stacked import Fold, bytes_per_network, train_stacked
from .start import choose_start, max_eigenvalue
from .threads import one_thread

__all__ = [
    "CompositeLoss",
    "Fold",
    "LearningRate",
    "StopOnDivergence",
    "TensorBatches",
    "UnrolledADMM",
    "UnrolledISTA",
    "bytes_per_network",
    "choose_start",
    "cosine",
    "divergence_message",
    "max_eigenvalue",
    "one_cycle",
    "one_thread",
    "predict_blocks",
    "train_stacked",
]
