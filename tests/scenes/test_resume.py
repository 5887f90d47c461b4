"""What a kill leaves, and that a run which goes on makes what an undisturbed one does."""

import contextlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.scenes import _checkpoint as checkpoint_module
from skunmix.scenes import _files as files_module
from skunmix.scenes import unmix_file
from skunmix.scenes._identity import state_hash
from skunmix.scenes.io import sinks as sinks_module
from skunmix.uncertainty import ConformalUnmixer


class Killed(BaseException):
    """In place of SIGKILL, where a test is to say when."""


class Counting(LinearRegression):
    """Counts its blocks, and stops at one."""

    calls, stop_at = 0, None

    def predict(self, X):
        if len(X) > 1 and X.dtype == np.float64:  # neither the trial nor the probes
            type(self).calls += 1
            if self.calls == self.stop_at:
                raise Killed
        return super().predict(X)


@pytest.fixture
def made(tmp_path):
    """Return a model, a scene of 60 windows, and what comes of it."""
    rng = np.random.RandomState(0)
    cube = rng.uniform(size=(60, 5, 6))
    cube[7] = np.nan
    np.save(tmp_path / "scene.npy", cube)
    model = Counting().fit(rng.uniform(size=(9, 6)), rng.uniform(size=(9, 2)))
    expected = model.predict(np.nan_to_num(cube).reshape(300, 6)).reshape(60, 5, 2)
    expected[7] = np.nan
    Counting.calls, Counting.stop_at = 0, None
    output = tmp_path / "out.npy"

    def run(**options):
        path = unmix_file(
            options.pop("model", model),
            tmp_path / "scene.npy",
            output,
            **{"working_memory": 0.0018, "progress": False, **options},
        )
        np.testing.assert_allclose(np.load(path), expected, rtol=0, atol=1e-6)
        assert not part.exists()

    part = tmp_path / "out.npy.part"
    return SimpleNamespace(model=model, run=run, output=output, part=part, folder=tmp_path)


def stop(made, at):
    Counting.stop_at = at
    with pytest.raises(Killed):
        made.run()
    done = Counting.calls - 1
    Counting.calls, Counting.stop_at = 0, None
    assert not made.output.exists()
    return done


def test_what_is_done_is_not_done_again(made):
    made.run()
    whole = Counting.calls
    assert whole > 20
    made.output.unlink()
    Counting.calls = 0
    done = stop(made, 15)
    made.run()
    # but for what was under way beside the one that was stopped
    assert whole - done <= Counting.calls <= whole - done + 2


def test_an_output_that_exists_costs_nothing(made):
    made.run()
    Counting.calls = 0
    with pytest.raises(FileExistsError):
        made.run()
    assert Counting.calls == 0


def test_from_the_start_when_asked(made):
    made.run()
    whole = Counting.calls
    made.output.unlink()
    Counting.calls = 0
    stop(made, 15)
    made.run(resume=False)
    assert Counting.calls == whole


def test_memory_may_differ_from_the_run_before(made):
    stop(made, 15)
    made.run(working_memory=1, n_jobs=2)


def test_less_memory_makes_smaller_windows(made, monkeypatch):
    """Of what is left; and what was done by windows of any size is not done again."""
    sizes = []
    original = checkpoint_module.RawAbundances.write

    def write(self, window, values):
        sizes.append(values.size // 2)
        original(self, window, values)

    monkeypatch.setattr(checkpoint_module.RawAbundances, "write", write)
    large = 0.02
    Counting.stop_at = 2
    with pytest.raises(Killed):
        made.run(working_memory=large)
    first = list(sizes)
    assert max(first) > 40
    sizes.clear()
    Counting.calls, Counting.stop_at = 0, 4
    with pytest.raises(Killed):
        made.run(working_memory=0.0018)
    second = list(sizes)
    assert max(second) < 10
    Counting.calls, Counting.stop_at = 0, None
    sizes.clear()
    made.run(working_memory=0.001)
    assert max(sizes) < 6
    assert sum(first) + sum(second) + sum(sizes) <= 300 + 10


@pytest.mark.parametrize("seed", range(5))
def test_only_what_the_checksum_confirms_counts(made, seed):
    rng = random.Random(seed)
    stop(made, 25)
    journal, values = made.part / "done.jsonl", made.part / "values.raw"
    lines = journal.read_bytes()
    # a line cut off, one of a window that was never written, one overwritten, and rubbish
    lines = (
        lines[: rng.randrange(len(lines))] + b"\n[999, 0, true]\n[3]\nnull\n\xff\xfe\n[30, 5, tr"
    )
    journal.write_bytes(lines)
    data = bytearray(values.read_bytes())
    for _ in range(20):
        data[rng.randrange(len(data))] ^= 255
    values.write_bytes(data)
    made.run()


@pytest.mark.parametrize("left", ["job.json", "values.raw", "done.jsonl"])
def test_a_part_that_is_missing(made, left):
    stop(made, 15)
    (made.part / left).unlink()
    if left == "values.raw":
        with pytest.raises(OSError, match=r"values\.raw"):
            made.run()
        made.run(resume=False)
    else:
        made.run()


def test_another_run_is_refused(made):
    stop(made, 15)
    other = Counting().fit(np.eye(6), np.eye(6)[:, :2])
    with pytest.raises(ValueError, match="another model than this one.*resume=False"):
        unmix_file(other, made.folder / "scene.npy", made.output)
    with pytest.raises(ValueError, match="another options"):
        made.run(nodata=3)
    with pytest.raises(ValueError, match="another options"):
        made.run(mask=np.arange(300).reshape(60, 5) == 3)
    with pytest.raises(ValueError, match="another options"):
        made.run(variable="reflectance")
    with pytest.raises(ValueError, match="another options"):
        made.run(band_dim="wavelength")
    elsewhere = made.folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy2(made.folder / "scene.npy", elsewhere)  # of the same name, size and time
    with pytest.raises(ValueError, match="another scene"):
        unmix_file(made.model, elsewhere / "scene.npy", made.output)
    stat = os.stat(made.folder / "scene.npy")
    content = (made.folder / "scene.npy").read_bytes()
    (made.folder / "scene.npy").write_bytes(content)
    os.utime(made.folder / "scene.npy", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(ValueError, match="another scene"):
        made.run()
    assert (made.part / "values.raw").exists()
    made.run(resume=False)


def test_a_model_that_was_saved_or_fitted_again_is_the_same(made):
    stop(made, 15)
    made.run(model=pickle.loads(pickle.dumps(made.model)))


class Rarely(Counting):
    """The same as its parent, except where no probe looks."""

    def __init__(self, offset=0.0):
        super().__init__()
        self.offset = offset

    def predict(self, X):
        return super().predict(X) + self.offset * (np.asarray(X)[:, :1] == 0.123)


def test_a_model_that_differs_where_no_probe_looks_is_another(made):
    rng = np.random.RandomState(0)
    pairs = rng.uniform(size=(9, 6)), rng.uniform(size=(9, 2))
    Counting.stop_at = 15
    with pytest.raises(Killed):
        unmix_file(
            Rarely().fit(*pairs), made.folder / "scene.npy", made.output, working_memory=0.0018
        )
    Counting.calls, Counting.stop_at = 0, None
    with pytest.raises(ValueError, match="another model"):
        unmix_file(Rarely(1.0).fit(*pairs), made.folder / "scene.npy", made.output)


MODELS = {
    "SunSAL": lambda X, y: SunSALRegressor(solver="admm").fit(X, y),
    "network": lambda X, y: UADMMRegressor(max_epochs=2, random_state=0).fit(X, y),
    "pipeline": lambda X, y: make_pipeline(
        FunctionTransformer(np.log1p),
        StandardScaler(),
        UADMMRegressor(max_epochs=1, random_state=0),
    ).fit(X, y),
    "search": lambda X, y: GridSearchCV(SunSALRegressor(), {"lam": [0, 1]}, cv=2).fit(X, y),
    "intervals": lambda X, y: ConformalUnmixer(
        UADMMRegressor(max_epochs=1, random_state=0), random_state=0
    ).fit(X, y),
    "forest": lambda X, y: RandomForestRegressor(3, random_state=0).fit(X, y),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_hash_of_a_model_is_that_of_its_fitted_state(name):
    rng = np.random.default_rng(0)
    y = rng.dirichlet(np.ones(3), 40)
    X = y @ rng.uniform(0.1, 0.9, (3, 6))
    model = MODELS[name](X, y)
    expected = state_hash(model)
    assert expected is not None
    assert state_hash(pickle.loads(pickle.dumps(model))) == expected
    assert state_hash(MODELS[name](X, y)) == expected  # fitted again
    model.predict(X)
    assert state_hash(model) == expected
    assert state_hash(MODELS[name](X[::-1] ** 1.1, y[::-1])) != expected
    script = """
import pickle, sys
from skunmix.scenes._identity import state_hash
print(state_hash(pickle.load(sys.stdin.buffer)))
"""
    elsewhere = subprocess.run(
        [sys.executable, "-c", script], input=pickle.dumps(model), capture_output=True, check=True
    )
    assert elsewhere.stdout.decode().strip() == expected


def test_a_scene_that_changes_while_it_is_read_makes_no_output(made, monkeypatch):
    original = checkpoint_module.RawAbundances.write

    def write(self, window, values):
        os.utime(made.folder / "scene.npy")
        original(self, window, values)

    monkeypatch.setattr(checkpoint_module.RawAbundances, "write", write)
    with pytest.raises(OSError, match=r"scene\.npy changed while it was read, and .* not written"):
        made.run()
    assert not made.output.exists()


# Hostile surroundings


posix = pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="of POSIX")


@posix
@pytest.mark.parametrize("name", ["lock", "values.raw", "done.jsonl", "job.json", "job.new"])
def test_no_link_is_followed(made, name):
    victim = made.folder / "victim"
    victim.write_text("mine")
    made.part.mkdir(mode=0o700)
    (made.part / name).symlink_to(victim)
    with contextlib.suppress(OSError):
        made.run()
    assert victim.read_text() == "mine"


@posix
def test_a_folder_that_is_a_link_or_a_file_is_refused(made):
    elsewhere = made.folder / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    made.part.symlink_to(elsewhere)
    with pytest.raises(NotADirectoryError, match="Expected a folder.*remove it"):
        made.run()
    made.part.unlink()
    made.part.write_text("mine")
    with pytest.raises(NotADirectoryError, match="Expected a folder"):
        made.run()
    assert made.part.read_text() == "mine"
    assert list(elsewhere.iterdir()) == []


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_may_write_to_is_refused(made, mode):
    stop(made, 15)
    assert made.part.stat().st_mode & 0o777 == 0o700
    made.part.chmod(mode)
    with pytest.raises(PermissionError, match="is writable by others.*that only you may write to"):
        made.run()


@posix
@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root may give away")
def test_a_folder_of_another_user_is_refused(made):
    made.part.mkdir(mode=0o700)
    os.chown(made.part, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        made.run()


def test_a_directory_that_is_no_output_is_never_replaced(made):
    target = made.folder / "work.zarr"
    target.mkdir()
    (target / "thesis.txt").write_text("mine")
    for overwrite, error in ((True, IsADirectoryError), (False, FileExistsError)):
        with pytest.raises(error):
            unmix_file(made.model, made.folder / "scene.npy", target, overwrite=overwrite)
    assert (target / "thesis.txt").read_text() == "mine"
    assert not (made.folder / "work.zarr.part").exists()


@posix
def test_an_output_that_is_a_link_is_replaced_and_not_what_it_leads_to(made):
    victim = made.folder / "victim.npy"
    victim.write_text("mine")
    made.output.symlink_to(victim)
    with pytest.raises(FileExistsError):
        made.run()
    made.run(overwrite=True)
    assert victim.read_text() == "mine"
    assert not made.output.is_symlink()


def test_an_output_that_is_an_input_is_refused(made):
    np.save(made.folder / "mask.npy", np.zeros((60, 5, 1)))
    os.link(made.folder / "scene.npy", made.folder / "twin.npy")
    os.link(made.folder / "mask.npy", made.folder / "mask_twin.npy")
    for name, what in (
        ("scene", "scene"), ("twin", "scene"), ("mask", "mask"), ("mask_twin", "mask")
    ):  # fmt: skip
        before = (made.folder / f"{name}.npy").read_bytes()
        with pytest.raises(ValueError, match=f"is the {what} itself"):
            unmix_file(
                made.model,
                made.folder / "scene.npy",
                made.folder / f"{name}.npy",
                mask=made.folder / "mask.npy",
                overwrite=True,
            )
        assert (made.folder / f"{name}.npy").read_bytes() == before


def test_an_output_inside_the_scene_is_refused(made):
    xr, _ = pytest.importorskip("xarray"), pytest.importorskip("zarr")
    cube = xr.DataArray(np.random.rand(3, 4, 6), dims=("y", "x", "band"), name="scene")
    cube.to_dataset().to_zarr(made.folder / "scene.zarr", zarr_format=2, consolidated=False)
    for output in (made.folder / "scene.zarr" / "out.npy", made.folder / "scene.zarr"):
        with pytest.raises(ValueError, match="scene itself, or inside"):
            unmix_file(made.model, made.folder / "scene.zarr", output, overwrite=True)


def test_two_at_a_time_are_refused(made):
    pytest.importorskip("fcntl")
    job = checkpoint_module.Checkpoint(made.output)
    with job.locked(), pytest.raises(BlockingIOError, match="Another process is writing"):
        made.run()
    made.run()


def test_the_folder_keeps_what_is_not_ours(made):
    made.part.mkdir()
    (made.part / "notes.txt").write_text("mine")
    with pytest.raises(AssertionError):  # it is still there
        made.run()
    assert [path.name for path in made.part.iterdir()] == ["notes.txt"]


def test_what_a_stopped_writer_goes_on_writing_is_not_in_the_way(made, monkeypatch):
    folders = []

    def stopped(path, *args, **kwargs):
        folders.append(path.parent)
        raise Killed

    monkeypatch.setattr(files_module, "write_output", stopped)
    with pytest.raises(Killed):
        made.run()
    monkeypatch.undo()

    def write_output(path, *args, **kwargs):
        folders[0].mkdir()  # as a thread of the first one would
        (folders[0] / "late").touch()
        return sinks_module.write_output(path, *args, **kwargs)

    monkeypatch.setattr(files_module, "write_output", write_output)
    made.run()
    assert not (made.folder / "late").exists()


# A disk that fills up


def test_too_little_space_is_seen_before(made, monkeypatch):
    monkeypatch.setattr(
        checkpoint_module.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000)
    )
    with pytest.raises(OSError, match=r"needs about 9.6e-06 GB.*, but 1e-06 GB are free"):
        made.run()
    assert not made.output.exists()
    monkeypatch.undo()
    made.run()


def test_a_disk_that_fills_up_while_values_are_written(made, monkeypatch):
    def write(self, window, values):
        if window[0].start > 20:
            raise OSError(28, "No space left on device")
        original(self, window, values)

    original = checkpoint_module.RawAbundances.write
    monkeypatch.setattr(checkpoint_module.RawAbundances, "write", write)
    with pytest.raises(OSError, match="was not changed.*free space, and call again"):
        made.run()
    assert not made.output.exists()
    monkeypatch.undo()
    Counting.calls = 0
    made.run()
    assert 0 < Counting.calls < 50


@pytest.mark.parametrize("output", ["out.tif", "out.npy", "out.nc"])
def test_what_the_writer_does_not_tell_is_found_out(made, monkeypatch, output):
    name = {"out.tif": "_write_raster", "out.npy": "_write_npy", "out.nc": "_write_xarray"}[output]
    pytest.importorskip({"out.tif": "rasterio", "out.npy": "numpy", "out.nc": "netCDF4"}[output])
    original = getattr(sinks_module, name)

    def write(path, *args):
        read = original(path, *args)
        data = bytearray(path.read_bytes())
        data[-200:] = bytes(200)  # as of a disk that had no room for the end
        path.write_bytes(data)
        return read

    monkeypatch.setattr(sinks_module, name, write)
    target = made.folder / output
    with pytest.raises(OSError, match="whether the disk is full"):
        unmix_file(made.model, made.folder / "scene.npy", target)
    assert not target.exists()
    monkeypatch.undo()
    unmix_file(made.model, made.folder / "scene.npy", target)
    assert target.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit here")
@pytest.mark.parametrize(
    ("output", "needs", "limit"),
    # values.raw needs 4,800 bytes
    [("out.npy", "numpy", 2000), ("out.tif", "rasterio", 4900), ("out.nc", "netCDF4", 6000)],
)
def test_a_file_that_may_not_grow(made, output, needs, limit):
    pytest.importorskip(needs)
    script = f"""
import resource, signal, sys
import numpy as np
from sklearn.linear_model import LinearRegression
from skunmix.scenes import unmix_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
model = LinearRegression().fit(np.eye(6), np.eye(6)[:, :2])
unmix_file(model, {str(made.folder / "scene.npy")!r}, {str(made.folder / output)!r})
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 1
    error = result.stderr.splitlines()[-1]
    assert error.startswith("OSError: ")
    assert "was not changed" in error
    assert "Errno None" not in error
    assert not (made.folder / output).exists()


def test_the_state_says_what_it_is_of(made):
    stop(made, 3)
    state = json.loads((made.part / "job.json").read_text())
    assert state["scene"]["shape"] == [60, 5, 6]
    assert state["model"]["kind"] == "Counting"
