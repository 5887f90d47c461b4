"""ENVI's raw files, read without GDAL, which takes a band and a row at a time."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".bin", ".bil", ".bip", ".bsq")
# Bytes of all bands together that the system is told of before they are read.
_AHEAD = 2**27
_DTYPES = {
    1: "u1",
    2: "i2",
    3: "i4",
    4: "f4",
    5: "f8",
    12: "u2",
    13: "u4",
    14: "i8",
    15: "u8",
}
_BRACKETS = {"{": "}", "[": "]"}
# What a list of names cannot hold.
_IN_NAMES = str.maketrans({",": ";", "{": "(", "}": ")", "=": ":"})


def data_file_of(path):
    """Return the file that GDAL opens: that of the data where ENVI's header is given.

    Raises
    ------
    FileNotFoundError
        If there are no data beside the header.
    """
    path = Path(path)
    if path.suffix.lower() != ".hdr":
        return path
    stem = path.with_suffix("")
    for suffix in _DATA_SUFFIXES:
        for candidate in (Path(f"{stem}{suffix}"), Path(f"{stem}{suffix.upper()}")):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(
        f"{path} is the header of a raster whose data are missing: expected {stem.name} beside it, "
        f"or that with one of {', '.join(_DATA_SUFFIXES[1:])}."
    )


@dataclass(frozen=True)
class RawLayout:
    """Where the values of a raw file are.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
        Rows, columns and bands.
    dtype : dtype
        In the file's byte order.
    interleave : {"bsq", "bil", "bip"}
    offset : int
        Bytes before the first value.
    """

    path: Path
    shape: tuple
    dtype: np.dtype
    interleave: str
    offset: int

    def read(self, window):
        """Return the values of a window, (rows, cols, n_bands), as they lie: by pixels or by bands.

        Raises
        ------
        OSError
            If the file ends before.
        """
        n_rows, n_cols, n_bands = self.shape
        rows, cols = window
        height = rows.stop - rows.start
        with open(self.path, "rb", buffering=0) as file:
            if self.interleave == "bsq":
                self._prefetch(file, rows)
                planes = np.empty((n_bands, height, n_cols), self.dtype)
                for band, plane in enumerate(planes):
                    self._fill(file, plane, (band * n_rows + rows.start) * n_cols)
                return np.moveaxis(planes[:, :, cols], 0, -1)
            if self.interleave == "bil":
                lines = np.empty((height, n_bands, n_cols), self.dtype)
                self._fill(file, lines, rows.start * n_bands * n_cols)
                # a line's values of a band are moved at once, which pixels would not be
                planes = np.ascontiguousarray(np.moveaxis(lines[:, :, cols], 1, 0))
                return np.moveaxis(planes, 0, -1)
            width = cols.stop - cols.start
            pixels = np.empty((height, width, n_bands), self.dtype)
            if width == n_cols:
                self._fill(file, pixels, rows.start * n_cols * n_bands)
            else:
                for row, line in zip(range(rows.start, rows.stop), pixels):
                    self._fill(file, line, (row * n_cols + cols.start) * n_bands)
            return pixels

    def _prefetch(self, file, rows):
        """Have the system begin to read what comes next of each band, some megabytes ahead.

        Pieces of a window are too short, and too far from one another, to be read well one by one.
        """
        n_rows, n_cols, n_bands = self.shape
        line = n_cols * self.dtype.itemsize
        height = rows.stop - rows.start
        n_ahead = max(height, _AHEAD // (n_bands * line))
        part, row = divmod(rows.start, n_ahead)
        if row >= height or not hasattr(os, "posix_fadvise"):
            return  # an earlier window of this part has done it
        begin, end = (part + 1 if part else 0) * n_ahead, min((part + 2) * n_ahead, n_rows)
        for band in range(n_bands if begin < end else 0):
            start = self.offset + (band * n_rows + begin) * line
            length = (end - begin) * line
            os.posix_fadvise(file.fileno(), start, length, os.POSIX_FADV_WILLNEED)

    def _fill(self, file, array, first):
        file.seek(self.offset + first * self.dtype.itemsize)
        into = memoryview(array.reshape(-1).view(np.uint8))
        while len(into):
            n_read = file.readinto(into)
            if not n_read:
                raise OSError(f"the file ends {len(into)} bytes early")
            into = into[n_read:]


def read_header(path):
    """Return the fields of a header as strings, without braces, by name in lower case.

    It is read as it is: what GDAL tells may be from an earlier one, which it keeps in .aux.xml. And
    GDAL takes an interleave that it does not know for bsq, and a missing type for bytes.

    Raises
    ------
    OSError
        If a list has no end.
    """
    fields = {}
    lines = iter(Path(path).read_text(encoding="utf-8", errors="replace").split("\n"))
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or name.lstrip().startswith(";"):
            continue
        name, value = " ".join(name.lower().split()), value.strip()
        if value[:1] in _BRACKETS:
            value = _list_of(name, value, lines, path)
        else:
            value = value.partition(";")[0].strip()
        fields[name] = value
    return fields


def _list_of(name, text, lines, path):
    """Return what stands between brackets, which may be lines further down."""
    opening, closing = text[0], _BRACKETS[text[0]]
    parts, depth = [], 0
    while True:
        for position, letter in enumerate(text):
            depth += (letter == opening) - (letter == closing)
            if not depth:
                return "\n".join([*parts, text[:position]])[1:].strip()
        parts.append(text)
        for line in lines:
            if not line.lstrip().startswith(";"):
                text = line.strip()
                break
        else:
            raise OSError(
                f"In {path} the list of {name!r} begins with {opening!r} and does not end; add "
                f"{closing!r} after it."
            )


def split_list(text):
    """Return the items of a list, without comments behind lines and a comma behind the last."""
    text = "\n".join(line.partition(";")[0] for line in text.splitlines())
    items = [item.strip() for item in text.split(",")]
    return items if items[-1] else items[:-1]


def list_of_names(names):
    """Return names as a header has them: in a list that readers split again at its commas."""
    clean = [" ".join(name.translate(_IN_NAMES).split()).lstrip("; ") for name in names]
    return ",\n".join(name or f"endmember{i}" for i, name in enumerate(clean))


def scaling_of(header, n_bands, path):
    """Return what a header says of the units of the values, as attributes.

    Parameters
    ----------
    header : dict
    n_bands : int
    path : pathlib.Path
        For errors.

    Returns
    -------
    attributes : dict
        With those of `scales`, `offsets` and `reflectance_scale_factor` that there are.

    Raises
    ------
    OSError
        If there are not as many numbers as bands.
    """
    attributes = {}
    for field, name in (("data gain values", "scales"), ("data offset values", "offsets")):
        items = split_list(header.get(field, ""))
        try:
            values = [float(item) for item in items]
        except ValueError:
            values = []
        if len(values) != (n_bands if items else 0):
            raise OSError(
                f"The header of {path} gives {header[field]!r} as {field!r}, expected "
                f"{n_bands} numbers, one a band; correct the header."
            )
        if items:
            attributes[name] = tuple(values)
    if header.get("reflectance scale factor"):
        attributes["reflectance_scale_factor"] = header["reflectance scale factor"]
    return attributes


def raw_layout(dataset, path, header):
    """Return how a raster's values lie in its file if they lie there as they are, or None.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
        Of the driver "ENVI".
    path : pathlib.Path
    header : dict

    Raises
    ------
    OSError
        If the header lacks what is needed to read the file, or says what cannot be; if file and
        header disagree on how much there is.
    """
    n_wavelengths = len(split_list(header["wavelength"])) if header.get("wavelength") else None
    if n_wavelengths not in (None, dataset.count):
        raise OSError(
            f"The header of {path} gives {n_wavelengths} wavelengths, but {dataset.count} bands; "
            f"correct the header."
        )
    shape = tuple(_integer(header, name, path) for name in ("lines", "samples", "bands"))
    if shape != (dataset.height, dataset.width, dataset.count):
        raise OSError(
            f"The header of {path} gives {shape} lines, samples and bands, but GDAL reads "
            f"{(dataset.height, dataset.width, dataset.count)} there; remove comments and "
            f"unfinished lists from the header."
        )
    code = _integer(header, "data type", path)
    if _integer(header, "file compression", path, 0) or code not in _DTYPES:
        return None
    dtype = np.dtype(_DTYPES[code])
    # of bytes there is no order, and of one band no interleave
    byte_order = _integer(header, "byte order", path, 0 if dtype.itemsize == 1 else None)
    interleave = header.get("interleave", "").lower() or ("bsq" if shape[2] == 1 else "")
    for field, value, expected in (
        ("byte order", byte_order, (0, 1)),
        ("interleave", interleave, ("bsq", "bil", "bip")),
    ):
        if value not in expected:
            raise OSError(
                f"The header of {path} gives {header.get(field, '')!r} as {field!r}, expected one "
                f"of {', '.join(map(str, expected))}; correct the header."
            )
    dtype = dtype.newbyteorder("<>"[byte_order])
    offset = _integer(header, "header offset", path, 0)
    expected = offset + dtype.itemsize * shape[0] * shape[1] * shape[2]
    found = os.path.getsize(path)
    if found != expected:
        raise OSError(
            f"{path} has {found} bytes, but its header says {expected}: {shape[0]} lines × "
            f"{shape[1]} samples × {shape[2]} bands of {dtype.itemsize} bytes after {offset}; the "
            f"file is {'truncated' if found < expected else 'longer'}, or the header another's."
        )
    return RawLayout(path, shape, dtype, interleave, offset)


def _integer(header, name, path, default=None):
    """Return a field that is a number of something."""
    text = header.get(name, "")
    if not text and default is not None:
        return default
    if not re.fullmatch(r"\+?\d+", text, flags=re.ASCII):
        raise OSError(
            f"The header of {path} "
            + (f"gives {text!r} as {name!r}" if text else f"lacks {name!r}")
            + ", expected a whole number; correct the header."
        )
    return int(text)
