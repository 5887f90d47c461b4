"""Unmixing of whole scenes: cubes, georeferenced arrays and files larger than memory."""

from ._files import unmix_file
from ._unmix import unmix

__all__ = ["unmix", "unmix_file"]
