"""`skunmix endmembers`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skunmix.extraction import VCA
from skunmix.metrics import match_endmembers
from skunmix.scenes import sample_pixels


@pytest.fixture
def expected(user):
    return VCA(3, random_state=0).fit(sample_pixels(user.scene, random_state=0)).endmembers_


def test_a_library_that_spy_reads(user, expected):
    envi = pytest.importorskip("spectral.io.envi")
    out = user.folder / "found.sli"
    assert user.run("endmembers", user.scene, "-n", 3, "-o", out).strip() == str(out)
    library = envi.open(str(out.with_suffix(".hdr")))
    np.testing.assert_array_equal(library.spectra, expected)
    assert library.names == ["endmember0", "endmember1", "endmember2"]
    np.testing.assert_array_equal(library.bands.centers, user.wavelengths)
    assert library.bands.band_unit == "Nanometers"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_gdal_reads_the_same_header_as_that_of_an_image(user, expected):
    """GDAL refuses every ENVI spectral library by its file type."""
    rasterio = pytest.importorskip("rasterio")
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.sli")
    header = Path("found.hdr")
    header.write_text(header.read_text().replace("ENVI Spectral Library", "ENVI Standard"))
    with rasterio.open("found.sli") as dataset:
        assert dataset.driver == "ENVI"
        np.testing.assert_array_equal(dataset.read(1), expected)


def test_csv_and_numpy(user, expected):
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.npy")
    np.testing.assert_array_equal(np.load("found.npy"), expected)
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.csv")
    table = pd.read_csv("found.csv", index_col="wavelength", float_precision="round_trip")
    np.testing.assert_array_equal(table.to_numpy().T, expected)
    np.testing.assert_array_equal(table.index, user.wavelengths)


def test_bands_without_wavelengths_keep_their_names(user):
    names = [f"b{i}_narrow" for i in range(20)]
    user.write_envi(
        user.folder / "plain.hdr", user.cube, **{"band names": f"{{{','.join(names)}}}"}
    )
    user.run("endmembers", user.folder / "plain.hdr", "-n", 3, "-o", "found.csv")
    assert pd.read_csv("found.csv")["band"].tolist() == names
    user.run("endmembers", user.folder / "plain.hdr", "-n", 3, "-o", "found.sli")
    with open("found.hdr") as file:
        assert "wavelength" not in file.read()


@pytest.mark.parametrize(
    "method", ["vca", "spa", "nfindr", "minimum-volume", "archetypes", "blind"]
)
def test_each_method_finds_the_endmembers(user, method):
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.npy", "--method", method)
    found = np.load("found.npy")
    order = match_endmembers(user.endmembers.to_numpy(), found)
    np.testing.assert_allclose(found[order], user.endmembers, atol=0.1)


def test_the_number_may_be_counted(user):
    user.run("endmembers", user.scene, "-n", "hysime", "-o", "found.npy")
    assert np.load("found.npy").shape == (3, 20)


def test_a_plot(user):
    pytest.importorskip("matplotlib")
    printed = user.run("endmembers", user.scene, "-n", 3, "-o", "a.npy", "--plot", "b c.png")
    assert printed.splitlines()[1].endswith("b c.png")
    with open("b c.png", "rb") as file:
        assert file.read(4) == b"\x89PNG"


def test_existing_files(user):
    command = ("endmembers", user.scene, "-n", 3, "-o", "found.sli", "--plot", "found.png")
    user.run(*command)
    error = user.run(*command, status=1)
    assert "exists already; pass --overwrite to replace it" in error
    user.run(*command, "--overwrite")
    with open("found.sli", "rb") as file:
        before = file.read()
    with open("found.hdr") as file:
        assert "ENVI Spectral Library" in file.read()
    # a failure keeps the old file
    user.run(*command, "--overwrite", "--n-pixels", 2, status=1)
    with open("found.sli", "rb") as file:
        assert file.read() == before


def test_the_header_of_a_scene_is_never_replaced(user):
    before = user.scene.read_text()
    out = user.folder / "scene.sli"
    error = user.run("endmembers", user.scene, "-n", 3, "-o", out, "--overwrite", status=1)
    assert "belongs to another file" in error
    assert user.scene.read_text() == before
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["-n", "0", "-o", "a.npy"], 2, "expected a positive number, or one of elbow"),
        (["-n", "many", "-o", "a.npy"], 2, "expected a positive number, or one of elbow"),
        (["-o", "a.npy"], 2, "Missing option '-n'"),
        (["-n", "3"], 2, "Missing option '-o'"),
        (["-n", "3", "-o", "a.txt"], 1, "suffix .sli"),
        (["-n", "3", "-o", "nowhere/a.sli"], 1, "There is no folder"),
        (["-n", "3", "-o", "a.sli", "--plot", "a.doc"], 1, "--plot"),
        (["-n", "3", "-o", "a.csv", "--plot", "a.csv"], 1, "suffix such as .png"),
        (["-n", "200", "-o", "a.sli"], 1, "200"),
    ],
)
def test_what_is_wrong(user, tmp_path, arguments, status, message):
    error = user.run("endmembers", user.scene, *arguments, status=status)
    assert message in error
    assert "Traceback" not in error
    assert not list((tmp_path / "elsewhere").iterdir())
