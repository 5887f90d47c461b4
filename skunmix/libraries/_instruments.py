"""Spectra of field spectrometers: ASD, SVC and Spectral Evolution."""

import re
import struct
import warnings
from pathlib import Path

import numpy as np

from ..utils.wavelengths import to_nanometres
from ._library import SpectralLibrary
from ._text import numbers, read_text

# The header of .asd, as "ASD File Format, version 8" describes it, is 484 bytes, little-endian.
_ASD_HEADER = 484
_ASD_TYPES = ("raw", "reflectance", "radiance", "no units", "irradiance", "quality index")
_ASD_TYPES += ("transmittance", "unknown", "absorbance")
_ASD_FORMATS = ("<f4", "<i4", "<f8")
_FIELD = re.compile(r"\s*([^=:]+?)\s*[=:]\s*(.*?)\s*")


def single(values, name, nm, path, *, wavelengths, unit, names, metadata, classes=None):
    """Return a library of one spectrum, with what the caller overrides."""
    if wavelengths is not None:
        nm = to_nanometres(wavelengths, unit, "wavelengths", allow_wavenumbers=True)
    metadata = {"file": str(path), **metadata}
    return SpectralLibrary(
        [values], [name] if names is None else names, nm, classes=classes, metadata=metadata
    )


def read_asd(path, *, wavelengths=None, unit=None, names=None):
    """Read a binary file of an ASD FieldSpec.

    A file of reflectances holds the counts of the target and of the white reference, and the result
    is their ratio. Values of a file without a reference are returned as they are.

    Raises
    ------
    OSError
        If it is no such file, or ends early.
    ValueError
        If it holds radiances, which need a calibration, or another quantity.

    Warns
    -----
    UserWarning
        If it holds raw counts without a reference.
    """
    data = Path(path).read_bytes()
    if data[:3] not in (b"ASD", b"as2", b"as3", b"as4", b"as5", b"as6", b"as7", b"as8"):
        raise OSError(
            f"Expected an ASD file, which begins with 'ASD' or 'as2' to 'as8', got {data[:3]!r} in "
            f"{path}; check the file."
        )
    if len(data) < _ASD_HEADER:
        raise _truncated(path, len(data), _ASD_HEADER)
    kind = data[186]
    first, step = struct.unpack_from("<ff", data, 191)
    code = data[199]
    (n_channels,) = struct.unpack_from("<H", data, 204)
    if code >= len(_ASD_FORMATS) or not n_channels or not step > 0:
        raise OSError(
            f"Expected channels as numbers in {path}, got {n_channels} of format {code} with a "
            f"step of {step:g} nm; the file is damaged."
        )
    dtype = np.dtype(_ASD_FORMATS[code])

    def channels(offset):
        if len(data) < offset + n_channels * dtype.itemsize:
            raise _truncated(path, len(data), offset + n_channels * dtype.itemsize)
        return np.frombuffer(data, dtype, n_channels, offset).astype(np.float64)

    values = channels(_ASD_HEADER)
    quantity = _ASD_TYPES[kind] if kind < len(_ASD_TYPES) else "unknown"
    if quantity not in ("raw", "reflectance", "transmittance"):
        raise ValueError(
            f"Expected an ASD file of reflectances, got {quantity} in {path}, of which it holds "
            f"the counts before calibration; export it as reflectance with ViewSpec Pro."
        )
    reference = _asd_reference(data, _ASD_HEADER + n_channels * dtype.itemsize, channels)
    if reference is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(reference > 0, values / reference, np.nan)
        quantity = "reflectance" if quantity == "raw" else quantity
    elif quantity == "raw":
        warnings.warn(
            f"{path} holds raw counts without a white reference, expected reflectance; divide them "
            f"by the counts of a white reference.",
            UserWarning,
            stacklevel=3,
        )
    metadata = {
        "quantity": quantity,
        "comments": data[3:160].split(b"\0")[0].decode("latin-1").strip(),
    }
    nm = first + step * np.arange(n_channels)
    given = {"wavelengths": wavelengths, "unit": unit, "names": names}
    return single(values, Path(path).stem, nm, path, metadata=metadata, **given)


def _asd_reference(data, after, channels):
    """Return the white reference of an ASD file, or None if it has none."""
    # a flag, two times, and a text with its length come before it
    if data[:3] == b"ASD" or len(data) < after + 20:
        return None
    (flag,) = struct.unpack_from("<h", data, after)
    (length,) = struct.unpack_from("<H", data, after + 18)
    return channels(after + 20 + length) if flag else None


def _truncated(path, found, expected):
    return OSError(
        f"{path} has {found} bytes, but its header says at least {expected}; it is truncated."
    )


def read_svc(path, *, wavelengths=None, unit=None, names=None):
    """Read a file of a spectrometer of Spectra Vista (.sig)."""
    text = read_text(path)
    header, found, table = text.partition("data=")
    if not found:
        raise OSError(f"Expected a line 'data=' in {path}, got none; the file is damaged.")
    fields = _fields(header.split("\n"))
    rows = _rows(table, path)
    # wavelength, reference, target, and reflectance in percent
    if rows.shape[1] < 4:
        raise OSError(
            f"Expected four columns after 'data=' in {path}, wavelength, reference, target and "
            f"reflectance, got {rows.shape[1]}; export the file with the reflectance."
        )
    nm = to_nanometres(rows[:, 0], unit or "nm", f"the wavelengths of {path}")
    given = {"wavelengths": wavelengths, "unit": unit, "names": names}
    name = Path(path).stem
    metadata = {**fields, "quantity": "reflectance"}
    return single(rows[:, 3] / 100, name, nm, path, metadata=metadata, **given)


def read_sed(path, *, wavelengths=None, unit=None, names=None):
    """Read a file of a spectrometer of Spectral Evolution (.sed)."""
    lines = read_text(path).split("\n")
    start = next((i for i, line in enumerate(lines) if line.strip().lower() == "data:"), None)
    if start is None:
        raise OSError(f"Expected a line 'Data:' in {path}, got none; the file is damaged.")
    titles = next((line for line in lines[start + 1 :] if line.strip()), "")
    titles = [title.strip() for title in re.split(r"\t|\s{2,}", titles.strip())]
    at = {title.lower(): i for i, title in enumerate(titles)}
    center = next((i for title, i in at.items() if title.startswith(("wvl", "wave"))), 0)
    of_value = next((i for title, i in at.items() if title.startswith("reflect")), None)
    if of_value is None:
        raise OSError(
            f"Expected a column of reflectances in {path}, got {', '.join(titles)}; export the "
            f"file with the reflectance."
        )
    rows = _rows("\n".join(lines[start + 2 :]), path)
    values = rows[:, of_value]
    title = titles[of_value]
    # "Reflect. %" is in percent, "Reflect. [1.0]" is not
    if "%" in title:
        values = values / 100
    fields = _fields(lines[:start])
    nm = to_nanometres(rows[:, center], unit or "nm", f"the wavelengths of {path}")
    given = {"wavelengths": wavelengths, "unit": unit, "names": names}
    metadata = {**fields, "quantity": "reflectance"}
    return single(values, Path(path).stem, nm, path, metadata=metadata, **given)


def _fields(lines):
    found = (_FIELD.fullmatch(line) for line in lines)
    return {match[1].strip(): match[2] for match in found if match and match[2]}


def _rows(text, path):
    """Return the lines of numbers, which may have decimal commas, as an array."""
    lines = [line.split() for line in text.split("\n") if line.strip()]
    rows = [numbers([cell.replace(",", ".") for cell in line]) for line in lines]
    bad = next((" ".join(line) for line, row in zip(lines, rows) if row is None), None)
    if bad is not None or not rows or len({len(row) for row in rows}) > 1:
        raise OSError(
            f"Expected lines of numbers in {path}, got {bad or 'lines of different lengths'!r}; "
            f"the file is damaged or truncated."
        )
    return np.array(rows)
