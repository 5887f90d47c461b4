"""Labels of rows, columns and bands: read, compared and aligned.

The rule is the same everywhere: labels agree, are aligned, or raise an error. Labelled data are
never matched by position against their labels.
"""

import re

import numpy as np

# Names of axes that hold bands, and of axes that hold endmembers.
BAND_NAMES = {"band", "bands", "wavelength", "wavelengths", "wl", "channel", "channels"}
ENDMEMBER_NAMES = {"endmember", "endmembers", "material", "materials", "spectrum", "spectra"}
# Of abundances, the columns. A row of theirs may be a spectrum.
ABUNDANCE_NAMES = {"endmember", "endmembers", "material", "materials"}
# Further coordinates of the bands' dimension that identify a band.
_BESIDE = (*sorted(BAND_NAMES), "band_name", "band_names", "name", "names")
# Default names of columns in polars, of bands in GDAL and of endmembers in skunmix. In scikit-learn
# the default is "x0", which keeps its number when columns are selected.
_DEFAULT = re.compile(r"(column_|Band |endmember|x)(\d+)")
# GDAL writes the name and the wavelength of a band in one string: "red (665 nm)".
_TWO_IN_ONE = re.compile(r"(.*?) *\((.*)\)")
_WAVELENGTH = re.compile(
    r"([-+]?[\d.]+(?:e[-+]?\d+)?) *(nm|nanomet(?:er|re)s?|[uµμ]m|micromet(?:er|re)s?|microns?)?",
    flags=re.IGNORECASE,
)
# Numbers are equal if they differ by less than this, relatively and as a fraction of the smallest
# distance between two labels, because files round wavelengths.
_SAME, _SAME_STEP = 1e-4, 0.1


def axis_labels(data):
    """Return the labels of the two axes of a frame or DataArray.

    Parameters
    ----------
    data : object
        A pandas or polars DataFrame, a two-dimensional xarray.DataArray, a list of pandas Series or
        of one-dimensional DataArrays, or another object, which has no labels.

    Returns
    -------
    rows, columns : list or None

    Raises
    ------
    ValueError
        If the items of a list have different labels.
    """
    if isinstance(data, (list, tuple)):
        return _labels_of_list(data)
    if hasattr(data, "dims") and hasattr(data, "coords"):  # xarray's
        if len(data.dims) != 2:
            return None, None
        found = (dimension_labels(data, dim) for dim in data.dims)
        return tuple(next(iter(sorted(labels, key=_is_weak)), None) for labels in found)
    arrow = type(data).__module__.startswith("pyarrow")
    columns = getattr(data, "column_names" if arrow else "columns", None)
    if columns is None:
        return None, None
    rows = getattr(data, "index", None)  # polars has none
    return None if rows is None or callable(rows) else list(rows), list(columns)


def _labels_of_list(rows):
    """Return the names of Series in a list, and the labels that all have."""
    columns = _series_labels(rows[0]) if len(rows) else None
    if columns is None:
        return None, None
    for i, row in enumerate(rows):
        labels = _series_labels(row)
        if labels != columns:
            raise ValueError(
                f"Expected rows with the same labels in the same order, got "
                f"{_shown(columns)} in row 0 and {_shown(labels or ['none'])} in row {i}; make one "
                f"DataFrame of the rows, which aligns them."
            )
    names = [getattr(row, "name", None) for row in rows]
    return None if any(name is None for name in names) else names, columns


def _series_labels(row):
    """Return the labels of a Series or a one-dimensional DataArray as a list, or None."""
    if hasattr(row, "dims") and hasattr(row, "coords"):
        return next(iter(dimension_labels(row, row.dims[0])), None) if len(row.dims) == 1 else None
    index = getattr(row, "index", None)
    return list(index) if hasattr(index, "equals") else None


def check_axes(data, name, held):
    """Check that no entry is masked, and that the columns are not in the rows."""
    refuse_masked(data, name)
    refuse_turned(data, name, held)


def refuse_turned(data, name, held):
    """Check that a named axis of columns is not the one of rows.

    Parameters
    ----------
    data : object
    name : str
    held : set of str
        The names of an axis that belongs to the columns, such as `BAND_NAMES`.

    Raises
    ------
    ValueError
        If the rows have one of these names, and the columns have not.
    """
    axes = getattr(data, "dims", None) or [
        getattr(getattr(data, axis, None), "name", None) for axis in ("index", "columns")
    ]
    rows, columns = (str(axis).lower() for axis in axes) if len(axes) == 2 else ("", "")
    if rows in held and columns not in held | BAND_NAMES:
        raise ValueError(
            f"Expected {name} with {axes[0]!r} in the columns, got it in the rows; transpose it."
        )


def dimension_labels(array, dim):
    """Return the labels of a dimension of a DataArray as a list of lists, its coordinate first.

    Bands may have several kinds of labels: numbers, wavelengths and names. rioxarray keeps the
    names in an attribute, in the order of the numbers.
    """
    found = []
    for name in dict.fromkeys((dim, *_BESIDE)):
        if name in array.coords and array.coords[name].dims == (dim,):
            found.append(array.coords[name].values.tolist())
    names = array.attrs.get("long_name")
    if found and isinstance(names, (tuple, list)):
        numbers = found[0]
        if all(isinstance(i, int) and 1 <= i <= len(names) for i in numbers):
            found.append([names[i - 1] for i in numbers])
    return found


def is_library(data):
    """Return whether data are a spectral library, which can resample itself."""
    return all(hasattr(data, name) for name in ("wavelengths", "resample", "unique_names"))


def column_labels(data):
    """Return the labels of the columns of a frame or DataArray, or None."""
    return axis_labels(data)[1]


def band_axis(data, rows, columns):
    """Return the axis (0 or 1) that holds bands by its name or its labels, or None."""
    if hasattr(data, "dims"):
        names = list(data.dims)
    else:
        names = [getattr(getattr(data, axis, None), "name", None) for axis in ("index", "columns")]
    names = [str(name).lower() for name in names]
    for hold in (
        [name in BAND_NAMES for name in names],
        [name in ENDMEMBER_NAMES for name in names[::-1]],
        [_look_like_bands(labels) for labels in (rows, columns)],
    ):
        if sum(hold) == 1:
            return hold.index(True)
    return None


def string_labels(labels):
    """Return labels as a list if all are strings, or None."""
    if labels is None or not all(isinstance(label, str) for label in labels):
        return None
    return list(labels)


def name_labels(labels):
    """Return labels as a list of strings, or None if there are none or they only count."""
    if labels is None or _is_weak(labels):
        return None
    return [str(label) for label in labels]


def label_numbers(labels):
    """Return labels as an array of numbers if all are numbers and do not only count, or None."""
    numbers = _numbers(labels) if are_known(labels) else None
    return None if numbers is None else numbers[0]


def same_labels(found, expected):
    """Return whether two lists hold the same labels, in any order."""
    return _permutation(found, expected) is not None


def are_known(labels):
    """Return whether there are labels that do not only count."""
    return labels is not None and not _is_weak(labels)


def order_of(found, expected, what, against):
    """Return the positions at which the expected labels are found.

    Default labels only count (0, 1, 2, …). They are compared to other labels that count, and
    ignored beside other labels.

    Parameters
    ----------
    found, expected : list or None
        Labels. Numbers are equal up to rounding, and equal to strings of the same number.
    what, against : str
        Descriptions of the labelled objects, for the error message.

    Returns
    -------
    order : ndarray of int, or None
        ``found[order]`` is `expected`. None if the order is the same, or one has no labels.

    Raises
    ------
    ValueError
        If a label appears twice, or the labels differ.
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
    differ = [
        f"{labels[0]!r} is only among {those}"
        for labels, those in (
            (_without(expected, found), against),
            (_without(found, expected), what),
        )
        if labels
    ]
    raise ValueError(
        f"{what} have other labels than {against}: expected {_shown(expected)}, got "
        f"{_shown(found)}, and {' and '.join(differ)}; rename or select them so that they agree, "
        f"or pass arrays without labels."
    )


def spellings_of(labels):
    """Return labels, and the names and wavelengths that GDAL writes into one label."""
    parts = [_TWO_IN_ONE.fullmatch(str(label)) for label in labels]
    if not all(parts):
        return [labels]
    return [labels, *([part[i] for part in parts] for i in (1, 2))]


def order_among(found, expected, what, against):
    """Return the positions at which the expected labels are found, as `order_of` does.

    Parameters
    ----------
    found, expected : list of lists
        All labels of each: names, wavelengths, numbers. Labels of the same kind are compared.
    what, against : str
        Descriptions of the labelled objects, for the error message.

    Returns
    -------
    order : ndarray of int, or None

    Raises
    ------
    ValueError
        If both have labels of the same kind, and none of them agree.
    """
    found = [one for labels in found for one in spellings_of(labels)]
    pairs = [(a, b) for b in expected for a in found]
    known = [pair for pair in pairs if not any(map(_is_weak, pair))]
    of_a_kind = [pair for pair in known if len({_kind(labels) for labels in pair}) == 1]
    counting = [pair for pair in known if pair not in of_a_kind and any(map(_counts, pair))]
    agreeing = [pair for pair in (*known, *pairs) if same_labels(*pair)]
    for pair in (*agreeing, *of_a_kind, *counting)[:1]:
        return order_of(*pair, what, against)
    return None


def positions_among(found, expected):
    """Return the positions at which the expected labels are found among more labels, or None.

    Parameters
    ----------
    found, expected : list of lists
        All labels of each: names, wavelengths. Labels that only count are ignored.

    Returns
    -------
    positions : ndarray of int, or None
        None unless labels of one kind are found once each.
    """
    found = [one for labels in found for one in spellings_of(labels) if are_known(one)]
    for wanted in expected:
        for labels in found if are_known(wanted) else ():
            for a, b, equal in _comparable(labels, wanted):
                if len({x.dtype.kind for x in (a, b)}) > 1:
                    continue
                is_same = equal(a[:, np.newaxis], b)
                if (is_same.sum(axis=0) == 1).all() and (is_same.sum(axis=1) <= 1).all():
                    return is_same.argmax(axis=0)
    return None


def order_of_columns(labels, expected, what, against):
    """Return the positions of the columns with the expected labels, as `order_of` does.

    Parameters
    ----------
    labels : (rows, columns)
        As `axis_labels` returns them.
    expected : list or None
    what, against : str
        Descriptions of the labelled objects, for the error message.

    Returns
    -------
    order : ndarray of int, or None

    Raises
    ------
    ValueError
        If the columns have other labels, or the rows have the expected labels.
    """
    rows, columns = labels
    if are_known(expected) and same_labels(rows, expected) and not same_labels(columns, expected):
        raise ValueError(
            f"{what} have other labels than {against}, which are those of the rows, "
            f"{_shown(rows)}; pass the transpose."
        )
    return order_of(columns, expected, what, against)


def check_columns(labels, expected, what, against):
    """Check that columns have the expected labels in the same order; see `order_of_columns`.

    Raises
    ------
    ValueError
        If the labels differ, are in another order, or are those of the rows.
    """
    order = order_of_columns(labels, expected, what, against)
    if order is not None:
        first = np.flatnonzero(order != np.arange(len(order)))[0]
        raise ValueError(
            f"{what} are in another order than {against}: expected {expected[first]!r} at position "
            f"{first}, got {labels[1][first]!r}; reorder the columns."
        )


def check_wavelength_labels(data, wavelengths, what):
    """Check that column labels, if they are numbers, are the wavelengths in the same order.

    Parameters
    ----------
    data : object
    wavelengths : list
        Wavelengths, optionally with their unit.
    what : str
        Name of the wavelengths, for the error message.

    Raises
    ------
    ValueError
        If they differ, or are in another order.
    """
    rows, columns = axis_labels(data)
    if are_known(columns) and _kind(columns) == "numbers":
        check_columns((rows, columns), wavelengths, "the bands of X", what)


def check_rows(first, second, name_first, name_second):
    """Check that the row labels of two frames or DataArrays, if any, are equal in equal order.

    Raises
    ------
    ValueError
        If they are not. Rows are not aligned: for a frame with shuffled rows, only the user knows
        whether its labels or its positions are right.
    """
    a, b = _row_index(first), _row_index(second)
    if a is None or b is None or len(a) != len(b) or a.equals(b):
        return
    a, b = a.tolist(), b.tolist()
    order = _permutation(a, b)
    if order is None and (_is_weak(a) or _is_weak(b)):
        return
    differ = np.arange(len(a)) if order is None else np.flatnonzero(order != np.arange(len(a)))
    i = next((i for i in differ if a[i] != b[i]), None)
    if i is not None:
        raise ValueError(
            f"The rows of {name_first} and {name_second} have different labels: expected the same "
            f"pixels in the same order, got {a[i]!r} and {b[i]!r} at position {i}; reorder one by "
            f"the other's labels, or drop the labels with reset_index(drop=True)."
        )


def check_unique(labels, what):
    """Check that no label appears twice.

    Raises
    ------
    ValueError
        If a label appears twice.
    """
    seen = set()
    for label in map(str, labels):
        if label in seen:
            raise ValueError(
                f"{what} have the label {label!r} twice, expected each once; rename one of them."
            )
        seen.add(label)


def take_columns(data, order):
    """Return data of the same type with its columns in another order."""
    if order is None:
        return data
    if hasattr(data, "iloc"):
        return data.iloc[:, order]
    if hasattr(data, "dims"):
        return data[:, order]
    if hasattr(data, "get_column"):  # polars
        return data[:, order.tolist()]
    return np.asarray(data)[:, order]


def refuse_masked(data, name):
    """Check that no entry of an array, or of a list of arrays, is masked.

    Raises
    ------
    ValueError
        If an entry is masked, because it has no value.
    """
    n_masked = _count_masked(data)
    if n_masked:
        raise ValueError(
            f"{name} is a masked array with {n_masked} masked entries, expected values throughout; "
            f"drop the masked rows, or use skunmix.scenes.unmix, which honours masks."
        )


def _count_masked(data):
    if isinstance(data, (list, tuple)):
        return sum(map(_count_masked, data)) if np.ndim(data[:1]) > 1 else 0
    return np.ma.count_masked(data) if np.ma.isMaskedArray(data) else 0


def _row_index(data):
    """Return the labels of the rows as an object with `equals` and `tolist`, or None."""
    if hasattr(data, "dims") and hasattr(data, "indexes"):
        return data.indexes.get(data.dims[0]) if data.dims else None
    index = getattr(data, "index", None)
    return index if hasattr(index, "equals") else None


def _permutation(found, expected):
    """Return where each expected label is found, or None if they are not the same, each once."""
    if found is None or expected is None or len(found) != len(expected) or not len(found):
        return None
    for a, b, equal in _comparable(found, expected):
        rows, columns = np.argsort(a, kind="stable"), np.argsort(b, kind="stable")
        if not equal(a[rows], b[columns]).all() or equal(a[rows][1:], a[rows][:-1]).any():
            continue
        order = np.empty(len(a), dtype=int)
        order[columns] = rows
        return order
    return None


def _comparable(found, expected):
    """Yield labels as arrays and how to compare them, for each interpretation.

    A number without a unit may be in either unit if the other one has a unit.
    """
    a, b = _numbers(found), _numbers(expected)
    if a is None or b is None:
        yield _strings(found), _strings(expected), np.equal
        return
    (a, a_in_nm), (b, b_in_nm) = a, b
    steps = [np.diff(np.sort(values)) for values in (a, b)]
    for scale_a in (1, 1000) if b_in_nm and not a_in_nm else (1,):
        for scale_b in (1, 1000) if a_in_nm and not b_in_nm else (1,):
            scaled = (steps[0] * scale_a, steps[1] * scale_b)
            step = min((values.min() for values in scaled if len(values)), default=np.inf)
            yield a * scale_a, b * scale_b, _close_to(_SAME_STEP * step)


def _close_to(limit):
    return lambda a, b: np.abs(a - b) <= np.minimum(_SAME * np.abs(b), limit)


def _without(labels, others):
    """Return the labels that are not in `others`."""
    a, b, equal = next(_comparable(labels, others))
    return [label for label, value in zip(labels, a) if not equal(value, b).any()]


def _strings(labels):
    return np.array([str(label) for label in labels])


def _numbers(labels):
    """Return labels as numbers if all are numbers, also in strings, and whether they are in nm.

    Returns
    -------
    (numbers, in_nm) : (ndarray, bool) or None
    """
    numbers, units = [], set()
    for label in labels:
        if isinstance(label, str):
            match = _WAVELENGTH.fullmatch(label.strip())
            if match is None:
                return None
            label, unit = match.groups()
            unit = unit and (1 if unit.lower().startswith("n") else 1000)
        elif isinstance(label, bool) or label is None:
            return None
        else:
            unit = None
        try:
            numbers.append(float(label) * (unit or 1))
        except (TypeError, ValueError):
            return None
        units.add(unit is not None)
    numbers = np.array(numbers)
    if len(units) != 1 or not np.isfinite(numbers).all():
        return None
    return numbers, units.pop()


def _kind(labels):
    return "strings" if _numbers(labels) is None else "numbers"


def _counts(labels):
    """Return whether labels are the numbers of a count, in any order."""
    numbers = _numbers(labels)
    return numbers is not None and _is_weak(sorted(numbers[0]))


def _is_weak(labels):
    """Return whether labels only count: 0, 1, 2, … or 1, 2, 3, …, or default names with these."""
    if not len(labels):
        return True
    if not any(labels) and not any(isinstance(label, (int, float)) for label in labels):
        return True  # all empty
    if isinstance(labels[0], str):
        matches = [isinstance(label, str) and _DEFAULT.fullmatch(label) for label in labels]
        if all(matches) and len({match[1] for match in matches}) == 1:
            labels = [int(match[2]) for match in matches]
            if matches[0][1] == "x":
                return sorted(set(labels)) == labels
        elif all(isinstance(label, str) and label.isdecimal() for label in labels):
            labels = [int(label) for label in labels]
    if any(label is None for label in labels):
        return True
    return list(labels) in ([*range(len(labels))], [*range(1, len(labels) + 1)])


def _look_like_bands(labels):
    """Return whether labels look like wavelengths, or are numbered names such as "b1" and "b2"."""
    if not are_known(labels):
        return False
    numbers = _numbers(labels)
    if numbers is not None:
        values, in_nm = numbers
        ascend = (np.diff(values) > 0).all() or (np.diff(values) < 0).all()
        return in_nm or (values != np.round(values)).any() or bool(ascend and values.min() >= 100)
    parts = [re.fullmatch(r"(\D*)\d+", str(label)) for label in labels]
    return len(labels) > 1 and all(parts) and len({part[1] for part in parts}) == 1


def _shown(labels):
    shown = ", ".join(map(str, labels[:3]))
    return f"{shown}, …" if len(labels) > 3 else shown
