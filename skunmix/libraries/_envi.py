"""ENVI spectral libraries."""

import re
from pathlib import Path

import numpy as np

from ..scenes.io.envi import layout_of, read_header, split_list
from ..utils.wavelengths import to_nanometres, unit_of
from ._library import SpectralLibrary

_DATA = (".sli", ".slb", ".lib", ".esl", ".img", ".dat", ".bin", "")


def read_envi(path, *, wavelengths=None, unit=None, names=None):
    """Read a spectral library (.sli) and its header.

    Raises
    ------
    FileNotFoundError
        If the header or the data are missing.
    OSError
        If the header is incomplete or contradicts the data.
    ValueError
        If it is an image, or its wavelengths have no known unit.
    """
    header_path, data_path = _pair(Path(path))
    header = read_header(header_path)
    kind = header.get("file type", "").lower()
    layout = layout_of(header, data_path)
    if layout is None:
        raise OSError(
            f"Expected a library of real numbers without compression, got data type "
            f"{header.get('data type')} in {header_path}; convert it with ENVI."
        )
    n_lines, n_samples, n_bands = layout.shape
    if "library" not in kind and n_bands > 1 and n_lines > 1 and n_samples > 1:
        raise ValueError(
            f"Expected an ENVI spectral library, got an image of {n_lines} × {n_samples} pixels in "
            f"{data_path}; pass it as the scene, or find endmembers in it with "
            f"skunmix.extraction."
        )
    values = layout.read((slice(0, n_lines), slice(0, n_samples))).astype(np.float64)
    spectra = values[:, :, 0] if n_bands == 1 else values.reshape(-1, n_bands)
    spectra = _decoded(spectra, header, header_path)
    nm, fwhm = _wavelengths(header, spectra.shape[1], header_path, wavelengths, unit)
    if names is None:
        names = _names(header.get("spectra names", ""), len(spectra), header_path)
    metadata = {"file": str(data_path), **{k: v for k, v in header.items() if k not in _USED}}
    return SpectralLibrary(spectra, names, nm, fwhm=fwhm, metadata=metadata)


_USED = {"wavelength", "fwhm", "spectra names", "bbl"}


def is_envi(path):
    """Return whether a file is the header or the data of an ENVI library."""
    path = Path(path)
    if path.suffix.lower() in (".hdr", ".sli", ".slb", ".esl"):
        return True
    return path.suffix.lower() in _DATA and _header_of(path) is not None


def _pair(path):
    """Return the header and the data of a library, either of which may be given."""
    if path.suffix.lower() != ".hdr":
        header = _header_of(path)
        if header is None:
            raise FileNotFoundError(
                f"Expected the header {path.with_suffix('.hdr').name} or {path.name}.hdr beside "
                f"{path}, got none; put it there."
            )
        return header, path
    stem = path.stem.lower()
    wanted = [f"{stem}{suffix}" for suffix in _DATA]
    beside = {file.name.lower(): file for file in path.parent.iterdir() if file.is_file()}
    data = next((beside[name] for name in wanted if name in beside), None)
    if data is None:
        raise FileNotFoundError(
            f"{path} is a header without data: expected {path.stem} or {path.stem}.sli beside it; "
            f"put it there, or pass the path of the data."
        )
    return path, data


def _header_of(path):
    wanted = {f"{path.name}.hdr".lower(), f"{path.stem}.hdr".lower()}
    if not path.parent.is_dir():
        return None
    found = {f.name.lower(): f for f in path.parent.iterdir() if f.name.lower() in wanted}
    return found.get(f"{path.name}.hdr".lower()) or found.get(f"{path.stem}.hdr".lower())


def _decoded(spectra, header, path):
    """Return spectra with NaN for ignored values, divided by the reflectance scale factor."""
    ignored = _float(header, "data ignore value", path)
    if ignored is not None:
        spectra = np.where(spectra == ignored, np.nan, spectra)
        if np.isnan(spectra).all():
            raise ValueError(
                f"Expected measurements in {path}, got the ignored value {ignored:g} everywhere; "
                f"correct 'data ignore value' in the header."
            )
    factor = _float(header, "reflectance scale factor", path)
    if factor:
        spectra = spectra / factor
    good = split_list(header.get("bbl", ""))
    if len(good) == spectra.shape[1]:
        bad = np.array([float(item) == 0 for item in good])
        spectra = np.where(bad, np.nan, spectra)
    return spectra


def _float(header, name, path):
    text = header.get(name, "").strip()
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise OSError(
            f"The header {path} gives {text!r} as {name!r}, expected a number; correct the header."
        ) from None


def _wavelengths(header, n_bands, path, given, unit):
    """Return wavelengths and widths in nm, or None."""
    what = f"the wavelengths of {path}"
    if given is not None:
        return to_nanometres(given, unit, "wavelengths", allow_wavenumbers=True), None
    values = _floats(header, "wavelength", n_bands, path)
    if values is None:
        return None, None
    units = unit or header.get("wavelength units")
    nm = to_nanometres(values, units, what, allow_wavenumbers=unit is not None)
    fwhm = _floats(header, "fwhm", n_bands, path)
    if fwhm is not None:
        fwhm = fwhm * nm / values if unit_of(units) != "cm-1" else fwhm * nm**2 / 1e7
        fwhm = fwhm if (fwhm > 0).all() else None
    return nm, fwhm


def _floats(header, name, n_bands, path):
    items = split_list(header.get(name, ""))
    try:
        values = np.array(items, dtype=float)
    except ValueError:
        values = np.empty(0)
    if items and len(values) != n_bands:
        raise OSError(
            f"The header {path} gives {len(items)} items as {name!r}, expected {n_bands} numbers, "
            f"one for each band; correct the header, or pass wavelengths=…."
        )
    return values if items else None


def _names(text, n_spectra, path):
    """Return the names of a header, which may hold commas if each is on a line of its own."""
    if not text.strip():
        return None
    attempts = (
        text.split(","),
        re.split(r",[ \t]*\n", text),
        text.strip().split("\n"),
    )
    for found in attempts:
        found = [" ".join(name.split()).rstrip(",").strip("\"'") for name in found]
        if found and not found[-1]:
            found = found[:-1]
        if len(found) == n_spectra:
            return found
    raise OSError(
        f"The header {path} gives {len(attempts[0])} 'spectra names' between commas, expected "
        f"{n_spectra}; remove commas from names in the header, or pass names=…."
    )
