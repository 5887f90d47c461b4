"""Inspection of the values of a scene, block by block, for one warning at the end."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from ..utils.estimators import best_of, last_step, steps_of
from ..utils.magnitudes import (
    LARGEST,
    magnitudes,
    may_be_negative,
    message_negative,
    most_frequent,
    negative_pixels,
    noise_level,
    warn_of_units,
)

# Number of magnitudes that are kept per block, at least.
_KEPT = 64


@dataclass
class Inspection:
    """Result of the inspection of some blocks.

    Parameters
    ----------
    n_pixels : int
        Number of valid pixels.
    n_negative : int
        Number of valid pixels that are negative in most bands.
    n_too_large : int
        Number of pixels left out because a value is too large for a spectrum.
    n_failed : int
        Number of pixels for which the estimator raised, or did not return finite numbers.
    sample : list of float
        Magnitudes of some valid pixels.
    negative : float or None
        The value that the negative pixels of a block hold most often.
    error : Exception or None
        The first error that the estimator raised.
    """

    n_pixels: int = 0
    n_negative: int = 0
    n_too_large: int = 0
    n_failed: int = 0
    sample: list = field(default_factory=list)
    negative: float | None = None
    error: Exception | None = None

    @classmethod
    def of(cls, spectra, valid, n_too_large, noise):
        """Inspect the spectra of a block; values above −`noise` do not count as negative."""
        if valid is not None and not valid.any():
            return cls(n_too_large=n_too_large)
        if valid is not None and not valid.all():
            spectra = spectra[valid]
        found = magnitudes(spectra)
        found = found[:: max(1, len(found) // _KEPT)]
        negative = negative_pixels(spectra, noise)
        return cls(
            len(spectra),
            len(negative),
            n_too_large,
            sample=found.tolist(),
            negative=float(most_frequent(negative)) if len(negative) else None,
        )

    def __add__(self, other):
        """Return the inspection of the blocks of both."""
        return Inspection(
            self.n_pixels + other.n_pixels,
            self.n_negative + other.n_negative,
            self.n_too_large + other.n_too_large,
            self.n_failed + other.n_failed,
            self.sample + other.sample,
            other.negative if self.negative is None else self.negative,
            self.error or other.error,
        )

    def warn(self, estimator, stacklevel):
        """Warn about the values of a scene that was unmixed by the estimator."""
        if self.n_too_large:
            warnings.warn(
                f"{self.n_too_large} pixels hold a value beyond ±{LARGEST:g}, too large for "
                f"a spectrum, and are NaN in the result; if the value means no data, pass it as "
                f"nodata.",
                UserWarning,
                stacklevel=stacklevel + 1,
            )
        if self.n_failed:
            warnings.warn(
                f"{type(estimator).__name__} raised an error or returned NaN or infinity for "
                f"{self.n_failed} of {self.n_pixels} pixels, which are NaN in the result"
                + (f"; the first error is: {self.error}" if self.error else "."),
                UserWarning,
                stacklevel=stacklevel + 1,
            )
        # most pixels may be negative, for example after centring
        if 0 < self.n_negative <= self.n_pixels / 2 or (
            self.n_negative and _in_the_units_of_endmembers(estimator)
        ):
            message = message_negative(self.n_negative, self.n_pixels, self.negative)
            warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
        if _in_the_units_of_endmembers(estimator):
            endmembers = last_step(estimator).endmembers_
            warn_of_units(np.array(self.sample), endmembers, stacklevel + 1)


def noise_of(estimator):
    """Return the magnitude below which negative values may be noise, or 0 if unknown."""
    known = _in_the_units_of_endmembers(estimator)
    return noise_level(last_step(estimator).endmembers_) if known else 0.0


def _in_the_units_of_endmembers(estimator):
    """Return whether earlier steps only select bands, and no endmember is negative."""
    steps = [step for _, step in steps_of(best_of(estimator))][:-1]
    unmixer = last_step(estimator)
    endmembers = getattr(unmixer, "endmembers_", None)
    return (
        endmembers is not None
        and not may_be_negative(endmembers)
        and all(hasattr(step, "get_support") for step in steps)
    )
