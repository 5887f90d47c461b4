"""A fitted estimator, as it is applied to any block of any scene."""

from math import prod

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..utils.estimators import best_of, endmember_names, fitted_bands, steps_of
from ..utils.labels import order_among, refuse_masked
from ..utils.magnitudes import values_seen_to
from ..utils.threads import torch_on_one_thread
from ._inspection import Inspection, noise_of

# Pixels of a block that an estimator may refuse, before that is the scene's error.
_MOST_REFUSED = 1024


class BlockUnmixer:
    """Abundances of blocks of pixels, NaN where a pixel is no-data.

    It holds all that a block needs, and nothing that cannot be sent to another process.

    Parameters
    ----------
    estimator : object
        Fitted, with `predict`.
    n_bands : int
        Of the scene.
    decoding : Decoding
        From stored values to spectra.
    where : str
        What to call the scene's bands in an error.
    bands : list of lists, default=()
        Their labels (names, wavelengths, numbers), as far as the scene has such. They are matched
        to those that the estimator was fitted on.

    Attributes
    ----------
    names : list of str
        Of the endmembers.
    dtype : dtype
        Of the abundances.
    order : ndarray of shape (n_bands,), of int, or None
        Where the model's bands are in the scene, unless they are in order.
    used : ndarray of shape (n_bands,), of bool
        The scene's bands that decide whether a pixel is valid.

    Raises
    ------
    TypeError
        If there is no `predict`, or it does not give numbers.
    sklearn.exceptions.NotFittedError
        If the estimator has not been fitted.
    ValueError
        If it was fitted on another number of bands, or on others.
    """

    def __init__(self, estimator, n_bands, decoding, where, bands=()):
        if not callable(getattr(estimator, "predict", None)):
            raise TypeError(
                f"A scene is unmixed by a fitted estimator or pipeline with `predict`, but "
                f"{type(estimator).__name__} has none."
            )
        if hasattr(estimator, "fit"):
            check_is_fitted(estimator)
        expected = getattr(estimator, "n_features_in_", n_bands)
        if n_bands != expected:
            raise ValueError(
                f"{type(estimator).__name__} was fitted on {expected} bands, but {where} has "
                f"{n_bands}; select the same bands, or name the axis that holds them as band_dim."
            )
        self.estimator = estimator
        self.decoding = decoding
        self._noise = noise_of(estimator)
        self._labels = getattr(estimator, "feature_names_in_", None)
        self.order = order_among(
            bands,
            fitted_bands(estimator),
            f"the bands of {where}",
            "those that the model was fitted on",
        )
        self.used = _used_bands(estimator, n_bands)
        if self.order is not None:
            self.used[self.order] = self.used.copy()
        trial = self._predict(np.ones((1, n_bands), decoding.spectra_dtype))
        if trial.dtype.kind not in "biuf":
            raise TypeError(
                f"Abundances are numbers, but {type(estimator).__name__}.predict gives "
                f"{trial.dtype}."
            )
        self.dtype = np.result_type(trial.dtype, np.float32)
        names = endmember_names(estimator) or []
        if len(names) != trial.shape[1]:
            names = [f"endmember{i}" for i in range(trial.shape[1])]
        self.names = [str(name) for name in names]

    def prepare(self, block, mask=None):
        """Return the spectra of a block, and which of its pixels are to be computed.

        Parameters
        ----------
        block : ndarray of shape (…, n_bands)
            Stored values; a pixel that is masked in a band that is used is left out.
        mask : ndarray of shape (…), of bool, default=None
            True where a pixel is left out.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
        valid : ndarray of shape (n_pixels,), of bool, or None for all
        inspection : Inspection
        """
        if np.ma.isMaskedArray(block):
            hidden = np.ma.getmaskarray(block)[..., self.used].any(axis=-1)
            mask = hidden if mask is None else mask | hidden
            block = block.filled(0)  # what is under a mask may be anything
        spectra, valid, n_too_large = self.decoding.decode(block, self.used)
        if self.order is not None:
            spectra = spectra[:, self.order]
        if mask is not None:
            keep = ~mask.reshape(-1)
            valid = keep if valid is None else valid & keep
        inspection = Inspection.of(spectra, valid, n_too_large, self._noise)
        return spectra, None if valid is None or valid.all() else valid, inspection

    def compute(self, spectra, valid):
        """Return the abundances of prepared spectra, (n_pixels, n_endmembers), and how many failed.

        A pixel that the estimator refuses is NaN.
        """
        if valid is None and len(spectra):
            abundances, n_refused = self._predict_each(spectra)
            return abundances.astype(self.dtype, copy=False), n_refused
        abundances = np.full((len(spectra), len(self.names)), np.nan, self.dtype)
        n_refused = 0
        if valid is not None and valid.any():
            abundances[valid], n_refused = self._predict_each(spectra[valid])
        return abundances, n_refused

    def unmix(self, block, mask=None):
        """Return the abundances of a block as of prepared spectra, and what was seen in it.

        Returns
        -------
        abundances : ndarray of shape (n_pixels, n_endmembers)
        some : bool
            Whether any pixel is valid.
        inspection : Inspection
        """
        spectra, valid, inspection = self.prepare(block, mask)
        abundances, inspection.n_refused = self.compute(spectra, valid)
        n_valid = len(spectra) if valid is None else np.count_nonzero(valid)
        return abundances, n_valid > inspection.n_refused, inspection

    def __call__(self, block, mask=None):
        """Return the abundances of a block, (…, n_endmembers), where threads share the blocks."""
        with torch_on_one_thread():
            abundances, _, inspection = self.unmix(block, mask)
        inspection.warn(self.estimator, stacklevel=2)
        return abundances.reshape(*block.shape[:-1], len(self.names))

    def pixels_in(self, memory):
        """Return how many pixels can be computed at once in so many bytes, one at least.

        Each is stored, decoded, copied and unmixed.
        """
        stored, decoded = self.decoding.dtype.itemsize, self.decoding.spectra_dtype.itemsize
        n_bands = len(self.used)
        pixel = n_bands * (stored + 2 * decoded + 1) + 3 * len(self.names) * self.dtype.itemsize
        return max(1, int(memory / pixel))

    def _predict_each(self, spectra):
        """Return abundances, NaN where the estimator refuses a pixel, and how many these are.

        Where it refuses a block, the halves are tried, and so on. If it refuses many, there is
        another reason than single pixels.
        """
        try:
            return self._predict(spectra), 0
        except (ValueError, ArithmeticError):
            if len(spectra) == 1:
                return np.full((1, len(self.names)), np.nan), 1
            half = len(spectra) // 2
            first, n_first = self._predict_each(spectra[:half])
            if n_first > _MOST_REFUSED:
                raise
            second, n_second = self._predict_each(spectra[half:])
            if n_first + n_second > _MOST_REFUSED:
                raise
            return np.concatenate([first, second]), n_first + n_second

    def _predict(self, spectra):
        if self._labels is not None:
            import pandas as pd  # what was fitted with names was fitted with pandas, or its like

            spectra = pd.DataFrame(spectra, columns=self._labels, copy=False)
        with values_seen_to():  # by the inspection of the whole scene
            abundances = np.asarray(self.estimator.predict(spectra))
        return abundances.reshape(len(abundances), prod(abundances.shape[1:]))


def _used_bands(estimator, n_bands):
    """Return the bands that a pipeline selects in its first step, before all else."""
    steps = steps_of(best_of(estimator))
    first = steps[0][1] if steps else None
    if hasattr(first, "get_support") and get_tags(first).input_tags.allow_nan:
        return np.array(first.get_support(), dtype=bool)
    return np.ones(n_bands, dtype=bool)


def no_valid_pixel(n_pixels):
    """Return the error for a scene that is nothing but no-data."""
    return ValueError(
        f"None of the scene's {n_pixels} pixels is valid: each has a band that is NaN, infinite or "
        f"a no-data value, or is masked; check nodata, and that mask is True for what is left out."
    )


def check_mask(mask, shape):
    """Return a mask as an array of bool, of the scene's shape, or None."""
    if mask is None:
        return None
    refuse_masked(mask, "mask")
    mask = np.asarray(mask)
    if mask.shape != shape:
        raise ValueError(
            f"mask must have the scene's shape {shape} without its bands, but has {mask.shape}."
        )
    return mask.astype(bool, copy=False)
