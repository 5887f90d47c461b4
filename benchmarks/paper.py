"""The experiments of the paper: Fig. 2a, Fig. 2b and Table 1 of Zhou & Rodrigues (ICASSP 2021).

    python benchmarks/paper.py --output docs/results     # what the documentation shows
    python benchmarks/paper.py --quick                   # small, for continuous integration

Fig. 2a is the RMSE of abundances against epochs of training, Fig. 2b against the number of training
pixels, Table 1 the RMSE on Jasper Ridge. The learners are the paper's two networks, trained in the
paper's way (two layers, Adam at 1e-4, batches of 64, 300 epochs but for Fig. 2a), U-ADMM from this
package's start and from the paper's, µ = λ_max(AᵀA). The scenes are Jasper Ridge with 256 training
pixels, and the synthetic image, made once, of six USGS spectra at 15 dB with 1,000. A seed draws
the training pixels and their order in each epoch; the error is that of all other pixels.

Each figure is a table with a column for every seed, written as a CSV file under --output, and each
of the paper's claims is printed with whether it holds. Where the real data are not found
(SKUNMIX_DATA, or downloaded before by the fetchers of skunmix.datasets), spectra are made, and the
files say so.
"""

import argparse
import csv
import io
import shlex
import sys
import warnings
from pathlib import Path

import numpy as np
from _measure import describe_machine, print_table
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library, make_endmembers, make_scene
from skunmix.metrics import abundance_rmse

EPOCHS = (0, 5, *range(10, 101, 10), *range(125, 501, 25))
SIZES = (256, 512, 1024, 2048, 4096)
N_TRAIN = {"synthetic": 1000, "jasper": 256}
# Jasper Ridge, from the paper's Table 1
PUBLISHED = {"SunSAL": 0.0612, "MNN-AE-2": 0.1262, "U-ADMM": 0.0214}

OURS, THEIRS = "U-ADMM", "MNN-AE-2"


def networks(endmembers, seed):
    """Return the paper's two networks by name, and U-ADMM from the paper's start."""
    return {
        OURS: UADMMRegressor(endmembers=endmembers, random_state=seed),
        f"{OURS}, µ = λ_max": UADMMRegressor(
            endmembers=endmembers, mu="max-eigenvalue", random_state=seed
        ),
        THEIRS: ISTANetRegressor(endmembers=endmembers, random_state=seed),
    }


def table_learners(endmembers, seed):
    """Return the learners of Table 1 by name."""
    return {
        "SunSAL": SunSALRegressor(endmembers=endmembers, sum_to_one="normalize"),
        **networks(endmembers, seed),
    }


# Scenes


def load(name):
    """Return a scene, and what it is made of."""
    try:
        if name == "jasper":
            return fetch_jasper_ridge(download_if_missing=False), "Jasper Ridge"
        library = fetch_usgs_library(download_if_missing=False, min_angle=4.44)
        return make_scene(library, n_endmembers=6, random_state=0), "six USGS spectra, 15 dB"
    except OSError:
        n_endmembers, n_bands = (4, 198) if name == "jasper" else (6, 224)
        library = make_endmembers(n_endmembers, n_bands, random_state=0)
        return make_scene(library, random_state=0), "made spectra, 15 dB: set SKUNMIX_DATA"


def split(scene, n_train, seed):
    """Return the training pairs and the test pairs."""
    train, test = train_test_split(
        np.arange(len(scene.spectra)), train_size=n_train, random_state=seed
    )
    return tuple((scene.spectra[rows], scene.abundances[rows]) for rows in (train, test))


# Experiments; each yields (learner, position, error)


def run_epochs(scene, n_train, seed, epochs):
    """Error against epochs."""
    (Y, X), (Y_test, X_test) = split(scene, n_train, seed)
    for name, network in networks(scene.endmembers, seed).items():
        network.set_params(max_epochs=0).fit(Y, X)
        for epoch in range(epochs[-1] + 1):
            if epoch:
                network.partial_fit(Y, X)  # the same steps as `fit` takes
            if epoch in epochs:
                yield name, epoch, abundance_rmse(X_test, network.predict(Y_test))


def run_sizes(scene, sizes, seed, max_epochs):
    """Error against the number of training pixels, on the pixels that no training has seen."""
    _, (Y_test, X_test) = split(scene, max(sizes), seed)
    for size in sizes:
        # of one seed, smaller sets are part of larger ones
        (Y, X), _ = split(scene, max(sizes), seed)
        for name, network in networks(scene.endmembers, seed).items():
            network.set_params(max_epochs=max_epochs).fit(Y[:size], X[:size])
            yield name, size, abundance_rmse(X_test, network.predict(Y_test))


def run_table(scene, n_train, seed, max_epochs):
    """Error of each learner."""
    (Y, X), (Y_test, X_test) = split(scene, n_train, seed)
    for name, learner in table_learners(scene.endmembers, seed).items():
        if "max_epochs" in learner.get_params():
            learner.set_params(max_epochs=max_epochs)
        yield name, n_train, abundance_rmse(X_test, learner.fit(Y, X).predict(Y_test))


def collect(run, seeds, description):
    """Run an experiment for each seed.

    Returns
    -------
    results : dict of {learner: {position: ndarray of shape (n_seeds,)}}
    """
    results = {}
    for seed in tqdm(seeds, desc=description):
        for name, position, error in run(seed):
            results.setdefault(name, {}).setdefault(position, []).append(error)
    return {
        name: {position: np.array(errors) for position, errors in row.items()}
        for name, row in results.items()
    }


# Claims


def claims_of_epochs(results):
    """Yield the claims on Fig. 2a, whether they hold, and the figures."""
    for ours in (name for name in results if name.startswith(OURS)):
        mean, theirs = means(results[ours]), means(results[THEIRS])
        late = [epoch for epoch in mean if epoch >= 50]
        if not late:
            return
        worst = max(late, key=lambda epoch: mean[epoch] / theirs[epoch])
        yield (
            f"{ours} is below {THEIRS} at every epoch count from 50 on",
            all(mean[epoch] < theirs[epoch] for epoch in late),
            f"at worst {mean[worst]:.4f} to {theirs[worst]:.4f}, at {worst} epochs",
        )
        last = max(theirs)
        reached = [epoch for epoch in mean if mean[epoch] <= theirs[last]]
        yield (
            f"{ours} reaches the error of {THEIRS} at {last} epochs in a fifth of the epochs",
            bool(reached) and reached[0] <= last / 5,
            f"{theirs[last]:.4f} is reached "
            + (f"at {reached[0]} epochs" if reached else f"never: {mean[last]:.4f} at {last}"),
        )


def claims_of_sizes(results):
    """Yield the claims on Fig. 2b, whether they hold, and the figures."""
    for ours in (name for name in results if name.startswith(OURS)):
        mean, theirs = means(results[ours]), means(results[THEIRS])
        gaps = {size: theirs[size] - mean[size] for size in mean}
        smallest, widest = min(gaps), max(gaps, key=gaps.get)
        listed = ", ".join(f"{size}: {gap:+.4f}" for size, gap in gaps.items())
        yield (
            f"{ours} is below {THEIRS} at every size",
            all(gap > 0 for gap in gaps.values()),
            f"{THEIRS} less {ours}: {listed}",
        )
        yield (
            f"the gap between {ours} and {THEIRS} is largest at {smallest} pixels",
            widest == smallest,
            f"it is largest at {widest}",
        )


def claims_of_table(results):
    """Yield how our figures compare with the paper's."""
    for name, published in PUBLISHED.items():
        errors = np.concatenate(list(results[name].values()))
        distance = errors.mean() - published
        yield (
            f"{name} has the error of the paper, {published}, to 10 %",
            abs(distance) <= 0.1 * published,
            f"{errors.mean():.4f} ±{errors.std():.4f}, {distance / published:+.0%}",
        )


def means(row):
    """Return the mean over seeds by position."""
    return {position: errors.mean() for position, errors in row.items()}


# Output


def write(folder, part, position, seeds, outcomes):
    """Write a part as a CSV file, a seed a column, and its claims as text beside it.

    `outcomes` has, for each scene, what it is made of, the results and the lines on the claims.
    """
    rows = io.StringIO()
    rows.write(f"# python {shlex.join(sys.argv)}\n# {describe_machine()}\n")
    for scene, (origin, _, _) in outcomes.items():
        rows.write(f"# {scene}: {origin}\n")
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["scene", "learner", position, *(f"seed {seed}" for seed in seeds)])
    for scene, (_, results, _) in outcomes.items():
        for name, row in results.items():
            for at, errors in row.items():
                writer.writerow([scene, name, at, *(f"{error:.6f}" for error in errors)])
    claims = "".join(f"{scene}\n{lines}\n" for scene, (_, _, lines) in outcomes.items() if lines)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".csv", rows.getvalue()), (".txt", claims)):
        part_file = folder / f"paper_{part}{suffix}.part"
        part_file.write_text(text, encoding="utf-8")
        part_file.replace(part_file.with_suffix(""))


def describe_claims(claims):
    """Return a line for each claim."""
    return "".join(
        f"  {'holds' if holds else 'DOES NOT HOLD'}: {claim} ({figures})\n"
        for claim, holds, figures in claims
    )


def report(title, position, results, lines):
    """Print a table of means and spreads, and the claims."""
    columns = list(next(iter(results.values())))
    shown = [at for at in columns if at in (0, 10, 50, 100, 200, 300, 500) or at in SIZES]
    shown = shown or columns[:7]
    rows = [
        [name, *(f"{row[at].mean():.4f} ±{row[at].std():.4f}" for at in shown)]
        for name, row in results.items()
    ]
    print_table(f"{title}: RMSE, mean ± standard deviation", [position, *map(str, shown)], rows)
    print(lines, end="")


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one seed, few epochs and pixels")
    parser.add_argument("--seeds", type=int, nargs="+", default=None, help="0 1 2 3 4")
    parser.add_argument("--parts", nargs="+", choices=("epochs", "sizes", "table"), default=None)
    parser.add_argument("--scenes", nargs="+", choices=tuple(N_TRAIN), default=tuple(N_TRAIN))
    parser.add_argument("--output", type=Path, help="folder for the CSV files")
    arguments = parser.parse_args()
    if arguments.seeds is None:
        arguments.seeds = [0] if arguments.quick else list(range(5))
    return arguments


def main():
    """Run the parts that are asked for, print them, and write them where asked."""
    arguments = parse_arguments()
    quick, seeds = arguments.quick, arguments.seeds
    print(describe_machine())
    epochs, sizes, max_epochs = ((0, 5, 10), (256, 512), 10) if quick else (EPOCHS, SIZES, 300)
    parts = {
        "epochs": ("Fig. 2a", lambda *a: run_epochs(*a, epochs), claims_of_epochs),
        "sizes": (
            "Fig. 2b",
            lambda s, _, seed: run_sizes(s, sizes, seed, max_epochs),
            claims_of_sizes,
        ),
        "table": ("Table 1", lambda *a: run_table(*a, max_epochs), claims_of_table),
    }
    for part in arguments.parts or parts:
        title, run, claims = parts[part]
        position = "pixels" if part != "epochs" else "epochs"
        outcomes = {}
        for name in arguments.scenes:
            scene, origin = load(name)
            with threadpool_limits(1), warnings.catch_warnings():
                # of endmembers that are dead after the first epochs
                warnings.simplefilter("ignore", ConvergenceWarning)
                results = collect(
                    lambda seed: run(scene, N_TRAIN[name], seed),  # noqa: B023
                    seeds,
                    f"{title}, {name}",
                )
            published = part != "table" or name == "jasper"
            lines = describe_claims(claims(results) if published else ())
            outcomes[name] = origin, results, lines
            listed = " ".join(map(str, seeds))
            report(f"{title}, {name} ({origin}), seeds {listed}", position, results, lines)
        if arguments.output:
            write(arguments.output, part, position, seeds, outcomes)


if __name__ == "__main__":
    main()
