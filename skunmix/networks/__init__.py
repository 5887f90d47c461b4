"""The unrolled networks as torch modules, their loss and their start; knows no estimator."""

from .admm import UnrolledADMM
from .batches import TensorBatches
from .divergence import DivergenceError, StopOnDivergence
from .inference import predict_blocks
from .ista import UnrolledISTA
from .losses import CompositeLoss
from .progress import ReportEpochs
from .schedules import LearningRate, cosine, one_cycle
from .start import choose_start, max_eigenvalue
from .threads import one_thread
from .view import View, noise_factor, span_basis

__all__ = [
    "CompositeLoss",
    "DivergenceError",
    "LearningRate",
    "ReportEpochs",
    "StopOnDivergence",
    "TensorBatches",
    "UnrolledADMM",
    "UnrolledISTA",
    "View",
    "choose_start",
    "cosine",
    "max_eigenvalue",
    "noise_factor",
    "one_cycle",
    "one_thread",
    "predict_blocks",
    "span_basis",
]
