"""A small problem for all tests, and real data for those that need them."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings

from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library

# No example has a deadline: the first may compile. CI draws the same examples every time, and other
# runs new ones.
settings.register_profile("skunmix", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("skunmix")


def _skip_without(name):
    folder = os.environ.get("SKUNMIX_DATA")
    if not folder or not Path(folder, name).exists():
        pytest.skip(
            f"needs real data: set SKUNMIX_DATA to a folder that holds {name}; fetch_jasper_ridge "
            f"and fetch_usgs_library (skunmix.datasets) download such with data_home=<the folder>"
        )


@pytest.fixture(scope="session")
def jasper():
    _skip_without("jasper_ridge.mat")
    return fetch_jasper_ridge(download_if_missing=False)


@pytest.fixture(scope="session")
def usgs():
    _skip_without("usgs_1995_library.mat")
    return fetch_usgs_library(download_if_missing=False)


class Problem(NamedTuple):
    """Noisy mixtures, their abundances and the endmembers, one a row."""

    spectra: np.ndarray
    abundances: np.ndarray
    endmembers: np.ndarray


@pytest.fixture
def problem(request):
    """A problem of the sizes that the test's module sets in its dict `PROBLEM`."""
    sizes = {
        **{"n_pixels": 80, "n_bands": 20, "n_endmembers": 4, "noise": 0.02, "concentration": 0.5},
        **getattr(request.module, "PROBLEM", {}),
    }
    rng = np.random.default_rng(0)
    n_endmembers, n_pixels, n_bands = (sizes[f"n_{n}"] for n in ("endmembers", "pixels", "bands"))
    endmembers = rng.uniform(0.1, 0.9, (n_endmembers, n_bands))
    abundances = rng.dirichlet(np.full(n_endmembers, sizes["concentration"]), n_pixels)
    noise = sizes["noise"] * rng.normal(size=(n_pixels, n_bands))
    return Problem(abundances @ endmembers + noise, abundances, endmembers)
