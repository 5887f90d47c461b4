"""Writing of spectra: ENVI spectral libraries, CSV and NumPy."""

import csv
from pathlib import Path

import numpy as np

from ..scenes.io.envi import list_of_names
from ._kinds import is_library_header
from ._outputs import check_writable, replacing

_SUFFIXES = (".sli", ".csv", ".npy")


def check_spectra_output(path, *, overwrite):
    """Check that spectra can be written to a file, before the work for them starts.

    Returns
    -------
    path : pathlib.Path
        The absolute path.

    Raises
    ------
    ValueError
        If the suffix is unknown.
    OSError
        If a file exists and `overwrite` is False, or the header would replace that of a scene, or
        the folder cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(
            f"Expected an output with the suffix .sli (ENVI spectral library), .csv or .npy "
            f"(NumPy), got {path.suffix!r} in {path}; rename it."
        )
    if path.suffix.lower() == ".sli":
        header = path.with_suffix(".hdr")
        if header.is_file() and not is_library_header(header):
            raise FileExistsError(
                f"{path.name} needs the header {header}, which exists and belongs to another file; "
                f"choose another name for the spectra."
            )
        check_writable(header, overwrite=overwrite, what="the header of the spectra")
    return check_writable(path, overwrite=overwrite, what="the spectra")


def write_spectra(path, spectra, names, wavelengths=None, fwhm=None, bands=None):
    """Write spectra in the format that the suffix of the file says.

    Parameters
    ----------
    path : pathlib.Path
        .sli, .csv or .npy.
    spectra : ndarray of shape (n_spectra, n_bands)
    names : sequence of str
    wavelengths, fwhm : ndarray of shape (n_bands,), default=None
        In nm.
    bands : sequence, default=None
        Names of the bands, for CSV files without wavelengths. None counts from 0.
    """
    suffix = path.suffix.lower()
    if suffix == ".sli":
        header = path.with_suffix(".hdr")
        with replacing(header, path) as (temporary_header, temporary):
            np.asarray(spectra, "<f8").tofile(temporary)
            temporary_header.write_text(
                _envi_header(np.shape(spectra), names, wavelengths, fwhm), encoding="utf-8"
            )
        return
    with replacing(path) as (temporary,):
        if suffix == ".npy":
            with open(temporary, "wb") as file:
                np.save(file, np.asarray(spectra, float))
            return
        first = ("band", range(np.shape(spectra)[1]) if bands is None else bands)
        if wavelengths is not None:
            first = "wavelength", map(_number, wavelengths)
        with open(temporary, "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow([first[0], *names])
            rows.writerows([band, *map(_number, row)] for band, row in zip(first[1], spectra.T))


def _envi_header(shape, names, wavelengths, fwhm):
    """Return the header of an ENVI spectral library, which is an image with a spectrum a line."""
    fields = {
        "description": "{Endmembers by skunmix}",
        "samples": shape[1],
        "lines": shape[0],
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": 5,
        "interleave": "bsq",
        "byte order": 0,
        "spectra names": f"{{\n{list_of_names(names)}}}",
    }
    if wavelengths is not None:
        fields["wavelength units"] = "Nanometers"
        fields["wavelength"] = f"{{\n{_listed(wavelengths)}}}"
        if fwhm is not None:
            fields["fwhm"] = f"{{\n{_listed(fwhm)}}}"
    return "ENVI\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def _listed(numbers):
    return ",\n".join(map(_number, numbers))


def _number(value):
    return repr(float(value))
