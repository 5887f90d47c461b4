"""
Endmembers through a pipeline
=============================

A scaler must transform the endmembers as it transforms the spectra. Otherwise a network has a bad
start.
"""

# %%
# Three ways
# ----------
#
# A network with the settings of the paper and µ chosen on the training pairs, after
# ``StandardScaler``, with endmembers that are
#
# - left in reflectance, as given to the constructor, which is wrong;
# - carried: given to ``fit`` of the pipeline, which transforms them;
# - estimated from the scaled pairs.

import sklearn
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skunmix import UADMMRegressor
from skunmix.datasets import make_scene

sklearn.set_config(enable_metadata_routing=True)
scene = make_scene(n_endmembers=4, snr=25, random_state=0)
Y, X = scene.spectra[::20], scene.abundances[::20]


def fit(max_epochs):
    """Return the three pipelines, trained for `max_epochs`."""
    settings = {"mu": "auto", "max_epochs": max_epochs, "random_state": 0}
    left = make_pipeline(StandardScaler(), UADMMRegressor.paper(scene.endmembers, **settings)).fit(
        Y, X
    )
    carried = make_pipeline(StandardScaler(), UADMMRegressor.paper(**settings))
    carried.set_params(transform_input=["endmembers"]).fit(Y, X, endmembers=scene.endmembers)
    estimated = make_pipeline(StandardScaler(), UADMMRegressor.paper(**settings)).fit(Y, X)
    return {"left in reflectance": left, "carried": carried, "estimated": estimated}


# %%
# Where training starts
# ---------------------
#
# The squared error before the first epoch, and the loss after 100 epochs. skunmix warns of the
# first way, because scaled spectra are negative and its endmembers are not.

import warnings

import numpy as np

warnings.simplefilter("ignore", UserWarning)
trained = fit(max_epochs=100)
for (name, untrained), model in zip(fit(max_epochs=0).items(), trained.values()):
    start = np.mean(np.sum((untrained.predict(Y) - X) ** 2, axis=1))
    print(f"{name:22}{start:.4f} at epoch 0, {model[-1].loss_curve_[-1]:.4f} after 100")

# %%

import matplotlib.pyplot as plt

from skunmix.plotting import LossCurveDisplay

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
styles = [
    {"color": "#D55E00", "linestyle": "-."},
    {"color": "#56B4E9", "linewidth": 5},  # the next line covers it
    {"color": "black", "linestyle": "--"},
]
for (name, model), style in zip(trained.items(), styles):
    LossCurveDisplay.from_estimator(model, name=name, ax=ax, line_kw=style)

# %%
# Carried and estimated endmembers are equal up to the noise, and so are the results.

# %%
# Mixing stays linear
# -------------------
#
# Scaling is affine, and abundances sum to one. Therefore mixtures of the carried endmembers equal
# the scaled mixtures, up to rounding:

carried = trained["carried"]
mixed = carried[0].transform(scene.abundances @ scene.endmembers)
print(f"{abs(scene.abundances @ carried[-1].endmembers_ - mixed).max():.1e}")
sklearn.set_config(enable_metadata_routing=False)
