"""Weights that resample spectra to the bands of another sensor."""

import numpy as np
from scipy.special import ndtr

# σ of a Gaussian of full width at half maximum 1
_SIGMA = 1 / np.sqrt(8 * np.log(2))
# A distance between bands that differs from those around it by more than this factor belongs to a
# gap between bands or to an overlap of detectors, and is no width.
_UNUSUAL = 1.5
_AROUND = 3
# Centres are the same if they differ by less than this, relatively, as files round them.
_SAME = 1e-5
_AS_WIDE = 0.75


def gaussian_weights(source, target, fwhm):
    """Integrate Gaussian responses against a spectrum that is linear between its wavelengths.

    The spectrum is Σ_j s_j h_j(λ) with the hat functions h_j of its wavelengths, so that the
    weight of s_j in a band is ∫ g h_j / ∫ g. On a step from a to b, ::

        ∫ g = Φ(b) − Φ(a),   ∫ g·(λ − c)/σ = φ(a) − φ(b),

    with a and b measured from the centre c in units of σ.

    The ascending `source`, and the centres and widths of the bands, are in nm. The weights have the
    shape (n_bands_out, n_bands), and rows sum to one.
    """
    if len(source) == 1:
        return np.ones((len(target), 1))
    t = (source - target[:, np.newaxis]) / (_SIGMA * fwhm[:, np.newaxis])
    mass = np.diff(ndtr(t), axis=1)
    moment = -np.diff(np.exp(-(t**2) / 2), axis=1) / np.sqrt(2 * np.pi)
    step = np.diff(t, axis=1)
    # ∫ g (λ − a) / (b − a), which rounding may put outside
    right = np.clip((moment - t[:, :-1] * mass) / step, 0, mass)
    weights = np.zeros_like(t)
    weights[:, 1:] += right
    weights[:, :-1] += mass - right
    return weights / weights.sum(axis=1, keepdims=True)


def without_overlap(source, target, fwhm):
    """Return which bands are outside the ascending `source`, and which are in a gap of it.

    A gap is between two wavelengths whose distance is more than twice the median. A band in it has
    no wavelength of the spectrum within its width. All are in nm.

    Returns
    -------
    outside, in_gap : ndarray of shape (n_bands_out,), of bool
    """
    right = np.clip(np.searchsorted(source, target), 1, max(len(source) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(source) - 1)
    nearest = np.minimum(abs(target - source[left]), abs(target - source[right]))
    usual = np.median(np.diff(source)) if len(source) > 1 else 0.0
    in_gap = (nearest > fwhm) & (source[right] - source[left] > 2 * usual)
    outside = (target < source[0]) | (target > source[-1])
    return outside, in_gap


def usual_widths(centres):
    """Return widths of bands from the distances between their centres, in any order.

    A distance that is unusual among its neighbours, as beside bands that were left out or where two
    detectors overlap, is limited to 1.5 times their median, or to the median divided by 1.5.

    Raises
    ------
    ValueError
        If there are fewer than two bands.
    """
    if len(centres) < 2:
        raise ValueError(
            f"Expected at least two bands, as without fwhm the widths are the distances between "
            f"centres, got {len(centres)}; pass fwhm."
        )
    order = np.argsort(centres, kind="stable")
    steps = np.diff(centres[order])
    around = np.array(
        [np.median(steps[max(0, i - _AROUND) : i + _AROUND]) for i in range(len(centres))]
    )
    widths = np.empty(len(centres))
    widths[order] = np.clip(np.gradient(centres[order]), around / _UNUSUAL, around * _UNUSUAL)
    return widths


def resample_spectra(spectra, source, target, fwhm, source_fwhm=None):
    """Resample spectra, each from its own measured bands.

    A response must not be applied twice. A band that the spectra have themselves, with the same
    centre and at least three quarters of the width, is therefore taken as it is.

    Parameters
    ----------
    spectra : ndarray of shape (n_spectra, n_bands)
        NaN where nothing was measured.
    source : ndarray of shape (n_bands,)
        Wavelengths in any order. Values of repeated ones, as where detectors overlap, are averaged.
    target, fwhm : ndarray of shape (n_bands_out,)
        Centres and widths.
    source_fwhm : ndarray of shape (n_bands,), default=None
        Widths of the spectra's bands. None takes the distances between them.

    Returns
    -------
    resampled : ndarray of shape (n_spectra, n_bands_out)
        NaN in bands that a spectrum does not cover.
    """
    known = ~np.isnan(spectra)
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    resampled = np.full((len(spectra), len(target)), np.nan)
    for i, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        rows = np.flatnonzero(np.ravel(which) == i)
        wavelengths, place = np.unique(source[pattern], return_inverse=True)
        outside, in_gap = without_overlap(wavelengths, target, fwhm)
        covered = ~(outside | in_gap)
        if not covered.any():
            continue
        weights = gaussian_weights(wavelengths, target[covered], fwhm[covered])
        weights = (weights / np.bincount(place))[:, place]
        resampled[np.ix_(rows, covered)] = spectra[np.ix_(rows, pattern)] @ weights.T
    own, same = _same_bands(source, source_fwhm, target, fwhm)
    measured = spectra[:, own]
    resampled[:, same] = np.where(np.isnan(measured), resampled[:, same], measured)
    return resampled


def _same_bands(source, source_fwhm, target, fwhm):
    """Return the bands of spectra that are also bands of a target, and these."""
    if source_fwhm is None:
        distinct = len(np.unique(source)) == len(source) > 1
        source_fwhm = usual_widths(source) if distinct else np.zeros(len(source))
    nearest = np.abs(source[:, np.newaxis] - target).argmin(axis=0)
    same = np.abs(source[nearest] - target) <= _SAME * target
    same &= source_fwhm[nearest] >= _AS_WIDE * fwhm
    return nearest[same], np.flatnonzero(same)
