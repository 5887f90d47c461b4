"""A bounded sample of the pixels, and their signal subspace."""

import numpy as np


def sample_pixels(X, weight, max_samples, rng):
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
        drawn = np.sort(rng.choice(n_pixels, max_samples, replace=False))
        rows = drawn if rows is None else rows[drawn]
    Y = np.asarray(X if rows is None else X[rows], dtype=np.float64)
    weight = np.ones(len(Y)) if weight is None else weight[slice(None) if rows is None else rows]
    Y, inverse = np.unique(Y, axis=0, return_inverse=True)
    return Y, np.bincount(np.ravel(inverse), weights=weight, minlength=len(Y))


def signal_subspace(Y, weight, n_dimensions):
    """Return a basis of the subspace of most energy, and the variance of a band beyond it.

    Parameters
    ----------
    Y : ndarray of shape (n_pixels, n_bands)
    weight : ndarray of shape (n_pixels,)
    n_dimensions : int

    Returns
    -------
    basis : ndarray of shape (n_bands, n_dimensions)
        Orthonormal columns.
    variance : float
        Mean over the dimensions beyond; 0 if there are none.

    Raises
    ------
    ValueError
        If the spectra span fewer dimensions.
    """
    n_bands = Y.shape[1]
    energies, vectors = np.linalg.eigh((Y.T * (weight / weight.sum())) @ Y)
    energies, vectors = np.maximum(energies[::-1], 0.0), vectors[:, ::-1]
    rank = int(np.count_nonzero(energies > 1e-13 * energies[0])) if energies[0] > 0 else 0
    if min(rank, len(Y)) < n_dimensions:
        raise ValueError(
            f"Expected n_endmembers of at most {min(rank, len(Y))}, the number of dimensions that "
            f"the n_samples = {len(Y)} distinct pixels of {n_bands} feature(s) span, got "
            f"{n_dimensions}; pass a smaller n_endmembers, or more varied pixels."
        )
    beyond = energies[n_dimensions:]
    return vectors[:, :n_dimensions], float(beyond.mean()) if len(beyond) else 0.0


def largest_simplex(P, n_vertices, rng, n_init=10, max_iter=20):
    """Return the rows of P that span the largest simplex that exchanges find (N-FINDR).

    Parameters
    ----------
    P : ndarray of shape (n_pixels, n_dimensions)
    n_vertices : int
    rng : RandomState
    n_init, max_iter : int
        Random starts, and rounds of exchanges.

    Returns
    -------
    rows : ndarray of shape (n_vertices,)
    """
    centred = P - P.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    points = np.column_stack([np.ones(len(P)), centred @ axes[:, ::-1][:, : n_vertices - 1]])
    best, largest = None, -1.0
    for _ in range(n_init):
        rows = rng.choice(len(P), n_vertices, replace=False)
        for _ in range(max_iter):
            before = rows.copy()
            for j in range(n_vertices):
                # the determinant as a linear function of the vertex j
                cofactors = _cofactors(points[rows], j)
                volumes = np.abs(points @ cofactors)
                candidate = int(volumes.argmax())
                if volumes[candidate] > volumes[rows[j]] * (1 + 1e-12):
                    rows[j] = candidate
            if (rows == before).all():
                break
        volume = abs(np.linalg.det(points[rows]))
        if volume > largest:
            best, largest = rows, volume
    return best


def _cofactors(matrix, row):
    rest = np.delete(matrix, row, axis=0)
    return np.array(
        [(-1) ** (row + k) * np.linalg.det(np.delete(rest, k, axis=1)) for k in range(len(matrix))]
    )
