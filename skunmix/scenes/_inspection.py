"""What is odd about the values of a scene, gathered from its blocks, and said once."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from ..utils.estimators import best_of, last_step, steps_of
from ..utils.magnitudes import (
    LARGEST,
    count_negative,
    magnitudes,
    message_negative,
    noise_level,
    warn_of_units,
)

# Magnitudes that are kept of a block.
_KEPT = 64


@dataclass
class Inspection:
    """What was seen in some blocks.

    Parameters
    ----------
    n_pixels : int
        Valid ones.
    n_negative : int
        Of these, those that are negative in most bands.
    n_too_large : int
        Pixels that were left out, for a value that no spectrum has.
    n_refused : int
        Pixels that the estimator refused.
    sample : list of float
        Largest magnitudes of some valid pixels.
    """

    n_pixels: int = 0
    n_negative: int = 0
    n_too_large: int = 0
    n_refused: int = 0
    sample: list = field(default_factory=list)

    @classmethod
    def of(cls, spectra, valid, n_too_large, noise):
        """Inspect the prepared spectra of a block; `noise` is what a negative value may be."""
        if valid is not None and not valid.any():
            return cls(n_too_large=n_too_large)
        if valid is not None and not valid.all():
            spectra = spectra[valid]
        found = magnitudes(spectra)
        found = found[:: max(1, len(found) // _KEPT)]
        return cls(len(spectra), count_negative(spectra, noise), n_too_large, sample=found.tolist())

    def __add__(self, other):
        """Return what was seen in the blocks of both."""
        return Inspection(
            self.n_pixels + other.n_pixels,
            self.n_negative + other.n_negative,
            self.n_too_large + other.n_too_large,
            self.n_refused + other.n_refused,
            self.sample + other.sample,
        )

    def warn(self, estimator, stacklevel):
        """Warn of what is odd, given the estimator that unmixed the scene."""
        if self.n_too_large:
            warnings.warn(
                f"{self.n_too_large} pixels hold a value beyond ±{LARGEST:g}, which no spectrum "
                f"has: they are left out and NaN in the result; if it stands for no data, pass it "
                f"as nodata.",
                UserWarning,
                stacklevel=stacklevel + 1,
            )
        if self.n_refused:
            warnings.warn(
                f"{type(estimator).__name__} refuses {self.n_refused} of {self.n_pixels} pixels, "
                f"which are NaN in the result; predict one of them to see why.",
                UserWarning,
                stacklevel=stacklevel + 1,
            )
        # after centring, say, most pixels may be negative
        if 0 < self.n_negative <= self.n_pixels / 2 or (
            self.n_negative and _in_the_units_of_endmembers(estimator)
        ):
            message = message_negative(self.n_negative, self.n_pixels)
            warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
        if _in_the_units_of_endmembers(estimator):
            endmembers = last_step(estimator).endmembers_
            warn_of_units(np.array(self.sample), endmembers, stacklevel + 1)


def noise_of(estimator):
    """Return a magnitude below which a negative value of a scene may be noise; 0 if unknown."""
    known = _in_the_units_of_endmembers(estimator)
    return noise_level(last_step(estimator).endmembers_) if known else 0.0


def _in_the_units_of_endmembers(estimator):
    """Return whether nothing but bands is changed before spectra are compared with endmembers."""
    steps = [step for _, step in steps_of(best_of(estimator))][:-1]
    unmixer = last_step(estimator)
    endmembers = getattr(unmixer, "endmembers_", None)
    return (
        endmembers is not None
        and not (np.asarray(endmembers) < 0).any()
        and all(hasattr(step, "get_support") for step in steps)
    )
