"""`skunmix info`."""

import json

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as sio

from skunmix import SunSALRegressor


def test_a_scene(user):
    printed = user.run("info", user.scene)
    for part in ("12 rows × 10 columns × 20 bands", "450 to 2400 nm", "EPSG:32633", "-9999"):
        assert part in printed
    facts = json.loads(user.run("info", user.scene, "--json"))
    assert facts["kind"] == "scene"
    assert facts["path"] == str(user.scene)
    assert facts["shape"] == [12, 10, 20]
    assert facts["nodata"] == [-9999]
    np.testing.assert_allclose(facts["wavelengths"], user.wavelengths)
    assert facts["transform"] == [30, 0, 500_000, 0, -30, 4_000_000]


def test_json_has_no_numbers_that_are_none(user):
    """NaN, the no-data value of maps, is not JSON."""
    user.run("unmix", user.scene, "-o", "maps.tif", "--endmembers", 3)
    printed = user.run("info", "maps.tif", "--json")
    facts = json.loads(printed, parse_constant=pytest.fail)
    assert "nan" in facts["nodata"]
    assert facts["names"] == ["endmember0", "endmember1", "endmember2"]


def test_a_model(user):
    model = make_pipeline(StandardScaler(), SunSALRegressor(lam=0.25))
    model.fit(user.cube.reshape(-1, 20), user.abundances.reshape(-1, 3))
    sio.dump(model, "model.skops")
    printed = user.run("info", "model.skops")
    for part in ("StandardScaler → SunSALRegressor", "20", "lam=0.25", "endmember0, endmember1"):
        assert part in printed
    facts = json.loads(user.run("info", "model.skops", "--json"))
    assert facts["kind"] == "model"
    assert facts["n_bands"] == 20
    assert facts["parameters"]["lam"] == 0.25


def test_what_is_wrong(user):
    assert "There is no scene at" in user.run("info", "nowhere.tif", status=1)
    (user.folder / "text.dat").write_text("hello")
    assert "could not be opened" in user.run("info", user.folder / "text.dat", status=1)
    assert "Missing argument" in user.run("info", status=2)
