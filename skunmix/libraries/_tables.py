"""Libraries in CSV and NumPy files."""

import re
from pathlib import Path

import numpy as np

from ..utils.wavelengths import may_be_wavelengths, to_nanometres, unit_of
from ._library import SpectralLibrary
from ._text import number, numbers, read_text, split_rows, usual_length

_CLASSES = {"class", "classes", "category", "group", "material", "type", "level"}
_NAMES = {"name", "names", "spectrum", "spectra", "sample", "id", "label", "endmember"}
_WAVELENGTHS = {"wavelength", "wavelengths", "wl", "wvl", "wave", "lambda", "band", "wavenumber"}
_LABEL = re.compile(
    r"(?:X|x|R|wl|WL|wvl)?[._ ]?(\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?)\s*(nm|um|µm|μm|cm-1)?"
)


def read_csv(path, *, wavelengths=None, unit=None, names=None):
    """Read a table with spectra in columns or in rows.

    Raises
    ------
    ValueError
        If it has no wavelengths and none are given, or both layouts are possible.
    """
    rows = split_rows(read_text(path))
    width = usual_length(rows)
    rows = [row for row in rows if len(row) == width]  # a preamble has other lengths
    if width < 2 or len(rows) < 2:
        raise ValueError(
            f"Expected a table with at least two rows and columns in {path}, got {len(rows)} × "
            f"{width}; check the file and its delimiter."
        )
    across, down = _Layout(rows), _Layout([list(cells) for cells in zip(*rows)])
    if wavelengths is not None:
        return _with_wavelengths(across, down, wavelengths, unit, names, path)
    found = [layout for layout in (across, down) if layout.has_wavelengths]
    if len(found) == 2 and across.by_label != down.by_label:
        found = [layout for layout in found if layout.by_label]
    if len(found) != 1:
        problem = "in both its first row and its first column" if found else "in neither"
        raise ValueError(
            f"Expected wavelengths in the first row or the first column of {path}, got them "
            f"{problem}; pass wavelengths=…, one for each band."
        )
    return found[0].library(path, unit, names)


class _Layout:
    """A table that is read with one spectrum per row, and wavelengths in the header."""

    def __init__(self, rows):
        self.rows = rows
        header = rows[0]
        n_texts = 0  # leading columns that describe the spectra
        while n_texts < len(header) - 1 and (
            (number(header[n_texts]) is None and not _LABEL.fullmatch(header[n_texts]))
            or header[n_texts] == ""
            or any(number(row[n_texts]) is None for row in rows[1:])
        ):
            n_texts += 1
        self.n_texts = n_texts
        cells = [_LABEL.fullmatch(cell) for cell in header[n_texts:]]
        self.values, self.unit = None, None
        if all(cells) and len(cells) > 1:
            self.values = np.array([float(cell[1].replace(",", ".")) for cell in cells])
            self.unit = next((cell[2] for cell in cells if cell[2]), None)
        # a title such as "wavelength (nm)" is beside the wavelengths
        title = header[0] if n_texts else ""
        words = set(re.split(r"[^a-z]+", title.lower()))
        self.by_label = bool(self.unit or words & _WAVELENGTHS or unit_of(title))
        self.unit = self.unit or unit_of(title)

    @property
    def has_wavelengths(self):
        if self.values is None:
            return False
        first = self.values[0]
        if first in (0, 1) and (self.values == first + np.arange(len(self.values))).all():
            return False  # they only count
        steps = np.diff(self.values)
        monotone = (steps > 0).all() or (steps < 0).all()
        return self.by_label or bool(monotone and may_be_wavelengths(self.values))

    def library(self, path, unit, names):
        wavelengths = to_nanometres(
            self.values,
            self.unit if unit is None else unit,
            f"the wavelengths of {path}",
            allow_wavenumbers=unit is not None,
        )
        return self._with(wavelengths, self.rows[1:], names, path, unit or self.unit)

    def _with(self, wavelengths, rows, names, path, unit):
        fwhm, spectra, classes, found = None, [], [], []
        columns = [cell.lower() for cell in self.rows[0][: self.n_texts]]
        of_class = next((i for i, cell in enumerate(columns) if cell in _CLASSES and i > 0), None)
        of_name = next((i for i, cell in enumerate(columns) if cell in _NAMES), 0)
        for row in rows:
            values = numbers(row[self.n_texts :])
            label = row[of_name] if self.n_texts else ""
            if values is None:
                bad = next((c for c in row[self.n_texts :] if number(c) is None), None)
                if bad is None:
                    continue  # an empty row
                raise ValueError(
                    f"Expected numbers in the spectrum {label!r} of {path}, got {bad!r}; correct "
                    f"the file."
                )
            if label.lower().split("(")[0].strip() == "fwhm":
                fwhm = np.array(values) * {"um": 1e3}.get(unit_of(unit), 1.0)
                continue
            spectra.append(values)
            found.append(label)
            classes.append(row[of_class] if of_class is not None else "")
        if names is None and any(found):
            names = found
        return SpectralLibrary(
            spectra,
            names,
            wavelengths,
            fwhm=fwhm,
            classes=classes if any(classes) else None,
            metadata={"file": str(path)},
        )

    def _describes(self, column):
        """Return whether a column describes the spectra: by its title, or as it is no number."""
        title = self.rows[0][column].lower()
        if title in ("", *_NAMES, *_CLASSES):
            return True
        return any(number(row[column]) is None for row in self.rows[1:])

    def without_header(self, wavelengths, names, path):
        """Return the library with given wavelengths, or None if they are not as many."""
        n_texts = len(self.rows[0]) - len(wavelengths)
        below = [row[max(n_texts, 0) :] for row in self.rows[1:]]
        if n_texts < 0 or any(number(cell) is None for row in below for cell in row):
            return None
        if not all(map(self._describes, range(n_texts))):
            return None
        self.n_texts = n_texts
        first = numbers(self.rows[0][n_texts:])
        return self._with(wavelengths, self.rows[first is None :], names, path, None)


def _with_wavelengths(across, down, wavelengths, unit, names, path):
    wavelengths = to_nanometres(wavelengths, unit, "wavelengths", allow_wavenumbers=True)
    for layout in (across, down):
        library = layout.without_header(wavelengths, names, path)
        if library is not None:
            return library
    raise ValueError(
        f"Expected {len(across.rows[0])} or {len(down.rows[0])} wavelengths for the table in "
        f"{path}, less those of names, got {len(wavelengths)}; pass one for each band."
    )


def read_numpy(path, *, wavelengths=None, unit=None, names=None):
    """Read an array of spectra in rows (.npy), or the arrays of a library by name (.npz).

    A .npz file has "spectra", and optionally "wavelengths", "names", "fwhm" and "classes".
    """
    arrays = {}
    with (
        np.load(Path(path), allow_pickle=False)
        if str(path).lower().endswith(".npz")
        else _Array(path) as file
    ):
        arrays = {name.lower(): file[name] for name in file.files}
    if "spectra" not in arrays:
        tables = [name for name, values in arrays.items() if values.ndim == 2]
        if len(tables) != 1:
            raise ValueError(
                f"Expected an array 'spectra' in {path}, got {sorted(arrays)}; save the spectra "
                f"under this name."
            )
        arrays["spectra"] = arrays[tables[0]]
    stored = arrays.get("wavelengths")
    if wavelengths is None:
        wavelengths = stored
    nm = fwhm = None
    if wavelengths is not None:
        nm = to_nanometres(
            wavelengths, unit, f"the wavelengths of {path}", allow_wavenumbers=unit is not None
        )
        if "fwhm" in arrays:
            fwhm = arrays["fwhm"] * np.median(nm / np.asarray(wavelengths, dtype=float))
    spectra = arrays["spectra"]
    if spectra.ndim == 1:
        spectra = spectra[np.newaxis]
    if nm is not None and spectra.ndim == 2 and spectra.shape[0] == len(nm) != spectra.shape[1]:
        spectra = spectra.T
    return SpectralLibrary(
        spectra,
        arrays.get("names") if names is None else names,
        nm,
        fwhm=fwhm,
        classes=arrays.get("classes"),
        metadata={"file": str(path)},
    )


class _Array:
    """A .npy file as a .npz file of one array."""

    files = ("spectra",)

    def __init__(self, path):
        self._values = np.load(path, allow_pickle=False)

    def __getitem__(self, name):
        return self._values

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None
