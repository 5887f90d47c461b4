"""Checks of what every solver is given."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_array, check_scalar

from ..utils import axis_labels, check_columns, check_same_bands, refuse_masked


def check_problem(spectra, endmembers, *, lam, max_iter, mu=None):
    """Check the arguments that the solvers share.

    Spectra keep their type, so that a memory-mapped scene is converted a block at a time.

    Returns
    -------
    spectra : ndarray of shape (n_pixels, n_bands)
    endmembers : ndarray of shape (n_endmembers, n_bands), float64

    Raises
    ------
    TypeError, ValueError
        If a parameter is not of its type or out of its range, the numbers of bands differ, or
        there is a NaN.
    """
    check_labels(spectra, endmembers)
    spectra = check_array(spectra, dtype="numeric", input_name="spectra")
    endmembers = check_array(endmembers, dtype=np.float64, input_name="endmembers")
    check_same_bands(spectra, endmembers)
    check_scalar(lam, "lam", Real, min_val=0)
    check_scalar(max_iter, "max_iter", Integral, min_val=1)
    if mu is not None:
        check_scalar(mu, "mu", Real, min_val=0, include_boundaries="neither")
    return spectra, endmembers


def check_labels(spectra, endmembers, abundances=None):
    """Check that nothing is masked, and that labels agree where both sides have some.

    Raises
    ------
    ValueError
        If an entry is masked, or labels differ or come in another order.
    """
    named = {"spectra": spectra, "endmembers": endmembers, "abundances": abundances}
    for name, values in named.items():
        refuse_masked(values, name)
    names, bands = axis_labels(endmembers)
    check_columns(axis_labels(spectra), bands, "the bands of spectra", "those of endmembers")
    check_columns(axis_labels(abundances), names, "the columns of abundances", "endmembers")
