"""Libraries in CSV and NumPy, as programs and people write them."""

import numpy as np
import pandas as pd
import pytest

from skunmix.libraries import read_library

NAMES = ["grass", "soil", "water"]


@pytest.fixture
def frame(spectra, nm):
    return pd.DataFrame(spectra.round(6), index=NAMES, columns=nm)


def check(path, frame, **given):
    library = read_library(path, **given)
    np.testing.assert_allclose(library.spectra, frame.to_numpy(), atol=1e-9)
    np.testing.assert_allclose(library.wavelengths, frame.columns.to_numpy(float), rtol=1e-6)
    assert library.names == tuple(frame.index)
    return library


@pytest.mark.parametrize("title", ["wavelength", "Wavelength (nm)", "nm", "", "wl", "WVL_nm"])
@pytest.mark.parametrize("down", [True, False])
def test_both_layouts(tmp_path, frame, title, down):
    file = tmp_path / "x.csv"
    frame.index.name = frame.columns.name = None
    (frame.T if down else frame).to_csv(file, index_label=title or None)
    check(file, frame)


@pytest.mark.parametrize("sep", [",", ";", "\t", " "])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("down", [True, False])
def test_delimiters_and_decimal_commas(tmp_path, frame, sep, decimal, down):
    if sep == decimal:
        pytest.skip("ambiguous")
    file = tmp_path / "x.csv"
    table = frame.T if down else frame
    if not down:
        table = table.rename(columns=lambda nm: f"{nm:.1f}".replace(".", decimal))
    table.to_csv(file, sep=sep, decimal=decimal, index_label="name")
    check(file, frame)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(tmp_path, frame, encoding, newline):
    frame.index = ["Gräser", "Böden", "Fels, trocken"]
    text = frame.T.to_csv(index_label="Wellenlänge").replace("\n", newline)
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    check(tmp_path / "x.csv", frame)


@pytest.mark.parametrize(
    ("spelled", "factor"),
    [("{:.6f}", 1e-3), ("{:.3f} µm", 1e-3), ("{:.1f} nm", 1), ("{:.1f}nm", 1), ("X{:.1f}", 1)],
)
def test_labels_of_columns(tmp_path, frame, spelled, factor):
    table = frame.rename(columns=lambda nm: spelled.format(nm * factor))
    table.to_csv(tmp_path / "x.csv", index_label="name")
    check(tmp_path / "x.csv", frame)


def test_descending_micrometres(tmp_path, frame):
    frame = frame.iloc[:, ::-1]
    table = frame.T
    table.index = table.index / 1000
    table.to_csv(tmp_path / "x.txt", index_label="Wavelength (micrometers)", sep="\t")
    check(tmp_path / "x.txt", frame)


def test_classes_widths_gaps_and_repeated_names(tmp_path, frame):
    frame.index = ["a", "a", "b"]
    frame.iloc[1, 4] = np.nan
    frame.iloc[2, 6] = -9999
    table = frame.copy()
    table.insert(0, "class", ["veg", "veg", "soil"])
    table.to_csv(tmp_path / "x.csv", index_label="name")
    expected = frame.replace(-9999, np.nan)
    assert check(tmp_path / "x.csv", expected).classes == ("veg", "veg", "soil")
    down = frame.T
    down.insert(0, "fwhm", 10.0)
    down.to_csv(tmp_path / "y.csv", index_label="wavelength")
    np.testing.assert_allclose(check(tmp_path / "y.csv", expected).fwhm, 10.0)


def test_preamble_and_comments(tmp_path, frame):
    text = "# made by hand\nmeasured in May\n\n" + frame.T.to_csv(index_label="nm")
    (tmp_path / "x.csv").write_text(text)
    check(tmp_path / "x.csv", frame)


def test_a_table_without_header(tmp_path, frame, nm):
    np.savetxt(tmp_path / "x.txt", np.column_stack([nm, frame.T]), fmt="%.6f")
    frame.index = ["spectrum0", "spectrum1", "spectrum2"]
    check(tmp_path / "x.txt", frame)


@pytest.mark.parametrize("down", [True, False])
def test_wavelengths_that_are_given(tmp_path, frame, nm, down):
    table = frame.set_axis([f"b{i + 1}" for i in range(43)], axis=1)
    (table.T if down else table).to_csv(tmp_path / "x.csv", index_label="band")
    with pytest.raises(ValueError, match="got them in neither; pass wavelengths=…"):
        read_library(tmp_path / "x.csv")
    check(tmp_path / "x.csv", frame, wavelengths=nm)
    check(tmp_path / "x.csv", frame, wavelengths=nm / 1e3, unit="um")
    with pytest.raises(ValueError, match="got 42; pass one for each band"):
        read_library(tmp_path / "x.csv", wavelengths=nm[1:])


def test_numbered_bands_are_no_wavelengths(tmp_path, frame):
    frame.set_axis(range(1, 44), axis=1).T.to_csv(tmp_path / "x.csv", index_label="band")
    with pytest.raises(ValueError, match="got them in neither"):
        read_library(tmp_path / "x.csv")


def test_wavenumbers(tmp_path, frame):
    table = frame.T
    table.index = 1e7 / table.index
    table.to_csv(tmp_path / "x.csv", index_label="wavenumber (cm-1)")
    with pytest.raises(ValueError, match="got wavenumbers"):
        read_library(tmp_path / "x.csv")
    check(tmp_path / "x.csv", frame, unit="cm-1")


def test_text_among_numbers(tmp_path, frame):
    table = frame.T.astype(object)
    table.iloc[3, 1] = "bad"
    table.to_csv(tmp_path / "x.csv", index_label="nm")
    with pytest.raises(ValueError, match=r"numbers in the spectrum 'soil' of .*, got 'bad'"):
        read_library(tmp_path / "x.csv")


def test_numpy(tmp_path, frame, nm):
    np.save(tmp_path / "x.npy", frame.to_numpy())
    library = read_library(tmp_path / "x.npy")
    assert library.wavelengths is None
    check(tmp_path / "x.npy", frame, wavelengths=nm, names=NAMES)
    np.save(tmp_path / "t.npy", frame.to_numpy().T)
    check(tmp_path / "t.npy", frame, wavelengths=nm, names=NAMES)
    np.savez(
        tmp_path / "x.npz",
        spectra=frame.to_numpy(),
        wavelengths=nm / 1000,
        names=NAMES,
        fwhm=np.full(43, 0.01),
        classes=["a", "a", "b"],
    )
    library = check(tmp_path / "x.npz", frame)
    assert library.classes == ("a", "a", "b")
    np.testing.assert_allclose(library.fwhm, 10)
