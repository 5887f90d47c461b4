"""ENVI spectral libraries, beside SPy's reader and writer."""

import numpy as np
import pytest

from skunmix.libraries import read_library

NAMES = ["grass", "soil", "water"]
CODES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12}


def write(path, spectra, nm=None, *, names=NAMES, dtype="<f4", header_name=None, **fields):
    np.asarray(spectra).astype(dtype).tofile(path)
    header = {
        "samples": spectra.shape[1],
        "lines": spectra.shape[0],
        "bands": 1,
        "header offset": 0,
        "file type": "ENVI Spectral Library",
        "data type": CODES[np.dtype(dtype).str[1:]],
        "interleave": "bsq",
        "byte order": int(np.dtype(dtype).str[0] == ">"),
        "wavelength units": "Nanometers",
    }
    if names is not None:
        header["spectra names"] = "{\n" + ",\n".join(names) + "}"
    if nm is not None:
        header["wavelength"] = "{" + ", ".join(f"{value:.6f}" for value in nm) + "}"
    header |= {name.replace("_", " "): value for name, value in fields.items()}
    text = "ENVI\n" + "".join(f"{k} = {v}\n" for k, v in header.items() if v is not None)
    (header_name or path.with_suffix(".hdr")).write_text(text, encoding="utf-8")
    return path


def test_what_spy_writes(tmp_path, spectra, nm):
    envi = pytest.importorskip("spectral.io.envi")
    library = envi.SpectralLibrary(spectra, {"wavelength": list(nm), "spectra names": NAMES})
    library.bands.band_unit = "Nanometers"
    library.bands.bandwidths = [25.0] * len(nm)
    library.save(str(tmp_path / "x"), "made by SPy")
    for name in ("x.hdr", "x.sli"):
        found = read_library(tmp_path / name)
        np.testing.assert_allclose(found.spectra, spectra.astype("f4"))
        np.testing.assert_allclose(found.wavelengths, nm)
        np.testing.assert_allclose(found.fwhm, 25.0)
        assert found.names == tuple(NAMES)
        assert found.metadata["description"] == "made by SPy"


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<i2", ">i2", ">u2"])
def test_numbers_as_spy_reads_them(tmp_path, spectra, nm, dtype):
    envi = pytest.importorskip("spectral.io.envi")
    stored = spectra if dtype[1] == "f" else spectra * 1e4
    path = write(tmp_path / "x.sli", stored, nm, dtype=dtype)
    expected = envi.open(path.with_suffix(".hdr"), path).spectra
    np.testing.assert_array_equal(read_library(path).spectra, expected)


@pytest.mark.parametrize(
    ("data", "header"),
    [
        *(("x.sli", "x.hdr"), ("X.SLI", "X.HDR"), ("x.sli", "x.sli.hdr")),
        *(("x", "x.hdr"), ("x.esl", "x.HDR"), ("a.b.sli", "a.b.hdr")),
    ],
)
def test_names_of_files(tmp_path, spectra, nm, data, header):
    write(tmp_path / data, spectra, nm, header_name=tmp_path / header)
    for name in (data, header):
        np.testing.assert_allclose(read_library(tmp_path / name).spectra, spectra, atol=1e-6)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("shape", [(3, 1), (1, 3)])
def test_spectra_as_pixels(tmp_path, spectra, nm, interleave, shape):
    """Some programs write one pixel for each spectrum, with true bands."""
    cube = spectra.reshape(*shape, len(nm))
    axes = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    path = write(
        tmp_path / "x.sli",
        spectra,
        nm,
        lines=shape[0],
        samples=shape[1],
        bands=len(nm),
        interleave=interleave,
    )
    np.ascontiguousarray(cube.transpose(axes)).astype("<f4").tofile(path)
    np.testing.assert_allclose(read_library(path).spectra, spectra, atol=1e-6)


def test_interleave_of_a_library_has_no_effect(tmp_path, spectra, nm):
    for interleave in ("bil", "bip", "BSQ"):
        path = write(tmp_path / "x.sli", spectra, nm, interleave=interleave)
        np.testing.assert_allclose(read_library(path).spectra, spectra, atol=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        ["clay, dry", "soil {deep}", "water; fresh"],
        ["grass", "grass", "grass"],
        ["Gräser", "Böden", "Wässer"],
        ["a = b", "  c   d ", "'e'"],
    ],
)
def test_names(tmp_path, spectra, nm, names):
    path = write(tmp_path / "x.sli", spectra, nm, names=names)
    expected = tuple(" ".join(name.split()).strip("'") for name in names)
    assert read_library(path).names == expected


@pytest.mark.parametrize(("encoding", "newline"), [("latin-1", "\r\n"), ("utf-8-sig", "\n")])
def test_encodings_and_line_ends(tmp_path, spectra, nm, encoding, newline):
    path = write(tmp_path / "x.sli", spectra, nm, names=["Gräser", "Böden", "Schnee"])
    header = path.with_suffix(".hdr")
    text = header.read_text(encoding="utf-8").replace("\n", newline)
    header.write_bytes(text.encode(encoding))
    assert read_library(path).names == ("Gräser", "Böden", "Schnee")


def test_units(tmp_path, spectra, nm):
    for unit, factor in (
        ("Micrometers", 1e-3),
        ("um", 1e-3),
        ("Unknown", 1e-3),
        ("", 1),
        ("nm", 1),
    ):
        path = write(tmp_path / "x.sli", spectra, nm * factor, wavelength_units=unit)
        np.testing.assert_allclose(read_library(path).wavelengths, nm, rtol=1e-5)
    wavenumbers = 1e7 / nm
    path = write(tmp_path / "x.sli", spectra, wavenumbers, wavelength_units="Wavenumber")
    with pytest.raises(ValueError, match=r"got wavenumbers in 'Wavenumber'; pass unit='cm-1'"):
        read_library(path)
    np.testing.assert_allclose(read_library(path, unit="cm-1").wavelengths, nm, rtol=1e-6)
    path = write(tmp_path / "x.sli", spectra, np.arange(43) + 61.0, wavelength_units=None)
    with pytest.raises(ValueError, match="without a unit; pass `unit`"):
        read_library(path)


def test_fill_values_scales_and_bad_bands(tmp_path, spectra, nm):
    stored = spectra * 1e4
    stored[0, 3] = stored[1, 5] = -1
    bad = np.ones(43, dtype=int)
    bad[10:12] = 0
    path = write(
        tmp_path / "x.sli",
        stored,
        nm,
        dtype="<i2",
        data_ignore_value=-1,
        reflectance_scale_factor="10000.0",
        bbl="{" + ", ".join(map(str, bad)) + "}",
    )
    library = read_library(path)
    expected = np.trunc(stored) / 1e4
    expected[0, 3] = expected[1, 5] = np.nan
    expected[:, 10:12] = np.nan
    np.testing.assert_allclose(library.spectra, expected)
    assert library.drop_missing().shape == (3, 39)


def test_descending_wavelengths_keep_their_spectra(tmp_path, spectra, nm):
    path = write(tmp_path / "x.sli", spectra[:, ::-1], nm[::-1])
    found = read_library(path).resample(nm[3:-3])
    straight = read_library(write(tmp_path / "y.sli", spectra, nm)).resample(nm[3:-3])
    np.testing.assert_allclose(found.spectra, straight.spectra)


def test_missing_wavelengths_are_given(tmp_path, spectra, nm):
    path = write(tmp_path / "x.sli", spectra, None)
    assert read_library(path).wavelengths is None
    with pytest.raises(ValueError, match="pass wavelengths=… in nm to SpectralLibrary or read_lib"):
        read_library(path).resample(nm)
    library = read_library(path, wavelengths=nm / 1000, unit="um")
    np.testing.assert_allclose(library.wavelengths, nm)


def test_bad_files(tmp_path, spectra, nm):
    path = write(tmp_path / "x.sli", spectra, nm, names=["a", "b"])
    with pytest.raises(OSError, match="gives 2 'spectra names' between commas, expected 3"):
        read_library(path)
    assert read_library(path, names=NAMES).names == tuple(NAMES)
    path = write(tmp_path / "x.sli", spectra, nm[:-1])
    with pytest.raises(OSError, match="gives 42 items as 'wavelength', expected 43"):
        read_library(path)
    path = write(tmp_path / "x.sli", spectra, nm)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(OSError, match="truncated"):
        read_library(path)
    path.with_suffix(".hdr").unlink()
    with pytest.raises(FileNotFoundError, match="Expected the header x.hdr or x.sli.hdr beside"):
        read_library(path)
    path = write(tmp_path / "y.sli", spectra, nm)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="is a header without data"):
        read_library(path.with_suffix(".hdr"))
    image = write(
        tmp_path / "z.img",
        np.zeros((6, 43)),
        nm,
        lines=2,
        samples=3,
        bands=43,
        file_type="ENVI Standard",
    )
    with pytest.raises(ValueError, match="got an image of 2 × 3 pixels"):
        read_library(image)
