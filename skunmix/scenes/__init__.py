"""Unmixing of whole scenes: cubes, georeferenced arrays and files larger than memory."""

from ._description import SceneDescription, describe_scene
from ._files import unmix_file
from ._labelled import labelled_pixels
from ._sampling import sample_pixels
from ._unmix import unmix

__all__ = [
    "SceneDescription",
    "describe_scene",
    "labelled_pixels",
    "sample_pixels",
    "unmix",
    "unmix_file",
]
