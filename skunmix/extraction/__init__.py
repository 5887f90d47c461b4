"""Endmembers from an image: extractors, and how many endmembers there are."""

from ._estimates import estimate_n_endmembers, estimate_noise
from ._nfindr import NFINDR
from ._purity import pixel_purity
from ._spa import SPA
from ._vca import VCA

__all__ = ["NFINDR", "SPA", "VCA", "estimate_n_endmembers", "estimate_noise", "pixel_purity"]
