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
# The default has ten layers, and trains for 1,500 steps or a few more.

from skunmix import UADMMRegressor
from skunmix.plotting import LossCurveDisplay

network = UADMMRegressor(endmembers=scene.endmembers, random_state=0).fit(Y, X)
_ = LossCurveDisplay.from_estimator(network)

# %%
# What it chose
# -------------
#
# Before the training, ``fit`` compares five candidates by cross-validation: the network on the
# spectra as given, on mixtures of the endmembers with new noise in each epoch, and on spectra at
# unit length; and two solvers that need no training. It trains the best of the three networks. If a
# solver had the smallest error, it would answer instead.

views = {
    (None, False): "spectra as given",
    (None, True): "new noise in each epoch",
    ("l2", False): "spectra at unit length",
}
for candidate, error in network.choice_scores_.items():
    print(f"{views.get(candidate, candidate):26}{error:.4f}")
print(f"fallback: {network.fallback_}")

# %%
# Before and after training
# -------------------------
#
# The untrained network *is* ten iterations of ADMM, with µ chosen on the training pairs. Training
# starts from there. The errors are those on the other 9,500 pixels.

from skunmix import SunSALRegressor
from skunmix.metrics import abundance_rmse

untrained = UADMMRegressor(endmembers=scene.endmembers, max_epochs=0).fit(Y, X)
sunsal = SunSALRegressor(endmembers=scene.endmembers, sum_to_one="normalize").fit(Y)
fcls = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True).fit(Y)
for name, model in {
    "SunSAL, normalised": sunsal,
    "FCLS": fcls,
    "ten iterations of ADMM": untrained,
    "the trained network": network,
}.items():
    print(f"{name:24}{abundance_rmse(X_new, model.predict(Y_new)):.4f}")

# %%
# FCLS assumes linear mixing of known spectra. This holds exactly for this scene, so that FCLS is
# hard to beat. It is easier to beat where mixing is not quite linear, as in :ref:`a real scene
# <sphx_glr_auto_examples_paper_plot_jasper_maps.py>`. More layers and longer training reduce the
# error further: see :doc:`/guide/training`.

from skunmix.plotting import AbundanceMapDisplay

_ = AbundanceMapDisplay.from_estimator(
    network, scene.spectra, scene.abundances, shape=scene.shape, error=True
)
