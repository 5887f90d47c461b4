"""The unrolled networks as torch modules, their loss and their start; knows no estimator."""

from .admm import UnrolledADMM
from .batches import TensorBatches
from .devices import as_tensor, check_device
from .divergence import DivergenceError, StopOnDivergence, divergence_error
from .inference import predict_blocks
from .ista import UnrolledISTA
from .losses import CompositeLoss
from .progress import ReportEpochs
from .saving import module_from_state, net_to_state, restore_net
from .schedules import LearningRate, cosine, one_cycle
from .stacked import Fold, bytes_per_network, train_stacked
from .start import choose_start, max_eigenvalue
from .threads import one_thread
from .view import View, noise_factor, span_basis

__all__ = [
    "CompositeLoss",
    "DivergenceError",
    "Fold",
    "LearningRate",
    "ReportEpochs",
    "StopOnDivergence",
    "TensorBatches",
    "UnrolledADMM",
    "UnrolledISTA",
    "View",
    "as_tensor",
    "bytes_per_network",
    "check_device",
    "choose_start",
    "cosine",
    "divergence_error",
    "max_eigenvalue",
    "module_from_state",
    "net_to_state",
    "noise_factor",
    "one_cycle",
    "one_thread",
    "predict_blocks",
    "restore_net",
    "span_basis",
    "train_stacked",
]
