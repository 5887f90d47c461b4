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

    It is read as it is: what GDAL tells may be from an earlier one, which it keeps in .aux.xml.
    """
    text = Path(path).read_text(encoding="utf-8", errors="replace")
    fields = re.findall(r"^([^=\n{}]+)=\s*(\{[^}]*\}|.*)$", text, flags=re.MULTILINE)
    return {name.strip().lower(): value.strip("{} \t\r\n") for name, value in fields}


def raw_layout(dataset, path):
    """Return how a raster's values lie in its file if they lie there as they are, or None.

    Parameters
    ----------
    dataset : rasterio.DatasetReader
    path : pathlib.Path

    Raises
    ------
    OSError
        If file and header disagree on how much there is.
    """
    if dataset.driver != "ENVI":
        return None
    header = read_header(next(file for file in dataset.files if file.lower().endswith(".hdr")))
    n_wavelengths = header["wavelength"].count(",") + 1 if "wavelength" in header else None
    if n_wavelengths not in (None, dataset.count):
        raise OSError(
            f"The header of {path} gives {n_wavelengths} wavelengths, but {dataset.count} bands; "
            f"correct the header."
        )
    code = int(header.get("data type", 0))
    if int(header.get("file compression", 0)) or code not in _DTYPES:
        return None
    dtype = np.dtype(_DTYPES[code]).newbyteorder("<>"[int(header.get("byte order", 0))])
    shape = (dataset.height, dataset.width, dataset.count)
    offset = int(header.get("header offset", 0))
    expected = offset + dtype.itemsize * shape[0] * shape[1] * shape[2]
    found = os.path.getsize(path)
    if found != expected:
        raise OSError(
            f"{path} has {found} bytes, but its header says {expected}: {shape[0]} lines × "
            f"{shape[1]} samples × {shape[2]} bands of {dtype.itemsize} bytes after {offset}; the "
            f"file is {'truncated' if found < expected else 'longer'}, or the header another's."
        )
    return RawLayout(path, shape, dtype, header.get("interleave", "bsq").lower(), offset)
