"""Resampling of spectra to the bands of another sensor."""

from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils import Interval, StrOptions, fit_context
from ..utils.labels import (
    BAND_NAMES,
    axis_labels,
    check_axes,
    check_columns,
    column_labels,
)
from ..utils.resampling import gaussian_weights, without_overlap
from ..utils.state import restored_on_error
from ..utils.validation import fill_values
from ..utils.wavelengths import (
    UNITS,
    check_wavelengths,
    check_wavelengths_of_bands,
    nanometres_in,
)


class SpectralResampler(TransformerMixin, BaseEstimator):
    """Resample spectra to the bands of another sensor, with Gaussian responses.

    The value of a band of centre c and full width at half maximum w is the mean of the spectrum
    under a Gaussian response, ::

        s(c, w) = ∫ g(λ) s(λ) dλ / ∫ g(λ) dλ,   g(λ) = exp(−4 ln 2 (λ − c)² / w²),

    over the range of wavelengths of the spectrum, which is assumed linear between them. The
    integral is exact under this assumption, also for bands that are narrower than the steps of the
    spectrum.

    Parameters
    ----------
    source : array-like of shape (n_bands,)
        Wavelengths of the spectra to resample, in any order, in `source_unit`.

    target : array-like of shape (n_bands_out,)
        Centres of the bands of the sensor, in `target_unit`.

    fwhm : array-like of shape (n_bands_out,) or float, default=None
        Full widths of the bands at half maximum, in `target_unit`. None takes the distances between
        their centres.

    source_unit, target_unit : {"nm", "um", "µm"}, default=None
        Units of the wavelengths. Required.

    Attributes
    ----------
    weights_ : ndarray of shape (n_bands_out, n_bands)
        Weight of each wavelength of the spectra in each band. Rows sum to one.

    wavelengths_ : ndarray of shape (n_bands_out,)
        Centres of the bands, in nm.

    n_features_in_ : int
        Number of bands of the spectra.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    BandSelector : Select bands without changing them.

    Notes
    -----
    If the response of a band extends beyond the ends of the spectrum, the mean is over the part
    inside. A band whose centre is outside raises an error. So does a band in a gap, which has no
    wavelength of the spectrum within its width, and lies between two wavelengths whose distance is
    more than twice the median.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.preprocessing import SpectralResampler
    >>> library = np.linspace(0.4, 2.5, 211)  # µm, every 0.01
    >>> sentinel = SpectralResampler(
    ...     library, [490, 560, 665, 842], [65, 35, 30, 115], source_unit="um", target_unit="nm"
    ... )
    >>> spectra = np.vstack([library, np.ones(211)])
    >>> sentinel.fit_transform(spectra).round(3)
    array([[0.49 , 0.56 , 0.665, 0.842],
           [1.   , 1.   , 1.   , 1.   ]])
    """

    _parameter_constraints: ClassVar[dict] = {
        "source": ["array-like"],
        "target": ["array-like"],
        "fwhm": ["array-like", Interval(Real, 0, None, closed="neither"), None],
        "source_unit": [StrOptions(set(UNITS)), None],
        "target_unit": [StrOptions(set(UNITS)), None],
    }

    def __init__(
        self,
        source: Any,
        target: Any,
        fwhm: Any = None,
        *,
        source_unit: str | None = None,
        target_unit: str | None = None,
    ) -> None:
        self.source = source
        self.target = target
        self.fwhm = fwhm
        self.source_unit = source_unit
        self.target_unit = target_unit

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Compute the weights.

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
            If the number of wavelengths is not that of the bands, a unit is missing or does not
            fit, a wavelength appears twice in `source`, or a band has no overlap with the spectra.
        """
        with restored_on_error(self):
            given, labels = X, column_labels(X)
            check_axes(X, "X", BAND_NAMES)
            X = validate_data(self, X, dtype="numeric")
            source, self._wavelength_labels = check_wavelengths_of_bands(
                self.source, self.source_unit, given, X.shape[1], "source"
            )
            target = check_wavelengths(self.target, self.target_unit, "target")
            fwhm = self._widths(target)
            order = np.argsort(source)
            source = source[order]
            twice = np.flatnonzero(np.diff(source) == 0)
            if len(twice):
                raise ValueError(
                    f"Expected each wavelength of source once, got {source[twice[0]]:g} nm twice; "
                    f"drop one of these bands."
                )
            _check_overlap(source, target, fwhm)
            self.weights_ = np.empty((len(target), len(source)))
            self.weights_[:, order] = gaussian_weights(source, target, fwhm)
            self.wavelengths_ = target
            self.band_labels_ = labels
            self._n_features_out = len(target)
        return self

    def _widths(self, target):
        if self.fwhm is None:
            if len(target) < 2 or (np.diff(target) <= 0).any():
                raise ValueError(
                    "Expected at least two target bands that ascend, as without fwhm the widths "
                    "are the distances between centres, got others; pass fwhm."
                )
            return np.gradient(target)
        fwhm = np.asarray(self.fwhm, dtype=float) * nanometres_in(self.target_unit)
        fwhm = np.full(len(target), fwhm) if fwhm.ndim == 0 else fwhm
        if fwhm.shape != target.shape:
            raise ValueError(
                f"Expected one fwhm, or one for each of {len(target)} target bands, got shape "
                f"{fwhm.shape}; pass one width for each, or one for all."
            )
        if not (np.isfinite(fwhm).all() and (fwhm > 0).all()):
            raise ValueError(
                f"Expected positive and finite fwhm, got {fwhm.min():g} nm; drop this band or "
                f"correct its width."
            )
        return fwhm

    def transform(self, X: ArrayLike) -> Any:
        """Resample spectra.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra at the wavelengths `source`.

        Returns
        -------
        X : ndarray of shape (n_pixels, n_bands_out)
            Spectra in the bands `target`. float32 for float32 spectra, float64 otherwise.

        Raises
        ------
        ValueError
            If the bands are not those of `fit`, or if a band with a weight holds a NaN, a masked
            value or a fill value such as -1.23e34.
        """
        check_is_fitted(self)
        check_axes(X, "X", BAND_NAMES)
        given = X
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        check_columns(axis_labels(given), self.band_labels_, "the bands of X", "those of `fit`")
        self._check_no_fills(X)
        return X @ self.weights_.T.astype(X.dtype, copy=False)

    def _check_no_fills(self, X):
        fills = fill_values(X) & self.weights_.any(axis=0)
        holders = np.flatnonzero(fills.any(axis=1))
        if len(holders):
            bands = np.flatnonzero(fills[holders[0]])
            raise ValueError(
                f"X holds the fill value {X[holders[0], bands[0]]:g} in {len(bands)} of "
                f"{X.shape[1]} bands of spectrum {holders[0]} ({len(holders)} of {len(X)} spectra "
                f"hold one), which resampling would spread to other bands; drop these bands from "
                f"X and `source`, or interpolate them."
            )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the names of the bands, such as "490nm".

        Parameters
        ----------
        input_features : array-like of shape (n_bands,), default=None
            Only its length is used, which must be the number of bands.

        Returns
        -------
        names : ndarray of shape (n_bands_out,), of str objects
        """
        check_is_fitted(self)
        if input_features is not None and len(input_features) != self.n_features_in_:
            raise ValueError(
                "input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(input_features)}"
            )
        return np.asarray([f"{centre:.10g}nm" for centre in self.wavelengths_], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check_overlap(source, target, fwhm):
    outside, in_gap = without_overlap(source, target, fwhm)
    without = np.flatnonzero(outside | in_gap)
    if len(without):
        first = without[0]
        raise ValueError(
            f"Expected target bands within the spectra, from {source[0]:g} to {source[-1]:g} nm"
            + (" with gaps" if in_gap.any() else "")
            + f", got {len(without)} of {len(target)} without overlap, the first of which is band "
            f"{first}, {target[first]:g} nm with a width of {fwhm[first]:g} nm; drop such bands "
            f"from target, or check the units."
        )
