"""Endmembers matched to known ones, whose order an extraction does not know."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.utils import check_array

from ..utils import validate_params
from ..utils.labels import BAND_NAMES, axis_labels, check_axes, order_of_columns, take_columns
from ._functions import row_angles

_ENDMEMBERS = {"endmembers_true": ["array-like"], "endmembers_pred": ["array-like"]}


@validate_params(_ENDMEMBERS, prefer_skip_nested_validation=True)
def match_endmembers(endmembers_true: ArrayLike, endmembers_pred: ArrayLike) -> NDArray[Any]:
    r"""Match estimated endmembers to the true ones: the assignment with the smallest angles.

    An extractor finds endmembers in any order. This returns the order that minimises the sum of the
    spectral angles over all one-to-one assignments (the Hungarian algorithm), such that
    ``endmembers_pred[order]`` and ``abundances_pred[:, order]`` are in the order of
    `endmembers_true`.

    Parameters
    ----------
    endmembers_true : array-like of shape (n_true, n_bands)
        True endmembers, one spectrum per row, in any unit.
    endmembers_pred : array-like of shape (n_pred, n_bands)
        Endmembers to match to them. If both are frames with labelled columns, the bands are aligned
        by label. The labels of the rows have no effect.

    Returns
    -------
    order : ndarray of shape (n_true,), of int
        Row of `endmembers_pred` that matches each row of `endmembers_true`. If there are fewer
        estimates, the true endmembers without a match have the value `n_pred`, which is no row
        (as in :class:`scipy.spatial.KDTree`); ``order < n_pred`` tells which have a match. If there
        are more, ``np.setdiff1d(np.arange(n_pred), order)`` are the estimates without one.

    Raises
    ------
    ValueError
        If the numbers of bands or their labels differ, or a value is NaN or infinite.

    See Also
    --------
    endmember_angle : The angles between matched endmembers.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.metrics import abundance_rmse, match_endmembers
    >>> true = np.array([[0.2, 0.5, 0.9], [0.7, 0.4, 0.1]])
    >>> estimated = np.array([[0.6, 0.4, 0.1], [0.2, 0.5, 0.8]])
    >>> order = match_endmembers(true, estimated)
    >>> order
    array([1, 0])
    >>> abundances = np.array([[0.1, 0.9], [0.5, 0.5]])  # in the order of the estimated
    >>> print(round(abundance_rmse([[0.9, 0.1], [0.5, 0.5]], abundances[:, order]), 3))
    0.0
    """
    return _match(*_check_endmembers(endmembers_true, endmembers_pred))[0]


@validate_params(
    {**_ENDMEMBERS, "degrees": ["boolean"], "average": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def endmember_angle(
    endmembers_true: ArrayLike,
    endmembers_pred: ArrayLike,
    *,
    degrees: bool = False,
    average: bool = True,
) -> Any:
    """Spectral angle between the true endmembers and the estimates that match them.

    It does not depend on the order of the estimates, because they are matched by
    :func:`match_endmembers`, or on their brightness.

    Parameters
    ----------
    endmembers_true : array-like of shape (n_true, n_bands)
        True endmembers, one spectrum per row, in any unit.
    endmembers_pred : array-like of shape (n_pred, n_bands)
        Estimated endmembers, in any order.
    degrees : bool, default=False
        Whether to return degrees instead of radians.
    average : bool, default=True
        Whether to return the mean. False returns the angle of each true endmember.

    Returns
    -------
    angle : float, or ndarray of shape (n_true,) if not `average`
        From 0, the best value, to π. A true endmember without a match, because there are fewer
        estimates, counts as π/2. Further estimates have no effect.

    Raises
    ------
    ValueError
        If the numbers of bands or their labels differ, or a value is NaN or infinite.

    See Also
    --------
    spectral_angle_distance : The angles between spectra in the same order.

    Examples
    --------
    >>> from skunmix.metrics import endmember_angle
    >>> true = [[1.0, 0.0], [1.0, 1.0]]
    >>> print(round(endmember_angle(true, [[2.0, 2.0], [1.0, 0.0]]), 6))
    0.0
    >>> endmember_angle(true, [[2.0, 2.0]], degrees=True, average=False)
    array([90.,  0.])
    """
    angles = _match(*_check_endmembers(endmembers_true, endmembers_pred))[1]
    angles = np.degrees(angles) if degrees else angles
    return float(angles.mean()) if average else angles


def _match(true, pred):
    """Return the row of `pred` that matches each row of `true`, and their angles."""
    angles = np.array(
        [row_angles(np.broadcast_to(row, pred.shape), pred, degrees=False) for row in true]
    )
    rows, columns = linear_sum_assignment(angles)
    order, matched = np.full(len(true), len(pred)), np.full(len(true), np.pi / 2)
    order[rows], matched[rows] = columns, angles[rows, columns]
    return order, matched


def _check_endmembers(true, pred):
    """Return both as arrays of rows, the bands of `pred` in the order of those of `true`."""
    bands = order_of_columns(
        axis_labels(pred),
        axis_labels(true)[1],
        "the bands of endmembers_pred",
        "those of endmembers_true",
    )
    pred = take_columns(pred, bands)
    checked = []
    for endmembers, name in ((true, "endmembers_true"), (pred, "endmembers_pred")):
        check_axes(endmembers, name, BAND_NAMES)
        checked.append(check_array(endmembers, dtype=np.float64, input_name=name))
    true, pred = checked
    if true.shape[1] != pred.shape[1]:
        raise ValueError(
            f"Expected endmembers_pred with the {true.shape[1]} bands of endmembers_true, got "
            f"shape {pred.shape}; pass both with one spectrum per row."
        )
    return true, pred
