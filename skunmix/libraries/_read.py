"""Reading of libraries from files and folders of any known format."""

from pathlib import Path

import numpy as np

from ._envi import is_envi, read_envi
from ._library import SpectralLibrary
from ._tables import read_csv, read_numpy


def read_library(path, *, wavelengths=None, unit=None, names=None):
    """Read a spectral library from a file.

    Parameters
    ----------
    path : str or path-like
        ENVI spectral library (.sli or its header), CSV with spectra in columns or in rows, or NumPy
        (.npy, .npz).

    wavelengths : array-like of shape (n_bands,), default=None
        Wavelengths instead of those of the file, or for a file without any, in `unit`.

    unit : {"nm", "um", "µm", "cm-1"}, default=None
        Unit of the wavelengths, instead of that of the file. Without any unit, the magnitude
        decides between nm and µm. Wavenumbers are only converted with "cm-1".

    names : sequence of str, default=None
        Names instead of those of the file.

    Returns
    -------
    library : SpectralLibrary

    Raises
    ------
    FileNotFoundError
        If the file, or a part of it such as a header, does not exist.
    OSError
        If the file is damaged.
    ValueError
        If the format is unknown, or the wavelengths are missing, have no known unit, or are
        wavenumbers.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There is no library at {path}; check the path.")
    given = {"wavelengths": wavelengths, "unit": unit, "names": names}
    return _reader_of(path)(path, **given)


def _reader_of(path):
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return read_numpy
    if suffix in (".csv", ".tsv", ".txt"):
        return read_csv
    if is_envi(path):
        return read_envi
    raise ValueError(f"Expected a library in a known format, got {path.name}; see the guide.")
