"""Processes that are killed while they unmix a file, at every step and at random moments."""

import itertools
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skunmix.scenes import _checkpoint as checkpoint_module
from skunmix.scenes import unmix_file


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a scene of 60 rows, one without data."""
    cube = np.random.RandomState(0).uniform(size=(60, 5, 6))
    cube[7] = np.nan
    np.save(tmp_path / "scene.npy", cube)
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(
    "forkserver" not in multiprocessing.get_all_start_methods(),
    reason="no forkserver here",
)
@pytest.mark.parametrize("output", ["out.npy", "out.hdr", "out.zarr"])
def test_killed_at_any_step_of_the_end(folder, output):
    if output != "out.npy":
        pytest.importorskip("rasterio" if output == "out.hdr" else "zarr")
    target = folder / output
    leftover, moved = (folder / f"{output}{end}" for end in (".part", ".part.moved"))
    over = 0
    plain = LinearRegression().fit(np.eye(6), np.eye(6)[:, :2])

    def run():
        return unmix_file(plain, folder / "scene.npy", target, progress=False)

    run()
    expected = contents(target)
    # a process of its own, as its threads go on writing where only one of them is stopped
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    for at in itertools.count(1):
        remove(target)
        process = context.Process(
            target=unmix_file_until, args=(at, plain, folder / "scene.npy", target)
        )
        process.start()
        process.join()
        assert process.exitcode in (0, KILLED)
        if process.exitcode == 0:
            break
        if target.exists() and not leftover.exists() and not moved.exists():  # all was over
            over += 1
            with pytest.raises(FileExistsError):
                run()
        else:
            run()
        assert contents(target) == expected, at
        assert not leftover.exists(), at
        assert not moved.exists(), at
    assert at > 15
    assert over <= 1  # after the very last step


KILLED = 77
# The server imports these once for all processes; it skips what is not installed.
IMPORTED = [
    *("skunmix.scenes", "skunmix.unrolled", "rasterio", "xarray", "dask.array", "zarr", "pytest"),
    *("sklearn.ensemble", "sklearn.linear_model", "sklearn.model_selection"),
]


def unmix_file_until(at, *args):
    """Unmix a file in a process that ends at a step of those that move, write or remove files."""
    lock, steps = threading.Lock(), itertools.count(1)

    def step():
        with lock:
            if next(steps) == at:
                os._exit(KILLED)

    def killing(function):
        def call(*args, **kwargs):
            step()  # killed just before
            result = function(*args, **kwargs)
            step()  # and just after
            return result

        return call

    for owner, name in (
        (os, "replace"),
        (checkpoint_module, "_sync"),
        (Path, "unlink"),
        (Path, "write_text"),
        (shutil, "rmtree"),
        (Path, "rmdir"),
        (Path, "mkdir"),
        (checkpoint_module, "open_private"),
    ):
        setattr(owner, name, killing(getattr(owner, name)))
    unmix_file(*args, progress=False)


def contents(path):
    """Return what is at a path and beside it, by name."""
    if path.is_dir():
        return {p.relative_to(path): p.read_bytes() for p in path.rglob("*") if p.is_file()}
    return {p.name: p.read_bytes() for p in path.parent.glob("out.*") if p.is_file()}


def remove(path):
    for found in path.parent.glob("out.*"):
        if found.is_dir():
            for p in sorted(found.rglob("*"), reverse=True):
                p.rmdir() if p.is_dir() else os.unlink(p)
            os.rmdir(found)
        else:
            os.unlink(found)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_ten_kills_at_random_moments(tmp_path):
    rng = np.random.RandomState(0)
    np.save(tmp_path / "scene.npy", rng.uniform(size=(300, 40, 8)))
    model = LinearRegression().fit(rng.uniform(size=(20, 8)), rng.uniform(size=(20, 3)))
    options = {"working_memory": 0.01, "progress": False}
    expected = unmix_file(model, tmp_path / "scene.npy", tmp_path / "expected.npy", **options)
    expected = expected.read_bytes()

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    output = tmp_path / "out.npy"

    def start():
        args = (model, tmp_path / "scene.npy", output)
        process = context.Process(target=unmix_file, args=args, kwargs=options)
        process.start()
        return process

    start().join()  # what the first one costs the server
    begun = time.perf_counter()
    os.unlink(output)
    process = start()
    process.join()
    seconds = time.perf_counter() - begun
    os.unlink(output)

    kills = 0
    while kills < 10:
        process = start()
        process.join(random.uniform(0, seconds))
        process.kill()
        process.join()
        if output.exists():
            assert output.read_bytes() == expected
        if process.exitcode == -signal.SIGKILL:
            kills += 1
        elif output.exists():  # it was done: begin again
            os.unlink(output)
    if not output.exists():
        process = start()
        process.join()
        assert process.exitcode == 0
    assert output.read_bytes() == expected
    assert {p.name for p in tmp_path.iterdir()} <= {
        "scene.npy",
        "expected.npy",
        "out.npy",
        "out.npy.part",
        "out.npy.part.moved",
    }
