"""Text of ECOSTRESS, ASTER and the USGS, laid out as their documentation describes it."""

import numpy as np
import pytest

from skunmix.libraries import read_library

ECOSTRESS = """Name: {name}
Type: vegetation
Class: grass
Subclass:
Particle Size: Unknown
Sample No.: x1
Owner: Zürich
Wavelength Range: All
Origin: 34.4; -119.8
Description: Long text: with colons
Measurement: Directional (10 Degree) Hemispherical Reflectance
First Column: X
Second Column: Y
X Units: {x_units}
Y Units: {y_units}
First X Value: {first}
Last X Value: {last}
Number of X Values: {n}
Additional Information: none

"""


def write_ecostress(
    path, um, values, *, x="Wavelength (micrometers)", y="Reflectance (percent)", name="Dry grass"
):
    head = ECOSTRESS.format(name=name, x_units=x, y_units=y, first=um[0], last=um[-1], n=len(um))
    rows = "".join(f"{a:.4f}\t{b:.4f}\r\n" for a, b in zip(um, values))
    path.write_bytes((head.replace("\n", "\r\n") + rows).encode("latin-1"))


UM = np.linspace(14.0, 0.4, 50)  # descending


def test_ecostress(tmp_path):
    values = np.linspace(3, 50, 50)
    write_ecostress(tmp_path / "vegetation.grass.txt", UM, values)
    library = read_library(tmp_path / "vegetation.grass.txt")
    assert library.names == ("Dry grass",)
    assert library.classes == ("grass",)
    np.testing.assert_allclose(library.wavelengths, UM * 1000, rtol=1e-3)
    np.testing.assert_allclose(library.spectra[0], values / 100, atol=1e-4)
    assert library.metadata["Owner"] == "Zürich"
    assert library.metadata["Description"] == "Long text: with colons"


def test_aster_fractions_and_wavenumbers(tmp_path):
    write_ecostress(tmp_path / "a.txt", UM, np.full(50, 0.25), y="Reflectance")
    np.testing.assert_allclose(read_library(tmp_path / "a.txt").spectra, 0.25)
    write_ecostress(tmp_path / "b.txt", 1e4 / UM, np.full(50, 25), x="Wavenumber (cm-1)")
    with pytest.raises(ValueError, match="got wavenumbers in 'Wavenumber"):
        read_library(tmp_path / "b.txt")
    found = read_library(tmp_path / "b.txt", unit="cm-1").wavelengths
    np.testing.assert_allclose(found, UM * 1000, rtol=1e-3)


def test_a_folder_of_ecostress(tmp_path):
    write_ecostress(tmp_path / "a.txt", UM, np.full(50, 20.0), name="a")
    write_ecostress(tmp_path / "b.txt", UM[::2], np.full(25, 30.0), name="b")
    (tmp_path / "a.ancillary.txt").write_text("nothing of interest")
    with pytest.raises(ValueError, match=r"got 2 kinds: 1 with 50 bands .* such as a.txt; 1 with"):
        read_library(tmp_path)
    library = read_library(tmp_path, resample=[700, 1000, 2000])
    assert library.names == ("a", "b")
    np.testing.assert_allclose(library.spectra, [[0.2] * 3, [0.3] * 3])


def write_usgs(path, title, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f" {value: .7e}\r\n" for value in values)
    path.write_bytes(f" splib07a Record=12: {title}  \r\n{lines}".encode("latin-1"))


ASD = np.linspace(0.35, 2.5, 30)
BECK = np.linspace(0.2, 3.0, 20)
M, V = "ChapterM_Minerals/splib07a_", "ChapterV_Vegetation/splib07a_"
ACTINOLITE = f"{M}Actinolite_HS116.3B_ASDFRb_AREF"


@pytest.fixture
def splib(tmp_path):
    """Return the root of a small splib07, with spectra of two spectrometers."""
    root = tmp_path / "ASCIIdata_splib07a"
    values = np.linspace(0.2, 0.4, 30)
    values[[0, 7]] = -1.23e34
    for name, title, numbers in (
        ("Wavelengths_ASD_0.35-2.5_microns_30_ch", "Wavelengths in microns ASD 30 ch", ASD),
        ("Wavelengths_BECK_0.2-3.0_microns", "Wavelengths in microns Beckman", BECK),
        ("Bandpass_(FWHM)_ASD_30_ch", "Bandpass (FWHM) ASD in microns", np.full(30, 0.01)),
        (ACTINOLITE, "Actinolite HS116.3B           ASDFRb AREF", values),
        (f"{M}Alunite_BECKa_AREF", "Alunite GDS83 Na63      BECKa AREF", np.full(20, 0.5)),
        (f"{V}Grass_dry_ASDFRa_AREF", "Grass dry             ASDFRa AREF", values + 0.1),
        ("errorbars/splib07a_errorbars_for_Actinolite", "errorbars", values),
    ):
        folder, _, name = name.rpartition("/")
        write_usgs(root / folder / f"splib07a_{name.removeprefix('splib07a_')}.txt", title, numbers)
    return root


def test_usgs(splib):
    library = read_library(
        splib / "ChapterM_Minerals" / "splib07a_Actinolite_HS116.3B_ASDFRb_AREF.txt"
    )
    assert library.names == ("Actinolite HS116.3B",)
    assert library.classes == ("Minerals",)
    np.testing.assert_allclose(library.wavelengths, ASD * 1000, rtol=1e-6)
    np.testing.assert_allclose(library.fwhm, 10, rtol=1e-6)
    assert np.flatnonzero(np.isnan(library.spectra[0])).tolist() == [0, 7]
    assert library.drop_missing().shape == (1, 28)


def test_a_folder_of_the_usgs(splib):
    with pytest.raises(ValueError, match=r"got 2 kinds: .*pattern='…', or all with resample="):
        read_library(splib)
    library = read_library(splib, pattern="*ASD*.txt")
    assert library.names == ("Actinolite HS116.3B", "Grass dry")
    assert library.classes == ("Minerals", "Vegetation")
    everything = read_library(splib, resample=np.linspace(700, 2300, 9))
    assert everything.shape == (3, 9)
    np.testing.assert_allclose(everything["Alunite GDS83 Na63"].spectra, 0.5)


def test_spectrometers_with_as_many_channels(splib):
    write_usgs(
        splib / "splib07a_Wavelengths_AVIRIS_1996_30.txt",
        "Wavelengths in microns AVIRIS",
        ASD + 0.1,
    )
    library = read_library(splib, pattern="*Grass*")
    np.testing.assert_allclose(library.wavelengths, ASD * 1000, rtol=1e-6)


def test_usgs_without_wavelengths(splib, tmp_path):
    path = tmp_path / "alone" / "deep" / "a" / "b" / "s07_AV95_Grass.txt"
    write_usgs(path, "Grass    AVIRISb AREF", np.full(17, 0.3))
    with pytest.raises(ValueError, match="Expected a file of 17 wavelengths .*pass wavelengths=…"):
        read_library(path)
    library = read_library(path, wavelengths=np.linspace(0.4, 2, 17), unit="um")
    np.testing.assert_allclose(library.wavelengths, np.linspace(400, 2000, 17))


def test_an_unknown_format(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"\x01\x00\x02\x03")
    with pytest.raises(ValueError, match=r"library in a known format, ENVI .*got binary"):
        read_library(tmp_path / "x.bin")
    with pytest.raises(FileNotFoundError, match="There is no library at"):
        read_library(tmp_path / "none.sli")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"Expected files with the pattern '\*'"):
        read_library(tmp_path / "empty")
