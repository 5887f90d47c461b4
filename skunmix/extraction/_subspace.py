"""The subspace of the signal, and spectra in its coordinates."""

from dataclasses import dataclass

import numpy as np

from ..solvers.moments import (
    N_SAMPLE,
    floats_of,
    message_too_large,
    row_blocks,
    second_moments,
    with_signs,
)

_EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Subspace:
    """An orthonormal basis, and the point from which coordinates count.

    Attributes
    ----------
    basis : ndarray of shape (n_bands, n_dims)
        Orthonormal columns, the one of most energy first.
    origin : ndarray of shape (n_bands,)
        The mean spectrum if the subspace is centred, or zeros.
    mean : ndarray of shape (n_bands,)
        The mean spectrum.
    energies : ndarray of shape (n_bands,)
        Mean squares of the spectra (less `origin`) along all directions, decreasing.
    rank : int
        Number of directions whose energy is above rounding.
    """

    basis: np.ndarray
    origin: np.ndarray
    mean: np.ndarray
    energies: np.ndarray
    rank: int

    def project(self, X):
        """Return the coordinates of spectra.

        The spectra are read once, in blocks, so that integers and memory-mapped arrays are never
        converted as a whole. Products are in float32 for types that float32 holds.

        Parameters
        ----------
        X : ndarray of shape (n_pixels, n_bands)

        Returns
        -------
        coordinates : ndarray of shape (n_pixels, n_dims), float64, in Fortran's order
            This order is several times faster for products with a few columns.

        Raises
        ------
        ValueError
            If a product overflows.
        """
        coordinates = np.empty((len(X), self.basis.shape[1]), order="F")
        bases = {np.dtype(t): self.basis.astype(t) for t in (np.float32, np.float64)}
        with np.errstate(over="ignore", invalid="ignore"):
            for block in row_blocks(*X.shape):
                spectra = floats_of(X[block])
                coordinates[block] = spectra @ bases[spectra.dtype]
        coordinates -= self.origin @ self.basis
        if not np.isfinite(coordinates.sum()):
            raise ValueError(message_too_large())
        return coordinates

    def rebuild(self, coordinates):
        """Return the spectra, (n_pixels, n_bands), at coordinates, (n_pixels, n_dims)."""
        return coordinates @ self.basis.T + self.origin


def signal_subspace(X, n_dims, *, weight=None, centred=False, n_sample=N_SAMPLE):
    """Return the subspace that holds most of the energy of spectra.

    It consists of the leading eigenvectors of the second moments of an even sample of the pixels,
    which are the principal components if it is centred. What is rarer than one pixel in a sample
    may be missing from it.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
        Finite spectra of any numeric type, perhaps memory-mapped.
    n_dims : int
        Number of dimensions, from 0 to n_bands.
    weight : ndarray of shape (n_pixels,), default=None
        Weights of the pixels. A pixel of weight 0 counts as absent.
    centred : bool, default=False
        Whether the subspace contains the mean spectrum as its origin.
    n_sample : int, default=16384
        Largest number of pixels in the sample.

    Returns
    -------
    subspace : Subspace
    """
    moments = second_moments(X, weight, n_sample)
    return subspace_of(moments, n_dims, centred=centred, precision=precision_of(X))


def subspace_of(moments, n_dims, *, centred=False, precision=_EPS):
    """Return the subspace that holds most of the energy, given second moments.

    Parameters
    ----------
    moments : Moments
    n_dims : int
    centred : bool, default=False
    precision : float
        Relative rounding error of the spectra.

    Returns
    -------
    subspace : Subspace
    """
    matrix = moments.covariance if centred else moments.second
    energies, vectors = np.linalg.eigh(matrix)
    energies, vectors = np.maximum(energies[::-1], 0.0), vectors[:, ::-1]
    n_bands = len(energies)
    # eigenvalues are squares, so that the rounding of the spectra counts with its square
    total = np.trace(moments.covariance) + moments.mean @ moments.mean
    least = n_bands * (8 * _EPS * energies[0] + precision**2 * total)
    return Subspace(
        basis=np.ascontiguousarray(with_signs(vectors[:, :n_dims])),
        origin=moments.mean if centred else np.zeros(n_bands),
        mean=moments.mean,
        energies=energies,
        rank=int(np.count_nonzero(energies > least)),
    )


def check_dims(subspace, n_endmembers, n_pixels):
    """Check that the spectra have as many dimensions as there are endmembers.

    Parameters
    ----------
    subspace : Subspace
        If it is centred, n endmembers need n - 1 directions, and otherwise n dimensions.
    n_endmembers, n_pixels : int

    Raises
    ------
    ValueError
        If there are too few bands, or the pixels span too few dimensions.
    """
    n_bands, beside = len(subspace.energies), int(subspace.origin.any())
    if n_endmembers > n_bands + beside:
        raise ValueError(
            f"Expected at most {n_bands + beside} endmembers for spectra of n_features={n_bands} "
            f"bands, got n_endmembers={n_endmembers}; pass fewer."
        )
    possible = subspace.rank + beside
    if n_endmembers > possible:
        fix = f"pass n_endmembers={possible}" if possible else "pass spectra that are not zero"
        raise ValueError(
            f"Expected pixels that are mixtures of at least {n_endmembers} different spectra, got "
            f"n_samples={n_pixels} pixels that {possible} can mix; {fix}."
        )


def spectra_at(X, indices, subspace, denoise):
    """Return pixels as float64, projected on the subspace if `denoise`."""
    spectra = X[indices].astype(np.float64)
    return subspace.rebuild(subspace.project(spectra)) if denoise else spectra


def precision_of(X):
    """Return the relative rounding error of spectra of this type."""
    return float(np.finfo(X.dtype).eps) if X.dtype.kind == "f" else _EPS
