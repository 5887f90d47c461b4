"""Looking into pipelines and searches."""

from sklearn.pipeline import Pipeline


def best_of(estimator):
    """Return the estimator that a fitted search stands for, or the estimator itself."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def steps_of(estimator):
    """Return the steps of a pipeline as a list of (name, step); of anything else an empty list."""
    return list(getattr(estimator, "steps", None) or ())


def last_step(estimator):
    """Return the last step of a pipeline, at any depth, or of a search's best pipeline."""
    estimator = best_of(estimator)
    steps = steps_of(estimator)
    return last_step(steps[-1][1]) if steps else estimator


def endmember_names(estimator):
    """Return the names of what `predict` returns, or None if the last step is no unmixer."""
    estimator = last_step(estimator)
    # the features of another kind of transformer are not what it predicts
    if not (hasattr(estimator, "endmembers_") and hasattr(estimator, "get_feature_names_out")):
        return None
    return list(estimator.get_feature_names_out())


def fitted_bands(estimator):
    """Return the labels of the bands that a fitted estimator expects: a list of lists.

    Of a pipeline, the first step knows.
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


def reconstruct_spectra(estimator, X, caller):
    """Return spectra and their reconstruction, in the first space where there are both.

    Parameters
    ----------
    estimator : estimator
        A fitted unmixer, or a pipeline or search that ends in one.
    X : array-like of shape (n_pixels, n_bands)
        Spectra.
    caller : str
        Who asks, for the error.

    Returns
    -------
    spectra, rebuilt : array-like of shape (n_pixels, n_features)
        `X` and its reconstruction if all steps can be inverted, else what the last step sees and
        makes of it.

    Raises
    ------
    TypeError
        If the last step has no ``inverse_transform``.
    """
    # a fitted search stands for its best pipeline
    estimator = best_of(estimator)
    if hasattr(estimator, "inverse_transform"):
        return X, estimator.inverse_transform(estimator.predict(X))
    if isinstance(estimator, Pipeline):
        seen = estimator[:-1].transform(X) if len(estimator) > 1 else X
        return reconstruct_spectra(estimator[-1], seen, caller)
    raise TypeError(
        f"{caller} needs an estimator with inverse_transform, which rebuilds spectra from "
        f"abundances, but {type(estimator).__name__} has none; use an unmixer, or a Pipeline that "
        f"ends in one."
    )
