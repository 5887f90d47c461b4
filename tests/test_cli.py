import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.preprocessing import Normalizer

import skunmix
from skunmix import SunSALRegressor
from skunmix.cli import load_model, main


@pytest.fixture
def given(tmp_path):
    """Return the paths of a model, a scene and an output, and what it should be."""
    rng = np.random.RandomState(0)
    endmembers = rng.uniform(size=(3, 8))
    model = SunSALRegressor(endmembers=endmembers).fit(endmembers)
    cube = rng.uniform(size=(5, 4, 8))
    joblib.dump(model, tmp_path / "model.joblib")
    np.save(tmp_path / "scene.npy", cube)
    paths = [str(tmp_path / name) for name in ("model.joblib", "scene.npy", "out.npy")]
    return paths, model.predict(cube.reshape(20, 8)).reshape(5, 4, 3)


def test_a_scene(given, capsys):
    paths, expected = given
    assert main(["unmix", *paths]) == 0
    np.testing.assert_allclose(np.load(paths[2]), expected, rtol=0, atol=1e-6)
    assert capsys.readouterr().out.strip() == paths[2]


def test_options(given, tmp_path, capsys):
    paths, expected = given
    mask = np.zeros((5, 4, 1))
    mask[2] = 1
    np.save(tmp_path / "mask.npy", mask)
    options = ["--mask", str(tmp_path / "mask.npy"), "-q", "--no-resume", "--overwrite"]
    options += ["--nodata", "7", "8", "--working-memory", "0.01", "--scale-factor", "1", "-j", "1"]
    for _ in range(2):
        assert main(["unmix", *paths, *options]) == 0
    expected[2] = np.nan
    np.testing.assert_allclose(np.load(paths[2]), expected, rtol=0, atol=1e-6)
    assert capsys.readouterr().out == ""


def test_a_file_of_options_for_the_writer(given, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    paths, _ = given
    paths[2] = str(tmp_path / "out.tif")
    assert main(["unmix", *paths, "--creation-option", "compress=lzw"]) == 0
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(paths[2]) as dataset:
        assert dataset.compression.name == "lzw"


def test_an_error_is_one_sentence(given, capsys):
    paths, _ = given
    assert main(["unmix", *paths]) == 0
    assert main(["unmix", *paths]) == 1
    assert "exists already" in capsys.readouterr().err
    with pytest.raises(FileExistsError):
        main(["unmix", *paths, "--traceback"])


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x05N.", "array", "transformer"])
def test_a_model_that_is_not_ours(given, tmp_path, capsys, content):
    paths, _ = given
    if content == "array":
        np.save(paths[0] + ".npy", np.ones(3))
        paths[0] += ".npy"
    elif content == "transformer":
        joblib.dump(Normalizer(), paths[0])
    else:
        (tmp_path / "model.joblib").write_bytes(content)
    assert main(["unmix", *paths]) == 1
    error = capsys.readouterr().err
    assert paths[0] in error
    assert "expected a fitted estimator or pipeline saved by joblib.dump" in error
    assert not (tmp_path / "out.npy").exists()


def test_models_that_are_missing_or_not_fitted(given, capsys):
    paths, _ = given
    with pytest.raises(FileNotFoundError, match="no model at"):
        load_model("nowhere.joblib")
    joblib.dump(SunSALRegressor(), paths[0])
    assert main(["unmix", *paths]) == 1
    assert "not fitted yet" in capsys.readouterr().err


def test_as_a_process(given):
    paths, expected = given
    command = [sys.executable, "-m", "skunmix"]
    subprocess.run([*command, "unmix", *paths, "-q"], check=True)
    np.testing.assert_allclose(np.load(paths[2]), expected, rtol=0, atol=1e-6)
    version = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.strip() == f"skunmix {skunmix.__version__}"


def test_what_is_wrong_with_a_command(capsys):
    for arguments in ([], ["unmix"], ["unmix", "a", "b", "c", "--creation-option", "x"]):
        with pytest.raises(SystemExit):
            main(arguments)
    assert "KEY=VALUE" in capsys.readouterr().err
