"""Removal of the continuum of spectra."""

import warnings
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils import StrOptions, fit_context
from ..utils.labels import (
    BAND_NAMES,
    axis_labels,
    check_axes,
    check_columns,
    column_labels,
    label_numbers,
)
from ..utils.state import restored_on_error
from ..utils.wavelengths import UNITS, check_wavelengths_of_bands

_BLOCK = 4096  # pixels that are converted to float64 at once


class ContinuumRemoval(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Divide spectra by their continuum, which is their upper convex hull.

    The hull is the smallest concave function of the wavelength that is not below the spectrum. It
    is linear between the bands where it touches the spectrum, of which the first and the last are
    two. The result is 1 there, and smaller in absorption bands. It does not depend on brightness:
    a multiple of a spectrum has the same result.

    Parameters
    ----------
    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands, in any order, in `unit`. None takes the labels of the bands if they
        are numbers, such as wavelengths, and else bands at equal distances.

    unit : {"nm", "um", "µm"}, default=None
        Unit of the wavelengths. Required if there are any.

    Attributes
    ----------
    wavelengths_ : ndarray of shape (n_bands,) or None
        Centres of the bands, in nm, if they are given.

    n_features_in_ : int
        Number of bands of the spectra.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    BandSelector : Drop noisy bands, which the hull would touch.

    Notes
    -----
    The result is not linear in the spectrum: that of a mixture is not a mixture of those of the
    endmembers. With hulls h of the mixture and hⱼ of the endmembers, ::

        y/h = Σ xⱼ (hⱼ/h) (aⱼ/hⱼ),

    so that the weights of the endmembers are larger for brighter ones, and change from band to
    band. Use it to identify materials, or in front of a network that learns from pairs, and not for
    abundances by least squares. There is no `inverse_transform`, because the hull is lost.

    References
    ----------
    R. N. Clark and T. L. Roush, "Reflectance spectroscopy: Quantitative analysis techniques for
    remote sensing applications", Journal of Geophysical Research 89(B7), 1984.

    Examples
    --------
    >>> from skunmix.preprocessing import ContinuumRemoval
    >>> ContinuumRemoval().fit_transform([[0.2, 0.1, 0.6], [0.4, 0.2, 1.2]])
    array([[1.  , 0.25, 1.  ],
           [1.  , 0.25, 1.  ]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "wavelengths": ["array-like", None],
        "unit": [StrOptions(set(UNITS)), None],
    }

    def __init__(
        self,
        wavelengths: Any = None,
        *,
        unit: str | None = None,
    ) -> None:
        self.wavelengths = wavelengths
        self.unit = unit

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Check the wavelengths. Nothing is learned from the spectra.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra. Only the number of bands, and their labels, are used.

        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError
            If the number of wavelengths is not that of the bands, the unit is missing or does not
            fit, or a wavelength appears twice.
        """
        with restored_on_error(self):
            given, labels = X, column_labels(X)
            check_axes(X, "X", BAND_NAMES)
            X = validate_data(self, X, dtype="numeric")
            n_bands = X.shape[1]
            if self.wavelengths is None:
                positions = label_numbers(labels)
                self.wavelengths_ = self._wavelength_labels = None
                positions = np.arange(n_bands, dtype=float) if positions is None else positions
            else:
                positions, self._wavelength_labels = check_wavelengths_of_bands(
                    self.wavelengths, self.unit, given, n_bands, "wavelengths"
                )
                self.wavelengths_ = positions
            self._order = np.argsort(positions, kind="stable")
            self._positions = positions[self._order]
            twice = np.flatnonzero(np.diff(self._positions) == 0)
            if len(twice):
                raise ValueError(
                    f"Expected each wavelength once, got {self._positions[twice[0]]:g} twice; drop "
                    f"one of these bands."
                )
            self.band_labels_ = labels
        return self

    def transform(self, X: ArrayLike) -> Any:
        """Divide spectra by their upper convex hulls.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, such as reflectances. They must be positive in the first and in the last band;
            the hull is then positive everywhere.

        Returns
        -------
        X : ndarray of shape (n_pixels, n_bands)
            Values up to 1. float32 for float32 spectra, float64 otherwise. NaN in all bands of a
            pixel whose hull is not positive.

        Raises
        ------
        ValueError
            If the bands are not those of `fit`, or there is a NaN or a masked value.

        Warns
        -----
        UserWarning
            If the hulls of some pixels are not positive, with their number.
        """
        from ._continuum_kernel import remove_continuum

        check_is_fitted(self)
        check_axes(X, "X", BAND_NAMES)
        given = X
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        check_columns(axis_labels(given), self.band_labels_, "the bands of X", "those of `fit`")
        out = np.empty(X.shape, dtype=X.dtype)
        for block in gen_batches(len(X), _BLOCK):
            rows = np.ascontiguousarray(X[block][:, self._order], dtype=np.float64)
            removed = np.empty_like(rows)
            remove_continuum(rows, self._positions, removed)
            out[block, self._order] = removed
        bad = np.flatnonzero(np.isnan(out[:, 0]))
        if len(bad):
            first, last = X[bad[0], self._order[[0, -1]]]
            warnings.warn(
                f"The continuum of {len(bad)} of {len(X)} pixels is not positive, as pixel "
                f"{bad[0]} has {first:g} in its first and {last:g} in its last band, and the "
                f"result is NaN; leave such pixels out, or drop noisy bands at the ends with "
                f"BandSelector.",
                UserWarning,
                stacklevel=2,
            )
        return out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
