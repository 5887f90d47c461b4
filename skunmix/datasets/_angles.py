"""Angles between the spectra of a library."""

import numpy as np
from scipy.spatial.distance import cdist


def angles_between(spectra, others):
    """Return the angles between the rows of two matrices, in degrees.

    Parameters
    ----------
    spectra : ndarray of shape (n_spectra, n_bands)
    others : ndarray of shape (n_others, n_bands)
        None of the rows of either is zero.

    Returns
    -------
    angles : ndarray of shape (n_spectra, n_others)
    """
    u, v = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (spectra, others))
    # the chord between unit vectors: unlike their scalar product, exact for small angles
    return np.degrees(2 * np.arcsin(np.minimum(cdist(u, v) / 2, 1)))


def prune(spectra, min_angle):
    """Return the indices of spectra that are pairwise more than `min_angle` apart.

    Greedy, in the order given: a spectrum stays if its angle to each one kept before it exceeds
    `min_angle`. The order matters; the first spectrum always stays.

    Parameters
    ----------
    spectra : ndarray of shape (n_spectra, n_bands)
    min_angle : float
        In degrees.

    Returns
    -------
    kept : ndarray of shape (n_kept,), int
        Ascending.
    """
    apart = angles_between(spectra, spectra) > min_angle
    kept = []
    for i in range(len(spectra)):
        if apart[i, kept].all():
            kept.append(i)
    return np.asarray(kept, dtype=np.intp)
