"""What a scene on disk says of its bands."""

from dataclasses import dataclass

import numpy as np

from ..scenes.io.sources import open_source
from ..utils.labels import are_known, spellings_of, wavelengths_of


@dataclass(frozen=True)
class Bands:
    """Bands of a scene.

    Parameters
    ----------
    wavelengths, fwhm : ndarray of shape (n_bands,) or None
        In nm.
    names : list of str or None
        Names that are not wavelengths.
    """

    wavelengths: np.ndarray | None = None
    fwhm: np.ndarray | None = None
    names: list | None = None


def bands_of(scene, *, band_dim="band", variable=None):
    """Return the Bands of a scene on disk."""
    return bands_of_source(open_source(scene, band_dim=band_dim, variable=variable))


def bands_of_source(source):
    """Return the Bands of an open scene."""
    labels = [one for found in source.band_labels() for one in spellings_of(found)]
    wavelengths = [found for found in map(wavelengths_of, labels) if found is not None]
    names = [
        list(map(str, one)) for one in labels if are_known(one) and wavelengths_of(one) is None
    ]
    return Bands(
        wavelengths=wavelengths[0] if wavelengths else None, names=names[0] if names else None
    )
