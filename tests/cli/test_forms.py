"""The forms of `skunmix unmix`: with endmembers or a model, and the picture of the maps."""

import os
import subprocess
import sys

import numpy as np
import pytest
from skops import io as sio

from skunmix import SunSALRegressor
from skunmix.extraction import VCA
from skunmix.scenes import sample_pixels

rasterio = pytest.importorskip("rasterio")
METHODS = {
    "fcls": {"lam": 0, "sum_to_one": True},
    "nnls": {"lam": 0},
    "sunsal": {},
}


def read(path):
    with rasterio.open(path) as dataset:
        return np.moveaxis(dataset.read(), 0, -1)


def extracted(user, n=3, seed=0, **parameters):
    """Return the maps by endmembers that are extracted from the scene."""
    pixels = sample_pixels(user.scene)
    model = SunSALRegressor(VCA(n, random_state=seed), **parameters).fit(pixels)
    return model.predict(user.cube.reshape(-1, 20).astype("f4")).reshape(12, 10, n)


@pytest.fixture
def model(user):
    """Return the path of a model."""
    model = SunSALRegressor().fit(user.cube[0], endmembers=user.endmembers)
    sio.dump(model, user.folder / "a model.skops")
    return user.folder / "a model.skops"


@pytest.mark.parametrize("method", [None, *METHODS])
def test_endmembers_of_the_scene(user, method):
    options = [] if method is None else ["--method", method]
    user.run("unmix", user.scene, "-o", "maps.tif", "--endmembers", 3, *options)
    expected = extracted(user, **METHODS[method or "fcls"])
    np.testing.assert_allclose(read("maps.tif"), expected, atol=1e-5)
    with rasterio.open("maps.tif") as dataset, rasterio.open(user.folder / "scene.img") as scene:
        assert dataset.crs == scene.crs
        assert dataset.transform == scene.transform


def test_lam_and_seed(user):
    options = ["--method", "sunsal", "--lam", "0.5", "--seed", "3"]
    user.run("unmix", user.scene, "-o", "maps.tif", "--endmembers", 4, *options)
    expected = extracted(user, 4, seed=3, lam=0.5)
    np.testing.assert_allclose(read("maps.tif"), expected, atol=1e-5)


def test_a_model_in_either_form(user, model):
    user.run("unmix", user.scene, "-o", "a.tif", "--model", model)
    user.run("unmix", model, user.scene, "b.tif")
    np.testing.assert_array_equal(read("a.tif"), read("b.tif"))


@pytest.mark.parametrize("out", ["maps.tif", "maps.hdr", "maps.nc", "maps.zarr", "maps.npy"])
def test_a_quicklook_of_each_format(user, model, out, monkeypatch):
    """What is drawn is what was written, with the names of the model."""
    from matplotlib import pyplot as plt

    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    options = ["--model", model, "--quicklook", "my maps.png"]
    printed = user.run("unmix", user.scene, "-o", out, *options)
    assert [os.path.basename(line) for line in printed.splitlines()] == [out, "my maps.png"]
    with open("my maps.png", "rb") as file:
        assert file.read(4) == b"\x89PNG"
    panels = [ax for ax in drawn[0].axes if ax.get_title()]
    assert [ax.get_title() for ax in panels] == ["water", "soil", "tree"]
    expected = SunSALRegressor(user.endmembers).fit(user.cube[0]).predict(user.cube.reshape(-1, 20))
    for i, ax in enumerate(panels):
        image = ax.get_images()[0].get_array()
        np.testing.assert_allclose(image, expected[:, i].reshape(12, 10), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scene", "-o", "out"], "exactly one of --endmembers and --model, got neither"),
        (["scene", "-o", "out", "--endmembers", "3", "--model", "m"], "got both"),
        (["scene", "--endmembers", "3"], "pass it as -o OUT"),
        (["model", "scene", "out", "--endmembers", "3"], "got 3 paths and --endmembers"),
        (["model", "scene", "out", "-o", "out"], "got 3 paths and --output"),
        (["scene", "out", "--endmembers", "3"], "got 2 paths and --endmembers"),
        (["scene", "-o", "out", "--model", "m", "--method", "fcls"], "--method with --endmembers"),
        (["scene", "-o", "out", "--model", "m", "--lam", "1"], "--lam with --endmembers"),
        (["scene", "-o", "out", "--endmembers", "3", "--lam", "1"], "no λ; drop --lam"),
        (["scene", "-o", "out", "--endmembers", "3", "--method", "nnls", "--lam", "1"], "no λ"),
        (["scene", "-o", "out", "--endmembers", "3", "--method", "svm"], "--method"),
        (["scene", "-o", "out", "--endmembers", "3", "--lam", "-1", "--method", "sunsal"], "--lam"),
    ],
)
def test_a_wrong_call_is_status_2(user, arguments, message):
    assert message in user.run("unmix", *arguments, status=2)


def test_wrong_kinds_of_files(user, model, tmp_path):
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.sli")
    for given in ("found.sli", "found.hdr"):
        error = user.run("unmix", given, "-o", "a.tif", "--endmembers", 3, status=1)
        assert "which is a spectral library; pass the scene as SCENE" in error
    error = user.run("unmix", model, "-o", "a.tif", "--endmembers", 3, status=1)
    assert "which is a model; pass the scene as SCENE" in error
    error = user.run("unmix", user.scene, "-o", "a.tif", "--model", user.scene, status=1)
    assert "expected a fitted estimator" in error
    error = user.run("unmix", "nowhere.hdr", "-o", "a.tif", "--endmembers", 3, status=1)
    assert "There is no scene at" in error
    assert not (tmp_path / "elsewhere" / "a.tif").exists()


@pytest.mark.parametrize("n", [0, -3, 200])
def test_numbers_that_do_not_fit(user, n):
    error = user.run("unmix", user.scene, "-o", "a.tif", f"--endmembers={n}", status=1)
    assert str(n) in error
    assert "Traceback" not in error


def test_pictures_that_cannot_be_drawn_stop_before_the_work(user, model, tmp_path):
    command = ["unmix", user.scene, "-o", "a.tif", "--model", model, "--quicklook"]
    assert "--quicklook, got '.doc'" in user.run(*command, "a.doc", status=1)
    assert "There is no folder" in user.run(*command, "nowhere/a.png", status=1)
    (tmp_path / "elsewhere" / "old.png").write_text("old")
    assert "pass --overwrite" in user.run(*command, "old.png", status=1)
    assert not (tmp_path / "elsewhere" / "a.tif").exists()
    user.run(*command, "old.png", "--overwrite")
    assert (tmp_path / "elsewhere" / "old.png").stat().st_size > 100


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_without_permission(user, model, tmp_path):
    (tmp_path / "elsewhere").chmod(0o500)
    command = ["unmix", user.scene, "--model", model, "-o"]
    assert "ermission" in user.run(*command, "a.tif", status=1)


def test_an_interrupted_run_with_endmembers_resumes(user, monkeypatch):
    """With the endmembers of the first run, and to the same maps."""
    from skunmix.scenes import _files

    command = ["unmix", user.scene, "-o", "maps.tif", "--endmembers", 3, "--working-memory", 0.01]
    run, windows = _files.WindowTask.run, []

    def interrupted(self, window):
        windows.append(window)
        if len(windows) == 3:
            raise KeyboardInterrupt
        return run(self, window)

    monkeypatch.setattr(_files.WindowTask, "run", interrupted)
    assert "again to resume" in user.run(*command, status=130)
    assert not os.path.exists("maps.tif")
    windows += [None] * 3  # is not interrupted again
    before = len(windows)
    user.run(*command)
    n_resumed = len(windows) - before
    user.run(*command, "--overwrite", "--no-resume")
    assert n_resumed < len(windows) - before - n_resumed
    np.testing.assert_allclose(read("maps.tif"), extracted(user, **METHODS["fcls"]), atol=1e-5)


def test_from_another_folder_as_a_process(user, tmp_path):
    """With a relative path that has a space in it."""
    command = [sys.executable, "-m", "skunmix", "unmix", "../my data/scene.img", "-o"]
    command += ["../my data/my maps.tif", "--endmembers", "3"]
    done = subprocess.run(
        command, cwd=tmp_path / "elsewhere", check=True, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("my maps.tif")
    assert "Traceback" not in done.stderr
    np.testing.assert_allclose(
        read(user.folder / "my maps.tif"), extracted(user, **METHODS["fcls"]), atol=1e-5
    )
