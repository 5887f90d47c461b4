"""Errors of estimators that learn from pairs of spectra and abundances.

    python benchmarks/learning.py                        # Jasper Ridge, six USGS minerals
    python benchmarks/learning.py --scenes made          # 3 to 12 endmembers, 10 to 40 dB
    python benchmarks/learning.py --scenes usgs-b usgs-c # other minerals
    python benchmarks/learning.py --labels 16 32 64 128  # few training pixels
    python benchmarks/learning.py --scenes jasper/tiles  # tested on tiles without training pixels
    python benchmarks/learning.py --shift "15 dB"        # tested on noisier pixels
    python benchmarks/learning.py --deaths 100           # short trainings: do endmembers die?
    python benchmarks/learning.py --quick                # small, for continuous integration

The error is the field's RMSE (the mean over pixels of each pixel's RMSE) on pixels outside the
training set: mean and standard deviation over seeds. The seed determines the training pixels and
the batches of a network, the noise and the abundances of a synthetic scene, and the endmembers of a
"made" scene. Jasper Ridge has 256 training pixels and the others 1,000, unless --labels are given.
"""

import argparse
import time
import warnings
from itertools import product

import numpy as np
from _learners import CHOSEN_START, DEFAULT, FCLS, LEARNERS, SKLEARN, STRONG
from _measure import describe_machine, print_table
from _scenes import load_scene
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from skunmix import UADMMRegressor
from skunmix.metrics import abundance_rmse

# changes of the test pixels, after training on the pixels as they are
SHIFTS = ("none", "gain 0.8", "offset 0.03", "20 dB", "15 dB")
MADE = [f"{n_endmembers}/{snr}" for n_endmembers in (3, 6, 9, 12) for snr in (10, 20, 30, 40)]
DEATH_RATES = (1e-4, 3e-4, 1e-3, 3e-3)
DEATH_EPOCHS = {"jasper": 60, "usgs": 15}


def main():
    """Run the comparison, or count dead endmembers."""
    arguments = parse_arguments()
    print(describe_machine())
    if arguments.deaths:
        count_deaths(arguments)
        return
    compare(arguments)


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="+", default=["jasper", "usgs"], metavar="SCENE")
    parser.add_argument("--learners", nargs="+", choices=LEARNERS, metavar="LEARNER")
    parser.add_argument("--shift", nargs="+", choices=SHIFTS, default=["none"], metavar="CHANGE")
    parser.add_argument("--labels", type=int, nargs="+", default=[None], metavar="N")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED")
    parser.add_argument("--deaths", type=int, default=0, metavar="N", help="number of seeds")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of one thread each")
    parser.add_argument("--quick", action="store_true", help="a small simulated scene, one seed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scenes, arguments.seeds, arguments.labels = ["3/20"], [0], [100]
    if arguments.scenes == ["made"]:
        arguments.scenes = MADE
        arguments.learners = arguments.learners or [FCLS, DEFAULT, STRONG]
    arguments.learners = arguments.learners or list(LEARNERS)
    return arguments


def in_processes(function, tasks, n_jobs):
    """Call the function with the arguments of each task, and show progress."""
    results = Parallel(n_jobs, return_as="generator")(delayed(function)(*task) for task in tasks)
    return list(tqdm(results, total=len(tasks), disable=None))


def compare(arguments):
    """Print a table for each scene, and the ratios between estimators."""
    tasks = [
        (scene, n_labels, shift, learner, seed, arguments.quick)
        for scene in arguments.scenes
        for n_labels in arguments.labels
        for shift in arguments.shift
        for seed in arguments.seeds
        for learner in arguments.learners
    ]
    measured = dict(zip(tasks, in_processes(measure, tasks, arguments.jobs)))
    ratios = []
    for scene, n_labels, shift in product(arguments.scenes, arguments.labels, arguments.shift):
        of_scene = {
            learner: [
                measured[scene, n_labels, shift, learner, seed, arguments.quick]
                for seed in arguments.seeds
            ]
            for learner in arguments.learners
        }
        title = scene if n_labels is None else f"{scene}, {n_labels} training pixels"
        title = title if shift == "none" else f"{title}, shift: {shift}"
        print_scene(f"{title}, seeds {arguments.seeds}", of_scene, ratios)
    if ratios:
        print_table(
            "ratios to FCLS", ["scene", "learner", "of the means", "largest of a seed"], ratios
        )


def print_scene(title, measured, ratios):
    """Print the table of a scene, and append its ratios to FCLS.

    `measured` has, for each learner, a list over seeds of what `measure` returns.
    """
    errors = {name: np.array([error for error, _, _ in m]) for name, m in measured.items()}
    best = min(errors, key=lambda learner: errors[learner].mean())
    print_table(
        title,
        ["learner", "RMSE", "± std", "largest", "ratio to the best", "fit, s", "each seed"],
        [
            [
                learner,
                f"{error.mean():.5f}",
                f"{error.std():.5f}",
                f"{error.max():.5f}",
                f"{error.mean() / errors[best].mean():.2f}",
                f"{np.median([fitting for _, fitting, _ in measured[learner]]):.1f}",
                " ".join(f"{of_seed:.5f}" for of_seed in error),
            ]
            for learner, error in errors.items()
        ],
    )
    for learner, of_seeds in measured.items():
        if of_seeds[0][2]:
            print(f"{learner} chose, by seed:", ", ".join(chosen for *_, chosen in of_seeds))
    peers = [learner for learner in SKLEARN if learner in errors]
    for learner in (DEFAULT, STRONG):
        if learner in errors and peers:
            peer = min(peers, key=lambda learner: errors[learner].mean())
            ratio = errors[peer].mean() / errors[learner].mean()
            print(f"ratio of {peer}, the best of scikit-learn, to {learner}: {ratio:.2f}")
        if learner in errors and FCLS in errors:
            ratio = errors[learner].mean() / errors[FCLS].mean()
            largest = (errors[learner] / errors[FCLS]).max()
            ratios.append([title, learner, f"{ratio:.3f}", f"{largest:.3f}"])


def measure(scene, n_labels, shift, learner, seed, quick):
    """Return the RMSE of an estimator, the seconds of its fit, and the choice of "auto"."""
    scene = load_scene(scene, seed, n_training=n_labels)
    estimator = LEARNERS[learner](scene.endmembers, seed)
    if quick and "max_epochs" in estimator.get_params():
        estimator.set_params(max_epochs=5)
    with threadpool_limits(1):
        start = time.perf_counter()
        estimator.fit(*scene.training)
        seconds = time.perf_counter() - start
        estimate = estimator.predict(shifted(scene.test[0], shift, seed))
    chosen = ""
    if hasattr(estimator, "choice_scores_"):
        chosen = "noise" if estimator.noise_augmentation_ else estimator.norm_ or "as they are"
        if estimator.fallback_ is not None:
            chosen = "FCLS" if estimator.fallback_.sum_to_one is True else "SunSAL"
    return abundance_rmse(scene.test[1], estimate), seconds, chosen


def shifted(spectra, shift, seed):
    """Return the spectra of test pixels after a change, one of SHIFTS."""
    if shift.startswith("gain"):
        return float(shift.split()[1]) * spectra
    if shift.startswith("offset"):
        return spectra + float(shift.split()[1])
    if shift.endswith("dB"):
        power = np.mean(spectra**2) / 10 ** (float(shift.split()[0]) / 10)
        return spectra + np.sqrt(power) * np.random.RandomState(seed).normal(size=spectra.shape)
    return spectra


def count_deaths(arguments):
    """Print how many trainings end with a dead endmember or a non-finite error."""
    for scene in arguments.scenes:
        tasks = [
            (scene, seed, rate, 2 if arguments.quick else DEATH_EPOCHS.get(scene, 15))
            for rate in DEATH_RATES
            for seed in range(arguments.deaths)
        ]
        outcomes = dict(zip(tasks, in_processes(train_briefly, tasks, arguments.jobs)))
        rows = []
        for rate in DEATH_RATES:
            of_rate = [outcome for task, outcome in outcomes.items() if task[2] == rate]
            errors = np.array([error for error, _, _ in of_rate])
            rows.append(
                [
                    f"{rate:g}",
                    str(len(of_rate)),
                    str(sum(dead for _, dead, _ in of_rate)),
                    str(np.count_nonzero(~np.isfinite(errors))),
                    f"{min(least for _, _, least in of_rate):.2f}",
                    f"{errors.mean():.4f}",
                    f"{errors.max():.4f}",
                ]
            )
        print_table(
            f"{scene}, {CHOSEN_START}, {tasks[0][-1]} epochs, seeds 0 to {arguments.deaths - 1}",
            [
                "learning rate",
                "trainings",
                "dead",
                "not finite",
                "smallest maximum abundance",
                "mean RMSE",
                "largest RMSE",
            ],
            rows,
        )


def train_briefly(scene, seed, learning_rate, max_epochs):
    """Return the error after a short training, whether an endmember died, and how nearly.

    The last is the smallest of the endmembers' largest abundances.
    """
    scene = load_scene(scene, seed, n_test=2000)
    model = UADMMRegressor.paper(
        scene.endmembers,
        mu="auto",
        learning_rate=learning_rate,
        max_epochs=max_epochs,
        random_state=seed,
    )
    with warnings.catch_warnings(record=True) as caught, threadpool_limits(1):
        warnings.simplefilter("always", ConvergenceWarning)
        estimate = model.fit(*scene.training).predict(scene.test[0])
    largest = estimate.max(axis=0).min()
    return abundance_rmse(scene.test[1], estimate), bool(caught) or largest < 0.01, largest


if __name__ == "__main__":
    main()
