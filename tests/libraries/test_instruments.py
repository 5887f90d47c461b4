"""Files of field spectrometers, laid out as their documentation describes them."""

import struct

import numpy as np
import pytest

from skunmix.libraries import read_library

NM = np.arange(350.0, 2501.0)


def write_asd(path, target, reference=None, *, version=b"as7", kind=1, dtype="<f8", comment=b""):
    """Write the header of 484 bytes, the spectrum, and the reference with its header."""
    header = bytearray(484)
    header[:3] = version
    header[3 : 3 + len(comment)] = comment
    header[186] = kind
    struct.pack_into("<ff", header, 191, 350.0, 1.0)
    header[199] = {"<f4": 0, "<i4": 1, "<f8": 2}[dtype]
    struct.pack_into("<H", header, 204, len(target))
    struct.pack_into("<L", header, 390, 17)  # integration time
    data = bytes(header) + np.asarray(target).astype(dtype).tobytes()
    if version != b"ASD":
        text = b"panel 3"
        data += struct.pack("<h", -1 if reference is not None else 0)
        data += struct.pack("<dd", 0.0, 0.0) + struct.pack("<H", len(text)) + text
        if reference is not None:
            data += np.asarray(reference).astype(dtype).tobytes()
    path.write_bytes(data)
    return path


@pytest.fixture
def counts():
    rng = np.random.default_rng(0)
    reference = rng.integers(10_000, 50_000, len(NM)).astype(float)
    return (reference * rng.uniform(0.1, 0.9, len(NM))).round(), reference


@pytest.mark.parametrize("dtype", ["<f4", "<i4", "<f8"])
@pytest.mark.parametrize("version", [b"as2", b"as6", b"as8"])
def test_asd_reflectance_is_a_ratio(tmp_path, counts, dtype, version):
    target, reference = counts
    path = write_asd(
        tmp_path / "x.asd", target, reference, dtype=dtype, version=version, comment=b"Wei\xdf"
    )
    library = read_library(path)
    np.testing.assert_allclose(library.spectra[0], target / reference, rtol=1e-6)
    np.testing.assert_array_equal(library.wavelengths, NM)
    assert library.names == ("x",)
    assert library.metadata["comments"] == "Weiß"


def test_asd_by_its_first_bytes(tmp_path, counts):
    """Older programs number the files: "grass.000"."""
    path = write_asd(tmp_path / "grass.000", *counts)
    np.testing.assert_allclose(read_library(path).spectra[0], counts[0] / counts[1])


def test_asd_without_a_reference(tmp_path, counts):
    path = write_asd(tmp_path / "x.asd", counts[0] / counts[1], version=b"ASD", dtype="<f4")
    np.testing.assert_allclose(read_library(path).spectra[0], counts[0] / counts[1], rtol=1e-6)
    path = write_asd(tmp_path / "x.asd", counts[0], kind=0)
    with pytest.warns(UserWarning, match="raw counts without a white reference"):
        library = read_library(path)
    np.testing.assert_array_equal(library.spectra[0], counts[0])


def test_asd_dead_channels_of_the_reference(tmp_path, counts):
    target, reference = counts
    reference[5] = 0
    library = read_library(write_asd(tmp_path / "x.asd", target, reference))
    assert np.flatnonzero(np.isnan(library.spectra[0])).tolist() == [5]


def test_bad_asd(tmp_path, counts):
    path = write_asd(tmp_path / "x.asd", *counts, kind=2)
    with pytest.raises(ValueError, match="Expected an ASD file of reflectances, got radiance"):
        read_library(path)
    path = write_asd(tmp_path / "x.asd", *counts)
    whole = path.read_bytes()
    for n_bytes in (200, 5_000, len(whole) - 1):
        path.write_bytes(whole[:n_bytes])
        with pytest.raises(OSError, match="truncated"):
            read_library(path)
    path.write_bytes(b"not an asd file")
    with pytest.raises(OSError, match="begins with 'ASD' or 'as2'"):
        read_library(path)


SVC = """/*** Spectra Vista SIG Data ***/
name= D:\\data\\gr_0312_001.sig
instrument= HI: 1182073 (HR-1024i)
integration= 50.0, 30.0, 10.0, 40.0, 30.0, 10.0
units= Radiance, Radiance
factors= 1.000, 1.000, 1.000 [Overlap: Preserve, Matching: None]
comm= Grünfläche
data= """


def test_svc(tmp_path):
    nm = np.array([998.1, 999.6, 1001.2, 996.5, 1000.3, 1004.0])  # two detectors overlap
    rows = [f"{w:.1f}  100000.00  {1000 * i:.2f}  {i:.2f}" for i, w in enumerate(nm, 40)]
    (tmp_path / "x.sig").write_bytes(
        (SVC + "\n".join(rows) + "\n").replace("\n", "\r\n").encode("latin-1")
    )
    library = read_library(tmp_path / "x.sig")
    np.testing.assert_allclose(library.wavelengths, nm)
    np.testing.assert_allclose(library.spectra[0], np.arange(40, 46) / 100)
    assert library.metadata["comm"] == "Grünfläche"
    order = np.argsort(nm)
    middle = library.resample([1000.8], fwhm=0.1).spectra[0, 0]
    expected = np.interp(1000.8, nm[order], library.spectra[0][order])
    assert middle == pytest.approx(expected, abs=1e-9)


SED = """Comment: lawn
Version: 2.3 [1.2.6250C]
File Name: C:\\data\\lawn_00001.sed
Instrument: PSR-3500_SN1234567 [3]
Measurement: REFLECTANCE
Columns [{n}]:
Data:
{titles}
"""


@pytest.mark.parametrize(
    ("titles", "percent"),
    [
        ("Wvl\tRad. (Ref.)\tRad. (Target)\tReflect. %", True),
        ("Chan.#\tWvl\tNorm. DN (Ref.)\tNorm. DN (Target)\tReflect. %", True),
        ("Wvl\tReflect. [1.0]", False),
    ],
)
@pytest.mark.parametrize("decimal", [".", ","])
def test_sed(tmp_path, titles, percent, decimal):
    nm = np.arange(350.0, 360.0)
    values = np.linspace(0.1, 0.5, 10)
    columns = {"Chan": np.arange(10), "Wvl": nm, "Refl": values * (100 if percent else 1)}
    table = [
        [
            next((v[i] for k, v in columns.items() if t.startswith(k)), 1e-3)
            for t in titles.split("\t")
        ]
        for i in range(10)
    ]
    rows = "\n".join("  ".join(f"{v:.5f}".replace(".", decimal) for v in row) for row in table)
    text = SED.format(n=titles.count("\t") + 1, titles=titles) + rows + "\n"
    (tmp_path / "x.sed").write_text(text)
    library = read_library(tmp_path / "x.sed")
    np.testing.assert_allclose(library.wavelengths, nm)
    np.testing.assert_allclose(library.spectra[0], values, atol=1e-5)
    assert library.metadata["Comment"] == "lawn"


def test_bad_text_files(tmp_path):
    (tmp_path / "x.sig").write_text("name= x\n")
    with pytest.raises(OSError, match="Expected a line 'data='"):
        read_library(tmp_path / "x.sig")
    (tmp_path / "x.sig").write_text("data=\n350.0 1 2 3\n351.0 1\n")
    with pytest.raises(OSError, match="got 'lines of different lengths'"):
        read_library(tmp_path / "x.sig")
    (tmp_path / "x.sed").write_text("Data:\nWvl\tRad. (Target)\n350.0 1.0\n")
    with pytest.raises(OSError, match="Expected a column of reflectances .* got Wvl, Rad"):
        read_library(tmp_path / "x.sed")


def test_a_folder_of_measurements(tmp_path, counts):
    for name in ("b.asd", "a.asd"):
        write_asd(tmp_path / name, *counts)
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    library = read_library(tmp_path)
    assert library.names == ("a", "b")
    assert len(library.metadata["files"]) == 2
    assert read_library([tmp_path / "b.asd", tmp_path / "a.asd"]).names == ("b", "a")
    assert read_library(tmp_path, names=["one", "two"]).names == ("one", "two")
