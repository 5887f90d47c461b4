"""A fitted estimator, as it is applied to any block of any scene."""

import sys
from contextlib import nullcontext
from math import prod

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted


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

    Attributes
    ----------
    names : list of str
        Of the endmembers.
    dtype : dtype
        Of the abundances.

    Raises
    ------
    TypeError
        If there is no `predict`, or it does not give numbers.
    sklearn.exceptions.NotFittedError
        If the estimator has not been fitted.
    ValueError
        If it was fitted on another number of bands.
    """

    def __init__(self, estimator, n_bands, decoding, where):
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
        self._used = _used_bands(estimator, n_bands)
        self._labels = getattr(estimator, "feature_names_in_", None)
        trial = self._predict(np.ones((1, n_bands), decoding.spectra_dtype))
        if trial.dtype.kind not in "biuf":
            raise TypeError(
                f"Abundances are numbers, but {type(estimator).__name__}.predict gives "
                f"{trial.dtype}."
            )
        self.dtype = np.result_type(trial.dtype, np.float32)
        self.names = endmember_names(estimator, trial.shape[1])

    def prepare(self, block, mask=None):
        """Return the spectra of a block, and which of its pixels are to be computed.

        Parameters
        ----------
        block : ndarray of shape (…, n_bands)
            Stored values.
        mask : ndarray of shape (…), of bool, default=None
            True where a pixel is left out.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
        valid : ndarray of shape (n_pixels,), of bool, or None for all
        """
        spectra, valid = self.decoding.decode(block, self._used)
        if mask is not None:
            keep = ~mask.reshape(-1)
            valid = keep if valid is None else valid & keep
        return spectra, None if valid is None or valid.all() else valid

    def compute(self, spectra, valid):
        """Return the abundances of prepared spectra, (n_pixels, n_endmembers)."""
        if valid is None and len(spectra):
            return self._predict(spectra).astype(self.dtype, copy=False)
        abundances = np.full((len(spectra), len(self.names)), np.nan, self.dtype)
        if valid is not None and valid.any():
            abundances[valid] = self._predict(spectra[valid])
        return abundances

    def __call__(self, block, mask=None):
        """Return the abundances of a block, (…, n_endmembers), where threads share the blocks."""
        with torch_on_one_thread():
            abundances = self.compute(*self.prepare(block, mask))
        return abundances.reshape(*block.shape[:-1], len(self.names))

    def pixels_in(self, memory):
        """Return how many pixels can be computed at once in so many bytes, one at least.

        Each is stored, decoded, copied and unmixed.
        """
        stored, decoded = self.decoding.dtype.itemsize, self.decoding.spectra_dtype.itemsize
        n_bands = len(self._used)
        pixel = n_bands * (stored + 2 * decoded + 1) + 3 * len(self.names) * self.dtype.itemsize
        return max(1, int(memory / pixel))

    def _predict(self, spectra):
        if self._labels is not None:
            import pandas as pd  # what was fitted with names was fitted with pandas, or its like

            spectra = pd.DataFrame(spectra, columns=self._labels, copy=False)
        abundances = np.asarray(self.estimator.predict(spectra))
        return abundances.reshape(len(abundances), prod(abundances.shape[1:]))


def torch_on_one_thread():
    """Return a context that holds torch to one thread, where torch is in use at all."""
    if "torch" not in sys.modules:
        return nullcontext()
    from ..networks.threads import one_thread

    return one_thread()


def torch_beside_another():
    """Return a context for computing while another thread computes or reads.

    Of two processors that one has the second: three threads took a third longer than two.
    """
    torch = sys.modules.get("torch")
    if torch is None or torch.get_num_threads() > 2:
        return nullcontext()
    return torch_on_one_thread()


def endmember_names(estimator, n_endmembers):
    """Return the names that an estimator, or the last step of a pipeline, gives to its outputs."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    steps = getattr(estimator, "steps", None)
    if steps:
        return endmember_names(steps[-1][1], n_endmembers)
    # transformers of another kind name something else: it is theirs only if inverse and
    # transform are those of abundances
    if hasattr(estimator, "endmembers_") and hasattr(estimator, "get_feature_names_out"):
        names = [str(name) for name in estimator.get_feature_names_out()]
        if len(names) == n_endmembers:
            return names
    return [f"endmember{i}" for i in range(n_endmembers)]


def _used_bands(estimator, n_bands):
    """Return the bands that a pipeline selects in its first step, before all else."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    steps = getattr(estimator, "steps", None)
    first = steps[0][1] if steps else None
    if hasattr(first, "get_support") and get_tags(first).input_tags.allow_nan:
        return np.asarray(first.get_support(), dtype=bool)
    return np.ones(n_bands, dtype=bool)


def block_slices(shape, max_pixels, grain=None):
    """Cut an image into blocks of whole grains, as wide as they can be and then as high.

    Parameters
    ----------
    shape : tuple of int
        Of the image, without its bands.
    max_pixels : int
        Most pixels of a block.
    grain : tuple of int, default=None
        What is stored together. Where not even one fits, it is cut.

    Returns
    -------
    blocks : list of tuple of slice
        In row-major order.
    """
    grain = tuple(min(g, n) for g, n in zip(grain or (1,) * len(shape), shape))
    if prod(grain) > max_pixels:
        shape_of_one, grain = grain, (1,) * len(shape)
    else:
        shape_of_one = shape
    steps = list(grain)
    for axis in reversed(range(len(shape))):
        others = prod(steps) // max(steps[axis], 1)
        fit = max_pixels // max(others, 1) // max(grain[axis], 1) * grain[axis]
        steps[axis] = max(1, min(shape_of_one[axis], max(fit, steps[axis])))
    blocks = [()]
    for n, step in zip(shape, steps):
        blocks = [
            (*block, slice(start, min(start + step, n)))
            for block in blocks
            for start in range(0, n, step)
        ]
    return blocks
