"""Unrolled networks as torch modules, and their training; knows no estimator."""

from ._layers import layer_products
from .admm import UnrolledADMM
from .autoencoder import UnrolledADMMAutoencoder
from .contract import UnmixingNetwork
from .devices import as_tensor, check_device
from .inference import predict_blocks
from .ista import UnrolledISTA
from .saving import net_to_state, network_from_state, restore_net
from .start import choose_start, max_eigenvalue
from .training.batches import TensorBatches
from .training.constraints import ConstrainParameters
from .training.divergence import DivergenceError, StopOnDivergence, divergence_error
from .training.losses import CompositeLoss, ReconstructionLoss
from .training.progress import ReportEpochs
from .training.schedules import LearningRate, cosine, one_cycle
from .training.stacked import Fold, bytes_per_network, train_stacked
from .transform import SpectrumTransform, noise_factor, span_basis

__all__ = [
    "CompositeLoss",
    "ConstrainParameters",
    "DivergenceError",
    "Fold",
    "LearningRate",
    "ReconstructionLoss",
    "ReportEpochs",
    "SpectrumTransform",
    "StopOnDivergence",
    "TensorBatches",
    "UnmixingNetwork",
    "UnrolledADMM",
    "UnrolledADMMAutoencoder",
    "UnrolledISTA",
    "as_tensor",
    "bytes_per_network",
    "check_device",
    "choose_start",
    "cosine",
    "divergence_error",
    "layer_products",
    "max_eigenvalue",
    "net_to_state",
    "network_from_state",
    "noise_factor",
    "one_cycle",
    "predict_blocks",
    "restore_net",
    "span_basis",
    "train_stacked",
]
