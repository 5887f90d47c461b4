"""Endmembers from an image: extractors, and how many endmembers there are."""

from ._archetypal_analysis import ArchetypalAnalysis
from ._blind_unmixer import BlindUnmixer
from ._estimates import estimate_n_endmembers, estimate_noise
from ._minimum_volume_unmixer import MinimumVolume
from ._nfindr import NFINDR
from ._purity import pixel_purity
from ._spa import SPA
from ._vca import VCA

__all__ = [
    "NFINDR",
    "SPA",
    "VCA",
    "ArchetypalAnalysis",
    "BlindUnmixer",
    "MinimumVolume",
    "estimate_n_endmembers",
    "estimate_noise",
    "pixel_purity",
]
