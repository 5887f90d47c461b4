"""Text of files in any of the encodings that instruments write."""

import csv
import re
from pathlib import Path

_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DECIMAL_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")
_MISSING = {"", "nan", "na", "n/a", "null", "none", "-"}


def read_text(path):
    """Return the text of a file in UTF-8, UTF-16 with a byte order mark, or Latin-1.

    Lines end with a line feed.
    """
    data = Path(path).read_bytes()
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split_rows(text):
    """Return the rows of a table as lists of cells, without comments and empty lines.

    The delimiter is that which leaves the most numbers. With a semicolon, a tab or spaces, numbers
    may have a decimal comma, which becomes a point.
    """
    lines = [line for line in text.split("\n") if line.strip() and line.lstrip()[:1] != "#"]
    best, rows = (0, 0), [[line] for line in lines]
    for delimiter in (";", "\t", ",", None):
        if delimiter is None:
            found = [line.split() for line in lines]
        else:
            found = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
        found = [[_with_point(cell.strip()) for cell in row] for row in found]
        usual = usual_length(row for row in found if len(row) > 1)
        of_usual = [row for row in found if len(row) == usual]
        n_numbers = sum(number(cell) is not None for row in of_usual for cell in row)
        if (n_numbers, len(of_usual)) > best:
            best, rows = (n_numbers, len(of_usual)), found
    return rows


def usual_length(rows):
    """Return the most frequent number of cells of rows, or 0."""
    lengths = [len(row) for row in rows]
    return max(set(lengths), key=lengths.count, default=0)


def _with_point(cell):
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def number(cell):
    """Return a cell as a float, NaN if it is empty, or None if it is text."""
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def numbers(cells):
    """Return cells as floats, or None if one of them is text or all are empty."""
    values = [number(cell) for cell in cells]
    if None in values or not any(value == value for value in values):
        return None
    return values
