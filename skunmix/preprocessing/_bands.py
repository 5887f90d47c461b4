"""Choosing bands."""

from numbers import Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..utils import (
    StrOptions,
    axis_labels,
    check_columns,
    check_wavelength_labels,
    column_labels,
    fit_context,
    refuse_masked,
    restored_on_error,
    safe_indexing,
)
from ._wavelengths import UNITS, check_wavelengths, nanometres_in, with_unit


class BandSelector(SelectorMixin, BaseEstimator):
    """Keep some of the bands: by index, by wavelength, or by a bad-band list.

    A band is kept if everything that is given keeps it. In a pipeline's first step it also says
    which bands a pixel of a scene must have: see :func:`skunmix.scenes.unmix`.

    Parameters
    ----------
    bands : array-like of int or of bool, or slice, default=None
        Bands to keep, by index from 0 (negative ones count from the last), or a mask of shape
        (n_bands,). The order stays that of the spectra.

    ranges : list of (float, float), default=None
        Wavelengths to keep: bands whose centre lies in one of these ranges, ends included, in
        `unit`.

    exclude : list of (float, float), default=None
        Wavelengths to drop, such as those that water vapour absorbs, likewise.

    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands, in `unit`; needed for `ranges` and `exclude`.

    unit : {"nm", "um", "µm"}, default=None
        Of all wavelengths; to be said where there are any.

    bbl : array-like of shape (n_bands,), default=None
        A bad-band list as ENVI's headers have it: 1 for a good band, and 0 for a bad one.

    Attributes
    ----------
    wavelengths_ : ndarray of shape (n_bands_out,) or None
        Centres of the bands that are kept, in nm.

    n_features_in_ : int
        Number of bands of the spectra.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, when the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, numbers too, if the spectra had such.

    See Also
    --------
    SpectralResampler : From one sensor's bands to another's.

    Notes
    -----
    NaN passes through, so that a scene may have it in its bad bands.

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
        self, bands=None, *, ranges=None, exclude=None, wavelengths=None, unit=None, bbl=None
    ):
        self.bands = bands
        self.ranges = ranges
        self.exclude = exclude
        self.wavelengths = wavelengths
        self.unit = unit
        self.bbl = bbl

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find out which bands to keep.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, of which only the number of bands counts.

        y : None
            Not used.

        Returns
        -------
        self : object
            Fitted selector.

        Raises
        ------
        ValueError
            If a list of bands or the wavelengths do not fit the spectra, a wavelength cannot be in
            its unit, a range holds no band, or no band is left.
        """
        with restored_on_error(self):
            given, labels = X, column_labels(X)
            X = validate_data(self, X, dtype="numeric", ensure_all_finite=False)
            n_bands = X.shape[1]
            keep = _chosen(self.bands, n_bands)
            wavelengths = self._nanometres(n_bands)
            check_wavelength_labels(given, with_unit(self.wavelengths, self.unit), "wavelengths")
            if self.ranges is not None:
                keep &= self._within(self.ranges, "ranges", wavelengths)
            if self.exclude is not None:
                keep &= ~self._within(self.exclude, "exclude", wavelengths, may_be_empty=True)
            if self.bbl is not None:
                keep &= _good(self.bbl, n_bands)
            if not keep.any():
                raise ValueError(
                    f"No band of {n_bands} is left by bands, ranges, exclude and bbl together; "
                    f"loosen one of them."
                )
            self._keep = keep
            self.wavelengths_ = None if wavelengths is None else wavelengths[keep]
            self.band_labels_ = labels
            self._wavelength_labels = with_unit(self.wavelengths, self.unit)
        return self

    def _nanometres(self, n_bands):
        if self.wavelengths is None:
            if self.ranges is not None or self.exclude is not None:
                raise ValueError(
                    "ranges and exclude are of wavelengths, but the wavelengths of the bands were "
                    "not given; pass `wavelengths` and `unit`."
                )
            return None
        wavelengths = check_wavelengths(self.wavelengths, self.unit, "wavelengths")
        if len(wavelengths) != n_bands:
            raise ValueError(
                f"wavelengths has {len(wavelengths)} values, but the spectra have {n_bands} bands; "
                f"give one for each band."
            )
        return wavelengths

    def _within(self, ranges, name, wavelengths, may_be_empty=False):
        inside = np.zeros(len(wavelengths), dtype=bool)
        for pair in ranges:
            if np.shape(pair) != (2,) or not all(isinstance(end, Real) for end in pair):
                raise ValueError(
                    f"{name} must be a list of (lowest, highest), but {pair!r} is in it."
                )
            low, high = sorted(pair)
            factor = nanometres_in(self.unit)
            # ends are included whatever a change of unit rounds
            slack = 1e-9 * high * factor
            band = (wavelengths >= low * factor - slack) & (wavelengths <= high * factor + slack)
            if not band.any() and not may_be_empty:
                raise ValueError(
                    f"No band lies in the range ({low:g}, {high:g}) {self.unit}: those of the "
                    f"spectra go from {wavelengths.min() / factor:g} to "
                    f"{wavelengths.max() / factor:g} {self.unit}; check the unit."
                )
            inside |= band
        return inside

    def _get_support_mask(self):
        check_is_fitted(self, "_keep")
        return self._keep

    def transform(self, X):
        """Keep the chosen bands.

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
            If the bands are not those of `fit`, or one that is kept is masked.
        """
        # the mixin's own check refuses infinity, which is no matter in a band that is dropped
        check_is_fitted(self, "_keep")
        given = X
        X = validate_data(self, X, dtype=None, ensure_all_finite=False, reset=False)
        check_columns(axis_labels(given), self.band_labels_, "the bands of X", "those of `fit`")
        if np.ma.isMaskedArray(given):  # what is masked in a band that is dropped is no matter
            refuse_masked(given[:, self._keep], "X")
        return safe_indexing(X, self._keep, axis=1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _chosen(bands, n_bands):
    keep = np.zeros(n_bands, dtype=bool)
    if bands is None:
        keep[:] = True
        return keep
    if isinstance(bands, slice):
        keep[bands] = True
        return keep
    bands = np.asarray(bands)
    if bands.dtype == bool:
        if bands.shape != keep.shape:
            raise ValueError(
                f"bands as a mask must have the shape ({n_bands},) of a spectrum, but has "
                f"{bands.shape}."
            )
        return bands.copy()
    if bands.ndim != 1 or bands.dtype.kind not in "iu":
        raise ValueError(
            f"bands must be a list of indices or a mask, but is {bands.dtype} of shape "
            f"{bands.shape}; wavelengths go into `ranges`."
        )
    outside = bands[(bands < -n_bands) | (bands >= n_bands)]
    if len(outside):
        raise ValueError(
            f"bands has the index {outside[0]}, but the spectra have {n_bands} bands, from 0 to "
            f"{n_bands - 1}."
        )
    keep[bands] = True
    return keep


def _good(bbl, n_bands):
    bbl = np.asarray(bbl)
    if bbl.shape != (n_bands,) or not np.isin(bbl, (0, 1)).all():
        raise ValueError(
            f"bbl must have {n_bands} values, 1 for a good band and 0 for a bad one, but has the "
            f"shape {bbl.shape} and values {np.unique(bbl)[:5]}; indices go into `bands`."
        )
    return bbl.astype(bool)
