"""
Grid search on the weights of the loss
======================================

The loss of the network has three terms. Do the two besides the squared error matter?
"""

# %%
# The grid
# --------
#
# The loss is α₁ · squared error + α₂ · angle + α₃ · divergence. The paper sets α₂ = 1e-7 and
# α₃ = 1e-5, and the default both to zero. The grid has sixteen pairs of weights, with three folds,
# 200 pixels and 30 epochs: 48 networks, which ``StackedGridSearchCV`` trains at once. It gives the
# answers of ``GridSearchCV``. The other parameters are those of the paper, with µ chosen on the
# training pairs.

import numpy as np

from skunmix import UADMMRegressor
from skunmix.datasets import make_scene
from skunmix.metrics import abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV

scene = make_scene(n_endmembers=4, random_state=0)
pixels = np.random.RandomState(0).permutation(len(scene.spectra))[:200]
weights = {
    "alpha_aad": [0, 1e-7, 1e-3, 1e-1],
    "alpha_aid": [0, 1e-5, 1e-3, 1e-2],
}
search = StackedGridSearchCV(
    UADMMRegressor.paper(scene.endmembers, mu="auto", max_epochs=30, random_state=0),
    weights,
    scoring=abundance_rmse_scorer,
    cv=3,
).fit(scene.spectra[pixels], scene.abundances[pixels])
print(search.best_params_)

# %%
# The heat map
# ------------
#
# Each cell shows the mean over the folds, and below it the standard deviation.

import matplotlib.pyplot as plt

shape = [len(values) for values in weights.values()]
mean = -search.cv_results_["mean_test_score"].reshape(shape)
spread = search.cv_results_["std_test_score"].reshape(shape)
figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
image = ax.imshow(mean, cmap="viridis")
for (row, column), error in np.ndenumerate(mean):
    ax.text(
        column,
        row,
        f"{error:.4f}\n±{spread[row, column]:.4f}",
        ha="center",
        va="center",
        color="black" if image.norm(error) > 0.6 else "white",
        fontsize="small",
    )
ax.set_xticks(range(shape[1]), [f"{value:g}" for value in weights["alpha_aid"]])
ax.set_yticks(range(shape[0]), [f"{value:g}" for value in weights["alpha_aad"]])
ax.set(xlabel="alpha_aid", ylabel="alpha_aad")
_ = figure.colorbar(image, ax=ax, label="RMSE of abundances")

# %%
# How many pairs of weights differ clearly from the best one?

best = np.unravel_index(mean.argmin(), shape)
n_alike = np.count_nonzero(mean - mean[best] < spread[best])
print(f"{n_alike} of {mean.size} pairs are within one standard deviation of the folds of the best")

# %%
# On this scene the two other terms matter little, and at the paper's weights not at all. Search the
# learning rate and the number of epochs first.
