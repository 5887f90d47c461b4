"""Spectra in other units."""

import numpy as np


def to_unit_length(spectra):
    """Return spectra (n_pixels, n_bands) with ‖y‖₂ = 1, except those of zeros, as float64."""
    spectra = np.asarray(spectra, dtype=np.float64)
    length = np.linalg.norm(spectra, axis=1, keepdims=True)
    return spectra / np.where(length, length, 1.0)


def row_rmse(true, pred):
    """Return the root mean squared difference over the last axis."""
    return np.sqrt(np.mean((true - pred) ** 2, axis=-1))
