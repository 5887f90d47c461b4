"""
Grid search on the weights of the loss
======================================

The network's loss has three terms; do the two besides the squared error matter?
"""

# %%
# The grid
# --------
#
# The loss is α₁ · squared error + α₂ · angle + α₃ · divergence, and the paper takes α₂ = 1e-7 and
# α₃ = 1e-5. Sixteen pairs of weights by three folds, on 200 pixels and for 30 epochs.

import numpy as np
from sklearn.model_selection import GridSearchCV

from skunmix import UADMMRegressor
from skunmix.datasets import make_scene
from skunmix.metrics import abundance_rmse_scorer

scene = make_scene(n_endmembers=4, random_state=0)
pixels = np.random.RandomState(0).permutation(len(scene.spectra))[:200]
weights = {
    "alpha_aad": [0, 1e-7, 1e-3, 1e-1],
    "alpha_aid": [0, 1e-5, 1e-3, 1e-2],
}
search = GridSearchCV(
    UADMMRegressor(endmembers=scene.endmembers, max_epochs=30, random_state=0),
    weights,
    scoring=abundance_rmse_scorer,
    cv=3,
).fit(scene.spectra[pixels], scene.abundances[pixels])
print(search.best_params_)

# %%
# The heat map
# ------------
#
# Below each mean over the folds stands their standard deviation.

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
# How many pairs of weights can be told from the best one?

best = np.unravel_index(mean.argmin(), shape)
n_alike = np.count_nonzero(mean - mean[best] < spread[best])
print(f"{n_alike} of {mean.size} pairs are within one standard deviation of the folds of the best")

# %%
# On this scene the terms besides the squared error matter little, at the paper's weights not at
# all. What to search first is the learning rate and the epochs.
