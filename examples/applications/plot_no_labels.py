"""
No labels at all
================

If no abundances are known, use FCLS or normalised SunSAL: on a real scene, a network that is
trained on simulated mixtures has a larger error.

The scene is downloaded once (3 MB): see :func:`skunmix.datasets.fetch_jasper_ridge`.
"""

# %%
# Simulated pairs
# ---------------
#
# Draw 2,000 random mixtures of one to four materials, with noise of 30 dB, from four spectra (here
# those that come with Jasper Ridge). Their abundances are known. A simulation can also include what
# the linear model lacks: here a random amount of light falls on each pixel, as with slopes and
# shade.

import numpy as np

from skunmix.datasets import fetch_jasper_ridge, make_mixtures

scene = fetch_jasper_ridge()
pairs = make_mixtures(
    scene.endmembers, 2000, n_active=(1, 4), concentration=0.5, snr=30, random_state=0
)
light = np.random.RandomState(0).uniform(0.4, 1.2, size=(2000, 1))

# %%
# Training
# --------
#
# ``fallback=None`` keeps the solvers from answering in place of the network.

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse
from skunmix.plotting import LossCurveDisplay

network = UADMMRegressor(scene.endmembers, fallback=None, random_state=0)
network.fit(light * pairs.spectra, pairs.abundances)
_ = LossCurveDisplay.from_estimator(network)

# %%
# The real scene
# --------------
#
# No estimator uses abundances of the scene. The reference serves for comparison only.

fcls = SunSALRegressor(scene.endmembers, lam=0, sum_to_one=True).fit(scene.spectra)
sunsal = SunSALRegressor(scene.endmembers, sum_to_one="normalize").fit(scene.spectra)
for name, model in {
    "FCLS": fcls,
    "SunSAL, normalised": sunsal,
    "network, trained on simulated pairs": network,
}.items():
    print(f"{name:38}{abundance_rmse(scene.abundances, model.predict(scene.spectra)):.4f}")

# %%
# FCLS mistakes shade for another mixture. SunSAL with a rescaled solution ignores brightness by
# construction, and needs no simulation. The network learned to do the same, and learned the
# mixtures of the simulation, which are not those of the scene: its error is larger than that of
# SunSAL.

from skunmix.plotting import AbundanceMapDisplay

for name, model in {"SunSAL": sunsal, "network": network}.items():
    _ = AbundanceMapDisplay.from_estimator(
        model,
        scene.spectra,
        scene.abundances,
        shape=scene.shape,
        endmember_names=scene.endmember_names,
        error=True,
        name=name,
    )

# %%
# Where the simulation is right
# -----------------------------
#
# A made scene of six materials, with noise of 15 dB. The pairs have the same endmembers and the
# same noise, and mixing is linear in both. Nothing is left to differ but the proportions of the
# mixtures. Here the network is better than FCLS, by a few percent.

from skunmix.datasets import make_scene

made = make_scene(snr=15, random_state=0)
pairs = make_mixtures(made.endmembers, 2000, n_active=(1, 4), snr=15, random_state=0)
network = UADMMRegressor(made.endmembers, random_state=0).fit(pairs.spectra, pairs.abundances)
fcls = SunSALRegressor(made.endmembers, lam=0, sum_to_one=True).fit(made.spectra)
for name, model in {"FCLS": fcls, "network, trained on simulated pairs": network}.items():
    print(f"{name:38}{abundance_rmse(made.abundances, model.predict(made.spectra)):.4f}")

# %%
# A real scene rarely mixes as a simulation does. Pixels with known abundances show the network what
# differs: see :doc:`/guide/training`.
