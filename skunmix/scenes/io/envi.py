"""Reading of ENVI files without GDAL, which reads single rows of single bands."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_DATA_SUFFIXES = ("", ".img", ".dat", ".raw", ".bin", ".bil", ".bip", ".bsq")
# Bytes of all bands together that the system reads ahead.
_AHEAD = 2**27
_DTYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
_BRACKETS = {"{": "}", "[": "]"}
# Characters that a list of names cannot hold, and their replacements.
_IN_NAMES = str.maketrans({",": ";", "{": "(", "}": ")", "=": ":"})


def data_file_of(path):
    """Return the file that GDAL opens: for an ENVI header, the data file beside it.

    Raises
    ------
    FileNotFoundError
        If there is no data file beside the header.
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
        f"{path} is a header without data: expected a file {stem.name} beside it, or one with "
        f"suffix {', '.join(_DATA_SUFFIXES[1:])}; pass the path of the data."
    )


@dataclass(frozen=True)
class RawLayout:
    """Layout of the values in a raw file.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
        Rows, columns and bands.
    dtype : dtype
        With the file's byte order.
    interleave : {"bsq", "bil", "bip"}
    offset : int
        Number of bytes before the first value.
    """

    path: Path
    shape: tuple
    dtype: np.dtype
    interleave: str
    offset: int

    def read(self, window):
        """Return the values of a window, (rows, cols, n_bands), in the order of the file.

        Raises
        ------
        OSError
            If the file is truncated.
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
                # copies whole lines of a band, which is faster than copying pixels
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
        """Tell the system to read the next part of each band ahead.

        The parts of a window are too short, and too far apart, to be read efficiently one by one.
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

    GDAL may return those of an earlier header, which it keeps in .aux.xml. It also reads an unknown
    interleave as bsq, and a missing type as bytes.

    Raises
    ------
    OSError
        If a list does not end.
    """
    fields = {}
    lines = iter(_text_of(path).split("\n"))
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


def _text_of(path):
    """Return the text of a header in UTF-8 or Latin-1."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return Path(path).read_text(encoding="latin-1")


def _list_of(name, text, lines, path):
    """Return the text between brackets, which may extend over several lines."""
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
                f"The list of {name!r} in {path} begins with {opening!r} and does not end; add "
                f"{closing!r} after it."
            )


def split_list(text):
    """Return the items of a list, without comments and a trailing comma."""
    text = "\n".join(line.partition(";")[0] for line in text.splitlines())
    items = [item.strip() for item in text.split(",")]
    return items if items[-1] else items[:-1]


def list_of_names(names):
    """Return names as the text of a list in a header, which readers split at its commas."""
    clean = [" ".join(name.translate(_IN_NAMES).split()).lstrip("; ") for name in names]
    return ",\n".join(name or f"endmember{i}" for i, name in enumerate(clean))


def scaling_of(header, n_bands, path):
    """Return `scales`, `offsets` and `reflectance_scale_factor` of a header, as far as it has them.

    Raises
    ------
    OSError
        If `scales` or `offsets` do not have one number per band.
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
                f"{n_bands} numbers, one per band; correct the header."
            )
        if items:
            attributes[name] = tuple(values)
    if header.get("reflectance scale factor"):
        attributes["reflectance_scale_factor"] = header["reflectance scale factor"]
    return attributes


def raw_layout(dataset, path, header):
    """Return the layout of an ENVI dataset of rasterio, or None if it is compressed or complex.

    Raises
    ------
    OSError
        If the header lacks a field, has an invalid one, or contradicts the size of the file.
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
    return layout_of(header, path)


def layout_of(header, path):
    """Return the layout of a file by its header, or None if it is compressed or complex.

    Raises
    ------
    OSError
        If the header lacks a field, has an invalid one, or contradicts the size of the file.
    """
    shape = tuple(_integer(header, name, path) for name in ("lines", "samples", "bands"))
    code = _integer(header, "data type", path)
    if _integer(header, "file compression", path, 0) or code not in _DTYPES:
        return None
    dtype = np.dtype(_DTYPES[code])
    # bytes have no order, and a single band has no interleave
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
            f"file is {'truncated' if found < expected else 'longer'}, or the header is wrong: "
            f"correct it."
        )
    return RawLayout(path, shape, dtype, interleave, offset)


def _integer(header, name, path, default=None):
    """Return a field that is a whole number."""
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
