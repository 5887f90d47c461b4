"""Unmix a scene with four estimators; print a table of errors and times, and draw maps.

``python examples/quickstart.py`` makes the paper's synthetic scene. ``--jasper`` takes the real
scene of Jasper Ridge instead, which is downloaded once.
"""

import argparse
import sys
import time

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import train_test_split

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.datasets import fetch_jasper_ridge, make_scene
from skunmix.metrics import (
    abundance_angle_distance,
    abundance_rmse,
    signal_to_reconstruction_error,
)


def load(jasper):
    """Return the scene and the number of pixels to train on."""
    if jasper:
        return fetch_jasper_ridge(), 256
    return make_scene(snr=15, random_state=0), 1000


def learners(endmembers, seed):
    """Return the estimators by name; the networks have default parameters except for the seed."""
    return {
        "FCLS": SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True),
        "SunSAL": SunSALRegressor(endmembers=endmembers, sum_to_one="normalize"),
        "ISTA network": ISTANetRegressor(endmembers=endmembers, random_state=seed),
        "U-ADMM": UADMMRegressor(endmembers=endmembers, random_state=seed),
    }


def compare(scene, n_train, seed):
    """Fit each estimator on some pixels, score it on the others, and unmix the scene with it.

    Print what is running, as a training takes some seconds.

    Returns
    -------
    scores : dict of {name: (rmse, aad in degrees, sre in dB, fit seconds, pixels a second)}
    maps : dict of {name: abundances of the scene}
    """
    train, test = train_test_split(
        np.arange(len(scene.spectra)), train_size=n_train, random_state=seed
    )
    scores, maps = {}, {}
    for name, learner in learners(scene.endmembers, seed).items():
        print(f"{name}, seed {seed}: fitting", end="", flush=True)
        start = time.perf_counter()
        learner.fit(scene.spectra[train], scene.abundances[train])
        fit_seconds = time.perf_counter() - start
        if getattr(learner, "fallback_", None):
            print(f" (answered by {learner.fallback_})", end="", flush=True)
        print(f" took {fit_seconds:.1f} s; unmixing the scene", end="", flush=True)
        learner.predict(scene.spectra)  # compile before timing
        start = time.perf_counter()
        maps[name] = learner.predict(scene.spectra)
        predict_seconds = time.perf_counter() - start
        pair = scene.abundances[test], maps[name][test]
        print(f" took {predict_seconds:.2f} s", flush=True)
        scores[name] = (
            abundance_rmse(*pair),
            abundance_angle_distance(*pair, degrees=True),
            signal_to_reconstruction_error(*pair),
            fit_seconds,
            len(scene.spectra) / predict_seconds,
        )
    return scores, maps


def print_table(runs):
    """Print means over the runs, and standard deviations of the errors."""
    seeds = f"mean ± standard deviation of {len(runs)} seeds" if len(runs) > 1 else "one seed"
    print(f"{'':14}{'RMSE':>16}{'AAD [°]':>14}{'SRE [dB]':>14}{'fit [s]':>9}{'pixels/s':>12}")
    for name in runs[0]:
        values = np.array([run[name] for run in runs])
        rmse, aad, sre, fit, rate = values.mean(axis=0)
        rmse_std, aad_std, sre_std, *_ = values.std(axis=0)
        print(
            f"{name:14}{rmse:9.4f} ±{rmse_std:.4f}{aad:8.2f} ±{aad_std:4.2f}"
            f"{sre:8.2f} ±{sre_std:4.2f}{fit:9.2f}{rate:12,.0f}"
        )
    print(f"({seeds}, on pixels outside the training set)")


def draw(scene, maps):
    """Draw abundance maps: a column for each endmember, the true maps above the estimated."""
    rows = {"true": scene.abundances, **maps}
    n_columns = scene.abundances.shape[1]
    figure, axes = plt.subplots(
        len(rows),
        n_columns,
        figsize=(1.75 * n_columns + 0.8, 1.75 * len(rows)),
        squeeze=False,
        layout="constrained",
    )
    for line, (name, abundances) in zip(axes, rows.items()):
        line[0].set_ylabel(name)
        for ax, band in zip(line, abundances.T):
            image = ax.imshow(band.reshape(scene.shape), vmin=0, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
    for ax, name in zip(axes[0], scene.endmember_names):
        ax.set_title(name)
    figure.colorbar(image, ax=axes, label="abundance", shrink=0.6)
    return figure


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--jasper", action="store_true", help="take the real scene of Jasper Ridge")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds to average over")
    parser.add_argument("--output", help="path of the figure")
    arguments = parser.parse_args()

    try:
        scene, n_train = load(arguments.jasper)
    except (OSError, ImportError) as error:  # no network, or no pooch
        sys.exit(f"quickstart.py: {error}")
    n_pixels, n_bands = scene.spectra.shape
    print(
        f"{n_pixels} pixels, {n_bands} bands, {len(scene.endmembers)} endmembers; "
        f"{n_train} pixels to train on",
        flush=True,
    )
    runs, maps = zip(*(compare(scene, n_train, seed) for seed in range(arguments.seeds)))
    print_table(runs)
    output = arguments.output or f"quickstart{'_jasper' if arguments.jasper else ''}.png"
    draw(scene, maps[0]).savefig(output, dpi=80)
    print(f"abundance maps: {output}")


if __name__ == "__main__":
    main()
