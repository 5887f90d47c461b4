"""Access to the parts of pipelines and searches."""

import warnings

import numpy as np
from sklearn.base import is_regressor
from sklearn.pipeline import Pipeline

from .labels import (
    ABUNDANCE_NAMES,
    are_known,
    axis_labels,
    check_axes,
    order_among,
    order_of_columns,
    same_labels,
    take_columns,
)


def best_searched(estimator):
    """Return the best estimator of a fitted search, or the estimator itself."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def best_of(estimator):
    """Return what a fitted search, or an estimator of intervals, predicts with, or itself."""
    while True:
        estimator = best_searched(estimator)
        if not (hasattr(estimator, "predict_interval") and hasattr(estimator, "estimator_")):
            return estimator
        estimator = estimator.estimator_


def steps_of(estimator):
    """Return the steps of a pipeline as a list of (name, step), or an empty list."""
    return list(getattr(estimator, "steps", None) or ())


def through_steps(pipeline, X):
    """Return spectra after all steps of a fitted pipeline but the last."""
    for _, step in steps_of(pipeline)[:-1]:
        X = X if step is None or step == "passthrough" else step.transform(X)
    return X


def last_step(estimator):
    """Return the last step of a pipeline, at any depth, or of a search's best pipeline.

    Of a TransformedTargetRegressor, it is the regressor's.
    """
    estimator = best_of(estimator)
    if hasattr(estimator, "regressor_"):
        return last_step(estimator.regressor_)
    steps = steps_of(estimator)
    return last_step(steps[-1][1]) if steps else estimator


def endmember_names(estimator):
    """Return the endmember names of the last step, or None if it is not an unmixer."""
    estimator = last_step(estimator)
    # other transformers have features that are not their predictions
    if not (hasattr(estimator, "endmembers_") and hasattr(estimator, "get_feature_names_out")):
        return None
    return list(estimator.get_feature_names_out())


def spectra_names(unmixer):
    """Return the names of the rows of `endmembers_`, which are not those of groups, as a list."""
    names = getattr(unmixer, "_endmember_names", None)
    return list(unmixer.get_feature_names_out() if names is None else names)


def check_order_is_known(estimator, abundances, caller):
    """Check that the endmembers of a fitted estimator have an order that abundances can have, too.

    Raises
    ------
    ValueError
        If an extractor or a blind unmixer found them, and the abundances are not labelled by their
        names.
    """
    unmixer = last_step(estimator)
    finder = _finder(unmixer)
    if finder is None or len(unmixer.endmembers_) == 1:
        return
    labels = axis_labels(abundances)[1]
    # default names only count, and so are those of any other order
    if not (are_known(labels) and same_labels(labels, endmember_names(unmixer))):
        raise ValueError(
            f"{caller} compares abundances column by column, but the order in which "
            f"{type(finder).__name__} found the endmembers is unknown; use "
            f"skunmix.metrics.make_matched_abundance_scorer(known_spectra), which matches them, or "
            f"spectral_angle_scorer, which needs no abundances, or reorder the columns of predict "
            f"by match_endmembers(known_spectra, endmembers_)."
        )


def in_order_of_endmembers(estimator, abundances, caller):
    """Return abundances with their columns in the order of those that an estimator predicts.

    Raises
    ------
    ValueError
        If the order is unknown, the labels differ, or the columns are in the rows.
    """
    check_axes(abundances, "y", ABUNDANCE_NAMES)
    check_order_is_known(estimator, abundances, caller)
    order = order_of_columns(
        axis_labels(abundances), endmember_names(estimator), "the columns of y", "the endmembers"
    )
    return take_columns(abundances, order)


def _finder(unmixer):
    """Return the extractor, or blind unmixer, that found the endmembers, or None if it is none."""
    if not hasattr(unmixer, "endmembers_"):
        return None
    if hasattr(unmixer, "extractor_"):
        return unmixer.extractor_
    # a blind unmixer is no regressor, and may start from endmembers that are given
    given = hasattr(unmixer, "_endmembers_estimated") or (
        getattr(unmixer, "endmembers", None) is not None
    )
    return None if given or is_regressor(unmixer) else unmixer


def fitted_bands(estimator):
    """Return the band labels that a fitted estimator expects, as a list of lists.

    For a pipeline, these are the labels of its first step.
    """
    estimator = best_of(estimator)
    for _, step in steps_of(estimator):
        if step is not None and step != "passthrough":
            return fitted_bands(step)
    found = (
        getattr(estimator, name, None)
        for name in ("feature_names_in_", "band_labels_", "_wavelength_labels")
    )
    return [list(labels) for labels in found if labels is not None]


def endmember_abundances(estimator, X):
    """Return the abundances of all endmembers, also if `predict` sums them by group.

    Parameters
    ----------
    estimator : estimator
        A fitted unmixer, or a pipeline or search that ends in one.
    X : array-like of shape (n_pixels, n_bands)

    Returns
    -------
    abundances : ndarray of shape (n_pixels, n_endmembers)
    """
    estimator = best_of(estimator)
    unmixer = last_step(estimator)
    if not (hasattr(unmixer, "groups_") and hasattr(unmixer, "endmember_abundances")):
        return estimator.predict(X)
    if unmixer is not estimator:
        return endmember_abundances(steps_of(estimator)[-1][1], through_steps(estimator, X))
    return unmixer.endmember_abundances(X)


def pure_spectra(unmixer):
    """Return the spectra of pure pixels: the endmembers, times the usual sum of abundances.

    Parameters
    ----------
    unmixer : object
        With ``endmembers_``.
    """
    return unmixer.endmembers_ * (getattr(unmixer, "_usual_sum", 1.0) or 1.0)


def unmix_and_reconstruct(estimator, X, caller):
    """Return abundances, spectra and their reconstruction, in the first space that has both.

    Parameters
    ----------
    estimator : estimator
        A fitted unmixer, or a pipeline or search that ends in one.
    X : array-like of shape (n_pixels, n_bands)
        Spectra.
    caller : str
        Name of the caller, for the error message.

    Returns
    -------
    abundances : ndarray of shape (n_pixels, n_endmembers)
        Those of all endmembers, also if `predict` sums them by group.
    spectra, rebuilt : array-like of shape (n_pixels, n_features)
        `X` and its reconstruction if all steps can be inverted. Otherwise the input of the last
        step and its reconstruction.

    Raises
    ------
    TypeError
        If the last step has no ``inverse_transform``.
    """
    # for a fitted search, use its best pipeline
    estimator = best_of(estimator)
    if hasattr(estimator, "inverse_transform"):
        abundances = endmember_abundances(estimator, X)
        return abundances, X, _reconstruct_finite(estimator, abundances)
    if isinstance(estimator, Pipeline):
        seen = estimator[:-1].transform(X) if len(estimator) > 1 else X
        return unmix_and_reconstruct(estimator[-1], seen, caller)
    raise TypeError(
        f"{caller} expected an estimator with inverse_transform, which reconstructs spectra from "
        f"abundances, got {type(estimator).__name__} without it; pass an unmixer, or a Pipeline "
        f"that ends in one."
    )


def _reconstruct_finite(estimator, abundances):
    """Return spectra, NaN for pixels to which the estimator gave no abundances."""
    values = np.asarray(abundances)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if finite.all():
        return estimator.inverse_transform(abundances)
    spectra = np.full((len(values), estimator.n_features_in_), np.nan)
    if finite.any():
        spectra[finite] = estimator.inverse_transform(values[finite])
    return spectra


def reconstruct_spectra(estimator, X, caller):
    """Return spectra and their reconstruction, as `unmix_and_reconstruct` does."""
    return unmix_and_reconstruct(estimator, X, caller)[1:]


def comparable_endmembers(estimator, endmembers):
    """Return endmembers and those of an estimator, in the first space that has both.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `endmembers_`, or a pipeline or search that ends in such.
    endmembers : array-like of shape (n_endmembers, n_bands)
        In the space of the spectra that the estimator takes.

    Returns
    -------
    endmembers, found : array-like of shape (n_endmembers, n_features)
        `endmembers` and those of the estimator if all steps can be inverted. Otherwise both in the
        space of the last step, or behind the last step that selects bands.

    Raises
    ------
    TypeError
        If the last step has no `endmembers_`.
    ValueError
        If `endmembers` has other band labels than the estimator.
    """
    estimator = best_of(estimator)
    unmixer = last_step(estimator)
    if not hasattr(unmixer, "endmembers_"):
        raise TypeError(
            f"Expected a fitted unmixer or extractor, which has endmembers_, got "
            f"{type(unmixer).__name__} without it; pass one, or a Pipeline that ends in one."
        )
    labels = axis_labels(endmembers)[1]
    order = order_among(
        [] if labels is None else [labels],
        fitted_bands(estimator),
        "the bands of endmembers_true",
        "those that the model was fitted on",
    )
    endmembers = np.asarray(take_columns(endmembers, order))
    steps = [step for _, step in steps_of(estimator)]
    # what drops bands has an inverse that fills them with zeros
    selectors = [i for i, step in enumerate(steps[:-1]) if hasattr(step, "get_support")]
    if hasattr(estimator, "inverse_transform") and not selectors:
        # the reconstructions of pure pixels
        return endmembers, estimator.inverse_transform(np.eye(len(unmixer.endmembers_)))
    if not steps:
        return endmembers, unmixer.endmembers_
    first = selectors[-1] + 1 if selectors else len(steps) - 1
    if first:
        with warnings.catch_warnings():
            # they have the bands of `fit`, whose names an array does not have
            warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            endmembers = estimator[:first].transform(endmembers)
    return comparable_endmembers(estimator[first:] if selectors else steps[-1], endmembers)
