"""The bands that a spectral library and a scene have in common."""

from dataclasses import dataclass, replace

import numpy as np

# Wavelengths are equal if they differ by less than this, relatively, because files round them.
_SAME = 1e-5
_FIX = {
    "scene": "add them to the scene's file, as 'wavelength' in an ENVI header or as a coordinate",
    "library": "add them to the library, as 'wavelength' in an ENVI header, or pass them as "
    "wavelengths=…",
}


@dataclass(frozen=True)
class Match:
    """A library in the bands of a scene.

    Parameters
    ----------
    library : SpectralLibrary
        In the bands of the scene that are kept.
    kept : ndarray of int
        Indices of these bands in the scene.
    n_bands : int
        Number of bands of the scene.
    report : str or None
        What was resampled and left out, as a sentence.
    """

    library: object
    kept: np.ndarray
    n_bands: int
    report: str | None = None

    def among(self, bands):
        """Return the match for a scene of only these bands, which include those that are kept."""
        return replace(self, kept=np.searchsorted(bands, self.kept), n_bands=len(bands))


def match_bands(library, scene):
    """Bring a library to the bands of a scene, without those that one of them lacks.

    Bands of the same wavelengths are taken as they are; otherwise the library is resampled. Bands
    that the library does not cover, or that the scene marks as bad, are left out.

    Parameters
    ----------
    library : SpectralLibrary
    scene : SceneDescription

    Returns
    -------
    match : Match

    Raises
    ------
    ValueError
        If one has no wavelengths and the numbers of bands differ, or no band is left.
    """
    n_bands = scene.n_bands
    resampled = ""
    if library.wavelengths is None or scene.wavelengths is None:
        lacking, holder = (
            ("scene", "library") if scene.wavelengths is None else ("library", "scene")
        )
        if library.shape[1] != n_bands:
            raise ValueError(
                f"Expected wavelengths of the {lacking} to match its bands with those of the "
                f"{holder}, got none, and {library.shape[1]} bands of the library for {n_bands} of "
                f"the scene; {_FIX[lacking]}."
            )
        spectra = library.spectra
    else:
        order = _same_bands(library.wavelengths, scene.wavelengths)
        if order is not None:
            spectra = library.spectra[:, order]
        else:
            spectra = library.resample(scene, uncovered="nan").spectra
            resampled = f"The library of {library.shape[1]} bands is resampled to the scene's bands"
    covered = ~np.isnan(spectra).any(axis=0)
    bad = np.zeros(n_bands, dtype=bool)
    bad[scene.bad_bands] = True
    kept = np.flatnonzero(covered & ~bad)
    if not len(kept):
        raise ValueError(
            f"Expected a library that covers bands of the scene, from {_range(scene)}, got one "
            f"from {_range(library)}; check the units of the wavelengths."
        )
    report = [resampled] if resampled else []
    if len(kept) < n_bands:
        why = [f"the scene marks {bad.sum()} as bad"] if bad.any() else []
        if not covered.all():
            why.append(f"the library does not cover {np.count_nonzero(~covered)}")
        report.append(
            f"{n_bands - len(kept)} of {n_bands} bands are not used, as {' and '.join(why)}"
        )
    matched = type(library)(spectra[:, kept], library.names, classes=library.classes)
    return Match(matched, kept, n_bands, "; ".join(report) + "." if report else None)


def _same_bands(found, expected):
    """Return the positions at which the expected wavelengths are found, or None."""
    if len(found) != len(expected):
        return None
    differences = np.abs(found[:, np.newaxis] - expected)
    order = np.argmin(differences, axis=0)
    same = differences[order, np.arange(len(expected))] <= _SAME * expected
    return order if same.all() and len(np.unique(order)) == len(order) else None


def _range(bands):
    if bands.wavelengths is None:
        return f"{bands.shape[-1]} bands without wavelengths"
    return f"{bands.wavelengths.min():g} to {bands.wavelengths.max():g} nm"
