"""
Intervals of abundances
=======================

Intervals for noise alone miss the errors of a model. Intervals from labelled pixels hold both.
"""

# %%
# A model that is not quite right
# -------------------------------
#
# The light on the pixels of this scene varies, as on slopes that face the sun or not. Fully
# constrained least squares assumes that all pixels have the same light, so that its abundances have
# an error that is not noise. Its own intervals know nothing of it: with a nominal coverage of 0.9,
# they hold less than half of the abundances of mixed entries.

import matplotlib.pyplot as plt
import numpy as np

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.plotting import CoverageDisplay, IntervalDisplay

scene = make_scene(n_endmembers=4, snr=20, brightness_variation=0.15, random_state=0)
fcls = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True).fit(scene.spectra)

pixels = np.random.RandomState(0).permutation(len(scene.spectra))
labelled, test = pixels[:200], pixels[200:]
_ = CoverageDisplay.from_estimator(fcls, scene.spectra[test], scene.abundances[test])

# %%
# Intervals from labelled pixels
# ------------------------------
#
# :class:`~skunmix.uncertainty.ConformalUnmixer` measures the errors on 200 pixels with known
# abundances. On the other pixels, the intervals hold the share that they should.

from skunmix.uncertainty import ConformalUnmixer

model = ConformalUnmixer(fcls, random_state=0)
model.fit(scene.spectra[labelled], scene.abundances[labelled])
_ = CoverageDisplay.from_estimator(model, scene.spectra[test], scene.abundances[test])

# %%
# A better model has narrower intervals
# -------------------------------------
#
# Coverage is no measure of how good a model is: intervals that hold everything have it too. Compare
# the widths. Non-negative least squares whose abundances are divided by their sum is not misled by
# the light:

normalized = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one="normalize")
better = ConformalUnmixer(normalized, random_state=0)
better.fit(scene.spectra[labelled], scene.abundances[labelled])

for name, unmixer in {"sum to one": model, "normalised": better}.items():
    lower, upper = unmixer.predict_interval(scene.spectra[test], coverage=0.9)
    inside = (lower <= scene.abundances[test]) & (scene.abundances[test] <= upper)
    print(f"{name}: width {np.mean(upper - lower):.3f}, coverage {inside.mean():.3f}")

# %%
# Maps
# ----
#
# :class:`~skunmix.plotting.IntervalDisplay` shows where abundances are known well: here, absent
# endmembers are the most certain.

_ = IntervalDisplay.from_estimator(better, scene.spectra, shape=scene.shape)

# %%
# For a whole scene, ``coverage`` adds lower and upper maps to the abundances:

from skunmix.scenes import unmix

cube = scene.spectra.reshape(*scene.shape, -1)
abundances, lower, upper = np.split(unmix(better, cube, coverage=0.9), 3, axis=-1)

row = 50
figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
columns = np.arange(scene.shape[1])
ax.fill_between(columns, lower[row, :, 0], upper[row, :, 0], step="mid", color="#0072B2", alpha=0.3)
ax.step(columns, abundances[row, :, 0], where="mid", color="#0072B2", label="estimate and interval")
true = scene.abundances.reshape(*scene.shape, -1)[row, :, 0]
ax.plot(columns, true, "k.", markersize=3, label="truth")
ax.set(xlabel=f"column of row {row}", ylabel="abundance of endmember0", xlim=(0, columns[-1]))
_ = ax.legend(fontsize="small")
