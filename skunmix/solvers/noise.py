"""The noise of each band, by the regression of each band on the others."""

import numpy as np

_EPS = float(np.finfo(np.float64).eps)


def noise_variances(moments):
    r"""Return the variance of the noise of each band.

    Each band is predicted from all others by least squares. The variance of what remains is, with
    the second moments :math:`R` of n pixels and L bands,

    .. math:: \sigma_i^2 = \frac{n}{n - L + 1} \frac{1}{(R^{-1})_{ii}}

    where the first factor corrects for the L - 1 coefficients of a regression.

    Parameters
    ----------
    moments : Moments

    Returns
    -------
    variances : ndarray of shape (n_bands,)
        0 in a band without noise, up to rounding.

    Raises
    ------
    ValueError
        If there are no more pixels than bands.
    """
    return regress_bands(moments)[0]


def regress_bands(moments):
    """Return the variances of the noise, and the second moments of the signal.

    The signal of a band is its prediction from all others (Bioucas-Dias & Nascimento 2008).

    Parameters
    ----------
    moments : Moments

    Returns
    -------
    variances : ndarray of shape (n_bands,)
    signal : ndarray of shape (n_bands, n_bands)

    Raises
    ------
    ValueError
        If there are no more pixels than bands.
    """
    n_bands = len(moments.mean)
    if moments.n_pixels <= n_bands:
        raise ValueError(
            f"Expected more pixels than the {n_bands} bands, to predict each band from the others, "
            f"got n_samples={moments.n_pixels} pixels; pass more pixels, or fewer bands."
        )
    second = moments.second
    # bands in units of their size, so that bands of small values are resolved as others are
    size = np.sqrt(np.diagonal(second))
    size = np.where(size > 0, size, 1.0)
    energies, vectors = np.linalg.eigh(second / np.outer(size, size))
    energies = np.maximum(energies, 4 * _EPS * energies[-1])
    if not energies[-1]:  # nothing but zeros
        return np.zeros(n_bands), second
    inverse = (vectors / energies) @ vectors.T / np.outer(size, size)
    precisions = np.diagonal(inverse)
    variances = 1 / precisions
    variances = np.minimum(variances, np.diagonal(second))
    # the predictions are X (I - inverse / precisions)
    predict = np.eye(n_bands) - inverse / precisions
    signal = predict.T @ second @ predict
    return variances * moments.n_pixels / (moments.n_pixels - n_bands + 1), (signal + signal.T) / 2
