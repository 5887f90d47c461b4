"""Selection of bands."""

import warnings
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils import StrOptions, fit_context, safe_indexing
from ..utils.labels import (
    BAND_NAMES,
    axis_labels,
    check_columns,
    column_labels,
    refuse_masked,
    refuse_turned,
)
from ..utils.state import restored_on_error
from ..utils.wavelengths import UNITS, check_range, check_wavelengths_of_bands, nanometres_in


class BandSelector(SelectorMixin, BaseEstimator):
    """Select bands by index, by wavelength, or by a bad-band list.

    A band is kept if all given parameters keep it. In the first step of a pipeline, the selector
    also determines which bands must be valid in a pixel of a scene: see
    :func:`skunmix.scenes.unmix`.

    Parameters
    ----------
    bands : array-like of int or of bool, or slice, default=None
        Bands to keep, as indices from 0 (negative ones count from the last), or as a mask of shape
        (n_bands,). The bands keep the order of the spectra.

    ranges : list of (float, float), default=None
        Ranges of wavelengths to keep, in `unit`: bands whose centre lies in one of these ranges,
        including the ends.

    exclude : list of (float, float), default=None
        Ranges of wavelengths to drop, such as those that water vapour absorbs.

    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands, in `unit`. Required for `ranges` and `exclude`.

    unit : {"nm", "um", "µm"}, default=None
        Unit of all wavelengths. Required if there are any.

    bbl : array-like of shape (n_bands,), default=None
        Bad-band list, as in ENVI headers: 1 for a good band, and 0 for a bad one.

    Attributes
    ----------
    wavelengths_ : ndarray of shape (n_bands_out,) or None
        Centres of the bands that are kept, in nm.

    n_features_in_ : int
        Number of bands of the spectra.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    SpectralResampler : Convert spectra to the bands of another sensor.

    Notes
    -----
    NaN is allowed, so that a scene may have NaN in its bad bands.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.preprocessing import BandSelector
    >>> wavelengths = np.linspace(400, 2500, 22)
    >>> selector = BandSelector(
    ...     exclude=[(1350, 1450), (1800, 1950)], wavelengths=wavelengths, unit="nm"
    ... )
    >>> selector.fit_transform(np.ones((1, 22))).shape
    (1, 19)
    >>> selector.wavelengths_[8:12]
    array([1200., 1300., 1500., 1600.])
    """

    _parameter_constraints: ClassVar[dict] = {
        "bands": ["array-like", slice, None],
        "ranges": [list, tuple, np.ndarray, None],
        "exclude": [list, tuple, np.ndarray, None],
        "wavelengths": ["array-like", None],
        "unit": [StrOptions(set(UNITS)), None],
        "bbl": ["array-like", None],
    }

    def __init__(
        self,
        bands: Any = None,
        *,
        ranges: Any = None,
        exclude: Any = None,
        wavelengths: ArrayLike | None = None,
        unit: str | None = None,
        bbl: Any = None,
    ) -> None:
        self.bands = bands
        self.ranges = ranges
        self.exclude = exclude
        self.wavelengths = wavelengths
        self.unit = unit
        self.bbl = bbl

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Determine which bands to keep.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra. Only the number of bands, and their labels, are used.

        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted selector.

        Raises
        ------
        ValueError
            If the bands or the wavelengths do not fit the spectra, the wavelengths do not fit their
            unit, a range contains no band, or no band is left.
        """
        with restored_on_error(self):
            refuse_turned(X, "X", BAND_NAMES)
            given, labels = X, column_labels(X)
            X = validate_data(self, X, dtype="numeric", ensure_all_finite=False)
            n_bands = X.shape[1]
            keep = _chosen(self.bands, n_bands)
            wavelengths, wavelength_labels = self._nanometres(given, n_bands)
            if self.ranges is not None:
                keep &= self._within(self.ranges, "ranges", wavelengths)
            if self.exclude is not None:
                keep &= ~self._within(self.exclude, "exclude", wavelengths, may_be_empty=True)
            if self.bbl is not None:
                keep &= _good(self.bbl, n_bands)
            if not keep.any():
                raise ValueError(
                    f"Expected bands, ranges, exclude and bbl to keep at least one of {n_bands} "
                    f"bands, got none; relax one of them."
                )
            self._keep = keep
            self.wavelengths_ = None if wavelengths is None else wavelengths[keep]
            self.band_labels_ = labels
            self._wavelength_labels = wavelength_labels
        return self

    def _nanometres(self, X, n_bands):
        """Return the wavelengths in nm, and as labels, or None for both."""
        if self.wavelengths is None:
            if self.ranges is not None or self.exclude is not None:
                raise ValueError(
                    "Expected the wavelengths of the bands for ranges and exclude, got None; pass "
                    "`wavelengths` and `unit`."
                )
            return None, None
        return check_wavelengths_of_bands(self.wavelengths, self.unit, X, n_bands, "wavelengths")

    def _within(self, ranges, name, wavelengths, may_be_empty=False):
        inside = np.zeros(len(wavelengths), dtype=bool)
        for pair in ranges:
            if np.shape(pair) != (2,) or not all(isinstance(end, Real) for end in pair):
                raise ValueError(
                    f"Expected {name} as a list of (lowest, highest), got an item {pair!r}; pass "
                    f"pairs."
                )
            low, high = sorted(pair)
            check_range(low, high, self.unit, name)
            factor = nanometres_in(self.unit)
            # include the ends in spite of rounding by a change of unit
            slack = 1e-9 * high * factor
            band = (wavelengths >= low * factor - slack) & (wavelengths <= high * factor + slack)
            if not band.any() and not may_be_empty:
                raise ValueError(
                    f"Expected bands in the range ({low:g}, {high:g}) {self.unit}, got none, as "
                    f"those of the spectra are from {wavelengths.min() / factor:g} to "
                    f"{wavelengths.max() / factor:g} {self.unit}; check the unit."
                )
            inside |= band
        return inside

    def _get_support_mask(self):
        check_is_fitted(self, "_keep")
        return self._keep

    def transform(self, X: ArrayLike) -> Any:
        """Return the selected bands.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra.

        Returns
        -------
        X : ndarray of shape (n_pixels, n_bands_out)

        Raises
        ------
        ValueError
            If the bands are not those of `fit`, or a value of a kept band is masked.
        """
        # the check of the mixin refuses infinity, which is allowed in dropped bands
        check_is_fitted(self, "_keep")
        refuse_turned(X, "X", BAND_NAMES)
        given = X
        X = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=False)
        check_columns(axis_labels(given), self.band_labels_, "the bands of X", "those of `fit`")
        if np.ma.isMaskedArray(given):  # dropped bands may be masked
            refuse_masked(given[:, self._keep], "X")
        return safe_indexing(X, self._keep, axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _chosen(bands, n_bands):
    keep = np.zeros(n_bands, dtype=bool)
    if bands is None or isinstance(bands, slice):
        keep[slice(None) if bands is None else bands] = True
        return keep
    bands = np.asarray(bands)
    if bands.dtype == bool:
        if bands.shape != keep.shape:
            raise ValueError(
                f"Expected bands as a mask of shape ({n_bands},), got {bands.shape}; pass one "
                f"value for each band."
            )
        return bands.copy()
    if bands.ndim != 1 or bands.dtype.kind not in "iu":
        raise ValueError(
            f"Expected bands as a list of indices or a mask, got {bands.dtype} of shape "
            f"{bands.shape}; pass wavelengths as `ranges`."
        )
    outside = bands[(bands < -n_bands) | (bands >= n_bands)]
    if len(outside):
        raise ValueError(
            f"Expected indices of the {n_bands} bands of the spectra, from 0 to {n_bands - 1}, got "
            f"{outside[0]}; drop it."
        )
    keep[bands] = True
    if not np.array_equal(np.where(bands < 0, bands + n_bands, bands), np.flatnonzero(keep)):
        warnings.warn(
            "Selected bands keep the order of the spectra, each once, but bands has another order, "
            "or a band twice; sort it (numpy.unique), and select the endmembers' bands with this "
            "BandSelector, too.",
            UserWarning,
            stacklevel=5,
        )
    return keep


def _good(bbl, n_bands):
    bbl = np.asarray(bbl)
    if bbl.shape != (n_bands,) or not np.isin(bbl, (0, 1)).all():
        raise ValueError(
            f"Expected bbl with {n_bands} values, 1 for a good band and 0 for a bad one, got shape "
            f"{bbl.shape} and values {np.unique(bbl)[:5]}; pass indices as `bands`."
        )
    return bbl.astype(bool)
