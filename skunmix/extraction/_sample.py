"""A bounded sample of the pixels."""

import numpy as np


def distinct_pixels(X, weight, max_samples, rng):
    """Return distinct spectra of a random sample of the pixels, and their weights.

    Equal spectra are one with the sum of their weights, in an order that does not depend on that
    of the pixels.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
        Perhaps memory-mapped; only the rows of the sample are read.
    weight : ndarray of shape (n_pixels,), or None
        Pixels of weight 0 are absent.
    max_samples : int
    rng : RandomState

    Returns
    -------
    Y : ndarray of shape (n_samples, n_bands), float64
    weight : ndarray of shape (n_samples,), float64
    """
    rows = None if weight is None else np.flatnonzero(weight)
    n_pixels = len(X) if rows is None else len(rows)
    if n_pixels > max_samples:
        drawn = sample_some(n_pixels, max_samples, rng)
        rows = drawn if rows is None else rows[drawn]
    Y = np.asarray(X if rows is None else X[rows], dtype=np.float64)
    weight = np.ones(len(Y)) if weight is None else weight[slice(None) if rows is None else rows]
    Y, inverse = np.unique(Y, axis=0, return_inverse=True)
    return Y, np.bincount(np.ravel(inverse), weights=weight, minlength=len(Y))


def sample_some(n_pixels, n_samples, rng):
    """Return the sorted indices of a random sample, or of all pixels if there are no more."""
    if n_pixels <= n_samples:
        return np.arange(n_pixels)
    return np.sort(rng.choice(n_pixels, n_samples, replace=False))
