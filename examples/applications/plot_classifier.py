"""
Abundances as features
======================

An unmixer before a classifier turns 224 bands into six named fractions.
"""

# %%
# Land cover from few labels
# --------------------------
#
# The synthetic scene, with a class for each pixel: a "field" contains mostly the first two
# materials, a "town" the next two, and a "shore" the last two. Between 10 and 300 pixels have
# labels.

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from skunmix.datasets import make_scene

scene = make_scene(snr=10, random_state=0)
shares = scene.abundances.reshape(-1, 3, 2).sum(axis=2)
labels = np.array(["field", "town", "shore"])[shares.argmax(axis=1)]
print(pd.Series(labels).value_counts().to_string())

# %%
# As a transformer, an unmixer returns abundances. ``set_output`` names the columns by endmember.

from skunmix import SunSALRegressor

names = ["grass", "crop", "roof", "asphalt", "sand", "water"]
library = pd.DataFrame(scene.endmembers, index=names)
unmixer = SunSALRegressor(endmembers=library, lam=0, sum_to_one=True)
unmixer.set_output(transform="pandas").fit(scene.spectra)
unmixer.transform(scene.spectra[:3]).round(2)

# %%
# Bands, components or abundances
# -------------------------------
#
# The pipeline passes the labels to the unmixer, too. They are ignored, because an unmixer with
# given endmembers needs no target.

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

classifier = LogisticRegression(max_iter=2000)
pipelines = {
    "bands": make_pipeline(StandardScaler(), classifier),
    "6 principal components": make_pipeline(PCA(6, random_state=0), StandardScaler(), classifier),
    "abundances": make_pipeline(clone(unmixer), StandardScaler(), classifier),
}
sizes, seeds = [10, 30, 100, 300], range(5)
accuracy = {name: np.empty((len(sizes), len(seeds))) for name in pipelines}
for i, size in enumerate(sizes):
    for seed in seeds:
        Y, Y_new, y, y_new = train_test_split(
            scene.spectra, labels, train_size=size, random_state=seed, stratify=labels
        )
        for name, pipeline in pipelines.items():
            accuracy[name][i, seed] = clone(pipeline).fit(Y, y).score(Y_new, y_new)

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for (name, values), color, line in zip(
    accuracy.items(), ["#D55E00", "#56B4E9", "#0072B2"], ["-.", "--", "-"]
):
    ax.errorbar(
        sizes,
        values.mean(axis=1),
        values.std(axis=1),
        color=color,
        linestyle=line,
        marker="o",
        capsize=3,
        label=name,
    )
    print(f"{name:24}" + "  ".join(f"{v.mean():.3f} ±{v.std():.3f}" for v in values))
ax.set(xlabel="pixels with labels", ylabel="accuracy on the others", xscale="log")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
_ = ax.legend()

# %%
# With thirty or more labels, six fractions give a higher accuracy than 224 bands or six components.
# With ten labels, the result depends on which ten.
#
# The coefficients of the classifier have names, and show what it learned:

model = pipelines["abundances"].fit(Y, y)
coefficients = pd.DataFrame(model[-1].coef_, index=model[-1].classes_, columns=names)
coefficients.round(1)
