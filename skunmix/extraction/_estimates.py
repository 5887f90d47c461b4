"""The number of endmembers, and the noise, of an array of spectra."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_array

from ..solvers.moments import N_SAMPLE_OF_NOISE, second_moments
from ..solvers.noise import noise_variances
from ..utils import Interval, StrOptions, validate_params
from ..utils.labels import BAND_NAMES, check_axes
from ..utils.magnitudes import warn_of_extremes
from ..utils.validation import check_numbers
from ._count import METHODS, count_endmembers
from ._weights import check_weight


@validate_params(
    {"X": ["array-like"], "sample_weight": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def estimate_noise(X: ArrayLike, *, sample_weight: ArrayLike | None = None) -> NDArray[Any]:
    r"""Estimate the noise of each band, by the regression of each band on the others.

    The spectra of neighbouring bands are so similar that a linear combination of the other bands
    predicts the signal of a band, but not its noise. With the second moments :math:`R` of n pixels
    and L bands,

    .. math:: \sigma_i^2 = \frac{n}{n - L + 1} \frac{1}{(R^{-1})_{ii}}

    Parameters
    ----------
    X : array-like of shape (n_pixels, n_bands)
        Spectra, one per row. Of more than 65,536, an even sample is used.

    sample_weight : array-like of shape (n_pixels,), default=None
        Weights of the pixels. A pixel of weight 0 is left out.

    Returns
    -------
    noise : ndarray of shape (n_bands,)
        Standard deviation of the noise, in the unit of the spectra.

    Raises
    ------
    ValueError
        If there are no more pixels than bands, or a value is NaN, infinite or masked.

    See Also
    --------
    estimate_n_endmembers : The number of endmembers, which depends on the noise.
    skunmix.preprocessing.MinimumNoiseFraction : Spectra in components of least noise.

    Notes
    -----
    The noise is too large where a signal appears in one band only, and too small where the noise
    of bands is correlated, as after resampling.

    References
    ----------
    J. M. Bioucas-Dias and J. M. P. Nascimento, "Hyperspectral subspace identification", IEEE
    Transactions on Geoscience and Remote Sensing 46(8), 2435-2445, 2008.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.extraction import estimate_noise
    >>> scene = make_scene(snr=30, random_state=0)
    >>> print(f"{estimate_noise(scene.spectra).mean():.4f}, {scene.noise_std:.4f}")
    0.0170, 0.0167
    """
    X, weight = _checked(X, sample_weight)
    return np.sqrt(noise_variances(second_moments(X, weight, N_SAMPLE_OF_NOISE)))


@validate_params(
    {
        "X": ["array-like"],
        "method": [StrOptions(set(METHODS))],
        "sample_weight": ["array-like", None],
        "false_alarm": [Interval(Real, 0, 1, closed="neither")],
        "return_spectra": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def estimate_n_endmembers(
    X: ArrayLike,
    method: str = "elbow",
    *,
    sample_weight: ArrayLike | None = None,
    false_alarm: float = 1e-3,
    return_spectra: bool = False,
) -> Any:
    r"""Estimate the number of endmembers in an image.

    All methods count dimensions that the spectra have beyond their noise. A real image has more of
    these than materials, since the spectra of a material vary, and light is scattered more than
    once. HySime then counts too many (18 on Jasper Ridge, where the reference has 4). "elbow" looks
    for the dimension after which further ones gain little compared to those before, and finds 4.

    Parameters
    ----------
    X : array-like of shape (n_pixels, n_bands)
        Spectra, one per row. Of more than 65,536, an even sample is used.

    method : {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        How to count:

        - "elbow" measures how much each further dimension improves the fit of held-out pixels, in
          units of the noise. The last one with at least three times the gain of the next counts,
          with all before it.
        - "hysime": the dimensions that lower the mean squared error of the spectra projected on
          them [1]_.
        - "hfc": the eigenvalues of the second moments that significantly exceed those of the
          covariance [2]_. These are dimensions that the mean spectrum has a part in.
        - "nwhfc": the same after the bands are scaled to noise of variance one.

    sample_weight : array-like of shape (n_pixels,), default=None
        Weights of the pixels. A pixel of weight 0 is left out.

    false_alarm : float, default=1e-3
        Probability that noise counts as a dimension, for "hfc" and "nwhfc".

    return_spectra : bool, default=False
        Whether to return the values on which the method decides.

    Returns
    -------
    n_endmembers : int
        The number, which is 0 if no dimension exceeds the noise.

    count : EndmemberCount
        Instead of the number, if `return_spectra`: an object with `n_endmembers`, `method`, and
        `signal` and `noise`, both of shape (n_bands,). Along each dimension, `signal` is what
        is compared, and `noise` what it is compared to.

    Raises
    ------
    ValueError
        If there are no more pixels than bands, or a value is NaN, infinite or masked.

    See Also
    --------
    estimate_noise : The noise of each band.
    skunmix.plotting.EndmemberCountDisplay : The figure for all methods.

    Notes
    -----
    Endmembers are counted that are linearly independent: a mixture of others is none, nor is
    shade, of zeros. There must be many more bands than endmembers, so that other bands predict the
    signal of a band.

    "hysime" keeps a direction if the signal along it has more energy than the noise. Endmembers
    that are nearly mixtures of the others do not reach that if there is much noise, so the number
    is too small: of ten similar minerals of the USGS library at 20 dB it finds five to nine, and
    the true noise would give the same.

    References
    ----------
    .. [1] J. M. Bioucas-Dias and J. M. P. Nascimento, "Hyperspectral subspace identification", IEEE
       Transactions on Geoscience and Remote Sensing 46(8), 2435-2445, 2008.

    .. [2] C.-I. Chang and Q. Du, "Estimation of number of spectrally distinct signal sources in
       hyperspectral imagery", IEEE Transactions on Geoscience and Remote Sensing 42(3), 608-619,
       2004.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.extraction import estimate_n_endmembers
    >>> scene = make_scene(n_endmembers=5, snr=30, random_state=0)
    >>> estimate_n_endmembers(scene.spectra)
    5
    >>> estimate_n_endmembers(scene.spectra, "hysime")
    5
    """
    X, weight = _checked(X, sample_weight)
    count = count_endmembers(X, method, weight, false_alarm)
    return count if return_spectra else count.n_endmembers


def _checked(X, sample_weight):
    check_axes(X, "X", BAND_NAMES)
    X = check_array(X, dtype="numeric", input_name="X")
    check_numbers(X, "X")
    weight = check_weight(sample_weight, X)
    warn_of_extremes(X, weight, stacklevel=4)
    return X, weight
