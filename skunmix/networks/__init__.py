"""The unrolled networks as torch modules, their loss and their start; knows no estimator."""

from .admm import UnrolledADMM
from .batches import TensorBatches
from .divergence import StopOnDivergence
from .inference import predict_blocks
from .ista import UnrolledISTA
from .losses import CompositeLoss
from .schedules import LearningRate, cosine, one_cycle
from .start import choose_start, max_eigenvalue
from .threads import one_thread

__all__ = [
    "CompositeLoss",
    "LearningRate",
    "StopOnDivergence",
    "TensorBatches",
    "UnrolledADMM",
    "UnrolledISTA",
    "choose_start",
    "cosine",
    "max_eigenvalue",
    "one_cycle",
    "one_thread",
    "predict_blocks",
]
