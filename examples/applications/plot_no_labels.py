"""
No labels at all
================

Where no abundance is known, a network can be trained on mixtures that are simulated from spectra.

The scene is downloaded once (3 MB): see :func:`skunmix.datasets.fetch_jasper_ridge`.
"""

# %%
# Simulated pairs
# ---------------
#
# From four spectra, here those that come with Jasper Ridge, 2,000 random mixtures of one to four
# materials with noise of 30 dB. Their abundances are known, as they were drawn. What linear mixing
# lacks can be put in, too: each pixel is lit by a random amount, as slopes and shade do.

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
# No abundance of the scene was used to train; the reference serves to compare.

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
# The network is closer to the reference than FCLS, which takes shade for another mixture. NNLS
# whose solution is rescaled is blind to brightness by construction, and closer still: simulation
# pays where no solver has in its model what can be simulated.

from skunmix.plotting import AbundanceMapDisplay

_ = AbundanceMapDisplay.from_estimator(
    network,
    scene.spectra,
    scene.abundances,
    shape=scene.shape,
    endmember_names=scene.endmember_names,
    error=True,
)
