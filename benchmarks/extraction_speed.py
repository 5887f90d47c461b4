"""Time and memory of extracting endmembers from a large scene, as ratios to one matrix product.

    python benchmarks/extraction_speed.py --threads 1 2
    python benchmarks/extraction_speed.py --quick           # small, for continuous integration

The product is ``X @ W`` of float32 with four columns. "read" is the sum of all values, which reads
the scene once and does little else. A ratio is a time divided by that of the product in the same
turn: the median of the repeats, then the smallest and the largest; "CPU" is the median ratio of
processor times. Memory is the largest increase in megabytes, without the scene: in the case
"mapped", the scene is a memory-mapped file.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from _measure import PeakMemory, describe_machine, print_table, time_in_turn

from skunmix.datasets import make_endmembers
from skunmix.extraction import NFINDR, SPA, VCA, estimate_n_endmembers, estimate_noise

N_BANDS, N_ENDMEMBERS = 200, 5
_AT_ONCE = 50_000


def main():
    """Time the extractors on a scene in memory, and memory-mapped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small scene, once")
    parser.add_argument("--pixels", type=int, default=None, help="1,000,000, or 5,000 with --quick")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], metavar="N")
    parser.add_argument("--repeats", type=int, default=None, help="5, or 1 with --quick")
    parser.add_argument("--folder", default=None, help="where the memory-mapped file is written")
    arguments = parser.parse_args()
    n_pixels = arguments.pixels or (5_000 if arguments.quick else 1_000_000)
    repeats = arguments.repeats or (1 if arguments.quick else 5)

    print(describe_machine())
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder, "scene.npy")
        write_scene(path, n_pixels)
        for threads in arguments.threads:
            speed(np.load(path), "in memory", threads, repeats)
            speed(np.load(path, mmap_mode="r"), "mapped", threads, repeats)


def write_scene(path, n_pixels):
    """Write mixtures with noise of 0.01 as a float32 array of shape (n_pixels, n_bands)."""
    rng = np.random.default_rng(0)
    endmembers = make_endmembers(N_ENDMEMBERS, N_BANDS, random_state=0).endmembers
    scene = np.lib.format.open_memmap(path, "w+", np.float32, (n_pixels, N_BANDS))
    for start in range(0, n_pixels, _AT_ONCE):
        block = scene[start : start + _AT_ONCE]
        abundances = rng.dirichlet(np.full(N_ENDMEMBERS, 0.5), len(block))
        block[:] = abundances @ endmembers + rng.normal(scale=0.01, size=block.shape)
    scene.flush()


def speed(X, where, threads, repeats):
    """Print the table for one scene."""
    W = np.random.default_rng(0).random((X.shape[1], 4), dtype=np.float32)
    extractors = {
        "SPA": SPA(N_ENDMEMBERS),
        "VCA": VCA(N_ENDMEMBERS, random_state=0),
        "NFINDR": NFINDR(N_ENDMEMBERS, random_state=0),
    }
    functions = {
        "product": lambda: X @ W,
        "read": lambda: X.sum(),
        **{name: lambda e=extractor: e.fit(X) for name, extractor in extractors.items()},
        "estimate_noise": lambda: estimate_noise(X),
        'estimate_n_endmembers, "elbow"': lambda: estimate_n_endmembers(X),
    }
    seconds, processor, _ = time_in_turn(functions, repeats, threads)
    rows = []
    for name, function in functions.items():
        ratios = seconds[name] / seconds["product"]
        with PeakMemory() as memory:
            function()
        rows.append(
            [
                name,
                f"{np.median(seconds[name]):.3f}",
                f"{np.median(ratios):.2f} ({ratios.min():.2f}-{ratios.max():.2f})",
                f"{np.median(processor[name] / processor['product']):.2f}",
                f"{memory.megabytes:.0f}",
            ]
        )
    print_table(
        f"{len(X):,} pixels of {X.shape[1]} bands, {where}, threads = {threads}",
        ["", "seconds", "ratio", "CPU", "MB"],
        rows,
    )


if __name__ == "__main__":
    main()
