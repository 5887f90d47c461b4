"""The scenes on which estimators are compared; real ones need their data."""

from dataclasses import dataclass

import numpy as np

from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library, make_endmembers, make_scene

# Adularia, Clinochlore, Hypersthene, Olivine, Spessartine and Andradite. The other two sets are
# random draws from the library pruned at 4.44°, on which FCLS has a similar error.
USGS_ROWS = {
    "usgs": [6, 95, 206, 327, 415, 32],
    "usgs-b": [138, 162, 196, 478, 203, 125],
    "usgs-c": [419, 473, 194, 469, 321, 489],
}
N_TRAINING = {"jasper": 256, "jasper/tiles": 256}


@dataclass(frozen=True)
class Scene:
    """Training pairs, test pairs, and the true endmembers."""

    endmembers: np.ndarray
    training: tuple
    test: tuple


def load_scene(name, seed, *, n_training=None, n_test=None):
    """Return a scene: "jasper", "usgs…" (at 15 dB), "usgs…/SNR", or "E/SNR" from make_scene.

    For Jasper Ridge, the seed only draws the training pixels. Those of "jasper/tiles" are from 4 of
    16 tiles, and the test pixels are all those of the other tiles.
    """
    if name.startswith("jasper"):
        scene = fetch_jasper_ridge(download_if_missing=False)
    elif name.partition("/")[0] in USGS_ROWS:
        name, _, snr = name.partition("/")
        library = fetch_usgs_library(download_if_missing=False).endmembers
        scene = make_scene(library[USGS_ROWS[name]], snr=float(snr or 15), random_state=seed)
    else:
        n_endmembers, snr = (int(part) for part in name.split("/"))
        endmembers = make_endmembers(n_endmembers, random_state=seed).endmembers
        scene = make_scene(endmembers, snr=snr, random_state=seed)
    n_training = n_training or N_TRAINING.get(name, 1000)
    generator = np.random.RandomState(seed)
    rows = generator.permutation(len(scene.spectra))
    if name == "jasper/tiles":
        row, column = np.divmod(rows, scene.shape[1])
        tiles = row * 4 // scene.shape[0] * 4 + column * 4 // scene.shape[1]
        labelled = np.isin(tiles, generator.permutation(16)[:4])
        training, test = rows[labelled][:n_training], rows[~labelled][:n_test]
    else:
        training, test = rows[:n_training], rows[n_training:][:n_test]
    return Scene(
        scene.endmembers,
        (scene.spectra[training], scene.abundances[training]),
        (scene.spectra[test], scene.abundances[test]),
    )


def whole_scene(name, seed):
    """Return the scene "jasper", "usgs/SNR" with an SNR in dB, or "quick", which is small."""
    if name == "jasper":
        return fetch_jasper_ridge(download_if_missing=False)
    if name == "quick":
        endmembers = make_endmembers(3, 50, random_state=0)
        return make_scene(endmembers, shape=(30, 30), snr=30, random_state=seed)
    library = fetch_usgs_library(download_if_missing=False).endmembers
    snr = float(name.removeprefix("usgs/"))
    return make_scene(library[USGS_ROWS["usgs"]], snr=snr, random_state=seed)
