"""Intervals of abundances: who predicts them, and the names of their bounds."""

import math
import warnings

from .estimators import best_searched, steps_of, through_steps
from .magnitudes import are_values_seen_to
from .validation import check_coverage

LOWER, UPPER = " lower", " upper"


def warn_of_few_labels(n_labelled, coverage, *, stacklevel):
    """Warn if intervals of a coverage need more labelled pixels, unless the caller does."""
    if coverage_rank(n_labelled, coverage) <= n_labelled or are_values_seen_to():
        return
    warnings.warn(
        f"{n_labelled} labelled pixels give intervals with a coverage of at most "
        f"{n_labelled / (n_labelled + 1):.3g}, but {coverage:g} was asked for, so that the "
        f"intervals hold all abundances; label at least {math.ceil(coverage / (1 - coverage))} "
        f"pixels, or lower coverage.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def coverage_rank(n_labelled, coverage):
    """Return which of the smallest scores of labelled pixels bounds a conformal interval."""
    return math.ceil(coverage * (n_labelled + 1) * (1 - 1e-12))


def check_intervals(estimator, coverage):
    """Check that an estimator predicts intervals, before it unmixes a scene.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.
    coverage : float or None
        None means that no intervals are wanted.

    Raises
    ------
    TypeError
        If it does not.
    ValueError
        If the coverage is not between 0 and 1.

    Warns
    -----
    UserWarning
        If its labelled pixels are too few for the coverage.
    """
    if coverage is None:
        return
    check_coverage(coverage)
    part = interval_estimator(estimator, f"coverage={coverage:g}")
    if hasattr(part, "n_calibration_"):
        warn_of_few_labels(part.n_calibration_, coverage, stacklevel=3)


def interval_estimator(estimator, caller):
    """Return the part of an estimator that predicts intervals.

    Parameters
    ----------
    estimator : estimator
        With `predict_interval`, or a pipeline or search that ends in such, fitted or not.
    caller : str
        What needs intervals, for the error message.

    Raises
    ------
    TypeError
        If there is none.
    """
    part = estimator
    while not callable(getattr(part, "predict_interval", None)):
        steps = steps_of(part)
        if hasattr(part, "refit"):  # a search
            part = getattr(part, "best_estimator_", part.estimator)
        elif steps:
            part = steps[-1][1]
        else:
            raise TypeError(
                f"Expected an estimator with predict_interval for {caller}, got "
                f"{type(part).__name__} without it; pass ConformalUnmixer(estimator), fitted on "
                f"labelled pixels, or SunSALRegressor."
            )
    return part


def predict_interval(estimator, X, coverage):
    """Return the intervals of an estimator, or of the last step of a pipeline or search.

    Parameters
    ----------
    estimator : estimator
        Fitted, such that `interval_estimator` finds a part of it.
    X : array-like of shape (n_pixels, n_bands)
    coverage : float

    Returns
    -------
    lower, upper : ndarray of shape (n_pixels, n_endmembers) or (n_pixels,)
    """
    estimator = best_searched(estimator)
    if not callable(getattr(estimator, "predict_interval", None)):
        X = through_steps(estimator, X)
        return predict_interval(steps_of(estimator)[-1][1], X, coverage)
    return estimator.predict_interval(X, coverage=coverage)


def with_bounds(names):
    """Return names of endmembers, then those of their lower and of their upper bounds.

    Raises
    ------
    ValueError
        If a bound has the name of an endmember.
    """
    bounds = [f"{name}{side}" for side in (LOWER, UPPER) for name in names]
    both = sorted(set(names) & set(bounds))
    if both:
        raise ValueError(
            f"Expected endmembers with other names than the bounds of their intervals, got "
            f"{both[0]!r}; rename this endmember."
        )
    return [*names, *bounds]


def count_without_bounds(names):
    """Return how many of the names of maps are those of endmembers, without bounds of intervals."""
    n_endmembers = len(names) // 3
    names = [str(name) for name in names]
    bounded = n_endmembers > 0 and all(
        name == names[i % n_endmembers] + ("", LOWER, UPPER)[i // n_endmembers]
        for i, name in enumerate(names[: 3 * n_endmembers])
    )
    return n_endmembers if bounded and len(names) == 3 * n_endmembers else len(names)
