"""Labels of rows, columns and bands: read from whatever carries them, compared, aligned.

The rule is the same everywhere: labels agree, are aligned, or are refused; nothing labelled is
read by position against its label.
"""

import re

import numpy as np

# Names of an axis that holds bands.
_BANDS = {"band", "bands", "wavelength", "wavelengths", "wl", "channel", "channels"}
# What polars calls columns, GDAL bands and we endmembers that nobody has named.
_DEFAULT = re.compile(r"(?:column_|[Bb]and ?|endmember)(\d+)")
# Wavelengths that differ by less, relatively, are the same: float32 holds seven digits.
_SAME = 1e-6


def axis_labels(data):
    """Return the labels of the two axes of a frame or DataArray.

    Parameters
    ----------
    data : object
        A pandas or polars DataFrame, a two-dimensional xarray.DataArray, or anything else, which
        has no labels.

    Returns
    -------
    rows, columns : list or None
    """
    if hasattr(data, "dims") and hasattr(data, "coords"):  # xarray's
        if len(data.dims) != 2:
            return None, None
        return tuple(
            data.coords[dim].values.tolist() if dim in data.coords else None for dim in data.dims
        )
    columns = getattr(data, "columns", None)
    if columns is None:
        return None, None
    rows = getattr(data, "index", None)  # polars has none
    return None if rows is None or callable(rows) else list(rows), list(columns)


def column_labels(data):
    """Return the labels of the columns of a frame or DataArray, or None."""
    return axis_labels(data)[1]


def band_axis(data):
    """Return 0 or 1 if an axis holds bands by its name or its labels, else None.

    Numbers are wavelengths if the other axis has names.
    """
    if hasattr(data, "dims"):
        names = list(data.dims)
    else:
        names = [getattr(getattr(data, axis, None), "name", None) for axis in ("index", "columns")]
    hold = [str(name).lower() in _BANDS for name in names]
    if sum(hold) != 1:
        labels = axis_labels(data)
        if sum(string_labels(some) is not None for some in labels) == 1:
            hold = [
                some is not None and not _is_weak(some) and _numbers(some) is not None
                for some in labels
            ]
    return hold.index(True) if sum(hold) == 1 else None


def string_labels(labels):
    """Return labels as a list if all are strings, else None."""
    if labels is None or not all(isinstance(label, str) for label in labels):
        return None
    return list(labels)


def same_labels(found, expected):
    """Return whether two lists hold the same labels, in whatever order."""
    return _permutation(found, expected) is not None


def order_of(found, expected, what, against):
    """Return the positions at which the expected labels are found.

    Labels that only count (0, 1, 2, …), because nobody has named anything, are compared if the
    others count, too, and are no labels beside real ones.

    Parameters
    ----------
    found, expected : list or None
        Labels. Numbers are equal up to rounding, and equal to strings that hold them.
    what, against : str
        What the labels are of, for the error.

    Returns
    -------
    order : ndarray of int, or None
        ``found[order]`` is `expected`; None if the order is the same, or one has no labels.

    Raises
    ------
    ValueError
        If a label stands twice, or the labels are not the same.
    """
    if found is None or expected is None:
        return None
    found, expected = list(found), list(expected)
    order = _permutation(found, expected)
    if order is not None:
        return None if (order == np.arange(len(order))).all() else order
    if _is_weak(found) or _is_weak(expected):
        return None
    check_unique(found, what)
    check_unique(expected, against)
    missing = [label for label in expected if not _among(label, found)]
    strange = [label for label in found if not _among(label, expected)]
    differ = [
        f"{labels[0]!r} is only among {those}"
        for labels, those in ((missing, against), (strange, what))
        if labels
    ]
    raise ValueError(
        f"{what} have other labels than {against}: expected {_shown(expected)}, got "
        f"{_shown(found)}, and {' and '.join(differ)}; rename or select them so that they agree, "
        f"or pass arrays without labels."
    )


def check_unique(labels, what):
    """Check that no label stands twice.

    Raises
    ------
    ValueError
        If one does.
    """
    seen = set()
    for label in labels:
        if label in seen:
            raise ValueError(
                f"{what} have the label {label!r} twice, expected each once; rename one of them."
            )
        seen.add(label)


def take_columns(data, order):
    """Return data with its columns in another order, of the kind that it was."""
    if order is None:
        return data
    if hasattr(data, "iloc"):
        return data.iloc[:, order]
    if hasattr(data, "dims"):
        return data[:, order]
    if hasattr(data, "columns"):  # polars
        return data[:, order.tolist()]
    return np.asarray(data)[:, order]


def refuse_masked(data, name):
    """Check that no entry of an array is masked.

    Raises
    ------
    ValueError
        If one is: what lies under a mask is no value.
    """
    if np.ma.isMaskedArray(data) and np.ma.getmaskarray(data).any():
        n_masked = np.count_nonzero(np.ma.getmaskarray(data))
        raise ValueError(
            f"{name} is a masked array with {n_masked} masked entries, expected values throughout; "
            f"leave the masked rows out, or use skunmix.scenes.unmix, which honours masks."
        )


def _permutation(found, expected):
    """Return where each expected label is found, or None if they are not the same, each once."""
    if found is None or expected is None or len(found) != len(expected):
        return None
    a, b = _numbers(found), _numbers(expected)
    if a is None or b is None:
        a, b = np.array([str(x) for x in found]), np.array([str(x) for x in expected])
        equal = np.equal
    else:
        equal = _close
    rows, columns = np.argsort(a, kind="stable"), np.argsort(b, kind="stable")
    a, b = a[rows], b[columns]
    if not equal(a, b).all() or equal(a[1:], a[:-1]).any():
        return None
    order = np.empty(len(a), dtype=int)
    order[columns] = rows
    return order


def _close(a, b):
    return np.abs(a - b) <= _SAME * np.abs(b)


def _numbers(labels):
    """Return labels as numbers, if they are such, perhaps in strings, else None."""
    if any(isinstance(label, bool) or label is None for label in labels):
        return None
    try:
        numbers = np.array([float(label) for label in labels])
    except (TypeError, ValueError):
        return None
    return numbers if np.isfinite(numbers).all() else None


def _is_weak(labels):
    """Return whether labels only count: 0, 1, 2, … or 1, 2, 3, …, or a default with these."""
    matches = [_DEFAULT.fullmatch(label) for label in labels if isinstance(label, str)]
    if matches:
        if len(matches) < len(labels) or not all(matches):
            return not any(labels)  # all empty
        labels = [int(match[1]) for match in matches]
    if any(label is None for label in labels):
        return True
    return list(labels) in ([*range(len(labels))], [*range(1, len(labels) + 1)])


def _among(label, labels):
    if label in labels:
        return True
    number, numbers = _numbers([label]), _numbers(labels)
    return number is not None and numbers is not None and bool(_close(numbers, number).any())


def _shown(labels):
    shown = ", ".join(map(str, labels[:3]))
    return f"{shown}, …" if len(labels) > 3 else shown
