"""Time and agreement of MESMA beside the package `mesma` of PyPI, which translates VIPER Tools.

    pip install --no-deps mesma
    python benchmarks/mesma.py --threads 1
    python benchmarks/mesma.py --quick             # small, for continuous integration

Library: 60 spectra in 3 groups of 20, with 198 bands, and all 2-, 3- and 4-EM models with shade,
which are 9,260. Each group is a smooth spectrum of random brightness with random smooth deviations.
Pixels are mixtures of one spectrum of each group, shade and noise. Bounds are the defaults of both.

The first table is the time of both, as the median of the repeats in turn. The ratios are the
median, the smallest and the largest, of elapsed and of processor time. "agreement" is the share of
pixels with the same model, and the largest difference of their fractions. `mesma` computes in
float32. The other tables show that the time is linear in pixels and in models. Without `mesma`,
only these are printed.
"""

import argparse
import sys
from functools import partial

import numpy as np

# this file has the name of the package
sys.path = [folder for folder in sys.path if folder not in ("", sys.path[0])] + [sys.path[0]]

from _measure import describe_machine, print_table, time_in_turn  # noqa: E402

from skunmix import MESMARegressor  # noqa: E402

try:
    from mesma.core.mesma import MesmaCore, MesmaModels
except ImportError:
    MesmaCore = None

N_BANDS = 198
DEFAULTS = (-0.05, 1.05, 0.0, 0.8, 0.025, -9999, -9999)  # the bounds as `mesma` takes them


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few pixels, once")
    parser.add_argument("--pixels", type=int, default=None, help="200, or 20 with --quick")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=None, help="5, or 1 with --quick")
    arguments = parser.parse_args()
    n_pixels = arguments.pixels or (20 if arguments.quick else 200)
    repeats = arguments.repeats or (1 if arguments.quick else 5)
    many = 500 if arguments.quick else 20_000

    print(describe_machine())
    library, groups = make_library(20)
    if MesmaCore is None:
        print("mesma is not installed: pip install --no-deps mesma")
    else:
        beside_mesma(library, groups, n_pixels, arguments.threads, repeats)
    n_jobs = arguments.threads
    cases = {
        f"{n:,}": (library, groups, make_pixels(library, groups, n))
        for n in (many // 4, many // 2, many)
    }
    print_scaling("Pixels, with 9,260 models", cases, n_jobs, repeats)
    cases = {}
    for n in (10, 20, 40):
        larger, groups = make_library(n)
        cases[f"{3 * n} spectra"] = (larger, groups, make_pixels(larger, groups, many // 10))
    print_scaling(f"Models, with {many // 10:,} pixels", cases, n_jobs, repeats)


def make_library(n_each, random_state=0):
    """Return spectra in three groups of the same size, and their groups."""
    rng = np.random.default_rng(random_state)
    shapes = np.array([smooth(rng, 12.0) for _ in range(3)])
    means = 0.35 + 0.25 * shapes / np.abs(shapes).max(axis=1, keepdims=True)
    groups = np.repeat(["gv", "npv", "soil"], n_each)
    spectra = np.repeat(means, n_each, axis=0) * rng.uniform(0.7, 1.3, (3 * n_each, 1))
    deviations = np.array([smooth(rng, 6.0) for _ in range(3 * n_each)])
    return np.clip(spectra + 0.03 * deviations, 0.01, 0.95), groups


def smooth(rng, width):
    """Return random numbers for the bands, smoothed by a Gaussian and of variance one."""
    kernel = np.exp(-0.5 * (np.arange(-3 * width, 3 * width + 1) / width) ** 2)
    values = np.convolve(rng.normal(size=N_BANDS + len(kernel) - 1), kernel, "valid")
    return values / np.linalg.norm(kernel)


def make_pixels(library, groups, n_pixels, random_state=1):
    """Return noisy mixtures of one spectrum of each group, and shade."""
    rng = np.random.default_rng(random_state)
    fractions = rng.dirichlet(np.ones(4), n_pixels)
    spectra = rng.normal(0.0, 0.005, (n_pixels, N_BANDS))
    for j, group in enumerate(np.unique(groups)):
        chosen = rng.choice(np.flatnonzero(groups == group), n_pixels)
        spectra += fractions[:, j : j + 1] * library[chosen]
    return spectra


def fitted(library, groups, n_jobs):
    """Return a fitted model with all 2-, 3- and 4-EM models."""
    return MESMARegressor(library, groups=groups, n_jobs=n_jobs).fit(library)


def beside_mesma(library, groups, n_pixels, threads, repeats):
    """Print the times and the agreement of both."""
    models = MesmaModels()
    models.setup(groups)
    models.select_level(state=True, level=4)
    for i in range(3):
        models.select_class(state=True, index=i, level=4)
    pixels = make_pixels(library, groups, n_pixels)
    core = MesmaCore(n_cores=threads)
    theirs = partial(
        core.execute,
        image=np.ascontiguousarray(pixels.T)[:, :, np.newaxis],
        library=np.ascontiguousarray(library.T),
        look_up_table=models.return_look_up_table(),
        em_per_class=models.em_per_class,
        constraints=DEFAULTS,
        no_data_pixels=(),
        shade_spectrum=None,
        fusion_value=0.007,
        log=lambda *args, **kwargs: None,
    )
    model = fitted(library, groups, threads)
    functions = {"skunmix": partial(model.predict_models, pixels), "mesma": theirs}
    seconds, processor, results = time_in_turn(functions, repeats, 1)
    rows = [
        [name, f"{1e3 * np.median(s):.1f} ms", f"{n_pixels / np.median(s):,.0f}"]
        for name, s in seconds.items()
    ]
    print_table(
        f"{models.total():,} models, {n_pixels} pixels, {threads} threads",
        ["", "time", "pixels/s"],
        rows,
    )
    for what, times in (("elapsed", seconds), ("processor", processor)):
        ratio = times["mesma"] / times["skunmix"]
        print(f"ratio, {what}: {np.median(ratio):.0f} ({ratio.min():.0f} to {ratio.max():.0f})")

    ours = results["skunmix"]
    chosen, fractions, rmse, _ = (
        None if part is None else part.reshape(len(part), -1).T if part.ndim > 2 else part.ravel()
        for part in results["mesma"]
    )
    same = (ours.models == chosen).all(axis=1)
    differences = np.abs(np.nan_to_num(ours.fractions) - fractions[:, :3])[same]
    of_size = np.bincount(ours.n_endmembers, minlength=4)
    rmse_differences = np.abs(ours.rmse - rmse)[same & (ours.n_endmembers > 0)]
    print(
        f"agreement: {same.mean():.2%} of pixels with the same model, fractions to "
        f"{differences.max():.1e}, RMSE to {rmse_differences.max():.1e}; pixels with a model of "
        f"0, 1, 2 and 3 groups: {', '.join(map(str, of_size))}"
    )


def print_scaling(title, cases, n_jobs, repeats):
    """Print the processor time of each case, for a pixel and for a model of a pixel."""
    models = {name: fitted(library, groups, n_jobs) for name, (library, groups, _) in cases.items()}
    functions = {
        name: partial(models[name].predict_models, pixels) for name, (_, _, pixels) in cases.items()
    }
    _, seconds, _ = time_in_turn(functions, repeats, 1)  # the machine may be busy
    rows = []
    for name, (_, _, pixels) in cases.items():
        each = np.median(seconds[name]) / len(pixels)
        n_models = models[name].n_models_
        rows.append(
            [name, f"{n_models:,}", f"{1e6 * each:.1f} µs", f"{1e9 * each / n_models:.2f} ns"]
        )
    print_table(title, ["", "models", "for a pixel", "for a model"], rows)


if __name__ == "__main__":
    main()
