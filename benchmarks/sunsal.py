"""Time and objective of the exact solver of CSR, and of other solvers.

    python benchmarks/sunsal.py --threads 1 2
    python benchmarks/sunsal.py --quick            # small, for continuous integration

All solvers of a table run in turn, with the same number of threads. The table shows each time
beside the objective, its excess over that of skunmix on the same pixels, and the largest KKT
residual (`csr_optimality`), so that a solver cannot be fast by being wrong. A ratio is the time of
a solver divided by that of skunmix: the median over the repeats, then the smallest and the largest.

Real data are used if they are in SKUNMIX_DATA, or if the fetchers of skunmix.datasets have
downloaded them. Otherwise the data are simulated, and the table says so.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from _measure import PeakMemory, describe_machine, print_table, time_in_turn
from _peers import OURS, peers

from skunmix.datasets import fetch_jasper_ridge, fetch_usgs_library, make_endmembers, make_mixtures
from skunmix.solvers import csr_active_set, csr_objective, csr_optimality, csr_path

CASES = ("jasper", "library-240", "library-498", "atoms", "path", "pixels")
LAMS = (0.0, 1e-3, 1e-2)
CERTIFIED = 1e-8


def main():
    """Run the selected cases; fail if a solution of skunmix is not certified."""
    arguments = parse_arguments()
    print(describe_machine())
    largest = 0.0
    for case in arguments.cases:
        run = {
            "jasper": run_jasper,
            "library-240": partial(run_library, 240),
            "library-498": partial(run_library, 498),
            "atoms": run_atoms,
            "path": run_path,
            "pixels": run_pixels,
        }[case]
        for threads in arguments.threads:
            largest = max(largest, run(threads, arguments))
    print(f"\nLargest KKT residual of the active set over all cases: {largest:.1e}")
    if not largest <= CERTIFIED:
        raise SystemExit(f"Expected at most {CERTIFIED:.0e}, got {largest:.1e}.")


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, once each")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], metavar="N")
    parser.add_argument("--repeats", type=int, default=None, help="5, or 1 with --quick")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--lams", type=float, nargs="+", default=LAMS, metavar="LAM")
    arguments = parser.parse_args()
    if arguments.repeats is None:
        arguments.repeats = 1 if arguments.quick else 5
    return arguments


# Data


def jasper_or_made():
    """Return spectra and endmembers of Jasper Ridge, or of a simulated scene, and their origin."""
    try:
        scene = fetch_jasper_ridge(download_if_missing=False)
    except OSError:
        endmembers = make_endmembers(4, 198, random_state=0).endmembers
        spectra = make_mixtures(endmembers, 10_000, snr=30, random_state=0).spectra
        return spectra, endmembers, "simulated (Jasper Ridge not found: set SKUNMIX_DATA)"
    return scene.spectra, scene.endmembers, "Jasper Ridge"


def library_or_made(n_atoms):
    """Return the USGS library, whole or pruned to 240, or a simulated one, and its origin."""
    try:
        library = fetch_usgs_library(
            download_if_missing=False, min_angle=4.44 if n_atoms == 240 else None
        )
    except OSError:
        made = make_endmembers(n_atoms, 224, min_angle=0.3, random_state=0)
        return made.endmembers, "simulated (USGS not found: set SKUNMIX_DATA)"
    return library.endmembers, "USGS"


# Cases. Each returns the largest KKT residual of skunmix.


def run_jasper(threads, arguments):
    """Compare on an image of four endmembers."""
    spectra, endmembers, origin = jasper_or_made()
    if arguments.quick:
        spectra = spectra[:1000]
    return compare(spectra, endmembers, origin, threads, arguments)


def run_library(n_atoms, threads, arguments):
    """Compare on mixtures of nine spectra of a library at 30 dB."""
    library, origin = library_or_made(n_atoms)
    n_pixels = 100 if arguments.quick else 2500
    spectra = make_mixtures(library, n_pixels, n_active=9, snr=30, random_state=0).spectra
    return compare(spectra, library, origin, threads, arguments)


def compare(spectra, endmembers, origin, threads, arguments):
    """Print a table of all solvers for each λ."""
    return max(
        compare_at(spectra, endmembers, lam, origin, threads, arguments) for lam in arguments.lams
    )


def compare_at(spectra, endmembers, lam, origin, threads, arguments):
    """Print the table for one λ."""
    functions, pixels, notes = {}, {}, {}
    for peer in peers(arguments.quick):
        asked = peer.lams == "any" or (lam == 0) == (peer.lams == "0")
        if not asked or peer.missing:
            notes[peer.name] = peer.missing or f"λ {peer.lams} only"
            continue
        some = spectra if peer.max_pixels is None else spectra[: peer.max_pixels]
        functions[peer.name] = peer.prepare(some, endmembers, lam, threads)
        pixels[peer.name] = len(some)
    seconds, processor, results = time_in_turn(functions, arguments.repeats, threads)

    ours = seconds[OURS] / len(spectra)
    our_objective = csr_objective(spectra, endmembers, results[OURS], lam=lam)
    rows = []
    for name, function in functions.items():
        n = pixels[name]
        x = getattr(function, "dense", np.asarray)(results[name])
        objective = csr_objective(spectra[:n], endmembers, x, lam=lam).sum()
        kkt = csr_optimality(spectra[:n], endmembers, x, lam=lam).max()
        if name == OURS:
            worst = kkt
        ratios = seconds[name] / n / ours
        scaled = "" if n == len(spectra) else f" ({n} px)"
        rows.append(
            [
                name + scaled,
                f"{np.median(seconds[name]) / n * len(spectra):.4f}",
                f"{np.median(processor[name]) / n * len(spectra):.4f}",
                f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]",
                f"{objective * len(spectra) / n:.6g}" if n == len(spectra) else "",
                f"{objective / our_objective[:n].sum() - 1:+.1e}",
                f"{kkt:.1e}",
            ]
        )
    rows += [[name, "", "", "", "", "", note] for name, note in notes.items()]
    n_pixels, n_bands = spectra.shape
    print_table(
        f"{origin}: {n_pixels:,} px × {n_bands} bands × {len(endmembers)} endmembers, λ = {lam:g}, "
        f"threads = {threads}"
        + (
            "; times of '(n px)' are scaled to all pixels"
            if min(pixels.values()) < n_pixels
            else ""
        ),
        ["solver", "seconds", "CPU seconds", "ratio", "objective", "excess", "max KKT"],
        rows,
    )
    return worst


def run_atoms(threads, arguments):
    """Time against the number of endmembers."""
    library, origin = library_or_made(498)
    library = library[np.random.RandomState(0).permutation(len(library))]
    n_pixels = 100 if arguments.quick else 2500
    chosen = [
        p for p in peers(arguments.quick) if p.name in (OURS, "SPAMS lasso") and not p.missing
    ]
    rows, worst = [], 0.0
    for n_atoms in (5, 10, 20, 50, 100, 200, 498):
        endmembers = np.ascontiguousarray(library[:n_atoms])
        mixtures = make_mixtures(
            endmembers, n_pixels, n_active=min(9, n_atoms), snr=30, random_state=0
        )
        spectra = mixtures.spectra
        functions = {p.name: p.prepare(spectra, endmembers, 1e-3, threads) for p in chosen}
        seconds, _, results = time_in_turn(functions, arguments.repeats, threads)
        kkt = csr_optimality(spectra, endmembers, results[OURS], lam=1e-3).max()
        worst = max(worst, kkt)
        row = [str(n_atoms), f"{1e6 * np.median(seconds[OURS]) / n_pixels:.2f}", "", f"{kkt:.1e}"]
        if len(chosen) > 1:
            ratios = seconds["SPAMS lasso"] / seconds[OURS]
            row[2] = f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"
        rows.append(row)
    print_table(
        f"{origin}: time by number of endmembers, {n_pixels:,} px, λ = 0.001, threads = {threads}",
        ["endmembers", "µs a pixel", "ratio of SPAMS", "max KKT"],
        rows,
    )
    return worst


def run_path(threads, arguments):
    """Time of a path of λ, in multiples of one fit at its smallest λ."""
    rows, worst = [], 0.0
    for n_atoms in (4, 240, 498):
        if n_atoms == 4:
            spectra, endmembers, origin = jasper_or_made()
        else:
            endmembers, origin = library_or_made(n_atoms)
            spectra = make_mixtures(endmembers, 1000, n_active=9, snr=30, random_state=0).spectra
        spectra = spectra[: 100 if arguments.quick else 1000]
        for n_lams in (10, 30, 100):
            lams = np.geomspace(1.0, 1e-3, n_lams)
            # all turns write to the same output, as a search over blocks of pixels does
            out = np.empty((n_lams, len(spectra), len(endmembers)))
            functions = {
                "path": partial(csr_path, spectra, endmembers, lams, n_jobs=threads, out=out),
                "fit": partial(csr_active_set, spectra, endmembers, lam=1e-3, n_jobs=threads),
            }
            seconds, _, results = time_in_turn(functions, arguments.repeats, threads)
            path = results["path"].abundances
            kkt = max(
                csr_optimality(spectra, endmembers, x, lam=lam).max() for x, lam in zip(path, lams)
            )
            worst = max(worst, kkt)
            ratio = np.median(seconds["path"] / seconds["fit"])
            rows.append(
                [
                    f"{origin}, {len(endmembers)} endmembers",
                    str(n_lams),
                    f"{np.median(seconds['path']):.4f}",
                    f"{ratio:.1f}",
                    f"{kkt:.1e}",
                ]
            )
    print_table(
        f"Paths from λ = 1 to 0.001, {len(spectra):,} px, threads = {threads}",
        ["library", "values of λ", "seconds", "ratio to a fit", "max KKT"],
        rows,
    )
    return worst


def run_pixels(threads, arguments):
    """Time and memory against the number of pixels, from a memory-mapped file of float32."""
    spectra, endmembers, origin = jasper_or_made()
    sizes = (1000, 3000, 10_000) if arguments.quick else (1000, 10_000, 100_000, 1_000_000)
    rows, worst = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spectra.f4"
        write_tiled(path, spectra, sizes[-1])
        for n_pixels in sizes:
            mapped = np.memmap(path, np.float32, "r", shape=(n_pixels, spectra.shape[1]))
            run = partial(csr_active_set, mapped, endmembers, lam=1e-3, n_jobs=threads)
            seconds, _, results = time_in_turn({OURS: run}, arguments.repeats, threads)
            abundances = results.pop(OURS).abundances
            kkt = csr_optimality(mapped, endmembers, abundances, lam=1e-3).max()
            worst = max(worst, kkt)
            output = abundances.nbytes / 1e6
            del abundances
            with PeakMemory() as memory:
                run()
            median = np.median(seconds[OURS])
            rows.append(
                [
                    f"{n_pixels:,}",
                    f"{median:.4f}",
                    f"{1e6 * median / n_pixels:.3f}",
                    f"{mapped.nbytes / 1e6:.1f}",
                    f"{output:.1f}",
                    f"{memory.megabytes - output:.1f}",
                    f"{kkt:.1e}",
                ]
            )
    print_table(
        f"{origin}: time by number of pixels, λ = 0.001, float32 from a memory-mapped file, "
        f"threads = {threads}",
        ["pixels", "seconds", "µs a pixel", "input MB", "output MB", "extra MB", "max KKT"],
        rows,
    )
    return worst


def write_tiled(path, spectra, n_pixels):
    """Write this many pixels to a file: the scene repeated, with new noise each time."""
    rng = np.random.default_rng(0)
    with open(path, "wb") as file:
        for start in range(0, n_pixels, len(spectra)):
            rows = spectra[: n_pixels - start]
            noisy = rows + 0.01 * rows.mean() * rng.standard_normal(rows.shape, dtype=np.float32)
            noisy.astype(np.float32).tofile(file)


if __name__ == "__main__":
    main()
