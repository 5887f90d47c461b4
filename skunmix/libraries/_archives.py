"""Spectra in the text formats of ECOSTRESS and ASTER, and of the USGS."""

import re
from pathlib import Path

import numpy as np

from ..utils.wavelengths import to_nanometres, unit_of
from ._instruments import single
from ._text import numbers, read_text

# "splib07a Record=1: title", and the releases with other prefixes
_USGS_TITLE = re.compile(r"\s*(?:s|splib)0?\d\w*\s+Record\s*=\s*\d+\s*:\s*(.*?)\s*", re.IGNORECASE)
_CHAPTER = re.compile(r"Chapter\w?_(\w+)", re.IGNORECASE)
# The end of a title: the spectrometer, the purity, and the quantity.
_ENDING = re.compile(r"\s+(?:(?:ASD|BECK|NIC|AVIRIS|AV)\w*\s+)?[ART]?REF\s*$|\s+TRAN\s*$")
_FOLDERS_UP = 3


def is_ecostress(text):
    """Return whether a text has the header of ECOSTRESS and ASTER."""
    head = text[:4000].lower()
    return "x units:" in head and "y units:" in head


def read_ecostress(path, *, wavelengths=None, unit=None, names=None):
    """Read a spectrum of the ECOSTRESS or ASTER library.

    Raises
    ------
    OSError
        If there are no two columns of numbers.
    ValueError
        If they are wavenumbers and `unit` is not "cm-1".
    """
    fields, values = {}, []
    for line in read_text(path).split("\n"):
        row = numbers(line.replace(",", ".").split()) if line.strip() else None
        if row is not None and len(row) == 2:
            values.append(row)
        elif not values and ":" in line:
            name, _, text = line.partition(":")
            fields[name.strip()] = text.strip()
    if len(values) < 2:
        raise OSError(f"Expected two columns of numbers in {path}, got none; check the file.")
    x, y = np.array(values).T
    units = next((text for name, text in fields.items() if name.lower() == "x units"), None)
    nm = to_nanometres(
        x, unit or units, f"the wavelengths of {path}", allow_wavenumbers=unit is not None
    )
    quantity = next((text for name, text in fields.items() if name.lower() == "y units"), "")
    if "percent" in quantity.lower() or "%" in quantity:
        y = y / 100
    kind = fields.get("Class") or fields.get("Type")
    given = {"wavelengths": wavelengths, "unit": unit, "names": names}
    return single(
        y,
        fields.get("Name") or Path(path).stem,
        nm,
        path,
        classes=[kind] if kind else None,
        metadata=fields,
        **given,
    )


def is_usgs(text):
    """Return whether a text is a spectrum or the wavelengths of a library of the USGS."""
    return _USGS_TITLE.match(text.split("\n", 1)[0]) is not None


def is_usgs_companion(path):
    """Return whether a file of the USGS holds wavelengths, widths or errors, and no spectrum."""
    return re.search(r"wavelengths?_|wavenumber|bandpass|errorbars?|resol", path.name.lower())


def read_usgs(path, *, wavelengths=None, unit=None, names=None):
    """Read a spectrum of splib07, whose wavelengths are in another file.

    That file is in the folder of the spectrum or up to three above, and has as many channels. If
    several have, the one of the same spectrometer is taken. Deleted channels become NaN.

    Raises
    ------
    ValueError
        If there is no such file, or there are several.
    """
    path = Path(path)
    title, values = _usgs_column(path)
    nm = fwhm = None
    if wavelengths is None:
        nm, fwhm = _usgs_bands(path.parent.resolve(), title, path, len(values), unit)
    chapter = next((m for part in path.resolve().parts[::-1] if (m := _CHAPTER.match(part))), None)
    given = {"wavelengths": wavelengths, "unit": unit, "names": names}
    library = single(
        values,
        _ENDING.sub("", title).strip() or path.stem,
        nm,
        path,
        classes=[chapter[1]] if chapter else None,
        metadata={"title": title},
        **given,
    )
    return library if fwhm is None else library.with_fwhm(fwhm)


def _usgs_column(path):
    """Return the title and the numbers of a file."""
    first, *lines = read_text(path).split("\n")
    match = _USGS_TITLE.fullmatch(first)
    values = numbers([line.strip() for line in lines if line.strip()])
    if match is None or values is None:
        raise OSError(
            f"Expected a title such as 'splib07a Record=1: …' and a number in each line of {path}, "
            f"got {first[:60]!r}; check the file."
        )
    return match[1], np.array(values)


def _usgs_bands(folder, title, path, n_channels, unit):
    """Return wavelengths and widths in nm, from the files beside or above a spectrum."""
    for up in (folder, *folder.parents[:_FOLDERS_UP]):
        found, widths = [], []
        for file in sorted(up.glob("*.[tT][xX][tT]")):
            if not is_usgs_companion(file) or "errorbar" in file.name.lower():
                continue
            text, values = _usgs_column(file)
            if len(values) != n_channels:
                continue
            is_width = re.search("bandpass|fwhm|resol", file.name.lower())
            (widths if is_width else found).append((file, text, values))
        # the same channels of two spectrometers are told apart by their names
        ours = _spectrometer(f"{path.stem} {title}")
        of_ours = [f for f in found if _spectrometer(f"{f[0].stem} {f[1]}") == ours] or found
        of_ours = [f for f in of_ours if "wavenumber" not in f[0].name.lower()] or of_ours
        if len({values.tobytes() for _, _, values in of_ours}) > 1:
            raise ValueError(
                f"Expected one file of {n_channels} wavelengths for {path}, got "
                f"{', '.join(f[0].name for f in of_ours)}; pass wavelengths=…."
            )
        if of_ours:
            file, text, values = of_ours[0]
            units = unit or unit_of(f"{text} {file.stem}")
            nm = to_nanometres(
                values, units, f"the wavelengths of {file}", allow_wavenumbers=unit is not None
            )
            ours_too = [w for w in widths if _spectrometer(f"{w[0].stem} {w[1]}") == ours] or widths
            fwhm = ours_too[0][2] * nm / values if len(ours_too) == 1 else None
            return nm, fwhm if fwhm is not None and (fwhm > 0).all() else None
    raise ValueError(
        f"Expected a file of {n_channels} wavelengths (such as splib07a_Wavelengths_….txt) beside "
        f"{path} or in the {_FOLDERS_UP} folders above, got none; put it there, or pass "
        f"wavelengths=… and unit='um'."
    )


def _spectrometer(text):
    match = re.search(r"ASD|BECK|NIC|AVIRIS|AV\d\d|CRISM|HYMAP", text.upper())
    return match[0] if match else None
