"""Matching of the bands of a scene and of endmembers that have wavelengths."""

import logging

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from ..preprocessing import BandSelector
from ..utils.estimators import steps_of
from ..utils.labels import are_known, axis_labels, is_library, same_labels, spellings_of
from ..utils.optional import require
from ..utils.resampling import resample_spectra, usual_widths
from ..utils.wavelengths import wavelengths_in, with_unit

_logger = logging.getLogger("skunmix.scenes")


def match_bands(estimator, n_bands, where, labels=(), facts=None):
    """Resample the endmembers of an unfitted estimator to the bands of a scene.

    Parameters
    ----------
    estimator : estimator
        An unmixer that is not fitted, alone or after steps that select bands. Others are returned
        as they are, and so is one whose endmembers have no wavelengths, or have those of the scene
        and are no library.
    n_bands : int
        Number of bands of the scene.
    where : str
        Description of the scene's bands, for messages.
    labels : list of lists, default=()
        Labels of the scene's bands.
    facts : Bands, default=None
        What the scene says about its bands.

    Returns
    -------
    estimator : estimator
        A pipeline of a BandSelector and a clone of the unmixer, with endmembers in its bands. The
        selector drops bands that the endmembers do not cover or that the scene marks as bad.
    report : str or None
        What was done, in one line.

    Raises
    ------
    ValueError
        If the endmembers cover no good band of the scene.
    """
    steps = [step for _, step in steps_of(estimator)]
    unmixer = steps[-1] if steps else estimator
    endmembers = getattr(unmixer, "endmembers", None)
    selectors = steps[:-1]
    source = _wavelengths_of(endmembers)
    if source is None or not all(hasattr(step, "get_support") for step in selectors):
        return estimator, None
    centres, widths = _bands_of(labels, facts)
    if centres is None:
        return estimator, None
    of_library = is_library(endmembers)
    if not of_library and _agree(endmembers, labels):
        return estimator, None  # aligned by their labels

    selected = _selected(selectors, n_bands)
    good = np.ones(n_bands, dtype=bool) if facts is None or facts.good is None else facts.good
    if of_library:
        resampled = endmembers.unique_names()
        exact = resampled.resample(centres, widths, uncovered="nan")
        covered = np.isfinite(exact.spectra).all(axis=0)
    else:
        rows, axis = source[1:]
        table = np.asarray(endmembers, dtype=float)
        table = table if axis == 1 else table.T
        exact = resample_spectra(table, source[0], centres, widths)
        covered = np.isfinite(exact).all(axis=0)
    keep = selected & good & covered
    if not keep.any():
        raise ValueError(
            f"Expected endmembers that cover the bands of {where}, from {centres.min():g} to "
            f"{centres.max():g} nm, got {source[0].min():g} to {source[0].max():g} nm, which leave "
            f"none of its {np.count_nonzero(selected & good)} good bands; check the unit of the "
            f"wavelengths, or drop spectra with gaps."
        )
    if of_library:
        fitted = resampled.resample(centres[keep], widths[keep])
    else:
        pd = require("pandas", "Endmembers with other wavelengths than the scene", "pandas")
        fitted = pd.DataFrame(exact[:, keep], index=rows, columns=with_unit(centres[keep], "nm"))
    report = _report(len(fitted), source[0], n_bands, where, selected, good, covered)
    _logger.info("%s", report)
    # parameters stay the objects of the caller, so only the endmembers are replaced
    unmixer = clone(unmixer).set_params(endmembers=fitted)
    return make_pipeline(BandSelector(np.flatnonzero(keep)), unmixer), report


def described(report, coverage):
    """Return how maps came about, for their metadata, or None.

    Parameters
    ----------
    report : str or None
        From `match_bands`.
    coverage : float or None
        Of intervals.
    """
    parts = [] if report is None else [report]
    if coverage is not None:
        parts.append(f"lower and upper are the bounds of intervals with a coverage of {coverage:g}")
    return "; ".join(parts) or None


def _wavelengths_of(endmembers):
    """Return wavelengths in nm, the labels of the spectra, and the axis of the bands, or None."""
    if is_library(endmembers):
        nm = endmembers.wavelengths
        return None if nm is None else (nm, None, 1)
    if getattr(endmembers, "ndim", 2) != 2 or callable(getattr(endmembers, "fit", None)):
        return None
    rows, columns = axis_labels(endmembers)
    found = [wavelengths_in(rows), wavelengths_in(columns)]
    if sum(nm is not None for nm in found) != 1:
        return None
    axis = 0 if found[0] is not None else 1
    return found[axis], (rows, columns)[1 - axis], axis


def _bands_of(labels, facts):
    """Return the centres and widths of a scene's bands in nm, or None."""
    centres = widths = None
    if facts is not None and facts.wavelengths is not None:
        centres, widths = facts.wavelengths, facts.fwhm
    else:
        spelled = [one for given in labels for one in spellings_of(given)]
        found = (wavelengths_in(list(one)) for one in spelled)
        centres = next((nm for nm in found if nm is not None), None)
    if centres is None:
        return None, None
    if widths is None:
        widths = usual_widths(centres) if len(centres) > 1 else np.full(1, 1.0)
    return np.asarray(centres, dtype=float), np.asarray(widths, dtype=float)


def _agree(endmembers, labels):
    """Return whether endmembers have the labels of the scene's bands."""
    spelled = [one for given in labels for one in spellings_of(given) if are_known(one)]
    return any(same_labels(own, one) for own in axis_labels(endmembers) for one in spelled)


def _selected(selectors, n_bands):
    """Return which bands of the scene unfitted selectors keep."""
    places = np.arange(n_bands, dtype=float)[np.newaxis]
    for selector in selectors:
        places = clone(selector).fit(places).transform(places)
    keep = np.zeros(n_bands, dtype=bool)
    keep[np.asarray(places)[0].astype(int)] = True
    return keep


def _report(n_spectra, source, n_bands, where, selected, good, covered):
    """Return in one line which bands are used, and why others are not."""
    used = selected & good & covered
    parts = [
        f"{n_spectra} endmembers with {len(source)} bands ({source.min():.6g} to "
        f"{source.max():.6g} nm) are resampled to {where}: {np.count_nonzero(used)} of {n_bands} "
        f"bands are used"
    ]
    for left_out, why in (
        (~selected, "the pipeline drops"),
        (selected & ~good, "the scene marks as bad"),
        (selected & good & ~covered, "the endmembers do not cover"),
    ):
        if left_out.any():
            parts.append(f"{np.count_nonzero(left_out)} that {why} are left out")
    return ", ".join(parts)
