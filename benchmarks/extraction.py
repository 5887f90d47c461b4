"""Endmembers from nothing but the image: their angle to the truth, errors of abundances, seconds.

    python benchmarks/extraction.py                       # Jasper Ridge and all made scenes
    python benchmarks/extraction.py --scenes paper/15 --methods VCA NFINDR
    python benchmarks/extraction.py --quick               # a small scene, for CI

All methods get the same pixels and the true number of endmembers, and have one setting for all
scenes. The rows of a table are methods, and its values mean ± standard deviation over the seeds.
A seed determines the layout and the noise of a made scene and all random choices of a method; on
Jasper Ridge only the latter.

"angle" is the mean angle between the endmembers and the true ones that they are matched with, in
degrees. The RMSE is the field's (the mean over pixels of each pixel's RMSE), of the abundances that
FCLS finds with the endmembers; "unit" is the same after pixels and endmembers are brought to unit
length, which takes brightness away; "own" is that of the abundances that the method finds itself.

The made scenes mix six minerals of the USGS library: NAME/SNR with an SNR in dB and as NAME

    paper      the scene of the unrolled networks' paper; no abundance is above 0.8
    pure       the same patches of single endmembers, so that there are pure pixels
    bounded    the latter with all abundances at most 0.8
    bright     "paper" with pixels whose brightness varies by 10 %
    dirichlet  10,000 mixtures of all six, uniform over the simplex up to an abundance of 0.8
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np
from _extractors import extract_quietly, methods
from _measure import describe_machine, print_table
from _scenes import USGS_ROWS
from joblib import Parallel, delayed
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from skunmix import SunSALRegressor
from skunmix.datasets import (
    fetch_jasper_ridge,
    fetch_usgs_library,
    make_endmembers,
    make_mixtures,
    make_scene,
)
from skunmix.metrics import abundance_rmse, endmember_angle, match_endmembers

LAYOUTS = {
    "paper": {},
    "pure": {"fractions": (1.0,)},
    "bounded": {"fractions": (1.0,), "max_abundance": 0.8},
    "bright": {"brightness_variation": 0.1},
}
MADE = [f"{name}/{snr}" for snr in (15, 30) for name in (*LAYOUTS, "dirichlet")]
TRUTH = "the true endmembers"


@dataclass(frozen=True)
class Scores:
    """Scores of one method on one scene, NaN where it has none; `failure` says why it has none."""

    angle: float = np.nan
    rmse: float = np.nan
    rmse_unit: float = np.nan
    rmse_own: float = np.nan
    seconds: float = np.nan
    failure: str = ""


def main():
    """Print a table for each scene."""
    arguments = parse_arguments()
    print(describe_machine())
    for scene in arguments.scenes:
        compare(scene, arguments)


def parse_arguments():
    """Read the command line."""
    names = [method.name for method in methods()]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="+", default=["jasper", *MADE], metavar="SCENE")
    parser.add_argument("--methods", nargs="+", choices=names, default=names, metavar="METHOD")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED")
    parser.add_argument("--jobs", type=int, default=1, help="processes, of --threads threads each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="a small simulated scene, one seed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scenes, arguments.seeds = ["quick"], [0]
    return arguments


def load_scene(name, seed):
    """Return spectra, abundances and endmembers of a scene."""
    if name == "jasper":
        scene = fetch_jasper_ridge(download_if_missing=False)
    elif name == "quick":
        endmembers = make_endmembers(3, 50, random_state=0)
        scene = make_scene(endmembers, shape=(20, 20), patch_size=5, snr=30, random_state=seed)
    else:
        layout, snr = name.split("/")
        library = fetch_usgs_library(download_if_missing=False).endmembers
        minerals, noise = library[USGS_ROWS["usgs"]], {"snr": float(snr), "random_state": seed}
        if layout == "dirichlet":
            scene = make_mixtures(minerals, 10_000, max_abundance=0.8, **noise)
        else:
            scene = make_scene(minerals, **LAYOUTS[layout], **noise)
    return scene.spectra, scene.abundances, scene.endmembers


def compare(scene, arguments):
    """Run all methods on a scene, and print the table."""
    chosen = [method for method in methods() if method.name in arguments.methods]
    tasks = [
        (scene, method.name, seed, arguments.threads)
        for method in chosen
        if not method.missing
        for seed in arguments.seeds
    ]
    tasks += [(scene, TRUTH, seed, arguments.threads) for seed in arguments.seeds]
    results = Parallel(arguments.jobs, return_as="generator")(delayed(run)(*task) for task in tasks)
    scores = {}
    for (_, name, _, _), score in zip(tasks, tqdm(results, total=len(tasks), disable=None)):
        scores.setdefault(name, []).append(score)

    missing = {method.name: method.missing for method in chosen if method.missing}
    rows = [row(name, values) for name, values in scores.items()]
    rows += [[name, "", "", "", "", "", note] for name, note in missing.items()]
    print_table(
        f"{scene}, {len(arguments.seeds)} seeds, threads = {arguments.threads}",
        ["method", "angle", "RMSE", "unit", "own", "seconds", ""],
        rows,
    )


def row(name, scores):
    """Return the row of a method."""
    failures = {score.failure for score in scores} - {""}
    if failures:
        return [name, "", "", "", "", "", sorted(failures)[0]]

    def cell(attribute, digits, spread=True):
        values = np.array([getattr(score, attribute) for score in scores])
        if np.isnan(values).any():
            return ""
        mean = f"{values.mean():.{digits}f}"
        return f"{mean} ±{values.std():.{digits}f}" if spread and len(values) > 1 else mean

    return [
        name,
        cell("angle", 2),
        cell("rmse", 4),
        cell("rmse_unit", 4),
        cell("rmse_own", 4),
        cell("seconds", 2, spread=False),
        "",
    ]


def run(scene, name, seed, threads):
    """Return the scores of a method on a scene."""
    spectra, abundances, truth = load_scene(scene, seed)
    with threadpool_limits(threads):
        if name == TRUTH:
            return score(spectra, abundances, truth, truth, None, np.nan)
        method = next(method for method in methods() if method.name == name)
        start = time.perf_counter()
        try:
            found = extract_quietly(method, spectra, len(truth), seed)
        except Exception as error:  # a peer that does not run here
            if not name.startswith("pysptools"):
                raise
            return Scores(failure=f"does not run: {type(error).__name__}")
        seconds = time.perf_counter() - start
        return score(spectra, abundances, truth, found.endmembers, found.abundances, seconds)


def score(spectra, abundances, truth, endmembers, own, seconds):
    """Return the scores of endmembers and of a method's own abundances, after matching."""
    order = match_endmembers(truth, endmembers)
    endmembers = endmembers[order]

    def rmse(spectra, endmembers):
        fcls = SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True)
        return abundance_rmse(abundances, fcls.fit(spectra).predict(spectra))

    return Scores(
        angle=endmember_angle(truth, endmembers, degrees=True),
        rmse=rmse(spectra, endmembers),
        rmse_unit=rmse(normalize(spectra), normalize(endmembers)),
        rmse_own=np.nan if own is None else abundance_rmse(abundances, own[:, order]),
        seconds=seconds,
    )


if __name__ == "__main__":
    main()
