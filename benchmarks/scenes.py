"""Time and memory of whole scenes on disk, as a ratio to a plain read and one matrix product.

    python benchmarks/scenes.py --folder /tmp      # needs 6 GB there
    python benchmarks/scenes.py --quick            # small, for continuous integration

The script makes an ENVI scene of float32, which `unmix_file` unmixes into a GeoTIFF. Each run is a
process of its own, and takes turns with two peers in that process: reading the same file from start
to end, and multiplying as many spectra, which are in memory, by a matrix of (bands, endmembers).
"ratio" is the time of both peers divided by that of skunmix. At 1 the estimator and the output cost
nothing more; at least 0.5 is required. Tables show the median of the repeats, then the smallest and
the largest. The case "chunks" calls `unmix` on a lazy DataArray instead.

"cold" drops the file from the cache of the system before each read, "warm" reads the file first.
The peak is that of resident memory, over the life of the process and with all its libraries. With
workers, it is the peak of the process that writes, plus for each worker the largest of their peaks.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
from _measure import describe_machine, print_table
from joblib.externals.loky import get_reusable_executor

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.datasets import make_endmembers, make_mixtures

N_BANDS = 200
N_ENDMEMBERS = 4
COLS = 2000
INTERLEAVES = ("bip", "bil", "bsq")
CASES = ("interleave", "size", "workers", "chunks")
CHUNKS = (0.1, 1, 10, 100)  # MB
REQUIRED = 0.5
MOST_MEGABYTES = 1000


def main():
    """Run the selected cases; fail if one misses a requirement."""
    arguments = parse_arguments()
    if arguments.run:
        print(json.dumps(run(json.loads(arguments.run))))
        return
    print(describe_machine())
    missed = []
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="skunmix-") as folder:
        folder = Path(folder)
        for name, model in models(arguments.quick).items():
            joblib.dump(model, folder / f"{name}.joblib")
        for case in arguments.cases:
            missed += {
                "interleave": run_interleave,
                "size": run_size,
                "workers": run_workers,
                "chunks": run_chunks,
            }[case](folder, arguments)
    for line in missed:
        print(line)
    if missed and not arguments.quick:
        raise SystemExit(1)


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, once each")
    parser.add_argument(
        "--folder", default=None, help="folder for the scenes; default: that of the system"
    )
    parser.add_argument("--repeats", type=int, default=None, help="3, or 1 with --quick")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--sizes", type=float, nargs="+", default=None, metavar="GB")
    parser.add_argument("--interleaves", nargs="+", choices=INTERLEAVES, default=INTERLEAVES)
    parser.add_argument("--cache", nargs="+", choices=("cold", "warm"), default=("cold", "warm"))
    parser.add_argument("--run", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.repeats is None:
        arguments.repeats = 1 if arguments.quick else 3
    if arguments.sizes is None:
        arguments.sizes = (0.002, 0.01, 0.02) if arguments.quick else (0.1, 1.0, 5.0)
    return arguments


# Data


def mixtures():
    """Return the mixtures that scenes consist of."""
    endmembers = make_endmembers(N_ENDMEMBERS, N_BANDS, random_state=0).endmembers
    return make_mixtures(endmembers, 10 * COLS, snr=30, random_state=0)


def models(quick):
    """Return the fitted estimators by name."""
    scene = mixtures()
    some = slice(0, 1000)
    network = UADMMRegressor.paper(
        endmembers=scene.endmembers, max_epochs=2 if quick else 50, random_state=0
    )
    return {
        "U-ADMM": network.fit(scene.spectra[some], scene.abundances[some]),
        "SunSAL": SunSALRegressor(endmembers=scene.endmembers).fit(scene.spectra[some]),
    }


def make_file(path, gigabytes, interleave):
    """Write an ENVI scene of about this size, which repeats the mixtures."""
    strip = mixtures().spectra.astype(np.float32).reshape(-1, COLS, N_BANDS)
    axes = {"bip": (0, 1, 2), "bil": (0, 2, 1), "bsq": (2, 0, 1)}[interleave]
    n_strips = max(1, round(gigabytes * 1e9 / strip.nbytes))
    rows = n_strips * len(strip)
    if interleave == "bsq":
        strip = np.ascontiguousarray(strip.transpose(axes))
        with open(path, "wb") as file:
            for plane in strip:
                for _ in range(n_strips):
                    plane.tofile(file)
    else:
        strip = np.ascontiguousarray(strip.transpose(axes))
        with open(path, "wb") as file:
            for _ in range(n_strips):
                strip.tofile(file)
    path.with_suffix(".hdr").write_text(
        f"ENVI\nsamples = {COLS}\nlines = {rows}\nbands = {N_BANDS}\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = 4\ninterleave = {interleave}\nbyte order = 0\n"
        "map info = {UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84}\n"
    )
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return rows * COLS


# One run, in a process of its own


def run(job):
    """Time the peers and skunmix in turn."""
    from skunmix.scenes import unmix_file

    scene, output = Path(job["scene"]), Path(job["output"])
    rows = job["pixels"] // COLS
    model = joblib.load(job["model"])
    warm_up(model, output, job["n_jobs"])
    if job["chunk"] is not None:
        unmix_lazily(model, scene, (1, COLS, N_BANDS), job["chunk"])
    spectra = np.ascontiguousarray(mixtures().spectra, dtype=np.float32)
    matrix = np.ones((N_BANDS, N_ENDMEMBERS), np.float32)
    product = np.empty((len(spectra), N_ENDMEMBERS), np.float32)
    buffer = np.empty(2**25, np.uint8)

    def read():
        with open(scene, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    def multiply():
        for _ in range(0, job["pixels"], len(spectra)):
            np.matmul(spectra, matrix, out=product)

    def unmix():
        if job["chunk"] is None:
            unmix_file(model, scene, output, n_jobs=job["n_jobs"], progress=False, overwrite=True)
        else:
            unmix_lazily(model, scene, (rows, COLS, N_BANDS), job["chunk"])

    times = {"read": [], "product": [], "ours": []}
    for _ in range(job["repeats"]):
        for name, function in (("read", read), ("product", multiply), ("ours", unmix)):
            if name != "product":
                drop(scene) if job["cache"] == "cold" else read()
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    output.unlink(missing_ok=True)
    return {"times": times, "peak": peak(job["n_jobs"])}


def unmix_lazily(model, path, shape, megabytes):
    """Unmix a raw file in chunks of this size, with the threads of dask."""
    import xarray as xr

    from skunmix.scenes import unmix

    pixels = max(1, int(megabytes * 1e6 / (4 * N_BANDS)))
    scene = xr.DataArray(np.memmap(path, np.float32, "r", shape=shape), dims=("y", "x", "band"))
    unmix(model, scene.chunk({"y": max(1, pixels // COLS), "x": min(pixels, COLS)})).compute()


def peak(n_jobs):
    """Return the peak memory, in MB, of this process and its workers."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    others = 0
    if n_jobs > 1:
        get_reusable_executor().shutdown(wait=True)  # the system counts a child after its end
        others = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + n_jobs * others) * 1024 / 1e6


def warm_up(model, output, n_jobs):
    """Compile code and start threads, which happens once and not for each pixel."""
    from skunmix.scenes import unmix_file

    path = output.with_name("small.npy")
    np.save(path, mixtures().spectra[:200].astype(np.float32).reshape(20, 10, N_BANDS))
    unmix_file(model, path, output, n_jobs=n_jobs, working_memory=0.1, progress=False)
    path.unlink()


def drop(path):
    """Drop a file from the cache of the system."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run_apart(folder, scene, pixels, model, cache, arguments, n_jobs=1, chunk=None):
    """Run in a new process, and return its times and its peak memory."""
    job = {
        "scene": str(scene),
        "output": str(folder / "abundances.tif"),
        "model": str(folder / f"{model}.joblib"),
        "pixels": pixels,
        "cache": cache,
        "n_jobs": n_jobs,
        "chunk": chunk,
        "repeats": arguments.repeats,
    }
    command = [sys.executable, __file__, "--run", json.dumps(job)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(result.stdout.splitlines()[-1])
    result["times"] = {name: np.array(values) for name, values in result["times"].items()}
    return result


def row_of(label, result, pixels, size):
    """Return a row of a table."""
    times = result["times"]
    ours = np.median(times["ours"])
    ratio = ratios(times)
    return [
        *label,
        f"{np.median(times['read']):.2f}",
        f"{np.median(times['product']):.2f}",
        f"{ours:.2f}",
        f"{pixels / ours / 1e6:.2f}",
        f"{size / ours / 1e9:.2f}",
        f"{np.median(ratio):.2f} [{ratio.min():.2f}, {ratio.max():.2f}]",
        f"{result['peak']:.0f}",
    ]


COLUMNS = ["read s", "product s", "skunmix s", "Mpx/s", "GB/s", "ratio", "peak MB"]


def ratios(times):
    """Return the ratio of the time of both peers to that of skunmix, for each repeat."""
    return (times["read"] + times["product"]) / times["ours"]


def missing(label, result):
    """Return a line for each requirement that a run misses."""
    ratio, lines = np.median(ratios(result["times"])), []
    if ratio < REQUIRED:
        lines.append(
            f"{', '.join(label)}: expected a ratio of {REQUIRED} or more, got {ratio:.2f}."
        )
    if result["peak"] > MOST_MEGABYTES:
        lines.append(
            f"{', '.join(label)}: expected at most {MOST_MEGABYTES} MB, "
            f"got {result['peak']:.0f} MB."
        )
    return lines


# Cases. Each returns a line for each requirement that it misses.


def run_interleave(folder, arguments):
    """Compare interleaves, on the largest size."""
    rows, missed = [], []
    gigabytes = arguments.sizes[-1]
    for interleave in arguments.interleaves:
        scene = folder / "scene.img"
        pixels = make_file(scene, gigabytes, interleave)
        for model in ("U-ADMM", "SunSAL"):
            for cache in arguments.cache:
                result = run_apart(folder, scene, pixels, model, cache, arguments)
                label = [interleave, model, cache]
                rows.append(row_of(label, result, pixels, os.path.getsize(scene)))
                missed += missing(label, result)
        scene.unlink()
    print_table(
        f"{gigabytes:g} GB of float32, {pixels:,} px × {N_BANDS} bands, {N_ENDMEMBERS} "
        f"endmembers, one process",
        ["interleave", "model", "cache", *COLUMNS],
        rows,
    )
    return missed


def run_size(folder, arguments):
    """Compare sizes of the scene."""
    rows, missed = [], []
    for gigabytes in arguments.sizes:
        scene = folder / "scene.img"
        pixels = make_file(scene, gigabytes, "bip")
        for model in ("U-ADMM", "SunSAL"):
            result = run_apart(folder, scene, pixels, model, "cold", arguments)
            label = [f"{gigabytes:g}", f"{pixels:,}", model]
            rows.append(row_of(label, result, pixels, os.path.getsize(scene)))
        scene.unlink()
    print_table(
        "Sizes of the scene, bip, cold, one process", ["GB", "pixels", "model", *COLUMNS], rows
    )
    return missed


def run_workers(folder, arguments):
    """Compare numbers of processes."""
    rows = []
    gigabytes = sorted(arguments.sizes)[-2:][0]
    scene = folder / "scene.img"
    pixels = make_file(scene, gigabytes, "bip")
    for model in ("U-ADMM", "SunSAL"):
        for n_jobs in (1, 2):
            result = run_apart(folder, scene, pixels, model, "cold", arguments, n_jobs)
            label = [model, str(n_jobs)]
            rows.append(row_of(label, result, pixels, os.path.getsize(scene)))
    print_table(
        f"Numbers of processes, {gigabytes:g} GB, bip, cold", ["model", "n_jobs", *COLUMNS], rows
    )
    scene.unlink()
    return []


def run_chunks(folder, arguments):
    """Compare sizes of the chunks of a lazy scene."""
    rows = []
    gigabytes = sorted(arguments.sizes)[-2:][0]
    scene = folder / "scene.img"
    pixels = make_file(scene, gigabytes, "bip")
    for model in ("U-ADMM", "SunSAL"):
        for chunk in CHUNKS:
            result = run_apart(folder, scene, pixels, model, "warm", arguments, chunk=chunk)
            rows.append(row_of([model, f"{chunk:g}"], result, pixels, os.path.getsize(scene)))
    scene.unlink()
    print_table(
        f"Chunks of a lazy DataArray, {gigabytes:g} GB, warm, threads of dask",
        ["model", "chunk MB", *COLUMNS],
        rows,
    )
    return []


if __name__ == "__main__":
    main()
