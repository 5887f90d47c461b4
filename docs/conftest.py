"""Fixtures of the pages' doctests: a folder with files, as the reader would have."""

import pytest

collect_ignore = ["conf.py"]


@pytest.fixture(autouse=True)
def folder_with_a_scene(request, monkeypatch):
    """Run each page in its own folder, with scene.npy, scene.hdr, library.sli and plots.csv."""
    monkeypatch.chdir(request.getfixturevalue("folder_of_files"))
