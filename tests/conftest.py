"""Real data for the tests that need it."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library

# CI draws the same examples every time, and other runs new ones
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


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
