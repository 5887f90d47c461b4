"""Angles between the spectra of a library."""

import numpy as np
from scipy.spatial.distance import cdist


def angles_between(spectra, others):
    """Return the angles between the rows of two matrices, in degrees. No row may be zero."""
    u, v = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (spectra, others))
    # use the chord between unit vectors, which is accurate for small angles; their product is not
    return np.degrees(2 * np.arcsin(np.minimum(cdist(u, v) / 2, 1)))


def prune(spectra, min_angle):
    """Return the indices of spectra that are pairwise more than `min_angle` degrees apart.

    The selection is greedy and depends on the order: a spectrum is kept if its angle to each one
    kept before it exceeds `min_angle`. The first spectrum is always kept.
    """
    apart = angles_between(spectra, spectra) > min_angle
    kept = []
    for i in range(len(spectra)):
        if apart[i, kept].all():
            kept.append(i)
    return np.asarray(kept, dtype=np.intp)
