"""Abundances that are known for some pixels of a scene: a table, or a raster of the same grid."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..utils.labels import are_known
from ..utils.optional import require
from ._masks import check_grid
from .io.opening import open_source
from .io.windows import block_slices

_TABLES = (".csv", ".txt", ".tsv")
# Names of the columns of a table that place a pixel: by row and column, or by coordinates.
_BY_NUMBER = ({"row", "rows", "line"}, {"col", "cols", "column", "columns", "sample"})
_BY_PLACE = ({"y", "northing"}, {"x", "easting"})
_BLOCK_PIXELS = 2**18
# Sums of abundances may differ from one by rounding.
_OFF = 1e-3


@dataclass(frozen=True)
class Labels:
    """Known abundances of some pixels.

    Parameters
    ----------
    rows, cols : ndarray of shape (n_pixels,), of int
        Positions in the scene, from 0.
    abundances : ndarray of shape (n_pixels, n_endmembers)
    names : list of str
        Names of the endmembers.
    """

    rows: np.ndarray
    cols: np.ndarray
    abundances: np.ndarray
    names: list


def read_labels(path, source):
    """Read abundances of pixels from a table or a raster.

    Parameters
    ----------
    path : path-like
    source : Source
        The scene.

    Returns
    -------
    labels : Labels

    Raises
    ------
    FileNotFoundError
        If there is no file.
    ValueError
        If it does not say for each pixel where it is, and which fractions of the endmembers sum to
        one there, or has another grid than the scene.
    """
    path = Path(path).absolute()
    if not path.exists():
        raise FileNotFoundError(f"There are no labels at {path}; check the path.")
    labels = (_of_table if path.suffix.lower() in _TABLES else _of_raster)(path, source)
    if not len(labels.rows):
        raise ValueError(
            f"{path} labels no pixel, expected abundances of at least one; check the file."
        )
    _check_abundances(labels, path.name)
    return labels


def _check_abundances(labels, name):
    """Raise if abundances are not fractions, or do not sum to one."""
    negative = labels.abundances < -_OFF
    sums = labels.abundances.sum(axis=1)
    off = np.abs(sums - 1) > _OFF
    for wrong, what, values in (
        (negative.any(axis=1), "are at least 0", labels.abundances.min(axis=1)),
        (off, "sum to one", sums),
    ):
        if wrong.any():
            first = np.flatnonzero(wrong)[0]
            percent = " (in percent?)" if abs(np.median(sums) - 100) < 1 else ""
            raise ValueError(
                f"Expected abundances that {what} in {name}, got {values[first]:.4g}{percent} in "
                f"row {labels.rows[first]}, column {labels.cols[first]} of the scene "
                f"({np.count_nonzero(wrong)} of {len(wrong)} pixels); correct or rescale them."
            )


def _of_table(path, source):
    pd = require("pandas", f"Reading {path.name}")
    try:
        table = pd.read_csv(path, sep=None, engine="python", encoding="utf-8-sig", comment="#")
    except Exception as error:  # text that is no table raises various errors
        raise ValueError(
            f"{path} could not be read as a table ({type(error).__name__}: {error}); expected a "
            f"CSV file with a header."
        ) from error
    table.columns = [str(column).strip() for column in table.columns]
    by_number, by_place = (_columns_of(table, names) for names in (_BY_NUMBER, _BY_PLACE))
    if (by_number is None) == (by_place is None):
        raise ValueError(
            f"Expected the columns row and col, or x and y, in {path.name}, got "
            f"{'both' if by_number else ', '.join(table.columns)}; name the two columns that place "
            f"a pixel, and one column for each endmember."
        )
    places = by_number or by_place
    names = [column for column in table.columns if column not in places]
    if not names:
        raise ValueError(
            f"Expected a column of abundances for each endmember in {path.name}, got none beside "
            f"{' and '.join(places)}; add them."
        )
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    unknown = ~np.isfinite(values).all(axis=1)
    if unknown.any():
        line = np.flatnonzero(unknown)[0]
        column = table.columns[np.flatnonzero(~np.isfinite(values[line]))[0]]
        raise ValueError(
            f"Expected numbers in {path.name}, got '{table[column].iloc[line]}' in column "
            f"{column!r} of entry {line} ({np.count_nonzero(unknown)} of {len(values)} entries "
            f"have such); fill in or drop these entries."
        )
    positions = table.columns.get_indexer(places)
    row, col = values[:, positions].T
    if by_number is None:
        row, col = _positions(source, x=col, y=row)
    elif (row != np.round(row)).any() or (col != np.round(col)).any():
        raise ValueError(
            f"Expected whole numbers as {' and '.join(places)} in {path.name}, got fractions; "
            f"name the columns x and y if they are coordinates."
        )
    _check_inside(row, col, source, path.name)
    return Labels(row.astype(int), col.astype(int), np.delete(values, positions, axis=1), names)


def _columns_of(table, names):
    """Return the columns of rows and of columns, or None if there are not both."""
    found = [[c for c in table.columns if c.lower() in allowed] for allowed in names]
    return [columns[0] for columns in found] if all(len(c) == 1 for c in found) else None


def _positions(source, x, y):
    """Return the rows and columns of coordinates in the scene's CRS."""
    transform = source.grid().get("transform")
    if transform is None or transform.is_identity:
        raise ValueError(
            f"{source.path.name} has no georeference, expected one for labels with x and y; give "
            f"row and col, counted from 0."
        )
    inverse = ~transform
    col = inverse.a * x + inverse.b * y + inverse.c
    row = inverse.d * x + inverse.e * y + inverse.f
    return np.floor(row), np.floor(col)


def _check_inside(row, col, source, name):
    n_rows, n_cols = source.shape[:2]
    outside = (row < 0) | (row >= n_rows) | (col < 0) | (col >= n_cols)
    if outside.any():
        first = np.flatnonzero(outside)[0]
        raise ValueError(
            f"Expected pixels in the scene's {n_rows} rows and {n_cols} columns, counted from 0, "
            f"got row {row[first]:g}, column {col[first]:g} in entry {first} of {name} "
            f"({np.count_nonzero(outside)} of {len(row)} are outside); drop them, or check the CRS "
            f"of coordinates."
        )
    places, counts = np.unique(np.stack([row, col]), axis=1, return_counts=True)
    if (counts > 1).any():
        row, col = places[:, np.argmax(counts > 1)]
        raise ValueError(
            f"Expected each pixel once in {name}, got row {row:g}, column {col:g} "
            f"{counts.max()} times ({np.count_nonzero(counts > 1)} pixels appear more than once); "
            f"keep one entry of each."
        )


def _of_raster(path, source):
    raster = open_source(path, band_dim="endmember")
    if raster.shape[:2] != source.shape[:2]:
        raise ValueError(
            f"Expected labels on the scene's grid of {source.shape[:2]} rows and columns, got "
            f"{raster.shape[:2]} in {path.name}; resample them to the scene's grid."
        )
    check_grid(raster, source, "the raster of labels")
    known = [labels for labels in raster.band_labels() if are_known(labels)]
    names = known[0] if known else [f"endmember{i}" for i in range(raster.shape[2])]
    decoding = raster.decoding()
    rows, cols, abundances = [], [], []
    for window in block_slices(raster.shape[:2], _BLOCK_PIXELS, raster.chunk_shape):
        stored, hidden = raster.read(window)
        # a pixel is labelled if no band is no-data
        values, valid, *_ = decoding.decode(stored)
        valid = np.ones(len(values), bool) if valid is None else valid
        if hidden is not None:
            valid = valid & ~hidden.ravel()
        chosen = np.flatnonzero(valid)
        row, col = np.unravel_index(chosen, stored.shape[:2])
        rows.append(row + window[0].start)
        cols.append(col + window[1].start)
        abundances.append(np.asarray(values[chosen], dtype=float))
    rows, cols, abundances = map(np.concatenate, (rows, cols, abundances))
    return Labels(rows, cols, abundances, list(map(str, names)))
