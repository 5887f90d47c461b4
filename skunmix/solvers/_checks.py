"""Checks of the arguments of all solvers."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_scalar

from ..utils.labels import ABUNDANCE_NAMES, BAND_NAMES, axis_labels, check_axes, check_columns
from ..utils.validation import check_same_bands

# If the norm of an endmember is smaller, its inverse overflows.
_LEAST_NORM = 1e-290


def check_problem(spectra, endmembers, *, lam, max_iter, mu=None):
    """Check the arguments of a solver; return spectra and endmembers as `check_data` does."""
    spectra, endmembers = check_data(spectra, endmembers)
    check_lam(lam)
    check_scalar(max_iter, "max_iter", Integral, min_val=1)
    if mu is not None:
        check_scalar(mu, "mu", Real, min_val=0, include_boundaries="neither")
    return spectra, endmembers


def check_labels(spectra, endmembers, abundances=None):
    """Check that no entry is masked, and that labels agree, in the same order, if both have any."""
    check_axes(spectra, "spectra", BAND_NAMES)
    check_axes(endmembers, "endmembers", BAND_NAMES)
    check_axes(abundances, "abundances", ABUNDANCE_NAMES)
    names, bands = axis_labels(endmembers)
    check_columns(axis_labels(spectra), bands, "the bands of spectra", "those of endmembers")
    check_columns(axis_labels(abundances), names, "the columns of abundances", "endmembers")


def check_data(spectra, endmembers, *, finite=True):
    """Return spectra, and endmembers as a C-contiguous array of float64, after checking both.

    Spectra keep their type, so that a memory-mapped scene is converted block by block. `finite` is
    whether to check them for NaN.
    """
    check_labels(spectra, endmembers)
    spectra = check_array(spectra, dtype="numeric", ensure_all_finite=finite, input_name="spectra")
    endmembers = check_array(endmembers, dtype=np.float64, order="C", input_name="endmembers")
    check_same_bands(spectra, endmembers)
    largest = np.abs(endmembers).max(axis=1)
    tiny = np.flatnonzero((largest > 0) & (largest < _LEAST_NORM))
    if len(tiny):
        raise ValueError(
            f"Expected endmembers of zeros or with a magnitude of at least {_LEAST_NORM:g}, got "
            f"{largest[tiny[0]]:g} for endmember {tiny[0]}; pass spectra and endmembers in larger "
            f"units, or set it to zero."
        )
    return spectra, endmembers


def check_lam(lam):
    """Check that λ is a finite number ≥ 0."""
    check_scalar(lam, "lam", Real, min_val=0)
    if not np.isfinite(lam):
        raise ValueError(f"Expected lam as a finite number, got {lam}; pass 0 for no penalty.")


def check_unsigned(lam, sum_to_one):
    """Check the problem without x ≥ 0, in which ‖x‖₁ is not 1 although Σx = 1."""
    if lam > 0 and sum_to_one is not False:
        raise ValueError(
            f"Expected lam=0 for sum_to_one={sum_to_one!r} with positive=False, got {lam:g}, which "
            f"has no solver, as ‖x‖₁ is not constant; pass lam=0."
        )


def row_norms(rows):
    """Return the norm of each row, which is accurate even if squares overflow or vanish."""
    largest = np.abs(rows).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0)
    return largest * np.linalg.norm(rows / scale[:, np.newaxis], axis=1)


def units(sizes):
    """Return powers of two as divisors where squares of the sizes overflow or vanish, or else 1."""
    sizes = np.asarray(sizes, dtype=np.float64)
    extreme = (sizes > 0) & ((sizes < 1e-100) | (sizes > 1e100))
    return np.where(extreme, 2.0 ** (np.frexp(sizes)[1] - 1), 1.0)


def check_norms(norms, start):
    """Check by their norms that the spectra of a block, from pixel `start`, are finite.

    Raises
    ------
    ValueError
        If a value is NaN or infinite, or its square overflows.
    """
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        raise ValueError(
            f"Expected spectra of finite numbers whose squares do not overflow, got NaN, infinity "
            f"or a number too large in pixel {start + bad[0]}; leave such pixels out."
        )
