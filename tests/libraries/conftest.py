"""Spectra to write to files."""

import numpy as np
import pytest


@pytest.fixture
def nm():
    return np.linspace(400.0, 2500.0, 43)


@pytest.fixture
def spectra(nm):
    t = (nm - 400) / 2100
    return np.array([0.3 + 0.2 * np.sin(7 * t), 0.2 + 0.3 * t, 0.1 + 0.05 * t**2])
