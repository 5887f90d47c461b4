"""
Maps from an array
==================

Make abundance maps of an image in an array, given one pixel of each material.
"""

# %%
# The scene
# ---------
#
# A scene is an array of shape (rows, columns, bands), usually from a file. This one is simulated:
# fields of three materials with blurred edges, and noise of 30 dB.

from skunmix.datasets import make_scene

scene = make_scene(
    n_endmembers=3, shape=(50, 80), fractions=(1.0,), sigma=1.0, snr=30, random_state=0
)
cube = scene.spectra.reshape(*scene.shape, -1)
cube.shape

# %%
# Unmixing
# --------
#
# The spectra of three pixels, each in the middle of a field of one material, serve as *endmembers*:
# the model takes every pixel as a mixture of them. ``lam=0, sum_to_one=True`` is fully constrained
# least squares (FCLS): fractions are at least 0 and sum to one. Rows of the matrix are pixels, as
# everywhere in scikit-learn.

from skunmix import SunSALRegressor
from skunmix.plotting import AbundanceMapDisplay

endmembers = cube[[25, 5, 15], [75, 35, 5]]
pixels = cube.reshape(-1, cube.shape[-1])
model = SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True).fit(pixels)
names = ["forest", "lake", "soil"]
display = AbundanceMapDisplay.from_estimator(model, cube, endmember_names=names)

# %%
# Measuring the error
# -------------------
#
# Here the true fractions are known. The picked pixels are endmembers with noise, and this noise
# causes the remaining error.

from skunmix.metrics import abundance_rmse

order = [
    scene.abundances.reshape(*scene.shape, -1)[row, col].argmax()
    for row, col in [(25, 75), (5, 35), (15, 5)]
]
truth = scene.abundances[:, order]
print(f"RMSE of abundances: {abundance_rmse(truth, model.predict(pixels)):.4f}")
_ = AbundanceMapDisplay.from_estimator(
    model, cube, truth.reshape(*scene.shape, -1), endmember_names=names, error=True
)

# %%
# For real data the true fractions are unknown. The residual is known: it is the part of the
# spectra that the model does not explain. If you leave out one of the three materials, its fields
# stand out.

from skunmix.plotting import ResidualMapDisplay

two = SunSALRegressor(endmembers=endmembers[:2], lam=0, sum_to_one=True).fit(pixels)
_ = ResidualMapDisplay.from_estimator(two, cube)

# %%
# Endmembers
# ----------
#
# The picked spectra beside the true ones. The legend shows the angle between them.

from skunmix.plotting import EndmemberDisplay

_ = EndmemberDisplay.from_estimator(
    model,
    reference=scene.endmembers[order],
    wavelengths=scene.wavelengths,
    endmember_names=names,
)
