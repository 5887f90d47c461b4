"""Unmixing of whole scenes: cubes, georeferenced arrays and files larger than memory."""

from ._files import unmix_file
from ._labelled import labelled_pixels
from ._sampling import sample_pixels
from ._unmix import unmix

__all__ = ["labelled_pixels", "sample_pixels", "unmix", "unmix_file"]
