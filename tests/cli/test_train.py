"""`skunmix train`, and unmixing with what it saved."""

import numpy as np
import pytest

from skunmix.cli._models import load_model
from skunmix.metrics import abundance_rmse

rasterio = pytest.importorskip("rasterio")


@pytest.fixture
def command(user, labels):
    """Return a command that trains for an epoch on a table of labels."""
    labels.to_csv("labels.csv", index=False)
    return ["train", user.scene, "--labels", "labels.csv", "-o", "model.skops", "--epochs", 1]


def test_from_labels_to_maps(user, command):
    printed = user.run(*command[:-1], 60)
    model = load_model("model.skops")
    assert ("answers" in printed) == (model.fallback_ is not None)
    user.run("unmix", user.scene, "-o", "maps.tif", "--model", "model.skops")
    with rasterio.open("maps.tif") as dataset:
        assert dataset.descriptions == ("water", "soil", "tree")
        maps = np.moveaxis(dataset.read(), 0, -1)
    assert abundance_rmse(user.abundances.reshape(-1, 3), maps.reshape(-1, 3)) < 0.05


def test_a_fallback_is_printed(user, command):
    """An epoch is too short to come near a solver."""
    assert "on labels held out" in user.run(*command)
    assert load_model("model.skops").fallback_ is not None


def test_a_model_knows_the_wavelengths(user, command):
    """Bands in another order are put in order, and others refused."""
    user.run(*command)
    user.run("unmix", user.scene, "-o", "maps.npy", "--model", "model.skops")
    user.write_envi(user.folder / "back.hdr", user.cube[..., ::-1], user.wavelengths[::-1])
    user.run("unmix", user.folder / "back.hdr", "-o", "back.npy", "--model", "model.skops")
    np.testing.assert_allclose(np.load("back.npy"), np.load("maps.npy"), atol=1e-6)
    user.write_envi(user.folder / "other.hdr", user.cube, user.wavelengths + 40)
    other = user.folder / "other.hdr"
    error = user.run("unmix", other, "-o", "c.npy", "--model", "model.skops", status=1)
    assert "other labels" in error


def test_seed_and_method(user, command):
    for name, options in (("a", []), ("b", []), ("c", ["--seed", 1]), ("d", ["--method", "ista"])):
        command[5] = f"{name}.skops"
        user.run(*command, *options)
    a, b, c, d = (load_model(f"{name}.skops") for name in "abcd")
    spectra = user.cube.reshape(-1, 20)
    np.testing.assert_array_equal(a.predict(spectra), b.predict(spectra))
    assert (a.random_state, c.random_state) == (0, 1)
    assert type(d).__name__ == "ISTANetRegressor"
    assert a.max_epochs == 1


def test_an_existing_model(user, command):
    user.run(*command)
    assert "pass --overwrite" in user.run(*command, status=1)
    user.run(*command, "--overwrite")


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"-o": "model.pkl"}, 1, "suffix .skops"),
        ({"-o": "nowhere/model.skops"}, 1, "There is no folder"),
        ({"--labels": "nowhere.csv"}, 1, "There are no labels at"),
        ({"--epochs": "-1"}, 2, "--epochs"),
        ({"--method": "svm"}, 2, "--method"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_wrong(user, command, tmp_path, change, status, message):
    options = dict(zip(command[2::2], command[3::2])) | change
    options = [part for option in options.items() for part in option]
    assert message in user.run(*command[:2], *options, status=status)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["labels.csv"]


def test_errors_of_labels_reach_the_user(user, command, labels):
    labels.loc[0, "row"] = 99
    labels.to_csv("labels.csv", index=False)
    error = user.run(*command, status=1)
    assert "12 rows and 10 columns" in error
    assert "got row 99" in error
