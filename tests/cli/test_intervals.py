"""`skunmix unmix --interval`, and what `skunmix info` says of intervals."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as sio

from skunmix import SunSALRegressor
from skunmix.libraries import SpectralLibrary
from skunmix.model_selection import TileKFold
from skunmix.uncertainty import ConformalUnmixer

rasterio = pytest.importorskip("rasterio")
NAMES = ["water", "soil", "tree"]
BOUNDS = [f"{name}{side}" for side in (" lower", " upper") for name in NAMES]


def read(path):
    """Return the maps in a file, their names and what it says of them."""
    with rasterio.open(path) as dataset:
        maps, names = np.moveaxis(dataset.read(), 0, -1), list(dataset.descriptions)
        return maps, names, dataset.tags().get("unmixing")


def by_hand(user, model, coverage):
    """Return the maps of a fitted model."""
    pixels = user.cube.reshape(-1, 20).astype("f4")
    found = np.hstack([model.predict(pixels), *model.predict_interval(pixels, coverage=coverage)])
    return found.reshape(12, 10, -1)


def conformal(user, **parameters):
    """Return a fitted ConformalUnmixer, and save it as model.skops."""
    library = SpectralLibrary(user.endmembers.to_numpy(), NAMES)
    fcls = SunSALRegressor(library, lam=0, sum_to_one=True)
    model = ConformalUnmixer(fcls, **{"random_state": 0, **parameters})
    pixels = np.arange(0, 120, 2)
    groups = pixels if "cv" in parameters else None
    spectra, abundances = user.cube.reshape(-1, 20), user.abundances.reshape(-1, 3)
    model.fit(spectra[pixels], abundances[pixels], groups=groups)
    sio.dump(model, "model.skops")
    return model


@pytest.mark.parametrize(
    ("options", "coverage"), [(["--interval"], 0.9), (["--interval=0.5"], 0.5)], ids=str
)
@pytest.mark.parametrize(
    ("method", "parameters"),
    [("fcls", {"lam": 0, "sum_to_one": True}), ("nnls", {"lam": 0}), ("sunsal", {})],
)
def test_a_library(user, options, coverage, method, parameters):
    user.endmembers.T.assign(wavelength=user.wavelengths).set_index("wavelength").to_csv("lib.csv")
    command = ["unmix", user.scene, *options, "-o", "maps.tif", "--endmembers", "lib.csv"]
    user.run(*command, "--method", method)
    maps, names, said = read("maps.tif")
    model = SunSALRegressor(user.endmembers.to_numpy(), **parameters).fit(user.cube[0])
    np.testing.assert_allclose(maps, by_hand(user, model, coverage), atol=1e-5)
    assert names == [*NAMES, *BOUNDS]
    assert f"; lower and upper are the bounds of intervals with a coverage of {coverage}" in said
    facts = json.loads(user.run("info", "maps.tif", "--json"))
    assert facts["names"] == [*NAMES, *BOUNDS]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"method": "split", "conformity_score": "absolute"},
        {"cv": TileKFold(3, tile_size=4, shape=(12, 10), random_state=0)},
    ],
    ids=["cv+", "split", "tiles"],
)
def test_a_conformal_model(user, parameters):
    """It needs no --trust."""
    model = conformal(user, **parameters)
    user.run("unmix", user.scene, "-o", "maps.tif", "--model", "model.skops", "--interval", "0.8")
    maps, names, said = read("maps.tif")
    np.testing.assert_allclose(maps, by_hand(user, model, 0.8), atol=1e-5)
    assert names == [*NAMES, *BOUNDS]
    assert said == "lower and upper are the bounds of intervals with a coverage of 0.8"


@pytest.mark.parametrize("out", ["maps.tif", "maps.hdr", "maps.nc", "maps.npy"])
@pytest.mark.parametrize("options", [[], ["--interval"]], ids=str)
def test_a_quicklook_shows_the_widths(user, out, options, monkeypatch):
    from matplotlib import pyplot as plt

    conformal(user)
    drawn = []
    monkeypatch.setattr(plt, "close", drawn.append)
    command = ["unmix", user.scene, "-o", out, "--model", "model.skops"]
    user.run(*command, "--quicklook", "maps.png", *options)
    assert [ax.get_title() for ax in drawn[0].axes if ax.get_title()] == NAMES
    widths = [ax for ax in drawn[0].axes if ax.get_ylabel() == "width"]
    assert len(widths) == len(options)


def test_info(user):
    conformal(user)
    printed = user.run("info", "model.skops")
    assert "ConformalUnmixer(SunSALRegressor)" in printed
    assert "cv+, from 60 labelled pixels" in printed
    facts = json.loads(user.run("info", "model.skops", "--json"))
    assert facts["names"] == NAMES
    assert facts["n_bands"] == 20
    spectra, abundances = user.cube.reshape(-1, 20), user.abundances.reshape(-1, 3)
    for model, estimator, expected in (
        (
            make_pipeline(StandardScaler(), ConformalUnmixer(Ridge(), method="split")),
            "StandardScaler → ConformalUnmixer(Ridge)",
            "split, from 30 labelled pixels",
        ),
        (SunSALRegressor(), "SunSALRegressor", "of noise alone"),
        (SunSALRegressor(lam=0, positive=False), "SunSALRegressor", None),
        (LinearRegression(), "LinearRegression", None),
    ):
        sio.dump(model.fit(spectra, abundances), "model.skops")
        facts = json.loads(user.run("info", "model.skops", "--json"))
        assert (facts["estimator"], facts["intervals"]) == (estimator, expected)


def test_what_is_wrong(user):
    conformal(user)
    command = ["unmix", user.scene, "-o", "maps.tif"]
    extracting = [*command, "--endmembers", 3]
    error = user.run(*extracting, "--method", "mesma", "--interval", status=2)
    assert "Expected --interval with --method fcls, nnls or sunsal, got --method mesma" in error
    for value in ("90", "0", "1", "nan"):
        error = user.run(*extracting, f"--interval={value}", status=2)
        assert f"'--interval': expected a number between 0 and 1, got {value}" in error
    error = user.run("unmix", "--interval", user.scene, *command[2:], status=2)
    assert "put the option behind SCENE, or write --interval=0.9" in error
    few = user.run(*command, "--model", "model.skops", "--interval=0.99", "-q")
    assert few == ""
    sio.dump(LinearRegression().fit(np.eye(20), np.eye(20)[:, :3]), "model.skops")
    error = user.run(*command, "--model", "model.skops", "--interval", "--overwrite", status=1)
    assert "Expected an estimator with predict_interval for --interval 0.9, got Linear" in error


def test_too_few_labels_are_one_warning(user, capsys):
    from skunmix.cli import main

    conformal(user)
    command = ["unmix", str(user.scene), "-o", "maps.tif", "--model", "model.skops"]
    assert main([*command, "--interval=0.99", "--working-memory=0.01", "-j", "2"]) == 0
    printed = capsys.readouterr().err
    assert printed.count("60 labelled pixels give intervals with a coverage of at most 0.984") == 1
    assert "label at least 99 pixels, or lower --interval." in printed
