import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from skunmix import SunSALRegressor
from skunmix.scenes import unmix, unmix_file

distributed = pytest.importorskip("distributed")
xr = pytest.importorskip("xarray")


@contextmanager
def two_workers():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def client():
    with two_workers() as client:
        yield client


@pytest.fixture(scope="module")
def cube():
    return np.random.RandomState(0).uniform(size=(40, 30, 8)).astype(np.float32)


def logging_model(path, seconds=0.0):
    """Return an estimator that notes in a file where it arrives, and takes its time."""

    class Logging(BaseEstimator):  # of a class that workers cannot import
        n_features_in_ = 8

        def __sklearn_is_fitted__(self):
            return True

        def predict(self, X):
            if len(X) > 1:
                time.sleep(seconds)
            return X[:, :3] * 2

        def __setstate__(self, state):
            with open(path, "a") as file:
                file.write(f"{os.getpid()}\n")
            vars(self).update(state)

    return Logging()


def arrivals(path):
    """Return how often the estimator came to each process but this one."""
    counts = Counter(map(int, path.read_text().split()))
    counts.pop(os.getpid(), None)
    return counts


def test_intervals(client, small, tmp_path):
    model = SunSALRegressor(small.endmembers).fit(small.endmembers)
    expected = unmix(model, small.cube, nodata=-9999, coverage=0.8)
    np.save(tmp_path / "scene.npy", small.cube)
    path = unmix_file(
        model,
        tmp_path / "scene.npy",
        tmp_path / "maps.npy",
        nodata=-9999,
        coverage=0.8,
        working_memory=0.01,
    )
    np.testing.assert_allclose(np.load(path), expected, rtol=0, atol=1e-6)
    scene = xr.DataArray(small.cube, dims=("y", "x", "band")).chunk({"y": 5, "x": 5})
    found = unmix(model, scene, nodata=-9999, coverage=0.8).compute()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_a_lazy_scene_gets_the_estimator_once(client, cube, tmp_path):
    scene = xr.DataArray(cube, dims=("y", "x", "band")).chunk({"y": 2, "x": 10})
    abundances = unmix(logging_model(tmp_path / "log", 0.01), scene)
    np.testing.assert_allclose(abundances.values, 2 * cube[..., :3], rtol=0, atol=1e-6)
    counts = arrivals(tmp_path / "log")
    assert set(counts.values()) == {1}  # by each worker that had some of the 60 chunks


def test_files_get_the_estimator_once(client, cube, tmp_path):
    np.save(tmp_path / "scene.npy", cube)
    model = logging_model(tmp_path / "log", 0.1)
    path = unmix_file(model, tmp_path / "scene.npy", tmp_path / "o.npy", working_memory=0.01)
    np.testing.assert_allclose(np.load(path), 2 * cube[..., :3], rtol=0, atol=1e-6)
    counts = arrivals(tmp_path / "log")
    assert set(counts.values()) == {1}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("way", ["file", "lazy"])
def test_a_worker_is_killed(client, cube, tmp_path, way):
    np.save(tmp_path / "scene.npy", cube)
    model = logging_model(tmp_path / "log", 0.02)
    client.wait_for_workers(2)  # one may have been killed by the test before
    killed = []

    def kill():
        # the first that has the estimator, and so is at work
        while not (tmp_path / "log").exists() or not arrivals(tmp_path / "log"):
            time.sleep(0.01)
        killed.extend(arrivals(tmp_path / "log"))
        os.kill(killed[0], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    if way == "file":
        path = unmix_file(model, tmp_path / "scene.npy", tmp_path / "o.npy", working_memory=0.002)
        abundances = np.load(path)
    else:
        scene = xr.DataArray(cube, dims=("y", "x", "band")).chunk({"y": 1, "x": 15})
        abundances = unmix(model, scene).values
    killer.join(timeout=30)
    np.testing.assert_allclose(abundances, 2 * cube[..., :3], rtol=0, atol=1e-6)
    assert killed
    assert len(arrivals(tmp_path / "log")) > 1  # another went on


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_ten_workers_killed_at_random_moments(cube, tmp_path):
    np.save(tmp_path / "scene.npy", cube)
    model = logging_model(tmp_path / "log", 0.01)
    output = tmp_path / "o.npy"

    def run():
        start = time.perf_counter()
        unmix_file(model, tmp_path / "scene.npy", output, working_memory=0.004, progress=False)
        end = time.perf_counter()
        found = output.read_bytes()
        output.unlink()
        return found, start, end

    with two_workers():
        expected, start, end = run()
        _, start, end = run()  # which begins sooner
    seconds = end - start
    kills = 0
    while kills < 10:
        # workers of its own each time, as dask does not always replace one that was killed young
        with two_workers() as client:
            process = random.choice(list(client.run(os.getpid).values()))
            moments = []

            def kill(process=process, moments=moments):
                time.sleep(random.uniform(0, seconds))
                os.kill(process, signal.SIGKILL)
                moments.append(time.perf_counter())

            killer = threading.Thread(target=kill)
            killer.start()
            found, _, end = run()
            killer.join()
        assert found == expected
        kills += moments[0] < end  # else it was all over
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "scene.npy"]


def test_no_more_is_under_way_than_workers_take(client, cube, tmp_path):
    from skunmix.scenes._run import by_cluster

    class Task:
        def run(self, window):
            return np.zeros(1), True

    windows = [(slice(i, i + 1), slice(0, 1)) for i in range(50)]
    results = by_cluster(client, Task(), windows, list(range(50)))
    numbers = []
    for number, _ in results:
        numbers.append(number)
        known = set().union(*client.has_what().values())  # the task, and results
        assert len(known) <= 2 * 2 + 2
    assert sorted(numbers) == list(range(50))


def test_a_workers_error_is_raised(client, tmp_path, cube):
    class Failing(BaseEstimator):
        n_features_in_ = 8

        def __sklearn_is_fitted__(self):
            return True

        def predict(self, X):
            if 1 < len(X) < 16:  # neither the trial nor the probes
                raise RuntimeError("cannot do it")
            return X[:, :3]

    np.save(tmp_path / "scene.npy", cube)
    with pytest.raises(RuntimeError, match="cannot do it"):
        unmix_file(Failing(), tmp_path / "scene.npy", tmp_path / "o.npy", working_memory=0.0008)
    assert not (tmp_path / "o.npy").exists()
