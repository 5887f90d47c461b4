"""Resampling of libraries with missing values."""

from pathlib import Path

import numpy as np

from ..utils.resampling import usual_widths
from ..utils.wavelengths import check_wavelengths, nanometres_in


def bands_of(target, fwhm=None, unit="nm"):
    """Return the centres and widths, in nm, of the bands to resample to.

    Parameters
    ----------
    target : array-like, object with `wavelengths`, str or path-like
    fwhm : array-like or float, default=None
    unit : str, default="nm"
        Unit of numbers.

    Returns
    -------
    centres, widths : ndarray of shape (n_bands,)

    Raises
    ------
    ValueError
        If the target has no wavelengths.
    """
    described = target
    if isinstance(target, (str, Path)):
        from ..scenes import describe_scene

        described = describe_scene(target)
    if hasattr(described, "wavelengths"):
        if described.wavelengths is None:
            raise ValueError(
                f"Expected a target with wavelengths, got {target!s} without; pass the "
                f"wavelengths of its bands."
            )
        centres = np.array(described.wavelengths, dtype=float)
        given = getattr(described, "fwhm", None)
    else:
        centres, given = check_wavelengths(target, unit, "target"), None
    if fwhm is not None:
        given = np.asarray(fwhm, dtype=float) * nanometres_in(unit)
    widths = usual_widths(centres) if given is None else np.array(given, dtype=float)
    if widths.ndim == 0:
        widths = np.full(len(centres), widths)
    if widths.shape != centres.shape or not (np.isfinite(widths) & (widths > 0)).all():
        raise ValueError(
            f"Expected one positive fwhm, or one for each of {len(centres)} target bands, got "
            f"{'shape ' + str(widths.shape) if widths.shape != centres.shape else widths.min()}; "
            f"pass one width for each, or one for all."
        )
    return centres, widths
