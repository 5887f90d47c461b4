"""Access to the parts of pipelines and searches."""

from sklearn.pipeline import Pipeline


def best_of(estimator):
    """Return the best estimator of a fitted search, or the estimator itself."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def steps_of(estimator):
    """Return the steps of a pipeline as a list of (name, step), or an empty list."""
    return list(getattr(estimator, "steps", None) or ())


def last_step(estimator):
    """Return the last step of a pipeline, at any depth, or of a search's best pipeline."""
    estimator = best_of(estimator)
    steps = steps_of(estimator)
    return last_step(steps[-1][1]) if steps else estimator


def endmember_names(estimator):
    """Return the endmember names of the last step, or None if it is not an unmixer."""
    estimator = last_step(estimator)
    # other transformers have features that are not their predictions
    if not (hasattr(estimator, "endmembers_") and hasattr(estimator, "get_feature_names_out")):
        return None
    return list(estimator.get_feature_names_out())


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


def pure_spectra(unmixer):
    """Return the spectra of pure pixels: the endmembers, times the usual sum of abundances.

    Parameters
    ----------
    unmixer : object
        With ``endmembers_``.
    """
    return unmixer.endmembers_ * (getattr(unmixer, "_usual_sum", 1.0) or 1.0)


def reconstruct_spectra(estimator, X, caller):
    """Return spectra and their reconstruction, in the first space that has both.

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
        return X, estimator.inverse_transform(estimator.predict(X))
    if isinstance(estimator, Pipeline):
        seen = estimator[:-1].transform(X) if len(estimator) > 1 else X
        return reconstruct_spectra(estimator[-1], seen, caller)
    raise TypeError(
        f"{caller} expected an estimator with inverse_transform, which reconstructs spectra from "
        f"abundances, got {type(estimator).__name__} without it; pass an unmixer, or a Pipeline "
        f"that ends in one."
    )
