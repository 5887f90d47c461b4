"""Checks of the arguments of all solvers."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_scalar

from ..utils.labels import axis_labels, check_columns, refuse_masked
from ..utils.validation import check_same_bands

# For smaller norms of an endmember, one over the norm overflows.
_LEAST_NORM = 1e-290


def check_problem(spectra, endmembers, *, lam, max_iter, mu=None):
    """Check the arguments of a solver.

    Spectra keep their type, so that a memory-mapped scene is converted block by block.

    Returns
    -------
    spectra : ndarray of shape (n_pixels, n_bands)
    endmembers : ndarray of shape (n_endmembers, n_bands), float64

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type or is out of range, the numbers of bands differ, or there is
        a NaN.
    """
    spectra, endmembers = check_data(spectra, endmembers)
    check_lam(lam)
    check_scalar(max_iter, "max_iter", Integral, min_val=1)
    if mu is not None:
        check_scalar(mu, "mu", Real, min_val=0, include_boundaries="neither")
    return spectra, endmembers


def check_labels(spectra, endmembers, abundances=None):
    """Check that nothing is masked, and that labels agree if both have labels.

    Raises
    ------
    ValueError
        If an entry is masked, or if labels differ or are in another order.
    """
    named = {"spectra": spectra, "endmembers": endmembers, "abundances": abundances}
    for name, values in named.items():
        refuse_masked(values, name)
    names, bands = axis_labels(endmembers)
    check_columns(axis_labels(spectra), bands, "the bands of spectra", "those of endmembers")
    check_columns(axis_labels(abundances), names, "the columns of abundances", "endmembers")


def check_data(spectra, endmembers, *, finite=True):
    """Check spectra and endmembers. `finite` is whether to check the spectra for NaN.

    Returns
    -------
    spectra : ndarray of shape (n_pixels, n_bands)
    endmembers : ndarray of shape (n_endmembers, n_bands), float64 in C's order

    Raises
    ------
    ValueError
        If the numbers of bands differ, there is a NaN or a masked value, labels differ, or an
        endmember is too small to divide by.
    """
    check_labels(spectra, endmembers)
    spectra = check_array(spectra, dtype="numeric", ensure_all_finite=finite, input_name="spectra")
    endmembers = check_array(endmembers, dtype=np.float64, order="C", input_name="endmembers")
    check_same_bands(spectra, endmembers)
    largest = np.abs(endmembers).max(axis=1)
    tiny = np.flatnonzero((largest > 0) & (largest < _LEAST_NORM))
    if len(tiny):
        raise ValueError(
            f"endmembers must be zero or of values that float64 can divide by, but the largest of "
            f"endmember {tiny[0]} is {largest[tiny[0]]:g}; give spectra and endmembers in larger "
            f"units, or make it zero."
        )
    return spectra, endmembers


def check_lam(lam):
    """Check that λ is a finite number ≥ 0."""
    check_scalar(lam, "lam", Real, min_val=0)
    if not np.isfinite(lam):
        raise ValueError(f"lam must be a finite number, but is {lam}; λ = 0 is no penalty.")


def row_norms(rows):
    """Return the norm of each row, also if the squares of its values overflow or vanish."""
    largest = np.abs(rows).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0)
    return largest * np.linalg.norm(rows / scale[:, np.newaxis], axis=1)


def units(sizes):
    """Return powers of two to divide by if squares of such sizes overflow or vanish, or 1."""
    sizes = np.asarray(sizes, dtype=np.float64)
    extreme = (sizes > 0) & ((sizes < 1e-100) | (sizes > 1e100))
    return np.where(extreme, 2.0 ** (np.frexp(sizes)[1] - 1), 1.0)
