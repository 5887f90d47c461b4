"""Time and answers of networks on a GPU, compared with the CPU in the same run.

    python benchmarks/gpu.py                       # at most eight minutes
    python benchmarks/gpu.py --at-once 2000000     # 1.6 GB of spectra in memory instead of 8 GB
    python benchmarks/gpu.py --quick               # small, for continuous integration

Both devices take turns, and a turn ends when the device has finished its work. Times are medians.
"ratio" is the time of the CPU divided by that of the GPU in the same turn: the median, then the
smallest and the largest. The fits and the search have 256 simulated pixels.

"error" is the RMSE of the network's abundances on other pixels, and for the search the best mean
score. As a GPU rounds sums differently, and training amplifies this, fits on both devices are not
equal to the bit: "difference" is the RMS of the differences of their abundances, or of the mean
scores. Prediction moves one fitted network to both devices. Its "difference" is the largest of any
abundance; the script fails if it is above 1e-4.

Without a GPU, --quick compares the CPU with itself.
"""

import argparse
import pickle
import sys

import numpy as np
import torch
from _measure import describe_machine, print_table, time_in_turn
from sklearn.base import clone
from sklearn.model_selection import KFold

from skunmix import UADMMRegressor
from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV
from skunmix.networks import predict_blocks

N_BANDS, N_ENDMEMBERS, N_PAIRS, N_TEST = 198, 4, 256, 5_000
ENDMEMBERS = make_endmembers(N_ENDMEMBERS, N_BANDS, random_state=0).endmembers
PAIRS, TEST = (
    make_mixtures(ENDMEMBERS, n_pixels, snr=30, random_state=seed)
    for seed, n_pixels in enumerate([N_PAIRS, N_TEST])
)
GRID = {"alpha_aid": [1e-5, 1e-4, 1e-3], "learning_rate": [3e-5, 1e-4, 3e-4]}
# of the abundances of one network on both devices
TOLERANCE = 1e-4
# Seconds after which a comparison, of which there are four, starts no further turn.
LIMIT = 75


def main():
    """Compare both devices in two fits, a search and prediction."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="tiny problems, once")
    parser.add_argument("--repeats", type=int, default=None, help="5, or 1 with --quick")
    parser.add_argument(
        "--strong-epochs", type=int, default=None, help="300 of the 2,000, or 2 with --quick"
    )
    parser.add_argument(
        "--pixels", type=int, default=None, help="to predict: 10,000,000, or 5,000 with --quick"
    )
    parser.add_argument(
        "--at-once",
        type=int,
        default=10_000_000,
        help="pixels in memory, of 800 bytes each; they are predicted again up to --pixels",
    )
    arguments = parser.parse_args()
    quick = arguments.quick
    repeats = arguments.repeats or (1 if quick else 5)
    strong_epochs = arguments.strong_epochs or (2 if quick else 300)
    n_pixels = arguments.pixels or (5_000 if quick else 10_000_000)

    device = find_device(quick)
    print(describe_machine())
    few = {"max_epochs": 2} if quick else {}
    known = {"endmembers": ENDMEMBERS, "random_state": 0}
    default, paper = UADMMRegressor(**known, **few), UADMMRegressor.paper(**known, **few)
    strong = UADMMRegressor.strong(**known, max_epochs=strong_epochs)
    prediction, difference = compare_predictions(
        strong, device, repeats, n_pixels, arguments.at_once
    )
    rows = [
        compare_fits("default fit", default, device, repeats),
        compare_fits(f".strong fit, {strong_epochs} epochs", strong, device, repeats),
        compare_searches(paper, device, repeats),
        prediction,
    ]
    columns = ["", "cpu, s", f"{device}, s", "ratio", "range"]
    print_table(
        f"{N_BANDS} bands, {N_ENDMEMBERS} endmembers; {torch.get_num_threads()} thread(s) for cpu",
        [*columns, "error, cpu", f"error, {device}", "difference"],
        rows,
    )
    if not difference <= TOLERANCE:
        sys.exit(
            f"Expected abundances of one network on cpu and {device} that differ by at most "
            f"{TOLERANCE:g}, got {difference:.1e}."
        )


def find_device(quick):
    """Return the device to compare with the CPU, or exit if there is none."""
    if torch.cuda.is_available():
        print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
        return "cuda"
    if not quick:
        sys.exit(
            "Expected a GPU that torch finds, got none; run this on a machine with a GPU and torch "
            "for CUDA, or pass --quick, which then compares the CPU with itself."
        )
    print(f"torch {torch.__version__} finds no GPU, so that the CPU is compared with itself.")
    return "cpu"


def compare_fits(name, estimator, device, repeats):
    """Return a row of the table for fits."""

    def fit(place):
        return on_device(estimator, place).fit(PAIRS.spectra, PAIRS.abundances)

    seconds, models = compare(fit, device, repeats)
    estimates = [network_abundances(model, TEST.spectra) for model in models]
    errors = [abundance_rmse(TEST.abundances, estimate) for estimate in estimates]
    return table_row(name, seconds, errors, abundance_rmse(*estimates))


def compare_searches(estimator, device, repeats):
    """Return a row of the table for searches by StackedGridSearchCV."""

    def search(place):
        return StackedGridSearchCV(
            on_device(estimator, place),
            GRID,
            scoring=abundance_rmse_scorer,
            cv=KFold(5, shuffle=True, random_state=0),
        ).fit(PAIRS.spectra, PAIRS.abundances)

    seconds, searches = compare(search, device, repeats)
    scores = np.array([search.cv_results_["mean_test_score"] for search in searches])
    difference = np.sqrt(np.square(scores[0] - scores[1]).mean())
    name = f"search, {scores.shape[1]} candidates of .paper, 5 folds"
    return table_row(name, seconds, -scores.max(axis=1), difference)


def compare_predictions(estimator, device, repeats, n_pixels, at_once):
    """Return a row of the table for predictions, and the largest difference of an abundance."""
    # without a choice, so that the network answers
    estimator = clone(estimator).set_params(norm=None, noise_augmentation=True, fallback=None)
    model = estimator.fit(PAIRS.spectra, PAIRS.abundances)
    at_once = min(at_once, n_pixels)
    models = {place: on_device(model, place) for place in ("cpu", device)}
    scene, truth = (
        np.tile(values.astype(np.float32), (-(-at_once // N_TEST), 1))[:at_once]
        for values in (TEST.spectra, TEST.abundances)
    )

    def predict(place):
        for start in reversed(range(0, n_pixels, at_once)):
            estimate = models[place].predict(scene[: n_pixels - start])
        return estimate  # of the whole scene, which comes last

    seconds, estimates = compare(predict, device, repeats)
    errors = [abundance_rmse(truth, estimate) for estimate in estimates]
    difference = np.abs(estimates[0] - estimates[1]).max()
    return table_row(f"predict, {n_pixels:,} pixels", seconds, errors, difference), difference


def compare(function, device, repeats):
    """Return times and results of a function of the device, for the CPU and the device."""

    def run(place):
        result = function(place)
        if place != "cpu":
            torch.cuda.synchronize()
        return result

    functions = {"cpu": lambda: run("cpu"), "device": lambda: run(device)}
    seconds, _, results = time_in_turn(functions, repeats, torch.get_num_threads(), LIMIT)
    return list(seconds.values()), list(results.values())


def on_device(estimator, device):
    """Return a copy of an estimator on a device; a fitted network moves when it is loaded."""
    copy = pickle.loads(pickle.dumps(estimator)).set_params(device=device)
    return pickle.loads(pickle.dumps(copy))


def network_abundances(model, spectra):
    """Return the abundances of the network, also if the model chose a solver instead."""
    out = np.empty((len(spectra), N_ENDMEMBERS), dtype=np.float32)
    predict_blocks(model.net_.module_, spectra, out)
    return out


def table_row(name, seconds, errors, difference):
    """Return a row of the table."""
    ratios = seconds[0] / seconds[1]
    return [
        name,
        *(f"{np.median(times):.2f}" for times in seconds),
        f"{np.median(ratios):.2f}",
        f"{ratios.min():.2f} to {ratios.max():.2f}",
        *(f"{error:.5f}" for error in errors),
        f"{difference:.0e}",
    ]


if __name__ == "__main__":
    main()
