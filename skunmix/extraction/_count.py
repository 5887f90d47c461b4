"""How many endmembers there are: the maths of each method."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ..solvers.moments import N_SAMPLE_OF_NOISE, Moments, sample_rows, second_moments
from ..solvers.noise import noise_variances, regress_bands

METHODS = ("elbow", "hysime", "hfc", "nwhfc")
# Constants of "elbow", set on simulated scenes of 3 to 10 minerals at 20 dB and more, where drops
# of 1.5 to 5 are all right.
_DROP = 3.0
_N_FOLDS = 5
# A gain below this share of a band's noise, or below this many standard errors, counts as none.
_LEAST_GAIN, _N_ERRORS = 0.1, 3.0


@dataclass(frozen=True)
class EndmemberCount:
    """The number of endmembers by one method, and the spectra on which it decides.

    Attributes
    ----------
    n_endmembers : int
        The number.
    method : str
        The method of :func:`estimate_n_endmembers`.
    signal : ndarray of shape (n_bands,)
        For "hysime", the mean square of the spectra along each direction of the signal. For "hfc"
        and "nwhfc", how much each eigenvalue of the second moments exceeds that of the covariance.
        For "elbow", the gain of each further direction in held-out pixels, in units of the noise.
    noise : ndarray of shape (n_bands,)
        What `signal` has to exceed: twice the mean square of the noise ("hysime"), the threshold of
        the test ("hfc" and "nwhfc"), or the smallest gain that counts ("elbow", which also needs a
        drop to the next gain).
    """

    n_endmembers: int
    method: str
    signal: np.ndarray
    noise: np.ndarray


def count_endmembers(X, method, weight=None, false_alarm=1e-3):
    """Return the number of endmembers as an `EndmemberCount`.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
    method : {"elbow", "hysime", "hfc", "nwhfc"}
    weight : ndarray of shape (n_pixels,), default=None
    false_alarm : float
        For "hfc" and "nwhfc".
    """
    if method == "elbow":
        return count_by_elbow(fold_moments(X, weight))
    moments = second_moments(X, weight, N_SAMPLE_OF_NOISE)
    if method == "hysime":
        return count_by_hysime(moments)
    return count_by_hfc(moments, false_alarm, whiten=method == "nwhfc")


def count_by_hysime(moments):
    r"""Return the number of endmembers by HySime (Bioucas-Dias & Nascimento 2008).

    The directions are the eigenvectors :math:`e_i` of the signal's second moments. One is kept if
    that lowers the mean squared error of the projection,

    .. math:: e_i^T R_y e_i > 2\, e_i^T R_n e_i
    """
    variances, signal = regress_bands(moments)
    _, directions = np.linalg.eigh(signal)
    directions = directions[:, ::-1]
    power = np.einsum("ij,ij->j", directions, moments.second @ directions)
    noise = 2 * variances @ np.square(directions)
    return EndmemberCount(int(np.count_nonzero(power > noise)), "hysime", power, noise)


def count_by_hfc(moments, false_alarm, *, whiten):
    r"""Return the number of endmembers by HFC, or NWHFC after whitening (Chang & Du 2004).

    With the eigenvalues :math:`\hat\lambda_i` of the second moments of n pixels and
    :math:`\lambda_i` of the covariance, an endmember counts if

    .. math:: \hat\lambda_i - \lambda_i > -\Phi^{-1}(P_F)
              \sqrt{\tfrac{2}{n} (\hat\lambda_i^2 + \lambda_i^2)}
    """
    second, covariance = moments.second, moments.covariance
    if whiten:
        size = noise_sizes(moments)
        second, covariance = second / np.outer(size, size), covariance / np.outer(size, size)
    of_second = np.linalg.eigvalsh(second)[::-1]
    of_covariance = np.linalg.eigvalsh(covariance)[::-1]
    spread = np.sqrt(2 / moments.n_pixels * (of_second**2 + of_covariance**2))
    excess, threshold = of_second - of_covariance, norm.isf(false_alarm) * spread
    n_endmembers = int(np.count_nonzero(excess > threshold))
    return EndmemberCount(n_endmembers, "nwhfc" if whiten else "hfc", excess, threshold)


def count_by_elbow(folds):
    r"""Return the number of endmembers after which held-out gains fall no more.

    With bands in units of their noise, the directions :math:`v_k` are the eigenvectors of the
    second moments of all folds but one. In the fold held out, of second moments :math:`R`, the gain
    of the fit by one more direction, beyond the noise that it fits, is

    .. math:: g_k = v_k^T R v_k - 1

    The mean over the folds counts as none below 0.1, and below three standard errors. The number is
    the last k whose gain is at least three times the next.

    Parameters
    ----------
    folds : list of Moments
    """
    together = pool(folds)
    size = noise_sizes(together)
    seconds = np.array([fold.second for fold in folds]) / np.outer(size, size)
    counts = np.array([fold.n_pixels for fold in folds], dtype=np.float64)
    gains = np.empty((len(folds), len(size)))
    for fold, held_out in enumerate(seconds):
        others = np.arange(len(folds)) != fold
        training = np.tensordot(counts[others], seconds[others], axes=1)
        directions = np.linalg.eigh(training / counts[others].sum())[1][:, ::-1]
        gains[fold] = np.einsum("ij,ij->j", directions, held_out @ directions) - 1
    gain = gains.mean(axis=0)
    # the spread over the folds is itself uncertain, and noise alone has this one
    error = gains.std(axis=0, ddof=1) / np.sqrt(len(folds))
    error = np.maximum(error, np.sqrt(2 / together.n_pixels))
    least = np.maximum(_LEAST_GAIN, _N_ERRORS * error)
    following = np.append(np.maximum(gain, least)[1:], least[-1])
    drops = np.flatnonzero(gain >= _DROP * following)
    return EndmemberCount(int(drops[-1]) + 1 if len(drops) else 0, "elbow", gain, least)


def fold_moments(X, weight=None):
    """Return the second moments of each of five folds of an even sample of the pixels.

    Raises
    ------
    ValueError
        If there are fewer than two pixels for each fold.
    """
    rows = sample_rows(len(X), N_SAMPLE_OF_NOISE, weight)
    if len(rows) < 2 * _N_FOLDS:
        raise ValueError(
            f"Expected at least {2 * _N_FOLDS} pixels to estimate the number of endmembers, got "
            f"n_samples={len(rows)}; pass more pixels, or n_endmembers as a number."
        )
    return [second_moments(X, weight, rows=rows[fold::_N_FOLDS]) for fold in range(_N_FOLDS)]


def pool(folds):
    """Return the moments of all folds together, which have equal weights."""
    mean = np.mean([fold.mean for fold in folds], axis=0)
    between = np.mean([np.outer(fold.mean - mean, fold.mean - mean) for fold in folds], axis=0)
    covariance = np.mean([fold.covariance for fold in folds], axis=0) + between
    return Moments(sum(fold.n_pixels for fold in folds), mean, covariance)


def noise_sizes(moments):
    """Return the standard deviation of the noise of each band, or 1 where it is 0."""
    sizes = np.sqrt(noise_variances(moments))
    return np.where(sizes > 0, sizes, 1.0)
