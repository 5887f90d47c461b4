"""Inspection of the values of a scene, block by block, for one warning at the end."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from ..utils.estimators import best_of, last_step, pure_spectra, steps_of
from ..utils.magnitudes import LARGEST, Limits, magnitudes, suspect_message, warn_of_units

# Number of pixels of a block whose magnitudes are kept, at most.
_KEPT = 64


@dataclass
class Inspection:
    """Result of the inspection of some blocks.

    Parameters
    ----------
    n_pixels : int
        Number of valid pixels.
    n_too_large : int
        Number of pixels left out because a value is too large for a spectrum.
    n_failed : int
        Number of pixels for which the estimator raised, or did not return finite numbers.
    sample : list of float
        Magnitudes of some valid pixels.
    suspects : dict of {str: (int, float)}
        Number of valid pixels that seem to hold no measurement, and the stored value that those of
        a block hold most often, by kind: see `suspect_pixels`.
    error : Exception or None
        The first error that the estimator raised.
    """

    n_pixels: int = 0
    n_too_large: int = 0
    n_failed: int = 0
    sample: list = field(default_factory=list)
    suspects: dict = field(default_factory=dict)
    error: Exception | None = None

    def see(self, spectra):
        """Add the number and the magnitudes of valid spectra."""
        self.n_pixels += len(spectra)
        self.sample += magnitudes(spectra, _KEPT).tolist()

    def __add__(self, other):
        """Return the inspection of the blocks of both."""
        suspects = dict(self.suspects)
        for kind, (n, value) in other.suspects.items():
            before, most = suspects.get(kind, (0, value))
            suspects[kind] = n + before, most
        return Inspection(
            self.n_pixels + other.n_pixels,
            self.n_too_large + other.n_too_large,
            self.n_failed + other.n_failed,
            self.sample + other.sample,
            suspects,
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
        limits = limits_of(estimator)
        if limits.known:
            endmembers = pure_spectra(last_step(estimator))
            if warn_of_units(np.array(self.sample), endmembers, stacklevel + 1):
                return
        for kind, (n_suspects, value) in self.suspects.items():
            # most pixels may be negative, for example after centring
            if kind == "negative" and not limits.known and n_suspects > self.n_pixels / 2:
                continue
            message = suspect_message(kind, n_suspects, self.n_pixels, value)
            warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


def limits_of(estimator):
    """Return the limits of spectra that the estimator unmixes, as far as its endmembers tell.

    They tell if earlier steps only select bands.
    """
    steps = [step for _, step in steps_of(best_of(estimator))][:-1]
    unmixer = last_step(estimator)
    if not hasattr(unmixer, "endmembers_") or not all(hasattr(s, "get_support") for s in steps):
        return Limits()
    return Limits.of(pure_spectra(unmixer))
