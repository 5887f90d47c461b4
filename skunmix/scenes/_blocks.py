"""Application of a fitted estimator to blocks of pixels."""

from math import prod

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ..utils.estimators import best_of, endmember_names, steps_of
from ..utils.intervals import predict_interval, with_bounds
from ..utils.labels import refuse_masked
from ..utils.magnitudes import (
    drop_zero_without_abundances,
    most_frequent,
    suspect_pixels,
    values_seen_to,
)
from ..utils.threads import torch_on_one_thread
from ._bands import check_bad_bands, order_of_bands, selects_bands, take_bands
from ._inspection import Inspection, limits_of


class BlockUnmixer:
    """Unmixing of blocks of pixels, which can be sent to another process.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`.
    n_bands : int
        Number of bands of the scene.
    decoding : Decoding
        From stored values to spectra.
    where : str
        Description of the scene's bands, for error messages.
    bands : list of lists, default=()
        Labels of the bands (names, wavelengths, numbers), which are matched to those that the
        estimator was fitted on.
    facts : Bands, default=None
        What the scene's file says about its bands. An estimator that was fitted on fewer bands
        gets those with its labels, or those that are not bad.
    coverage : float, default=None
        Coverage of intervals, whose bounds follow the abundances as further columns, or None.

    Attributes
    ----------
    names : list of str
        Names of the columns: the endmembers, and the bounds of their intervals.
    dtype : dtype
        Type of the abundances.
    order : ndarray of shape (n_bands_of_model,), of int, or None
        Positions of the model's bands in the scene, or None if they are equal.
    used : ndarray of shape (n_bands,), of bool
        The scene's bands that decide whether a pixel is valid.

    Raises
    ------
    TypeError
        If there is no `predict`, or it does not return numbers.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    ValueError
        If the estimator was fitted on other bands.
    """

    def __init__(self, estimator, n_bands, decoding, where, bands=(), facts=None, coverage=None):
        if not callable(getattr(estimator, "predict", None)):
            raise TypeError(
                f"Expected a fitted estimator or pipeline with `predict`, got "
                f"{type(estimator).__name__} without it; pass an unmixer."
            )
        if hasattr(estimator, "fit"):
            check_is_fitted(estimator)
        self.estimator = estimator
        self.decoding = decoding
        self._coverage = coverage
        self._limits = limits_of(estimator)
        self._labels = getattr(estimator, "feature_names_in_", None)
        self.order = order_of_bands(estimator, n_bands, where, bands, facts)
        n_used = n_bands if self.order is None else len(self.order)
        self.used = used_bands(estimator, n_used)
        if self.order is not None:
            used, self.used = self.used, np.zeros(n_bands, dtype=bool)
            self.used[self.order] = used
        check_bad_bands(estimator, self.used, where, facts)
        trial = self._predict(np.ones((1, n_used), decoding.spectra_dtype))
        if trial.dtype.kind not in "biuf":
            raise TypeError(
                f"Expected numbers as abundances, got {trial.dtype} from "
                f"{type(estimator).__name__}.predict; pass an unmixer."
            )
        self.dtype = np.result_type(trial.dtype, np.float32)
        self._n_endmembers = trial.shape[1] // (1 if coverage is None else 3)
        names = endmember_names(estimator) or []
        if len(names) != self._n_endmembers:
            names = [f"endmember{i}" for i in range(self._n_endmembers)]
        names = [str(name) for name in names]
        self.names = names if coverage is None else with_bounds(names)

    def prepare(self, block, mask=None):
        """Return the spectra of a block, and which of its pixels are valid.

        Parameters
        ----------
        block : ndarray of shape (…, n_bands)
            Stored values. A pixel that is masked in a used band is not valid.
        mask : ndarray of shape (…), of bool, default=None
            True for pixels that are not valid.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
        valid : ndarray of shape (n_pixels,), of bool, or None for all
        inspection : Inspection
        suspects : dict
            As from `suspect_pixels`.
        """
        spectra, valid, n_too_large, bound = decode_block(block, mask, self.decoding, self.used)
        used = self.used
        if self.order is not None:
            spectra, used = take_bands(spectra, self.order), used[self.order]
        inspection = Inspection(n_too_large=n_too_large)
        there = spectra if valid is None else spectra[valid]
        inspection.see(there)
        stored = None
        if self.decoding.scaled:
            stored = self.decoding.stored_rows(np.ma.getdata(block))
            stored = take_bands(stored, self.order)
            stored = stored if valid is None else stored[valid]
        suspects = suspect_pixels(there, self._limits, bound, np.flatnonzero(used), stored)
        if valid is not None:
            rows_of_valid = np.flatnonzero(valid)
            suspects = {k: (rows_of_valid[rows], bands) for k, (rows, bands) in suspects.items()}
        return spectra, valid, inspection, suspects

    def compute(self, spectra, valid):
        """Return the abundances of prepared spectra, how many pixels failed, and an error or None.

        Abundances are NaN for pixels that are not valid, or that failed: the estimator raised the
        error for them, or did not return finite numbers.
        """
        abundances = np.full((len(spectra), len(self.names)), np.nan, self.dtype)
        n_failed, error = 0, None
        if valid is None and len(spectra):
            found, n_failed, error = self._predict_each(spectra)
            abundances = found.astype(self.dtype, copy=False)
        elif valid is not None and valid.any():
            abundances[valid], n_failed, error = self._predict_each(spectra[valid])
        return abundances, n_failed, error

    def unmix(self, block, mask=None):
        """Return the abundances of a block, whether any pixel is valid, and the inspection."""
        spectra, valid, inspection, suspects = self.prepare(block, mask)
        abundances, inspection.n_failed, inspection.error = self.compute(spectra, valid)
        drop_zero_without_abundances(suspects, abundances[:, : self._n_endmembers])
        for kind, (rows, bands) in suspects.items():
            bands = bands if self.order is None else self.order[bands]
            values = self.decoding.stored_values(np.ma.getdata(block), rows, bands)
            inspection.suspects[kind] = (len(rows), most_frequent(values))
        n_valid = len(spectra) if valid is None else np.count_nonzero(valid)
        return abundances, n_valid > inspection.n_failed, inspection

    def __call__(self, block, mask=None):
        """Return the abundances of a block, (…, n_endmembers), on one of several threads."""
        with torch_on_one_thread():
            abundances, _, inspection = self.unmix(block, mask)
        inspection.warn(self.estimator, stacklevel=2)
        return abundances.reshape(*block.shape[:-1], len(self.names))

    def pixels_in(self, memory):
        """Return the number of pixels, at least one, that fit into the memory in bytes.

        The stored, decoded and copied values and the abundances of each pixel are counted.
        """
        stored, decoded = self.decoding.dtype.itemsize, self.decoding.spectra_dtype.itemsize
        n_bands = len(self.used)
        pixel = n_bands * (stored + 2 * decoded + 1) + 3 * len(self.names) * self.dtype.itemsize
        return max(1, int(memory / pixel))

    def _predict_each(self, spectra):
        """Return abundances as `compute` does, of valid pixels.

        If the estimator raises for a block, the block is halved repeatedly, down to the pixels for
        which it raises.
        """
        error, parts = None, [slice(0, len(spectra))]
        abundances = None
        while parts:
            part = parts.pop()
            try:
                found = self._predict(spectra[part])
            except (ValueError, ArithmeticError) as refusal:
                error = error or refusal
                middle = (part.start + part.stop) // 2
                if part.start < middle:
                    parts += [slice(middle, part.stop), slice(part.start, middle)]
                if abundances is None:
                    abundances = np.full((len(spectra), len(self.names)), np.nan)
            else:
                if abundances is None:  # the whole block at once
                    abundances = found
                else:
                    abundances[part] = found
        # an upper bound may be infinite
        failed = ~np.isfinite(abundances[:, : self._n_endmembers]).all(axis=1)
        failed |= np.isnan(abundances).any(axis=1)
        if failed.any():
            abundances = np.where(failed[:, np.newaxis], np.nan, abundances)
        return abundances, np.count_nonzero(failed), error

    def _predict(self, spectra):
        if self._labels is not None:
            import pandas as pd  # the estimator was fitted on a frame

            spectra = pd.DataFrame(spectra, columns=self._labels, copy=False)
        with values_seen_to():  # the inspection of the scene warns once
            abundances = _as_columns(self.estimator.predict(spectra))
            if self._coverage is None:
                return abundances
            bounds = predict_interval(self.estimator, spectra, self._coverage)
        dtype = np.result_type(abundances.dtype, np.float32)
        return np.hstack([abundances, *map(_as_columns, bounds)]).astype(dtype, copy=False)


def _as_columns(values):
    values = np.asarray(values)
    return values.reshape(len(values), prod(values.shape[1:]))


def decode_block(block, mask, decoding, used):
    """Return the spectra of a block, and which of its pixels are valid.

    Parameters
    ----------
    block : ndarray of shape (…, n_bands)
        Stored values. Pixels that are masked in a used band are left out.
    mask : ndarray of shape (…), of bool, or None
        True for pixels to leave out.
    decoding : Decoding
    used : ndarray of shape (n_bands,), of bool
        The bands that decide whether a pixel is valid.

    Returns
    -------
    spectra : ndarray of shape (n_pixels, n_bands)
    valid : ndarray of shape (n_pixels,), of bool, or None for all
    n_too_large : int
        Number of pixels with a value that is too large for a spectrum.
    bound : float
        As from `Decoding.decode`.
    """
    if np.ma.isMaskedArray(block):
        hidden = np.ma.getmaskarray(block)[..., used].any(axis=-1)
        mask = hidden if mask is None else mask | hidden
        block = block.filled(0)  # values under a mask may be anything
    spectra, valid, n_too_large, bound = decoding.decode(block, used)
    if mask is not None:
        keep = ~mask.reshape(-1)
        valid = keep if valid is None else valid & keep
    return spectra, None if valid is None or valid.all() else valid, n_too_large, bound


def used_bands(estimator, n_bands, fit_to=None):
    """Return the bands that the first step of a pipeline selects, as a mask.

    Parameters
    ----------
    estimator : object
    n_bands : int
    fit_to : array-like of shape (n_pixels, n_bands), default=None
        If the step is not fitted, what to fit a clone of it to. It needs no more than the number of
        bands and their labels.

    Returns
    -------
    used : ndarray of shape (n_bands,), of bool
    """
    if selects_bands(estimator):
        first = steps_of(best_of(estimator))[0][1]
        if fit_to is not None:
            first = clone(first).fit(fit_to)
        return np.array(first.get_support(), dtype=bool)
    return np.ones(n_bands, dtype=bool)


def no_valid_pixel(n_pixels, n_failed=0):
    """Return the error for a scene without valid pixels, or without a result for any of them."""
    if n_failed:
        return ValueError(
            f"None of the scene's {n_pixels} pixels has a result: the estimator returned NaN or "
            f"infinity for all {n_failed} valid ones; check the units of the scene, and the bounds "
            f"of the estimator if it has some."
        )
    return ValueError(
        f"None of the scene's {n_pixels} pixels is valid: each has a band that is NaN, infinite or "
        f"a no-data value, or is masked; check nodata, and that mask is True for pixels to drop."
    )


def check_mask(mask, shape):
    """Return a mask as an array of bool, after its shape is checked, or None."""
    if mask is None:
        return None
    refuse_masked(mask, "mask")
    mask = np.asarray(mask)
    if mask.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected mask with True for pixels to leave out, got values of type {mask.dtype}; "
            f"convert it to bool."
        )
    if mask.shape != shape:
        raise ValueError(
            f"Expected mask with the scene's shape {shape} without bands, got {mask.shape}; pass "
            f"one value per pixel."
        )
    return mask.astype(bool, copy=False)
