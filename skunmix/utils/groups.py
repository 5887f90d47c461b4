"""Groups of endmembers, such as the materials of a library with several spectra of each."""

from numbers import Integral

import numpy as np

from .labels import axis_labels, order_of, take_columns


def split_groups(groups, endmembers):
    """Return the groups as a list of labels, and the endmembers without them.

    Parameters
    ----------
    groups : str, int or array-like
        Name or number of a level of the index, name of a column or coordinate, "class" for the
        classes of a library, or a label for each endmember.
    endmembers : array-like

    Returns
    -------
    groups : object
        A label for each endmember. A Series or a dict keeps its own labels.
    endmembers : array-like
        Of the same type. A level or column that holds the groups is removed.

    Raises
    ------
    ValueError
        If there is no such level, column or coordinate.
    """
    if not isinstance(groups, (str, Integral)):
        return groups, endmembers
    for find in (_of_index, _of_column, _of_coordinate, _of_library):
        found = find(groups, endmembers)
        if found is not None:
            return found
    raise ValueError(
        f"Expected groups as a label for each endmember, or the name of a level of the index of "
        f"`endmembers`, got {groups!r}, which {type(endmembers).__name__} of shape "
        f"{np.shape(endmembers)} does not have{_available(endmembers)}; pass a list with a label "
        f"for each endmember, or a DataFrame with this level."
    )


def _of_index(level, frame):
    """Return the labels of a level of either axis of a pandas DataFrame."""
    for axis, index in enumerate(getattr(frame, "axes", ()) if hasattr(frame, "iloc") else ()):
        if level not in index.names:
            if not isinstance(level, Integral) or not -index.nlevels <= level < index.nlevels > 1:
                continue
            position = level
        else:
            position = list(index.names).index(level)
        return list(index.get_level_values(position)), frame.set_axis(
            _without_level(index, position), axis=axis
        )
    return None


def _without_level(index, level):
    """Return the other levels of an index, or more of it until its labels are unique."""
    rest = index.droplevel(level) if index.nlevels > 1 else index
    if rest.is_unique:
        return rest
    joined = [" ".join(map(str, labels)) for labels in index] if index.nlevels > 1 else []
    return joined if joined and len(set(joined)) == len(joined) else range(len(index))


def _of_column(name, frame):
    """Return the values of a column of a frame, which is not a band."""
    columns = axis_labels(frame)[1]
    if hasattr(frame, "dims") or columns is None or columns.count(name) != 1:
        return None
    place = columns.index(name)
    values = np.asarray(take_columns(frame, np.array([place])))[:, 0].tolist()
    return values, take_columns(frame, np.delete(np.arange(len(columns)), place))


def _of_coordinate(name, array):
    """Return the values of a coordinate of a DataArray."""
    if not hasattr(array, "coords") or name not in array.coords or array.coords[name].ndim != 1:
        return None
    values = array.coords[name].values.tolist()
    repeated = name in array.dims and len(set(values)) < len(values)
    return values, array.drop_vars(name) if repeated else array


def _of_library(name, library):
    """Return the classes of a spectral library."""
    classes = getattr(library, "classes", None) if name in ("class", "classes") else None
    return None if classes is None else (list(classes), library)


def _available(endmembers):
    """Return the names of the levels, for an error message."""
    names = [name for index in getattr(endmembers, "axes", ()) for name in index.names if name]
    return f" (its levels are {', '.join(map(repr, names))})" if names else ""


def index_groups(groups, names):
    """Return the distinct groups, and the group of each endmember.

    Parameters
    ----------
    groups : array-like of shape (n_endmembers,), Series or dict
        A label for each endmember. Those of a Series or dict are matched to the names.
    names : list of str
        Names of the endmembers.

    Returns
    -------
    labels : ndarray of shape (n_groups,), of str objects
        In the order of their first endmember.
    group_of : ndarray of shape (n_endmembers,), of int
        Position of each endmember's group in `labels`.

    Raises
    ------
    ValueError
        If there is not one label for each endmember, or a label is missing or empty.
    """
    own = None
    if isinstance(groups, dict):
        own, groups = list(groups), list(groups.values())
    elif hasattr(groups, "index") and not callable(groups.index):
        own = list(groups.index)
    groups = list(groups) if np.ndim(groups) == 1 else groups
    if np.ndim(groups) != 1 or len(groups) != len(names):
        raise ValueError(
            f"Expected groups with {len(names)} labels, one for each endmember, got "
            f"{f'{len(groups)} labels' if np.ndim(groups) == 1 else f'shape {np.shape(groups)}'}; "
            f"pass one label for each."
        )
    order = order_of(own, names, "the labels of groups", "the endmembers")
    if order is not None:
        groups = [groups[i] for i in order]
    for i, group in enumerate(groups):
        # NaN is the only value that differs from itself, and pandas.NA has no truth value
        missing = group is None or type(group).__name__ in ("NAType", "NaTType")
        if missing or group != group or not str(group).strip():
            raise ValueError(
                f"Expected a label for each endmember in groups, got {group!r} for endmember {i} "
                f"({names[i]!r}); name its group, or drop this endmember."
            )
    labels = list(dict.fromkeys(map(str, groups)))
    positions = {label: i for i, label in enumerate(labels)}
    return np.array(labels, dtype=object), np.array([positions[str(group)] for group in groups])


def sum_groups(abundances, group_of):
    """Return the sum of the abundances of each group.

    Endmembers are added one by one, so that the sums of a pixel do not depend on other pixels.

    Parameters
    ----------
    abundances : ndarray of shape (n_pixels, n_endmembers)
    group_of : ndarray of shape (n_endmembers,), of int

    Returns
    -------
    sums : ndarray of shape (n_pixels, n_groups)
        Of the type of `abundances`.
    """
    sums = np.zeros((len(abundances), group_of.max() + 1))
    for j, group in enumerate(group_of):
        sums[:, group] += abundances[:, j]
    return sums.astype(abundances.dtype, copy=False)


def mean_groups(endmembers, group_of):
    """Return the mean spectrum of each group, (n_groups, n_bands)."""
    return sum_groups(endmembers.T, group_of).T / np.bincount(group_of)[:, np.newaxis]
