"""Draw the picture of the front page and the README: Jasper Ridge beside its abundance maps.

    python docs/images/jasper_ridge.py

The scene is downloaded once (3 MB). The abundances are those of non-negative least squares with the
four endmembers of the scene, rescaled to sum to one: no abundances are used.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from skunmix import SunSALRegressor
from skunmix.datasets import fetch_jasper_ridge
from skunmix.plotting import AbundanceMapDisplay

RED_GREEN_BLUE = [29, 20, 12]  # channels of AVIRIS near 0.65, 0.56 and 0.48 µm

if __name__ == "__main__":
    scene = fetch_jasper_ridge()
    cube = scene.spectra.reshape(*scene.shape, -1)
    colours = cube[..., [list(scene.bands).index(channel) for channel in RED_GREEN_BLUE]]
    darkest, brightest = np.quantile(colours, [0.01, 0.98], axis=(0, 1))
    colours = np.clip((colours - darkest) / (brightest - darkest), 0, 1) ** 0.8

    figure, axes = plt.subplots(1, 5, figsize=(11, 2.4), layout="constrained")
    axes[0].imshow(colours, interpolation="nearest")
    axes[0].set_title("true colour", fontsize="medium")
    axes[0].set(xticks=[], yticks=[])
    model = SunSALRegressor(scene.endmembers, lam=0, sum_to_one="normalize").fit(cube[0])
    display = AbundanceMapDisplay.from_estimator(
        model, cube, endmember_names=scene.endmember_names, ax=axes[1:], colorbar=False
    )
    figure.colorbar(display.images_[0, 0], ax=axes, label="abundance", pad=0.01)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)
