"""The experiments of the paper: Fig. 2a, Fig. 2b and Table 1 of Zhou & Rodrigues (ICASSP 2021).

    python benchmarks/paper.py --output skunmix/datasets/results  # those of load_paper_results
    python benchmarks/paper.py --quick                            # small, for CI

Fig. 2a shows the RMSE of abundances against epochs of training, Fig. 2b against the number of
training pixels. Table 1 has the RMSE of all estimators of learning.py. The figures show MNN-AE-2,
U-ADMM with the start of the paper, µ = λ_max(AᵀA), and U-ADMM with µ chosen on the pairs. Training
follows the paper: two layers, Adam with a learning rate of 1e-4, batches of 64, and 300 epochs
except in Fig. 2a. The scenes are Jasper Ridge with 256 training pixels, and the synthetic image of
six USGS spectra at 15 dB with 1,000. The seed determines the training pixels, their order in each
epoch, and the synthetic image. The error is on pixels outside all training sets.

Each part is a table with a column for each seed. --output is the folder for its CSV file, and for a
text file that lists the claims of the paper and whether they hold. Real data come from
SKUNMIX_DATA, or from earlier downloads by the fetchers of skunmix.datasets. --quick needs no data:
it simulates the spectra.
"""

import argparse
import csv
import io
import shlex
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from _learners import CHOSEN_START, LEARNERS, MNN, PAPER, SUNSAL
from _measure import describe_machine, print_table
from _scenes import load_scene
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from skunmix import UADMMRegressor
from skunmix.metrics import abundance_rmse

EPOCHS = (0, 5, *range(10, 101, 10), *range(125, 501, 25))
SIZES = (256, 512, 1024, 2048, 4096)
AUTHORS = "U-ADMM, the authors' code"
NETWORKS = (CHOSEN_START, PAPER, MNN)
# Jasper Ridge, from the paper's Table 1
PUBLISHED = {SUNSAL: 0.0612, MNN: 0.1262, PAPER: 0.0214}


def authors_network(endmembers, seed):
    """Return U-ADMM with the settings of the authors' code, as the guide on other codes lists."""
    n_endmembers = len(endmembers)
    norm = np.linalg.norm(endmembers) * (25 + n_endmembers) / n_endmembers
    mu = 10 * 0.1 + 0.01 * norm**2
    return UADMMRegressor.paper(endmembers, n_layers=3, lam=0.1, mu=mu, random_state=seed)


TABLE = {AUTHORS: authors_network, **LEARNERS}


# Experiments. Each returns a list of (learner, position, error) for a scene and a seed.


def run_epochs(name, seed, *, epochs):
    """Return errors against epochs."""
    scene, errors = load_scene(name, seed), []
    for learner in NETWORKS:
        network = LEARNERS[learner](scene.endmembers, seed)
        network.set_params(max_epochs=0).fit(*scene.training)
        for epoch in range(epochs[-1] + 1):
            if epoch:
                network.partial_fit(*scene.training)  # takes the same steps as `fit`
            if epoch in epochs:
                errors.append((learner, epoch, error_of(network, scene)))
    return errors


def run_sizes(name, seed, *, sizes, max_epochs):
    """Return errors against the number of training pixels; larger sets contain smaller ones."""
    scene, errors = load_scene(name, seed, n_training=max(sizes)), []
    for size in sizes:
        for learner in NETWORKS:
            network = LEARNERS[learner](scene.endmembers, seed).set_params(max_epochs=max_epochs)
            network.fit(*(part[:size] for part in scene.training))
            errors.append((learner, size, error_of(network, scene)))
    return errors


def run_table(name, seed, *, max_epochs=None):
    """Return the error of each estimator; `max_epochs` shortens the training of networks."""
    scene, errors = load_scene(name, seed), []
    for learner, make in TABLE.items():
        estimator = make(scene.endmembers, seed)
        if max_epochs and "max_epochs" in estimator.get_params():
            estimator.set_params(max_epochs=max_epochs)
        estimator.fit(*scene.training)
        errors.append((learner, len(scene.training[0]), error_of(estimator, scene)))
    return errors


def error_of(estimator, scene):
    """Return the RMSE on the test pixels."""
    spectra, abundances = scene.test
    return abundance_rmse(abundances, estimator.predict(spectra))


def in_one_thread(run, name, seed):
    """Run an experiment, without warnings about endmembers that are dead in the first epochs."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return run(name, seed)


def collect(run, name, seeds, n_jobs, description):
    """Run an experiment for each seed.

    Returns
    -------
    results : dict of {learner: {position: ndarray of shape (n_seeds,)}}
    """
    tasks = Parallel(n_jobs, return_as="generator")(
        delayed(in_one_thread)(run, name, seed) for seed in seeds
    )
    results = {}
    for errors in tqdm(tasks, total=len(seeds), desc=description):
        for learner, position, error in errors:
            results.setdefault(learner, {}).setdefault(position, []).append(error)
    return {
        learner: {position: np.array(errors) for position, errors in row.items()}
        for learner, row in results.items()
    }


# Claims


def claims_of_epochs(results):
    """Yield the claims of Fig. 2a, whether they hold, and the numbers."""
    for ours in (CHOSEN_START, PAPER):
        mean, theirs = means(results[ours]), means(results[MNN])
        late = [epoch for epoch in mean if epoch >= 50]
        if not late:
            return
        worst = max(late, key=lambda epoch: mean[epoch] / theirs[epoch])
        yield (
            f"{ours} is below {MNN} at every epoch count from 50 on",
            all(mean[epoch] < theirs[epoch] for epoch in late),
            f"at worst {mean[worst]:.4f} against {theirs[worst]:.4f}, at {worst} epochs",
        )
        last = max(theirs)
        reached = [epoch for epoch in mean if mean[epoch] <= theirs[last]]
        yield (
            f"{ours} reaches the error of {MNN} at {last} epochs in a fifth of the epochs",
            bool(reached) and reached[0] <= last / 5,
            f"{theirs[last]:.4f} is reached "
            + (f"at {reached[0]} epochs" if reached else f"never: {mean[last]:.4f} at {last}"),
        )


def claims_of_sizes(results):
    """Yield the claims of Fig. 2b, whether they hold, and the numbers."""
    for ours in (CHOSEN_START, PAPER):
        mean, theirs = means(results[ours]), means(results[MNN])
        gaps = {size: theirs[size] - mean[size] for size in mean}
        smallest, widest = min(gaps), max(gaps, key=gaps.get)
        listed = ", ".join(f"{size}: {gap:+.4f}" for size, gap in gaps.items())
        yield (
            f"{ours} is below {MNN} at every size",
            all(gap > 0 for gap in gaps.values()),
            f"gap at each size: {listed}",
        )
        yield (
            f"the gap between {ours} and {MNN} is largest at {smallest} pixels",
            widest == smallest,
            f"it is largest at {widest}",
        )


def claims_of_table(results):
    """Yield whether the errors of Table 1 reproduce, and the numbers."""
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
    """Write a part to a CSV file with a column for each seed, and its claims to a text file.

    `outcomes` holds, for each scene, the results and the lines about the claims.
    """
    rows = io.StringIO()
    rows.write(f"# python {shlex.join(sys.argv)}\n# {describe_machine()}\n")
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["scene", "learner", position, *(f"seed {seed}" for seed in seeds)])
    for scene, (results, _) in outcomes.items():
        for name, row in results.items():
            for at, errors in row.items():
                writer.writerow([scene, name, at, *(f"{error:.6f}" for error in errors)])
    claims = "".join(f"{scene}\n{lines}\n" for scene, (_, lines) in outcomes.items() if lines)
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".csv", rows.getvalue()), (".txt", claims)):
        part_file = folder / f"paper_{part}{suffix}.part"
        part_file.write_text(text, encoding="utf-8")
        part_file.replace(part_file.with_suffix(""))


def describe_claims(claims):
    """Return a line for each claim, and one for its numbers."""
    return "".join(
        f"  {'holds' if holds else 'DOES NOT HOLD'}: {claim}\n    {figures}\n"
        for claim, holds, figures in claims
    )


def report(title, position, results, lines):
    """Print a table of means and standard deviations, and the claims."""
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
    parser.add_argument("--scenes", nargs="+", default=None, help="usgs jasper")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--output", type=Path, help="folder for the CSV files")
    arguments = parser.parse_args()
    arguments.seeds = arguments.seeds or ([0] if arguments.quick else list(range(5)))
    arguments.scenes = arguments.scenes or (["3/20"] if arguments.quick else ["usgs", "jasper"])
    return arguments


def main():
    """Run the selected parts, print them, and write them to --output."""
    arguments = parse_arguments()
    quick, seeds = arguments.quick, arguments.seeds
    print(describe_machine())
    epochs, sizes, max_epochs = ((0, 5, 10), (100, 200), 5) if quick else (EPOCHS, SIZES, 300)
    parts = {
        "epochs": ("Fig. 2a", partial(run_epochs, epochs=epochs), claims_of_epochs),
        "sizes": (
            "Fig. 2b",
            partial(run_sizes, sizes=sizes, max_epochs=max_epochs),
            claims_of_sizes,
        ),
        "table": (
            "Table 1",
            partial(run_table, max_epochs=max_epochs if quick else None),
            claims_of_table,
        ),
    }
    for part in arguments.parts or parts:
        title, run, claims = parts[part]
        position = "epochs" if part == "epochs" else "pixels"
        outcomes = {}
        for name in arguments.scenes:
            results = collect(run, name, seeds, arguments.jobs, f"{title}, {name}")
            published = part != "table" or name == "jasper"
            lines = describe_claims(claims(results) if published else ())
            outcomes[name] = results, lines
            listed = " ".join(map(str, seeds))
            report(f"{title}, {name}, seeds {listed}", position, results, lines)
        if arguments.output:
            write(arguments.output, part, position, seeds, outcomes)


if __name__ == "__main__":
    main()
