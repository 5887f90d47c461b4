"""The base class of blind unmixers: endmembers and abundances from spectra alone."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import gen_batches

from ..base import BaseUnmixer, BlindMixin
from ..solvers import csr_active_set
from ..utils.spectra import to_unit_length
from ._base import BaseExtractor

_BLOCK = 65536


class BaseBlindUnmixer(BlindMixin, BaseUnmixer, BaseExtractor):
    """Base class of the blind unmixers: extractors that unmix, too.

    Abundances are those of fully constrained least squares (FCLS) with `endmembers_`. If `_norm` is
    "l2", pixels and endmembers are at unit length there and in `score`. If it is "sum", abundances
    are those of non-negative least squares divided by their sum, and `score` is at unit length.
    """

    endmembers = None  # BaseUnmixer's parameter: here they are always extracted
    _predict_1d = False

    @property
    def _norm(self):
        return None

    @property
    def _endmember_names(self):
        return np.array([f"endmember{i}" for i in range(self.n_endmembers_)], dtype=object)

    def _unmix(self, X, out):
        unit = self._norm == "l2"
        endmembers = to_unit_length(self.endmembers_) if unit else self.endmembers_
        for block in gen_batches(len(X), _BLOCK):
            spectra = to_unit_length(X[block]) if unit else X[block]
            if self._norm == "sum":
                divide_by_sums(spectra, endmembers, out[block])
            else:
                csr_active_set(spectra, endmembers, sum_to_one=True, out=out[block])

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """Reconstruct spectra from abundances: mix the endmembers.

        If pixels have unit length inside, endmembers of unit length are mixed, and the result
        multiplied by the mixed lengths of the endmembers, because abundances do not tell how bright
        a pixel is.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_endmembers)
            Abundances, one pixel per row; (n_pixels,) for a single endmember.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
            ``X @ endmembers_``, or the above.

        Raises
        ------
        ValueError
            If the number of columns is not that of the endmembers, or there is a NaN.
        """
        spectra = super().inverse_transform(X)
        if self._norm != "l2":
            return spectra
        lengths = np.linalg.norm(self.endmembers_, axis=1)
        abundances = np.reshape(np.asarray(X, dtype=np.float64), (len(spectra), -1))
        mixed = abundances @ to_unit_length(self.endmembers_)
        return ((abundances @ lengths)[:, np.newaxis] * mixed).astype(spectra.dtype, copy=False)

    def _reconstruction(self, X):
        spectra, rebuilt = super()._reconstruction(X)
        if self._norm is None:
            return spectra, rebuilt
        return to_unit_length(spectra), to_unit_length(rebuilt)


def divide_by_sums(spectra, endmembers, out):
    """Write abundances by non-negative least squares, divided by their sum."""
    csr_active_set(spectra, endmembers, lam=0, out=out)
    sums = out.sum(axis=1)
    dark = sums == 0  # nothing tells the shares: take the mixture that is nearest
    if dark.any():
        out[dark] = csr_active_set(spectra[dark], endmembers, sum_to_one=True).abundances
        sums[dark] = 1
    out /= sums[:, np.newaxis]
