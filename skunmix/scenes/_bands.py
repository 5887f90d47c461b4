"""The bands of a scene that a model uses, matched by their labels, without bad bands."""

import warnings

import numpy as np
from sklearn.utils import get_tags

from ..utils.estimators import best_of, fitted_bands, last_step, steps_of
from ..utils.labels import axis_labels, order_among, positions_among


def order_of_bands(estimator, n_bands, where, labels=(), facts=None):
    """Return the positions of a model's bands in a scene, or None if they are the scene's.

    Parameters
    ----------
    estimator : object
        Fitted.
    n_bands : int
        Number of bands of the scene.
    where : str
        Description of the scene's bands, for error messages.
    labels : list of lists, default=()
        Labels of the scene's bands.
    facts : Bands, default=None
        What the scene's file says about its bands.

    Raises
    ------
    ValueError
        If the estimator was fitted on other bands.
    """
    expected = getattr(estimator, "n_features_in_", n_bands)
    fitted = fitted_bands(estimator)
    what, against = f"the bands of {where}", "the bands that the model was fitted on"
    if expected == n_bands:
        return order_among(labels, fitted, what, against)
    positions = positions_among(labels, fitted) if expected < n_bands else None
    if positions is not None:
        return positions
    good = None if facts is None else facts.good
    if good is not None and expected == good.sum():
        positions = np.flatnonzero(good)
        kept = [[these[i] for i in positions] for these in labels]
        order = order_among(kept, fitted, f"the good bands of {where}", against)
        return positions if order is None else positions[order]
    without = ""
    if good is not None:
        without = f", or {good.sum()} without those that the file marks as bad"
    raise ValueError(
        f"{type(estimator).__name__} was fitted on {expected} bands, but {where} has {n_bands}"
        f"{without}; select the same bands, or pass the dimension of the bands as band_dim."
    )


def check_bad_bands(estimator, used, where, facts):
    """Warn if a model uses bands that the file of a scene marks as bad.

    Parameters
    ----------
    estimator : object
    used : ndarray of shape (n_bands,), of bool
        The scene's bands that the model uses.
    where : str
    facts : Bands or None
    """
    if facts is None or facts.good is None:
        return
    bad = np.flatnonzero(used & ~facts.good)
    if len(bad):
        warnings.warn(
            f"{type(estimator).__name__} uses {len(bad)} of the {len(facts.bad())} bands that "
            f"{where} marks as bad ({facts.describe(bad)}); fit it to skunmix.scenes."
            f"sample_pixels(scene), which leaves them out, or drop them with BandSelector in the "
            f"first step of a pipeline.",
            UserWarning,
            stacklevel=4,
        )


def bands_to_fit(estimator, n_bands, labels=(), facts=None):
    """Return the positions of the bands that an unfitted estimator is fitted to, or None for all.

    Bad bands are left out, unless the estimator has a first step that selects bands itself, or
    endmembers that have all bands. Endmembers with labels of some bands get these bands.
    """
    good = None if facts is None else facts.good
    estimator = best_of(estimator)
    if selects_bands(estimator):
        return None
    endmembers = getattr(last_step(estimator), "endmembers", None)
    shape = getattr(endmembers, "shape", ())
    if len(shape) == 2 and not hasattr(endmembers, "fit"):
        if n_bands in shape:
            return None
        wanted = [these for these in axis_labels(endmembers) if these is not None]
        positions = positions_among(labels, [list(these) for these in wanted])
        if positions is not None:
            return positions
    return None if good is None else np.flatnonzero(good)


def take_bands(spectra, order):
    """Return some bands of spectra, by their positions; None is all.

    Columns are copied in runs, which is several times faster than one by one.
    """
    if order is None:
        return spectra
    if spectra.flags.f_contiguous:
        return spectra.T[order].T
    runs = np.split(order, np.flatnonzero(np.diff(order) != 1) + 1)
    if len(runs) > len(order) // 8:
        return np.take(spectra, order, axis=1)
    return np.concatenate([spectra[:, run[0] : run[-1] + 1] for run in runs], axis=1)


def selects_bands(estimator):
    """Return whether the first step of a pipeline selects bands."""
    steps = steps_of(best_of(estimator))
    first = steps[0][1] if steps else None
    return hasattr(first, "get_support") and get_tags(first).input_tags.allow_nan
