"""Brightness that varies from pixel to pixel: whether it does, and spectra without it."""

import numpy as np
from scipy.optimize import nnls

from ..solvers import csr_active_set
from ..solvers.noise import noise_variances
from ..utils.spectra import to_unit_length

# The direction of a pixel darker than this many standard deviations of the noise is not known.
_DARKEST = 5.0
# Brightness varies if its variance is this share of the noise's, and this many standard errors.
# Variation of 5 % is found at 15 dB, and of 3 % at 30 dB.
_LEAST_SHARE, _N_ERRORS = 0.05, 5.0
# A variance that is a larger share of the mean square is not one of brightness, but of spectra
# whose mean was subtracted.
_LARGEST = 0.5


def brightness_varies(moments, n_endmembers, least_noise=0.0):
    r"""Return whether the brightness of linear mixtures varies, beyond what noise explains.

    Without noise, mixtures whose abundances sum to one lie on a hyperplane, :math:`y w = 1`. With
    the second moments :math:`\Lambda` of the spectra along their first p directions, and the
    coordinates m of their mean, in units of the noise,

    .. math:: w = (\Lambda - I)^{-1} m, \qquad v = 1 - m w

    where I takes the noise off (regression with errors in the variables). The variance v of the
    brightness, in units of its mean square, has a standard error of
    :math:`\|w\|^2 \sqrt{2 / n}` for mixtures of equal brightness.

    Parameters
    ----------
    moments : Moments
    n_endmembers : int
    least_noise : float
        Least variance of the noise of a band.
    """
    size = np.sqrt(np.maximum(noise_variances(moments), least_noise))
    energies, vectors = np.linalg.eigh(moments.second / np.outer(size, size))
    energies, vectors = energies[-n_endmembers:], vectors[:, -n_endmembers:]
    if energies[0] <= 1:  # fewer dimensions than endmembers
        return False
    mean = (moments.mean / size) @ vectors
    w = mean / (energies - 1)
    variance, noise = 1 - mean @ w, w @ w
    error = noise * np.sqrt(2 / moments.n_pixels)
    return bool(max(_LEAST_SHARE * noise, _N_ERRORS * error) < variance < _LARGEST)


def perspective(Y, weight, noise):
    """Divide spectra by their brightness: project them on a plane, from the origin.

    A mixture of any brightness falls on a mixture of the endmembers' projections. Dividing makes
    the noise of dark pixels larger, but they keep their weights: otherwise dark endmembers have
    too little, and their errors on simulated scenes are larger.

    Parameters
    ----------
    Y : ndarray of shape (n_pixels, n_bands)
        Not all zeros.
    weight : ndarray of shape (n_pixels,)
    noise : float
        Variance of the noise of a band.

    Returns
    -------
    projected : ndarray of shape (n_kept, n_bands)
        Without the pixels that are as dark as the noise, at most the darker half.
    weight : ndarray of shape (n_kept,)

    Raises
    ------
    ValueError
        If the spectra at unit length have a mean of zero.
    """
    direction = weight @ to_unit_length(Y)
    length = np.linalg.norm(direction)
    if not length:
        raise ValueError(
            "Expected spectra whose brightness is above 0, got spectra whose mean direction is 0; "
            "do not subtract their mean."
        )
    brightness = Y @ (direction / length)
    least = min(_DARKEST * np.sqrt(noise), np.median(brightness))
    kept = (brightness >= least) & (brightness > 0)
    return Y[kept] / brightness[kept, np.newaxis], weight[kept]


def as_bright_as(Y, weight, endmembers):
    """Return endmembers, scaled so that abundances sum to one as nearly as possible, on average.

    The scale of an endmember is known if brightness does not depend on the abundances.
    """
    coefficients = csr_active_set(Y, endmembers, lam=0).abundances
    root = np.sqrt(weight / weight.sum())
    sums = nnls(coefficients * root[:, np.newaxis], root)[0]
    # an endmember that no pixel needs keeps the scale of the others
    sums = np.where(sums > 0, sums, sums[sums > 0].mean())
    sums /= np.average(coefficients @ sums, weights=weight)
    return endmembers / sums[:, np.newaxis]
