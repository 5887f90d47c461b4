"""How networks are trained: loss, batches, schedules, and many networks as one stack."""

from .batches import TensorBatches
from .divergence import DivergenceError, StopOnDivergence, divergence_error
from .losses import CompositeLoss
from .progress import ReportEpochs
from .schedules import LearningRate, cosine, one_cycle
from .stacked import Fold, bytes_per_network, train_stacked

__all__ = [
    "CompositeLoss",
    "DivergenceError",
    "Fold",
    "LearningRate",
    "ReportEpochs",
    "StopOnDivergence",
    "TensorBatches",
    "bytes_per_network",
    "cosine",
    "divergence_error",
    "one_cycle",
    "train_stacked",
]
