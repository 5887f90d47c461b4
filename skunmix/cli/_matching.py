"""Spectral libraries in the bands of the pixels that a network is trained on."""

import numpy as np


def in_bands_of(library, scene):
    """Return a library in the bands of a scene's pixels, and which of these it covers.

    Pixels that are read for training have no bands that the scene marks as bad.

    Parameters
    ----------
    library : SpectralLibrary
    scene : SceneDescription

    Returns
    -------
    library : SpectralLibrary
        Without wavelengths, in the bands that it covers.
    covered : ndarray of int
        Indices of these bands among those that are not bad.

    Raises
    ------
    ValueError
        If one has no wavelengths and the numbers of bands differ, or no band is covered.
    """
    good = np.delete(np.arange(scene.n_bands), scene.bad_bands)
    if library.wavelengths is not None and scene.wavelengths is not None:
        spectra = library.resample(scene, uncovered="nan").spectra[:, good]
    elif library.shape[1] in (scene.n_bands, len(good)):
        spectra = library.spectra[:, good] if library.shape[1] == scene.n_bands else library.spectra
    else:
        lacking = "scene" if scene.wavelengths is None else "library"
        raise ValueError(
            f"Expected wavelengths of the {lacking} to match the {library.shape[1]} bands of the "
            f"library with the {scene.n_bands} of the scene, got none; add them to its file, or "
            f"pass those of the library as wavelengths=…."
        )
    covered = np.flatnonzero(~np.isnan(spectra).any(axis=0))
    if not len(covered):
        low, high = scene.wavelengths.min(), scene.wavelengths.max()
        raise ValueError(
            f"Expected a library that covers bands of the scene, from {low:g} to {high:g} nm, got "
            f"{library!r}; check the units of the wavelengths."
        )
    return type(library)(spectra[:, covered], library.names), covered
