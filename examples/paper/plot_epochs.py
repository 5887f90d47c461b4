"""
Error against epochs (Fig. 2a)
==============================

How many epochs the two networks of the paper take, over five seeds.

The curves were measured by ``python benchmarks/paper.py --output docs/results``, which trains for
some twenty minutes; this script draws what it wrote.
"""

# %%
# The measurements
# ----------------
#
# The RMSE of abundances on all pixels that were not trained on, a column for each seed. A seed
# draws the training pixels, their order, and the synthetic scene. Training is the paper's: two
# layers, Adam at 1e-4, batches of 64; the synthetic scene has 1,000 training pixels, Jasper Ridge
# 256.

from pathlib import Path

import pandas as pd

# from this script's folder, or from the repository's
results = next(path for path in map(Path, ("../../docs/results", "docs/results")) if path.is_dir())
table = pd.read_csv(results / "paper_epochs.csv", comment="#")
table = table.set_index(["scene", "learner", "epochs"]).sort_index()
mean, spread = table.mean(axis=1), table.std(axis=1, ddof=0)
print(mean.unstack("epochs")[[0, 10, 50, 100, 200, 300, 500]].round(4).to_string())

# %%
# The curves
# ----------
#
# Lines are means, bands one standard deviation of the five seeds. MNN-AE-2 is
# :class:`~skunmix.ISTANetRegressor`. U-ADMM is :class:`~skunmix.UADMMRegressor`, once from the
# start of the paper, µ = λ_max(AᵀA), and once as it comes, with µ chosen on the training pairs.

import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter, ScalarFormatter

styles = {
    "UADMMRegressor()": ("#0072B2", "-"),
    "U-ADMM, the paper's": ("#56B4E9", "--"),
    "MNN-AE-2, the paper's": ("#D55E00", "-."),
}
titles = {"usgs": "synthetic scene, 15 dB", "jasper": "Jasper Ridge"}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for ax, (scene, title) in zip(axes, titles.items()):
    for learner, (color, line) in styles.items():
        curve, width = mean[scene, learner], spread[scene, learner]
        ax.plot(curve.index, curve, color=color, linestyle=line, label=learner)
        ax.fill_between(curve.index, curve - width, curve + width, color=color, alpha=0.2)
    ax.set(title=title, xlabel="epochs", yscale="log", ylim=(0.012, 0.4))
axes[0].set_yticks([0.02, 0.05, 0.1, 0.2])
axes[0].yaxis.set_major_formatter(ScalarFormatter())
axes[0].yaxis.set_minor_formatter(NullFormatter())
axes[0].set_ylabel("RMSE of abundances")
_ = axes[1].legend()

# %%
# The paper's claims
# ------------------
#
# That U-ADMM is below MNN-AE-2, and gets there in a fraction of the epochs:

print((results / "paper_epochs.txt").read_text(encoding="utf-8"))

# %%
# On Jasper Ridge the paper's order holds, by less than the published table leads to expect: an
# MNN-AE-2 that is trained like U-ADMM is not far behind. From the paper's start U-ADMM takes 200
# of 500 epochs to MNN-AE-2's last error there, and 175 on the synthetic scene: about two fifths,
# not one. On the latter it is behind at fifty epochs, 0.0646 to 0.0638.
#
# What makes the difference is where training starts. With µ chosen on the training pairs, U-ADMM
# takes 60 epochs on Jasper Ridge, and on the synthetic scene it is better untrained (0.0532) than
# MNN-AE-2 after 500 (0.0546); there more than a hundred epochs begin to fit the noise.
