"""How networks are trained: loss, batches, schedules, and many networks as one stack."""

from .batches import TensorBatches
from .constraints import ConstrainParameters
from .divergence import DivergenceError, StopOnDivergence, divergence_error
from .losses import CompositeLoss, ReconstructionLoss
from .progress import ReportEpochs
from .schedules import LearningRate, cosine, one_cycle
from .stacked import Fold, bytes_per_network, train_stacked

__all__ = [
    "CompositeLoss",
    "ConstrainParameters",
    "DivergenceError",
    "Fold",
    "LearningRate",
    "ReconstructionLoss",
    "ReportEpochs",
    "StopOnDivergence",
    "TensorBatches",
    "bytes_per_network",
    "cosine",
    "divergence_error",
    "one_cycle",
    "train_stacked",
]
