"""BlindUnmixer: the blind unmixer that suits the scene."""

from typing import Any, ClassVar

import numpy as np

from ..solvers.moments import N_SAMPLE, sample_rows, second_moments
from ..solvers.noise import noise_variances
from ..utils import StrOptions
from ._archetypal_analysis import ArchetypalAnalysis
from ._base import BaseExtractor
from ._blind import BaseBlindUnmixer
from ._brightness import brightness_varies, perspective
from ._minimum_volume_unmixer import MinimumVolume

# Beyond the dimensions of linear mixtures, the largest variance is 1 in units of what noise alone
# leaves. On simulated scenes, the linear model is the better one up to 3.6 (mild non-linearity),
# and the worse one from 5.2 (a brightness that varies by 10 % at 30 dB).
_LINEAR = 4.0
# The same, where brightness varies, of spectra divided by it: better up to 2.0, worse from 4.0.
_LINEAR_BUT_BRIGHTNESS = 3.0
# Without noise: a variance of the noise that is this share of the spectra's.
_LEAST_NOISE = 1e-8


class BlindUnmixer(BaseBlindUnmixer):
    r"""Blind unmixing by the method that suits the scene.

    Linear mixtures of p endmembers, whose abundances sum to one, have p - 1 principal components,
    and noise beyond. It is :class:`MinimumVolume` that finds their endmembers, more accurately than
    any pixel. If only their brightness varies, the same holds once each is divided by it. In real
    scenes, materials vary, too, and further components stand out from the noise. There,
    :class:`ArchetypalAnalysis` is more accurate.

    Parameters
    ----------
    n_endmembers : int or {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        Number of endmembers, or the method of :func:`estimate_n_endmembers` that estimates it.

    method : {"auto", "minimum-volume", "archetypes"}, default="auto"
        The method. "auto" takes "minimum-volume" if `misfit_` is less than 4, or if brightness
        varies and the misfit is less than 3 without it.

    random_state : int, RandomState instance or None, default=None
        Determines samples and starts. None draws from a new generator, not from NumPy's global one.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers.

    n_endmembers_ : int
        Number of endmembers.

    method_ : {"minimum-volume", "archetypes"}
        The method.

    misfit_ : float
        The variance of the p-th principal component, in units of the largest that noise alone would
        leave beyond the first p - 1. About 1 for linear mixtures. NaN if there are not more pixels
        than bands, so that the noise is unknown.

    unmixer_ : MinimumVolume or ArchetypalAnalysis
        The fitted unmixer. `MinimumVolume` has `varying_brightness` as the spectra suggest.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    MinimumVolume : For linear mixtures.
    ArchetypalAnalysis : For scenes of varying brightness.
    SunSALRegressor : Unmixes with given endmembers, or those of an extractor.

    Notes
    -----
    The principal components are those of bands divided by the standard deviation of their noise,
    which is estimated by regression on the other bands. For n pixels of noise in L bands, the
    largest variance of a component is :math:`(1 + \sqrt{L / n})^2` (Marchenko and Pastur 1967).

    Brightness varies if the spectra's distances from the hyperplane through the endmembers have a
    variance that exceeds the noise's by more than 5 %, and by five standard errors.

    If the number of endmembers is too small, further components stand out as well.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.extraction import BlindUnmixer
    >>> scene = make_scene(n_endmembers=3, shape=(40, 40), snr=30, random_state=0)
    >>> unmixer = BlindUnmixer(3, random_state=0).fit(scene.spectra)
    >>> unmixer.method_
    'minimum-volume'
    >>> unmixer.predict(scene.spectra).shape
    (1600, 3)
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseExtractor._parameter_constraints,
        "method": [StrOptions({"auto", "minimum-volume", "archetypes"})],
    }

    def __init__(
        self, n_endmembers: int | str = "elbow", *, method: str = "auto", random_state: Any = None
    ) -> None:
        self.n_endmembers = n_endmembers
        self.method = method
        self.random_state = random_state

    @property
    def _norm(self):
        return self.unmixer_._norm

    def _extract(self, X, weight, n_endmembers, rng):
        rows = sample_rows(len(X), N_SAMPLE, weight)
        moments = second_moments(X, weight, rows=rows)
        self.misfit_ = linear_misfit(moments, n_endmembers)
        varying = linear_but_brightness(X, weight, rows, moments, n_endmembers)
        linear = varying or self.misfit_ < _LINEAR
        method = "minimum-volume" if linear else "archetypes"
        self.method_ = method if self.method == "auto" else self.method
        seed = rng.randint(2**31 - 1)
        if self.method_ == "minimum-volume":
            unmixer = MinimumVolume(n_endmembers, varying_brightness=varying, random_state=seed)
        else:
            unmixer = ArchetypalAnalysis(n_endmembers, random_state=seed)
        self.unmixer_ = unmixer.fit(X, sample_weight=weight)
        return self.unmixer_.endmembers_


def linear_but_brightness(X, weight, rows, moments, n_endmembers):
    """Return whether spectra are linear mixtures whose brightness varies.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
    weight : ndarray of shape (n_pixels,), or None
    rows : ndarray of int
        The sample that `moments` are of.
    moments : Moments
    n_endmembers : int
    """
    if not moments.n_pixels > len(moments.mean) >= n_endmembers:
        return False
    if not brightness_varies(moments, n_endmembers, _least_noise(moments)):
        return False
    Y = X[rows].astype(np.float64)
    weight = np.ones(len(Y)) if weight is None else weight[rows]
    projected, weight = perspective(Y, weight, noise_variances(moments).mean())
    misfit = linear_misfit(second_moments(projected, weight), n_endmembers)
    return misfit < _LINEAR_BUT_BRIGHTNESS


def linear_misfit(moments, n_endmembers):
    """Return how far spectra are from linear mixtures, in units of the noise.

    Parameters
    ----------
    moments : Moments
    n_endmembers : int

    Returns
    -------
    misfit : float
        The variance of principal component `n_endmembers`, counted from 1, of bands whose noise has
        unit variance, divided by the largest of noise alone. 0 if there is no such component, NaN
        if the noise is unknown.
    """
    n_bands = len(moments.mean)
    if n_endmembers > n_bands:
        return 0.0
    if moments.n_pixels <= n_bands:
        return np.nan
    noise = np.sqrt(np.maximum(noise_variances(moments), _least_noise(moments)))
    variances = np.linalg.eigvalsh(moments.covariance / np.outer(noise, noise))[::-1]
    return float(variances[n_endmembers - 1] / (1 + np.sqrt(n_bands / moments.n_pixels)) ** 2)


def _least_noise(moments):
    least = _LEAST_NOISE * np.trace(moments.second) / len(moments.mean)
    return least if least > 0 else 1.0
