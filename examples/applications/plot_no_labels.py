"""
No labels at all
================

If no abundances are known, train a network on mixtures that are simulated from spectra.

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

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse
from skunmix.plotting import LossCurveDisplay

network = UADMMRegressor(
    endmembers=scene.endmembers,
    n_layers=6,
    learning_rate=1e-3,
    lr_schedule="cosine",
    max_epochs=50,
    random_state=0,
).fit(light * pairs.spectra, pairs.abundances)
_ = LossCurveDisplay.from_estimator(network)

# %%
# The real scene
# --------------
#
# Training uses no abundances of the scene. The reference serves for comparison only.

fcls = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True).fit(scene.spectra)
nnls = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one="normalize")
nnls.fit(scene.spectra)
for name, model in {
    "FCLS": fcls,
    "NNLS, normalised": nnls,
    "network, trained on simulated pairs": network,
}.items():
    print(f"{name:38}{abundance_rmse(scene.abundances, model.predict(scene.spectra)):.4f}")

# %%
# The network is closer to the reference than FCLS, which mistakes shade for another mixture. NNLS
# with a rescaled solution ignores brightness by construction, and is closer still. Simulate if you
# know an effect that the model of no solver includes.

from skunmix.plotting import AbundanceMapDisplay

_ = AbundanceMapDisplay.from_estimator(
    network,
    scene.spectra,
    scene.abundances,
    shape=scene.shape,
    endmember_names=scene.endmember_names,
    error=True,
)
