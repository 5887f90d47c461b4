"""
Spatial cross-validation
========================

Neighbouring pixels are similar, so that random folds make a model look better than it is.

The scene is downloaded once (3 MB): see :func:`skunmix.datasets.fetch_jasper_ridge`.
"""

# %%
# Folds of pixels, and of tiles
# -----------------------------
#
# A tenth of the pixels of Jasper Ridge, in four folds of
# :class:`~skunmix.model_selection.TileKFold`: all pixels of a tile are in the same fold. Tiles of
# one pixel give the random folds of ``KFold``.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.model_selection import cross_val_score

from skunmix.datasets import fetch_jasper_ridge
from skunmix.model_selection import TileKFold

scene = fetch_jasper_ridge()
rows, columns = np.divmod(np.arange(len(scene.spectra)), scene.shape[1])
pixels = np.random.RandomState(0).permutation(len(scene.spectra))[:1000]
Y, X = scene.spectra[pixels], scene.abundances[pixels]


def tiles(side):
    """Return four folds of tiles of a side in pixels."""
    return TileKFold(4, tile_size=side, shape=scene.shape, random_state=0)


colors = ListedColormap(["#0072B2", "#D55E00", "#009E73", "#E69F00"])
sides = [1, 10, 25, 50]
figure, axes = plt.subplots(1, 4, figsize=(9, 2.5), layout="compressed")
for ax, side in zip(axes, sides):
    for fold, (_, test) in enumerate(tiles(side).split(Y, groups=pixels)):
        ax.scatter(columns[pixels[test]], rows[pixels[test]], s=2, color=colors(fold))
    ax.set(title=f"tiles of {side} × {side}", aspect="equal", xticks=[], yticks=[])
    ax.invert_yaxis()

# %%
# Three models
# ------------
#
# All three learn from pairs. The network starts from a model of mixing, and trains for 30 epochs
# only. ``norm``, ``noise_augmentation`` and ``fallback`` are set, so that it makes no choice by
# random folds. The other two know nothing about mixing.

from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from skunmix import UADMMRegressor
from skunmix.metrics import abundance_rmse_scorer

models = {
    "U-ADMM, 30 epochs": UADMMRegressor(
        scene.endmembers,
        norm="l2",
        noise_augmentation=False,
        fallback=None,
        max_epochs=30,
        random_state=0,
    ),
    "nearest neighbours": KNeighborsRegressor(3),
    "support vectors": make_pipeline(
        StandardScaler(), MultiOutputRegressor(SVR(C=1.0, epsilon=0.01))
    ),
}
errors = {
    name: [
        -cross_val_score(model, Y, X, groups=pixels, cv=tiles(side), scoring=abundance_rmse_scorer)
        for side in sides
    ]
    for name, model in models.items()
}
for name, by_side in errors.items():
    print(f"{name:20}" + "  ".join(f"{e.mean():.4f} ±{e.std():.4f}" for e in by_side))

# %%

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for (name, by_side), color, line in zip(
    errors.items(), ["#0072B2", "#D55E00", "#009E73"], ["-", "-.", "--"]
):
    mean = [fold_errors.mean() for fold_errors in by_side]
    ax.plot(sides, mean, color=color, linestyle=line, marker="o", label=f"{name}, mean")
    worst = [fold_errors.max() for fold_errors in by_side]
    ax.plot(sides, worst, color=color, linestyle="none", marker="^", label=f"{name}, worst fold")
ax.set(xlabel="side of a tile, in pixels", ylabel="RMSE of abundances", ylim=(0, None))
_ = ax.legend(fontsize="small", loc="lower left", ncols=2)

# %%
# The error and the spread between folds grow with the distance between test and training pixels.
# Models that only remember the training pixels lose most: with quarters of the image left out, the
# worst fold of nearest neighbours has twice the error that they have with single pixels left out.
# Large tiles predict the error on the next image better.
