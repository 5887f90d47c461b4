"""
Endmembers of Jasper Ridge from nothing but the image
=====================================================

Every extractor on the same image, beside the reference spectra.

The scene is downloaded once (3 MB): see :func:`skunmix.datasets.fetch_jasper_ridge`.
"""

# %%
# The scene
# ---------
#
# 100 × 100 pixels with 198 bands. Its reference has four endmembers: tree, water, dirt and road.
# The extractors see the pixels only; the reference serves for comparison.

from skunmix.datasets import fetch_jasper_ridge

scene = fetch_jasper_ridge()
Y, names = scene.spectra, scene.endmember_names

# %%
# How many endmembers?
# --------------------
#
# The eigenvalues of the spectra beside those of the noise. HySime counts the directions in which
# the signal exceeds the noise. In a real scene these are more than there are materials, because a
# material looks different in different places: the number is an upper bound.

from skunmix.plotting import EndmemberCountDisplay

_ = EndmemberCountDisplay.from_spectra(Y)

# %%
# Every extractor
# ---------------
#
# An extractor is an estimator that finds ``endmembers_`` in ``fit(X)``, in an order of its own.
# ``match_endmembers`` brings them into the order of the reference, and ``endmember_angle`` compares
# their shapes, whatever their brightness.

import time

from skunmix.extraction import (
    NFINDR,
    SPA,
    VCA,
    ArchetypalAnalysis,
    BlindUnmixer,
    MinimumVolume,
)
from skunmix.metrics import endmember_angle, match_endmembers

extractors = {
    "SPA": SPA(4),
    "VCA": VCA(4, random_state=0),
    "N-FINDR": NFINDR(4, random_state=0),
    "minimum volume": MinimumVolume(4, random_state=0),
    "archetypal analysis": ArchetypalAnalysis(4, random_state=0),
    "chosen by the residual": BlindUnmixer(4, random_state=0),
}
found = {}
print(f"{'':24}{'  '.join(f'{name:>6}' for name in names)}    mean  seconds")
for name, extractor in extractors.items():
    start = time.perf_counter()
    extractor.fit(Y)
    seconds = time.perf_counter() - start
    found[name] = extractor.endmembers_[match_endmembers(scene.endmembers, extractor.endmembers_)]
    angles = endmember_angle(scene.endmembers, found[name], degrees=True, average=False)
    print(
        f"{name:24}{'  '.join(f'{angle:5.1f}°' for angle in angles)}"
        f"  {angles.mean():5.1f}°  {seconds:6.2f}"
    )

# %%
# The spectra
# -----------
#
# The reference is dashed; the legend shows the angles.

import matplotlib.pyplot as plt

from skunmix.plotting import EndmemberDisplay

figure, axes = plt.subplots(3, 2, figsize=(10, 10), layout="constrained", sharex=True)
for ax, (name, endmembers) in zip(axes.flat, found.items()):
    EndmemberDisplay.from_predictions(
        endmembers,
        reference=scene.endmembers,
        bands=scene.bands,
        endmember_names=names,
        ax=ax,
    )
    ax.set_title(name)

# %%
# From endmembers to maps
# -----------------------
#
# Any unmixer takes an extractor as ``endmembers``. The maps of two extractors, and the reference:

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import SunSALRegressor
from skunmix.metrics import abundance_rmse
from skunmix.plotting import AbundanceMapDisplay

maps = {}
for name in ("VCA", "archetypal analysis"):
    unmixer = SunSALRegressor(endmembers=extractors[name], lam=0, sum_to_one=True)
    model = make_pipeline(Normalizer(), unmixer).fit(Y)
    order = match_endmembers(scene.endmembers, model[-1].endmembers_)
    maps[name] = model.predict(Y)[:, order]
    print(f"{name:24}{abundance_rmse(scene.abundances, maps[name]):.3f}")

figure, axes = plt.subplots(3, 4, figsize=(7.5, 5.5), layout="compressed")
for i, (name, abundances) in enumerate({**maps, "reference": scene.abundances}.items()):
    display = AbundanceMapDisplay.from_predictions(
        abundances,
        shape=scene.shape,
        endmember_names=names if i == 0 else [""] * 4,
        name=name,
        colorbar=False,
        ax=axes[i],
    )
_ = figure.colorbar(display.images_[0, 0], ax=axes, label="abundance", shrink=0.6)
