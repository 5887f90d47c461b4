"""Endmembers from an image: extractors, and how many endmembers there are."""

from ._minimum_volume_unmixer import MinimumVolume

__all__ = ["MinimumVolume"]
