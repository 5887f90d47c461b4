"""Coverage and width of the intervals of a network with its default parameters.

    python benchmarks/intervals.py                      # Jasper Ridge, six USGS minerals
    python benchmarks/intervals.py --scenes jasper --methods cv+
    python benchmarks/intervals.py --quick              # small, for continuous integration

The intervals are conformal, at a nominal coverage of 0.9, from 384 labelled pixels. "jasper" and
"usgs/SNR" label random pixels, and test on others. "jasper/tiles" labels pixels in 4 of 16 tiles,
has these tiles as folds, and tests on the other 12 tiles. "lowest" and "highest" are the coverages
of the endmembers that are covered least and most. "mixed" is the coverage of entries whose true
abundance is between 0.02 and 0.98, and "width" their mean width. All are means over seeds, which
draw the pixels, the noise and the networks; "mixed" is followed by its standard deviation.
"""

import argparse

import numpy as np
from _measure import describe_machine, print_table
from _scenes import whole_scene
from threadpoolctl import threadpool_limits

from skunmix import UADMMRegressor
from skunmix.model_selection import TileKFold
from skunmix.uncertainty import ConformalUnmixer

METHODS = {
    "cv+": {},
    "cv+, absolute": {"conformity_score": "absolute"},
    "split": {"method": "split"},
}
N_LABELLED, N_TEST = 384, 3000
TILE, N_TILES = 25, 4


def main():
    """Print a table of all scenes and methods."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    scenes = ["jasper", "jasper/tiles", "usgs/15", "usgs/30"]
    parser.add_argument("--scenes", nargs="+", default=scenes, metavar="SCENE")
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], metavar="SEED")
    parser.add_argument("--quick", action="store_true", help="a small simulated scene, one seed")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.scenes, arguments.seeds = ["quick"], [0]
    print(describe_machine())
    rows = []
    with threadpool_limits(1):
        for scene in arguments.scenes:
            for method in arguments.methods:
                runs = np.array([measure(scene, method, seed) for seed in arguments.seeds])
                lowest, mean, highest, mixed, width = (
                    f"{value:.3f}" for value in runs.mean(axis=0)
                )
                spread = f"{runs[:, 3].std():.3f}"
                rows.append([scene, method, lowest, mean, highest, f"{mixed} ± {spread}", width])
    print_table(
        f"coverage, nominal 0.9, seeds {arguments.seeds}",
        ["scene", "method", "lowest", "mean", "highest", "mixed", "width"],
        rows,
    )


def measure(name, method, seed):
    """Return lowest, mean and highest coverage, and coverage and width of mixed entries."""
    scene = whole_scene(name.removesuffix("/tiles"), seed)
    labelled, test, folds = draw_pixels(name, scene, seed)
    network = UADMMRegressor(scene.endmembers, random_state=seed)
    if name == "quick":
        network.set_params(max_epochs=5)
    model = ConformalUnmixer(network, random_state=seed, **METHODS[method])
    if folds is not None:
        model.set_params(cv=folds)
    groups = None if folds is None else labelled
    model.fit(scene.spectra[labelled], scene.abundances[labelled], groups=groups)
    lower, upper = model.predict_interval(scene.spectra[test], coverage=0.9)
    true = scene.abundances[test]
    inside = (lower <= true) & (true <= upper)
    mixed = (true > 0.02) & (true < 0.98)
    by_endmember = inside.mean(axis=0)
    return (
        by_endmember.min(),
        inside.mean(),
        by_endmember.max(),
        inside[mixed].mean(),
        (upper - lower)[mixed].mean(),
    )


def draw_pixels(name, scene, seed):
    """Return the labelled and the test pixels, and the folds or None."""
    generator = np.random.RandomState(seed)
    pixels = generator.permutation(len(scene.spectra))
    if not name.endswith("tiles"):
        return pixels[:N_LABELLED], pixels[N_LABELLED:][:N_TEST], None
    n_rows, n_columns = scene.shape
    tiles = pixels // n_columns // TILE * (n_columns // TILE) + pixels % n_columns // TILE
    inside = np.isin(tiles, generator.permutation(n_rows * n_columns // TILE**2)[:N_TILES])
    folds = TileKFold(N_TILES, tile_size=TILE, shape=scene.shape, random_state=seed)
    return pixels[inside][:N_LABELLED], pixels[~inside][:N_TEST], folds


if __name__ == "__main__":
    main()
