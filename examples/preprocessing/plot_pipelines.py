"""
Preprocessing in pipelines
==========================

How pipelines handle brightness that varies over a scene.
"""

# %%
# A scene in light and shade
# --------------------------
#
# The synthetic scene, with a different amount of light on each pixel, as on slopes that face the
# sun or not. The abundances stay the same, and the spectra change.

import numpy as np

from skunmix.datasets import make_scene
from skunmix.plotting import AbundanceMapDisplay

scene = make_scene(n_endmembers=4, snr=25, random_state=0)
rows, columns = np.indices(scene.shape)
light = 0.7 + 0.3 * np.sin(rows / 9) * np.cos(columns / 14)
spectra = scene.spectra * light.reshape(-1, 1)
_ = AbundanceMapDisplay.from_predictions(
    light[..., np.newaxis], endmember_names=["light"], cmap="gray", colorbar=False
)

# %%
# Pipelines
# ---------
#
# No endmembers are given: each estimator computes them from the training pairs, after the
# preprocessing of its pipeline. ``Normalizer`` divides each spectrum by its norm, which removes the
# light. By default, the network itself tries spectra at unit length, and a solver may answer for it
# (:doc:`/guide/training`); here it takes what the pipeline passes.

from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse

Y, Y_new, X, X_new = train_test_split(spectra, scene.abundances, train_size=500, random_state=0)


def every_fourth_band(spectra):
    """Return a quarter of the bands."""
    return spectra[:, ::4]


from sklearn.preprocessing import FunctionTransformer

steps = {
    "spectra as they are": [],
    "StandardScaler": [StandardScaler()],
    "every fourth band": [FunctionTransformer(every_fourth_band)],
    "Normalizer": [Normalizer()],
    "Normalizer, PCA(10)": [Normalizer(), PCA(10, random_state=0)],
}
errors = {}
for name, preprocessing in steps.items():
    for learner in (
        SunSALRegressor(sum_to_one="normalize"),
        UADMMRegressor(
            norm=None, noise_augmentation=False, fallback=None, max_epochs=50, random_state=0
        ),
    ):
        model = make_pipeline(*preprocessing, learner).fit(Y, X)
        error = abundance_rmse(X_new, model.predict(Y_new))
        errors[name, type(learner).__name__] = error
        print(f"{name:22}{type(learner).__name__:18}{error:.4f}")

# %%

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for offset, (learner, color) in enumerate(
    {"SunSALRegressor": "#E69F00", "UADMMRegressor": "#0072B2"}.items()
):
    values = [errors[name, learner] for name in steps]
    ax.barh(np.arange(len(steps)) + 0.38 * offset, values, 0.36, color=color, label=learner)
ax.set_yticks(np.arange(len(steps)) + 0.19, steps)
ax.invert_yaxis()
ax.set_xlabel("RMSE of abundances, on pixels not trained on")
_ = ax.legend()

# %%
# - With every fourth band the error is larger, because fewer bands average out less of the noise.
# - ``StandardScaler`` and ``PCA`` centre spectra. Centred spectra are mixtures of centred
#   endmembers only if fractions sum to one. ``sum_to_one="normalize"`` solves without this
#   constraint, so that SunSAL has a large error. The network learns to compensate. Use
#   ``sum_to_one=True`` after centring.
# - Rescaled fractions already remove the light from a linear mixture, so that ``Normalizer`` adds
#   little here. After ``Normalizer``, mixing is no longer linear; the network compensates for this.
