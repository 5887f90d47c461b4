"""Blind unmixing: UADMMBlindUnmixer beside the endmembers that it starts from.

    python benchmarks/blind.py                          # Jasper Ridge, six USGS minerals
    python benchmarks/blind.py --extractors VCA --scenes usgs/15
    python benchmarks/blind.py --quick                  # small, for continuous integration

Each extractor gets the true number of endmembers, and the network has its default parameters. The
rows of a table are

    start        the extracted endmembers, and their abundances by FCLS
    untrained    the same endmembers, and the abundances of the untrained network
    trained      the endmembers and abundances of the trained network
    refitted     the endmembers of the trained network, and their abundances by FCLS

The angle to the true endmembers, in degrees, and the RMSE of the abundances (the mean over pixels
of each pixel's RMSE) are those after matching. "explained" is the share of the variance of the
spectra. All are mean ± standard deviation over seeds. A seed determines the noise and the
abundances of a USGS scene, the extraction, and the batches of the network.
"""

import argparse
import time
import warnings

import numpy as np
from _measure import describe_machine, print_table
from _scenes import whole_scene
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skunmix import SunSALRegressor, UADMMBlindUnmixer, extraction
from skunmix.metrics import abundance_rmse, endmember_angle, match_endmembers

EXTRACTORS = [
    name for name in ("VCA", "MinimumVolume", "ArchetypalAnalysis") if hasattr(extraction, name)
]


def main():
    """Print a table for each scene and extractor."""
    arguments = parse_arguments()
    print(describe_machine())
    for scene in arguments.scenes:
        for extractor in arguments.extractors:
            runs = [measure(scene, extractor, seed) for seed in arguments.seeds]
            print_table(
                f"{scene}, {extractor}, seeds {arguments.seeds}",
                ["", "angle", "RMSE", "explained", "seconds"],
                [row(name, [run[name] for run in runs]) for name in runs[0]],
            )


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    scenes = ["jasper", "usgs/15", "usgs/30"]
    parser.add_argument("--scenes", nargs="+", default=scenes, metavar="SCENE")
    parser.add_argument("--extractors", nargs="+", choices=EXTRACTORS, default=EXTRACTORS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED")
    parser.add_argument("--quick", action="store_true", help="a small simulated scene, one seed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scenes, arguments.seeds = ["quick"], [0]
    return arguments


def measure(name, extractor, seed):
    """Return angle, RMSE, explained variance and seconds of each row of the table."""
    scene = whole_scene(name, seed)
    spectra, n_endmembers = scene.spectra, len(scene.endmembers)
    results = {}

    def score(row, model, seconds):
        order = match_endmembers(scene.endmembers, model.endmembers_)
        abundances = model.predict(spectra)
        residuals = spectra - model.inverse_transform(abundances)
        results[row] = (
            endmember_angle(scene.endmembers, model.endmembers_, degrees=True),
            abundance_rmse(scene.abundances, abundances[:, order]),
            1 - np.sum(residuals**2) / np.sum((spectra - spectra.mean(axis=0)) ** 2),
            seconds,
        )

    def fit(estimator):
        start = time.perf_counter()
        return estimator.fit(spectra), time.perf_counter() - start

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        chosen = getattr(extraction, extractor)(n_endmembers, random_state=seed)
        endmembers = fit(chosen)[0].endmembers_
        fcls = {"lam": 0, "sum_to_one": True}
        score("start", *fit(SunSALRegressor(chosen, **fcls)))
        score("untrained", *fit(UADMMBlindUnmixer(endmembers, max_epochs=0, random_state=seed)))
        trained, seconds = fit(UADMMBlindUnmixer(endmembers, random_state=seed))
        score("trained", trained, seconds)
        score("refitted", SunSALRegressor(trained.endmembers_, **fcls).fit(spectra), seconds)
    return results


def row(name, runs):
    """Return a row of the table."""
    angle, rmse, explained, seconds = np.transpose(runs)
    return [
        name,
        f"{angle.mean():.2f} ± {angle.std():.2f}",
        f"{rmse.mean():.4f} ± {rmse.std():.4f}",
        f"{explained.mean():.3f}",
        f"{seconds.mean():.1f}",
    ]


if __name__ == "__main__":
    main()
