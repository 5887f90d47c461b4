"""The base class of blind unmixers: endmembers and abundances from spectra alone."""

import numpy as np
from sklearn.utils import gen_batches

from ..base import BaseUnmixer
from ..solvers import csr_active_set
from ._base import BaseExtractor

_BLOCK = 65536


class BaseBlindUnmixer(BaseUnmixer, BaseExtractor):
    """Base class of the blind unmixers: extractors that unmix, too.

    Abundances are those of fully constrained least squares (FCLS) with `endmembers_`, both at
    unit length if `_norm` is "l2".
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
        endmembers = self.endmembers_ if self._norm is None else unit_length(self.endmembers_)
        for block in gen_batches(len(X), _BLOCK):
            spectra = X[block] if self._norm is None else unit_length(X[block])
            csr_active_set(spectra, endmembers, sum_to_one=True, out=out[block])

    def inverse_transform(self, X):
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
        if self._norm is None:
            return spectra
        lengths = np.linalg.norm(self.endmembers_, axis=1)
        abundances = np.reshape(np.asarray(X, dtype=np.float64), (len(spectra), -1))
        mixed = abundances @ unit_length(self.endmembers_)
        return ((abundances @ lengths)[:, np.newaxis] * mixed).astype(spectra.dtype, copy=False)

    def score(self, X, y=None, sample_weight=None):
        """Return the share of the spectra's variance that the reconstruction explains.

        If pixels have unit length inside, both are compared at unit length.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.
        y : None
            Abundances raise an error, because the order of the endmembers is unknown. Anything
            one-dimensional is ignored.
        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels.

        Returns
        -------
        score : float
            1 at best.

        Raises
        ------
        ValueError
            If `y` is two-dimensional.
        """
        # a pipeline hands on the one-dimensional targets of other steps
        if np.ndim(y) > 1:
            raise ValueError(
                f"{type(self).__name__}.score expected y=None, got abundances: the order of its "
                f"endmembers is unknown; match them to yours by skunmix.metrics.match_endmembers, "
                f"reorder the columns of predict(X), and use a function of skunmix.metrics."
            )
        abundances = self._abundances(X)
        X = np.asarray(X, dtype=np.float64)
        if self._norm is None:
            rebuilt = abundances @ self.endmembers_
        else:
            X = unit_length(X)
            rebuilt = unit_length(abundances @ unit_length(self.endmembers_))
        residual = np.square(X - rebuilt).sum(axis=1)
        total = np.square(X - np.average(X, axis=0, weights=sample_weight)).sum(axis=1)
        unexplained = np.average(residual, weights=sample_weight)
        variance = np.average(total, weights=sample_weight)
        return float(1 - unexplained / variance) if variance else float(unexplained == 0)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the endmembers ("endmember0", "endmember1", …).

        Parameters
        ----------
        input_features : array-like of shape (n_bands,), default=None
            Not used but for its length, which must be that of the bands.

        Returns
        -------
        names : ndarray of shape (n_endmembers,), of str objects
        """
        return BaseUnmixer.get_feature_names_out(self, input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # its abundances are not estimates of a y
        tags.estimator_type = None
        tags.regressor_tags = None
        tags.target_tags.required = False
        tags.target_tags.positive_only = False
        tags.target_tags.multi_output = False
        return tags


def unit_length(spectra):
    """Return spectra divided by their lengths, as float64; those of zeros stay zeros."""
    spectra = np.asarray(spectra, dtype=np.float64)
    lengths = np.linalg.norm(spectra, axis=1, keepdims=True)
    return np.divide(spectra, lengths, out=np.zeros_like(spectra), where=lengths > 0)
