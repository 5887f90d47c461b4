"""
Abundance maps of Jasper Ridge (Fig. 3)
=======================================

Maps of four endmembers in a real scene, by three estimators and in the reference.

The scene is downloaded once (3 MB): see :func:`skunmix.datasets.fetch_jasper_ridge`.
"""

# %%
# The scene
# ---------
#
# 100 × 100 pixels with 198 bands, with reference endmembers and abundances of tree, water, dirt and
# road. 256 pixels serve for training, as in the paper.

import numpy as np
from sklearn.model_selection import train_test_split

from skunmix.datasets import fetch_jasper_ridge

scene = fetch_jasper_ridge()
train, test = train_test_split(np.arange(len(scene.spectra)), train_size=256, random_state=0)

# %%
# Three estimators
# ----------------
#
# Sparse regression needs no training. ``paper`` makes networks with the settings of the paper: two
# layers, which train for 300 epochs with a learning rate of 1e-4. ``mu="auto"`` chooses the start
# of U-ADMM on the training pairs, because its error after the start of the paper varies more with
# the seed. The defaults of both classes are other configurations: see :doc:`/guide/training`.

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse

A = scene.endmembers
learners = {
    "SunSAL": SunSALRegressor(endmembers=A, sum_to_one="normalize"),
    "ISTA network": ISTANetRegressor.paper(A, random_state=0),
    "U-ADMM": UADMMRegressor.paper(A, mu="auto", random_state=0),
}
maps = {}
for name, learner in learners.items():
    learner.fit(scene.spectra[train], scene.abundances[train])
    maps[name] = learner.predict(scene.spectra)
    print(f"{name:14}{abundance_rmse(scene.abundances[test], maps[name][test]):.4f}")

# %%
# The maps
# --------
#
# One row for each estimator, and the reference last. Each row is a Display, drawn into the axes of
# one figure.

import matplotlib.pyplot as plt

from skunmix.plotting import AbundanceMapDisplay

figure, axes = plt.subplots(4, 4, figsize=(7.5, 6.5), layout="compressed")
for i, (name, abundances) in enumerate({**maps, "reference": scene.abundances}.items()):
    display = AbundanceMapDisplay.from_predictions(
        abundances,
        shape=scene.shape,
        endmember_names=scene.endmember_names if i == 0 else [""] * 4,
        name=name,
        colorbar=False,
        ax=axes[i],
    )
_ = figure.colorbar(display.images_[0, 0], ax=axes, label="abundance", shrink=0.6)

# %%
# Where the errors are
# --------------------
#
# The absolute error of U-ADMM, and below it the residual of linear mixing.

names = scene.endmember_names
_ = AbundanceMapDisplay.from_predictions(
    maps["U-ADMM"],
    y_true=scene.abundances,
    shape=scene.shape,
    endmember_names=names,
    name="U-ADMM",
    error=True,
)

# %%

from skunmix.plotting import ResidualMapDisplay

_ = ResidualMapDisplay.from_estimator(learners["SunSAL"], scene.spectra, shape=scene.shape)

# %%
# Endmembers that fit the abundances
# ----------------------------------
#
# Without ``endmembers``, an estimator computes them from the training pairs by least squares. Tree,
# dirt and road are close to the reference. Water is not: its spectrum is near zero, and absorbs
# what the linear model lacks. The gaps are bands in which water vapour in the air absorbs the
# light.

from skunmix.plotting import EndmemberDisplay

estimated = SunSALRegressor().fit(scene.spectra[train], scene.abundances[train])
_ = EndmemberDisplay.from_estimator(
    estimated, reference=A, bands=scene.bands, endmember_names=names
)
