"""Unmixing of whole scenes: cubes, georeferenced arrays and files larger than memory."""

from ._files import unmix_file
from ._sampling import sample_pixels
from ._unmix import unmix

__all__ = ["sample_pixels", "unmix", "unmix_file"]
