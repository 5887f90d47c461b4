import inspect
import pickle
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from skops import io as sio

import skunmix
from skunmix import ISTANetRegressor, SunSALRegressor, SunSALRegressorCV, UADMMRegressor
from skunmix.cli import main
from skunmix.cli._errors import in_terms_of_flags
from skunmix.cli._models import load_model
from skunmix.cli._unmix import unmix as unmix_command
from skunmix.metrics import abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV
from skunmix.preprocessing import BandSelector, SpectralResampler
from skunmix.scenes import unmix_file


@pytest.fixture
def given(tmp_path):
    """Return the paths of a model, a scene and an output, and what it should be."""
    rng = np.random.RandomState(0)
    endmembers = rng.uniform(size=(3, 8))
    model = SunSALRegressor(endmembers=endmembers).fit(endmembers)
    cube = rng.uniform(size=(5, 4, 8))
    sio.dump(model, tmp_path / "model.skops")
    np.save(tmp_path / "scene.npy", cube)
    paths = [str(tmp_path / name) for name in ("model.skops", "scene.npy", "out.npy")]
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
    options += [
        "--nodata",
        "7",
        "--nodata",
        "-8",
        "--working-memory",
        "0.01",
        "--scale-factor",
        "1",
        "-j",
        "1",
    ]
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


@pytest.mark.parametrize(
    "options",
    [
        ["--nodata", "-3.4e38"],
        ["--nodata", "-9999", "--nodata", "nan"],
        ["--nodata=-1e-3", "--add-offset", "-1e-3"],
        ["--add-offset", "-1", "--scale-factor", "-2.5e-1"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("first", [False, True])
def test_negative_numbers(given, options, first):
    """In front of the arguments and behind them."""
    paths, _ = given
    arguments = [*options, *paths] if first else [*paths, *options]
    assert main(["unmix", *arguments]) == 0


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("name", ["out.img", "out.HDR", "out.dat"])
def test_either_file_of_envi_may_be_named(given, tmp_path, name):
    rasterio = pytest.importorskip("rasterio")
    paths, expected = given
    paths[2] = str(tmp_path / name)
    assert main(["unmix", *paths]) == 0
    data = tmp_path / name.replace("HDR", "img")
    header = tmp_path / (name if name == "out.HDR" else "out.hdr")
    assert header.is_file()
    with rasterio.open(data) as dataset:
        assert dataset.driver == "ENVI"
        np.testing.assert_allclose(np.moveaxis(dataset.read(), 0, -1), expected, atol=1e-6)
    assert main(["unmix", *paths]) == 1  # exists


@pytest.mark.parametrize(
    ("out", "option", "message"),
    [
        ("out.tif", "compress=nonsense", "--creation-option compress=nonsense"),
        ("out.tif", "compres=lzw", "--creation-option compres=lzw"),
        ("out.tif", "dtype=uint8", "--creation-option has 'dtype'"),
        ("out.nc", "nonsense=1", "--creation-option has 'nonsense'"),
        ("out.zarr", "nonsense=1", "--creation-option has 'nonsense'"),
        ("out.npy", "compress=lzw", "NumPy's format has no --creation-option"),
    ],
)
def test_creation_options_that_no_writer_takes(given, tmp_path, capsys, out, option, message):
    paths, _ = given
    paths[2] = str(tmp_path / out)
    before = sorted(tmp_path.iterdir())
    assert main(["unmix", *paths, "--creation-option", option]) == 1
    assert message in capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (lambda p, t: p, "pass --overwrite to replace"),
        (lambda p, t: [*p, "--working-memory", "-1", "--overwrite"], "--working-memory"),
        (lambda p, t: [*p[:2], str(t / "a.npy"), "--mask", str(t / "mask.npy")], "--mask must"),
        (lambda p, t: [p[0], str(t / "wide.npy"), str(t / "b.npy")], "as --band-dim"),
        (lambda p, t: [p[0], str(t / "void.npy"), str(t / "c.npy")], "check --nodata"),
        (lambda p, t: [str(t / "model.pickle"), p[1], str(t / "d.npy")], "pass --allow-pickle"),
    ],
    ids=["overwrite", "memory", "mask", "bands", "nodata", "pickle"],
)
def test_errors_name_flags(given, tmp_path, capsys, change, flag):
    paths, _ = given
    assert main(["unmix", *paths]) == 0
    np.save(tmp_path / "mask.npy", np.ones((2, 2, 1)))
    np.save(tmp_path / "wide.npy", np.ones((4, 4, 9)))
    np.save(tmp_path / "void.npy", np.full((4, 4, 8), np.nan))
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(SunSALRegressor()))
    capsys.readouterr()
    assert main(["unmix", *change(paths, tmp_path)]) == 1
    error = capsys.readouterr().err
    assert flag in error
    assert not re.search(
        r"\b(overwrite|resume|allow_pickle)=|n_jobs|band_dim|working_memory", error
    )


def test_no_message_of_scenes_keeps_a_parameter_of_python():
    """Whatever the functions behind the command say of their parameters, by name and value."""
    parameters = set(inspect.signature(unmix_file).parameters) - {"estimator", "scene", "output"}
    for name in parameters - {"progress"}:
        values = (True, False) if name in ("resume", "overwrite") else (3, "'a'")
        for message in (f"pass {name}={value} to go on" for value in values):
            found = in_terms_of_flags(message, unmix_command)
            assert f"{name}=" not in found
            assert "--" in found


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x05N.", "array", "transformer", "zip"])
@pytest.mark.parametrize("allow", [False, True])
def test_a_model_that_is_not_ours(given, tmp_path, capsys, content, allow):
    paths, _ = given
    if content == "array":
        np.save(paths[0] + ".npy", np.ones(3))
        paths[0] += ".npy"
    elif content == "transformer":
        sio.dump(Normalizer(), paths[0])
    elif content == "zip":
        with zipfile.ZipFile(paths[0], "w") as file:
            file.writestr("a.txt", "text")
    else:
        (tmp_path / "model.skops").write_bytes(content)
    assert main(["unmix", *paths, *(["--allow-pickle"] if allow else [])]) == 1
    error = capsys.readouterr().err
    assert paths[0] in error
    assert "expected a fitted estimator or pipeline saved by skops.io.dump" in error
    assert not (tmp_path / "out.npy").exists()


class Malicious:
    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_runs_nothing_unless_allowed(tmp_path, capsys):
    path = tmp_path / "model.pickle"
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ValueError, match=r"can run any code, pass allow_pickle=True"):
        load_model(path)
    assert capsys.readouterr().out == ""
    model = SunSALRegressor(np.eye(3)).fit(np.eye(3))
    path.write_bytes(pickle.dumps(model))
    assert load_model(path, allow_pickle=True).predict(np.eye(3)).shape == (3, 3)


class Foreign(LinearRegression):
    """An estimator that neither scikit-learn nor skunmix has."""


def test_unknown_types_are_refused_unless_trusted(tmp_path):
    path = tmp_path / "model.skops"
    sio.dump(make_pipeline(StandardScaler(), Foreign()).fit(np.eye(3), np.eye(3)), path)
    name = f"{Foreign.__module__}.Foreign"
    with pytest.raises(ValueError, match=rf"not known to be safe, {name}.*pass trusted={name}"):
        load_model(path)
    if Foreign.__module__ in sys.modules:
        assert load_model(path, trusted=[name]).predict(np.eye(3)).shape == (3, 3)


E = np.random.default_rng(0).uniform(0.1, 0.9, (3, 8))
X = np.random.default_rng(1).dirichlet(np.ones(3), 20)
QUICK = {"max_epochs": 1, "random_state": 0}
SENSOR = SpectralResampler(
    np.arange(8) + 400, [402, 405], [2, 2], source_unit="nm", target_unit="nm"
)


@pytest.mark.parametrize(
    "model",
    [
        SunSALRegressor(E),
        SunSALRegressor(E, solver="admm", band_weights=np.arange(1.0, E.shape[1] + 1)),
        SunSALRegressor(E, lam=0, positive=False),
        SunSALRegressorCV(E, lams=2, cv=2),
        ISTANetRegressor(E, **QUICK),
        UADMMRegressor(E, noise_augmentation=True, **QUICK),
        make_pipeline(BandSelector([0, 3, 5]), StandardScaler(), UADMMRegressor(**QUICK)),
        make_pipeline(SENSOR, SunSALRegressor()),
        GridSearchCV(SunSALRegressor(E), {"lam": [0, 1]}, cv=2),
        GridSearchCV(SunSALRegressor(E), {"lam": [0, 1]}, scoring=abundance_rmse_scorer, cv=2),
        StackedGridSearchCV(UADMMRegressor(E, **QUICK), {"lam": [0, 1]}, cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_skunmix_need_no_trust(tmp_path, model):
    model.fit(X @ E, X)
    sio.dump(model, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    np.testing.assert_allclose(loaded.predict(X @ E), model.predict(X @ E), atol=1e-6)


def test_models_that_are_missing_or_not_fitted(given, capsys):
    paths, _ = given
    with pytest.raises(FileNotFoundError, match="no model at"):
        load_model("nowhere.skops")
    sio.dump(SunSALRegressor(), paths[0])
    assert main(["unmix", *paths]) == 1
    assert "SunSALRegressor is not fitted, and needs abundances" in capsys.readouterr().err


def test_as_a_process(given):
    paths, expected = given
    command = [sys.executable, "-m", "skunmix"]
    subprocess.run([*command, "unmix", *paths, "-q"], check=True)
    np.testing.assert_allclose(np.load(paths[2]), expected, rtol=0, atol=1e-6)
    version = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.strip() == f"skunmix {skunmix.__version__}"


def test_what_is_wrong_with_a_command(capsys):
    for arguments in (["unmix"], ["unmix", "a", "b", "c", "--creation-option", "x"], ["nonsense"]):
        assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "KEY=VALUE" in error
    assert "nonsense" in error


def test_help_says_that_pickles_run_code(capsys):
    assert main(["unmix", "--help"]) == 0
    assert "can run any code" in " ".join(capsys.readouterr().out.split())


def test_interrupted(given, monkeypatch, capsys):
    paths, _ = given

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("skunmix.scenes.unmix_file", interrupted)
    assert main(["unmix", *paths]) == 130
    assert "again to resume" in capsys.readouterr().err
