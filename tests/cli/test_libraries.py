"""Spectral libraries on the command line, and how their bands meet those of a scene."""

import contextlib
import io
import json

import numpy as np
import pandas as pd
import pytest

from skunmix import MESMARegressor, SunSALRegressor
from skunmix.cli import main
from skunmix.preprocessing import SpectralResampler

rasterio = pytest.importorskip("rasterio")
NAMES = ["water", "soil", "tree"]


@pytest.fixture
def write(user):
    """Return a function that writes spectra, by default those of the scene, as a CSV file."""

    def write(name, wavelengths=None, spectra=None, names=NAMES, title="wavelength (nm)"):
        spectra = user.endmembers.to_numpy() if spectra is None else spectra
        wavelengths = user.wavelengths if wavelengths is None else wavelengths
        frame = pd.DataFrame(np.transpose(spectra), columns=names)
        frame.insert(0, title, wavelengths)
        frame.to_csv(user.folder / name, index=False)
        return user.folder / name

    return write


@pytest.fixture
def fine(user):
    """Return finer wavelengths than the scene's, and spectra there."""
    wavelengths = np.linspace(400, 2500, 300)
    spectra = [np.interp(wavelengths, user.wavelengths, e) for e in user.endmembers.to_numpy()]
    return wavelengths, np.array(spectra)


def fcls(user, spectra, bands=slice(None)):
    model = SunSALRegressor(spectra[:, bands], lam=0, sum_to_one=True)
    pixels = user.cube.reshape(-1, 20).astype("f4")[:, bands]
    return model.fit(pixels).predict(pixels).reshape(12, 10, -1)


def maps_of(user, library, *options, scene=None):
    scene = user.scene if scene is None else scene
    command = ["unmix", scene, "-o", "maps.tif", "--endmembers", library, "--overwrite"]
    printed = user.run(*command, *options)
    with rasterio.open("maps.tif") as dataset:
        return np.moveaxis(dataset.read(), 0, -1), dataset.descriptions, printed


@pytest.mark.parametrize("descending", [False, True])
def test_bands_of_the_scene_are_taken_as_they_are(user, write, descending):
    step = -1 if descending else 1
    path = write("library.csv", user.wavelengths[::step], user.endmembers.to_numpy()[:, ::step])
    maps, names, _ = maps_of(user, path)
    np.testing.assert_allclose(maps, fcls(user, user.endmembers.to_numpy()), atol=1e-5)
    assert names == ("water", "soil", "tree")


def test_what_endmembers_wrote_is_read_again(user):
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.sli")
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.csv")
    user.run("endmembers", user.scene, "-n", 3, "-o", "found.npy")
    expected = fcls(user, np.load("found.npy"))
    for name in ("found.sli", "found.hdr", "found.csv", "found.npy"):
        maps, *_ = maps_of(user, name)
        np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize("unit", ["nm", "um"])
def test_a_finer_library_is_resampled(user, write, fine, unit):
    wavelengths, spectra = fine
    factor = 1 if unit == "nm" else 1e-3
    path = write("library.csv", wavelengths * factor, spectra, title=f"wavelength ({unit})")
    maps, *_ = maps_of(user, path)
    units = {"source_unit": "nm", "target_unit": "nm"}
    resampler = SpectralResampler(wavelengths, user.wavelengths, **units)
    np.testing.assert_allclose(maps, fcls(user, resampler.fit_transform(spectra)), atol=1e-5)


def test_bands_that_are_bad_or_not_covered_are_not_used(user, write):
    """Bad bands may be NaN in the whole scene."""
    cube = user.cube.copy()
    cube[..., 3] = np.nan
    bad = ", ".join("0" if i == 3 else "1" for i in range(20))
    user.write_envi(user.folder / "bad.hdr", cube, user.wavelengths, bbl=f"{{{bad}}}")
    path = write("short.csv", user.wavelengths[:15], user.endmembers.to_numpy()[:, :15])
    used = np.delete(np.arange(15), 3)
    maps, *_ = maps_of(user, path, scene=user.folder / "bad.hdr")
    np.testing.assert_allclose(maps, fcls(user, user.endmembers.to_numpy(), used), atol=1e-5)


def test_one_line_says_which_bands_are_not_used(user, write):
    path = write("short.csv", user.wavelengths[:15], user.endmembers.to_numpy()[:, :15])
    command = ["unmix", user.scene, "-o", "a.tif", "--endmembers", path, "--overwrite"]
    said = [line for line in _errors_of(user, command) if "15 of 20 bands are used" in line]
    assert len(said) == 1
    assert "5 that the endmembers do not cover are left out" in said[0]
    with rasterio.open("a.tif") as dataset:
        assert dataset.tags()["unmixing"] == said[0]
    assert not _errors_of(user, [*command, "-q"])


def _errors_of(user, command):
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        assert main([str(part) for part in command]) == 0
    return printed.getvalue().splitlines()


def test_mesma_takes_one_spectrum_of_each_name(user, write):
    spectra = user.endmembers.to_numpy()
    spectra = np.vstack([spectra, spectra[:2] * 0.8 + 0.02])
    names = [*NAMES, "water", "soil"]
    np.savez(user.folder / "many.npz", spectra=spectra, names=names, wavelengths=user.wavelengths)
    maps, found, _ = maps_of(user, user.folder / "many.npz", "--method", "mesma")
    assert found == ("water", "soil", "tree", "shade")
    pixels = user.cube.reshape(-1, 20).astype("f4")
    expected = MESMARegressor(spectra, groups=names).fit(pixels).predict(pixels)
    np.testing.assert_allclose(maps.reshape(-1, 4), expected, atol=1e-5)


def test_repeated_names_are_numbered(user, write):
    spectra = np.vstack([user.endmembers.to_numpy(), user.endmembers.to_numpy()[:1] ** 2])
    np.savez(user.folder / "many.npz", spectra=spectra, names=[*NAMES, "water"])
    _, found, _ = maps_of(user, user.folder / "many.npz")
    assert found == ("water", "soil", "tree", "water (2)")


def test_wavelengths_may_be_given(user, fine):
    wavelengths, spectra = fine
    np.save("spectra.npy", spectra)
    error = user.run("unmix", user.scene, "-o", "a.tif", "--endmembers", "spectra.npy", status=1)
    assert "in the 20 bands of the spectra, got SpectralLibrary(3 spectra × 300 bands)" in error
    assert "pass --wavelengths … when you read or make the library" in error
    np.savetxt("centres.txt", 1e4 / (wavelengths / 1e3), header="wavenumbers")
    options = ["--wavelengths", "centres.txt", "--unit", "cm-1"]
    maps, *_ = maps_of(user, "spectra.npy", *options)
    units = {"source_unit": "nm", "target_unit": "nm"}
    resampler = SpectralResampler(wavelengths, user.wavelengths, **units)
    np.testing.assert_allclose(maps, fcls(user, resampler.fit_transform(spectra)), atol=1e-4)
    with open("centres.txt", "w") as file:
        file.write("many nanometres")
    command = ["unmix", user.scene, "-o", "a.tif", "--endmembers", "spectra.npy", *options]
    assert "one number per line" in user.run(*command, status=1)


def test_libraries_that_are_refused(user, write, tmp_path):
    command = ["unmix", user.scene, "-o", "a.tif", "--endmembers"]
    far = write("far.csv", user.wavelengths + 3000)
    assert "check the unit of the wavelengths" in user.run(*command, far, status=1)
    assert "There is no spectral library" in user.run(*command, "nowhere.sli", status=1)
    assert "got an image" in user.run(*command, user.scene, status=1)
    np.save("cube.npy", user.cube)
    assert "got (12, 10, 20)" in user.run(*command, "cube.npy", status=1)
    zero = write("zero.csv", spectra=np.vstack([user.endmembers.to_numpy()[:2], np.zeros(20)]))
    assert "got 'tree'" in user.run(*command, zero, status=1)
    assert not (tmp_path / "elsewhere" / "a.tif").exists()
    options = ["--wavelengths", user.scene, "--unit", "nm"]
    for wrong in (["3", *options], ["3", "--unit", "nm"]):
        assert "with a file as --endmembers" in user.run(*command, *wrong, status=2)


def test_units_that_differ_are_one_warning(user, write):
    path = write("percent.csv", spectra=100 * user.endmembers.to_numpy())
    errors = _errors_of(user, ["unmix", user.scene, "-o", "a.tif", "--endmembers", path])
    warned = [line for line in errors if line.startswith("Warning: ")]
    assert len(warned) == 1
    assert "different units" in warned[0]
    assert "--scale-factor" in warned[0]


@pytest.mark.parametrize("n_bands", [20, 15])
def test_a_network_starts_from_a_library(user, write, labels, n_bands):
    """With endmembers in another order than the columns of the labels."""
    labels.to_csv("labels.csv", index=False)
    order = [2, 0, 1]
    path = write(
        "library.csv",
        user.wavelengths[:n_bands],
        user.endmembers.to_numpy()[order, :n_bands],
        [NAMES[i] for i in order],
    )
    command = ["train", user.scene, "--labels", "labels.csv", "-o", "model.skops", "--epochs", 40]
    user.run(*command, "--endmembers", path)
    user.run("unmix", user.scene, "-o", "maps.tif", "--model", "model.skops")
    with rasterio.open("maps.tif") as dataset:
        names = list(dataset.descriptions)
        maps = np.moveaxis(dataset.read(), 0, -1)
    expected = user.abundances[..., [NAMES.index(name) for name in names]]
    assert np.sqrt(np.mean((maps - expected) ** 2)) < 0.05
    other = write("other.csv", names=["a", "b", "c"])
    error = user.run(*command, "--endmembers", other, "--overwrite", status=1)
    assert "the names of the labels, water, soil, tree, in" in error
    error = user.run(*command, "--unit", "nm", "--overwrite", status=2)
    assert "with --endmembers" in error


def test_info(user, write, fine):
    path = write("library.csv", *fine)
    printed = user.run("info", path)
    for part in ("library", "3", "300", "400 to 2500 nm", "water, soil, tree"):
        assert part in printed
    facts = json.loads(user.run("info", path, "--json"))
    assert facts["kind"] == "library"
    assert facts["names"] == NAMES
    np.testing.assert_allclose(facts["wavelengths"], fine[0])
