"""
Train a network
===============

If the abundances of some pixels are known, a network of unrolled ADMM layers learns from them.
"""

# %%
# Pixels to learn from
# --------------------
#
# The synthetic image of the paper: patches of two materials each, of six materials in total, with
# noise of 15 dB. The abundances of 500 of its 10,000 pixels serve for training.

from sklearn.model_selection import train_test_split

from skunmix.datasets import make_scene

scene = make_scene(random_state=0)
Y, Y_new, X, X_new = train_test_split(
    scene.spectra, scene.abundances, train_size=500, random_state=0
)

# %%
# Training
# --------
#
# ``early_stopping`` sets a tenth of the pairs aside, monitors the loss on them, and restores the
# parameters with the lowest loss.

from skunmix import UADMMRegressor
from skunmix.plotting import LossCurveDisplay

network = UADMMRegressor(endmembers=scene.endmembers, early_stopping=True, random_state=0)
network.fit(Y, X)
_ = LossCurveDisplay.from_estimator(network)

# %%
# Before and after training
# -------------------------
#
# The untrained network *is* two iterations of ADMM, with µ chosen on the training pairs. Training
# starts from there.

from skunmix import SunSALRegressor
from skunmix.metrics import abundance_rmse

untrained = UADMMRegressor(endmembers=scene.endmembers, max_epochs=0).fit(Y, X)
sunsal = SunSALRegressor(endmembers=scene.endmembers, sum_to_one="normalize").fit(Y)
fcls = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True).fit(Y)
for name, model in {
    "SunSAL, normalised": sunsal,
    "FCLS": fcls,
    "two iterations of ADMM": untrained,
    "the trained network": network,
}.items():
    print(f"{name:24}{abundance_rmse(X_new, model.predict(Y_new)):.4f}")

# %%
# FCLS assumes linear mixing of known spectra. This holds exactly for this scene, so that FCLS is
# hard to beat. It is easier to beat where mixing is not quite linear, as in :ref:`a real scene
# <sphx_glr_auto_examples_paper_plot_jasper_maps.py>`. With more layers and longer training, the
# network has a smaller error here, too: see :doc:`/guide/strong`.

from skunmix.plotting import AbundanceMapDisplay

_ = AbundanceMapDisplay.from_estimator(
    network, scene.spectra, scene.abundances, shape=scene.shape, error=True
)
