"""Fixtures of the pages' doctests: a folder with a scene.npy, as the reader would have."""

from pathlib import Path

import numpy as np
import pytest

from skunmix.datasets import make_scene

collect_ignore = ["conf.py"]


@pytest.fixture(autouse=True)
def folder_with_a_scene(request, monkeypatch):
    """Run each page in its own folder, which holds scene.npy."""
    tmp_path = request.getfixturevalue("tmp_path")
    monkeypatch.chdir(tmp_path)
    scene = make_scene(
        n_endmembers=3, shape=(50, 80), fractions=(1.0,), sigma=1.0, snr=30, random_state=0
    )
    np.save(Path("scene.npy"), scene.spectra.reshape(*scene.shape, -1))
