"""
Maps from an array
==================

From an image in an array to maps of what it is made of, when a pixel of each material is known.
"""

# %%
# The scene
# ---------
#
# Yours would come from a file, as an array of shape (rows, columns, bands). This one is made:
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
# The spectra of three pixels, one in the middle of a field of each material, serve as *endmembers*:
# every pixel is taken for a mixture of them. ``lam=0, sum_to_one=True`` is fully constrained least
# squares: fractions are at least 0 and sum to one. Rows of the matrix are pixels, as in all of
# scikit-learn.

from skunmix import SunSALRegressor
from skunmix.plotting import AbundanceMapDisplay

endmembers = cube[[25, 5, 15], [75, 35, 5]]
pixels = cube.reshape(-1, cube.shape[-1])
model = SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True).fit(pixels)
names = ["forest", "lake", "soil"]
display = AbundanceMapDisplay.from_estimator(model, cube, endmember_names=names)

# %%
# How good are they?
# ------------------
#
# Here the true fractions are known. The pixels that were picked are endmembers with noise on them,
# and that noise is what is left as error.

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
# With real data nobody knows. What can be seen there is what the model leaves unexplained: if one
# of the three materials is left out, the fields of it stand out.

from skunmix.plotting import ResidualMapDisplay

two = SunSALRegressor(endmembers=endmembers[:2], lam=0, sum_to_one=True).fit(pixels)
_ = ResidualMapDisplay.from_estimator(two, cube)

# %%
# Endmembers
# ----------
#
# The spectra that were picked, beside the true ones. The angle between them is in the legend.

from skunmix.plotting import EndmemberDisplay

_ = EndmemberDisplay.from_estimator(
    model,
    reference=scene.endmembers[order],
    wavelengths=scene.wavelengths,
    endmember_names=names,
)
