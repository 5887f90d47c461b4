"""What kind of file a path names: a scene, a spectral library or a model."""

import zipfile
from pathlib import Path

import numpy as np

from ..scenes.io.envi import read_header

# Suffixes of libraries that no scene has.
_LIBRARIES = {".sli", ".slb", ".csv", ".tsv", ".txt", ".asd", ".sig", ".sed", ".npz"}
_LIBRARY = "envi spectral library"


def is_model(path):
    """Return whether a file seems to hold a model of skops."""
    if not Path(path).is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:  # NumPy's .npz is one, too
        return "schema.json" in archive.namelist()


def is_library_header(path):
    """Return whether a file is the header of an ENVI spectral library."""
    path = Path(path)
    if not path.is_file() or path.suffix.lower() != ".hdr":
        return False
    return read_header(path).get("file type", "").lower() == _LIBRARY


def is_envi_library(path):
    """Return whether a path names an ENVI spectral library, by its data or its header."""
    path = Path(path)
    return any(map(is_library_header, (path, path.with_suffix(".hdr"), Path(f"{path}.hdr"))))


def is_library(path):
    """Return whether a path seems to name a spectral library, of any format."""
    path = Path(path)
    if path.suffix.lower() == ".npy" and path.is_file():
        return np.lib.format.open_memmap(path, mode="r").ndim < 3
    return (path.suffix.lower() in _LIBRARIES and path.exists()) or is_envi_library(path)


def check_is_scene(path):
    """Check that a path does not name another file that skunmix writes.

    Raises
    ------
    ValueError
        If it is a model or a spectral library.
    """
    for is_other, what in ((is_model, "a model"), (is_envi_library, "a spectral library")):
        if is_other(path):
            raise ValueError(
                f"Expected a scene, got {path}, which is {what}; pass the scene as SCENE, and "
                f"{'the model as --model' if is_other is is_model else 'spectra as --endmembers'}."
            )
