"""Headers as they are found, read as they are meant, or refused in a sentence."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skunmix.scenes.io.envi import list_of_names, read_header, split_list
from skunmix.scenes.io.opening import open_source

rasterio = pytest.importorskip("rasterio")

FIELDS = {
    "samples": "3",
    "lines": "4",
    "bands": "2",
    "header offset": "0",
    "file type": "ENVI Standard",
    "data type": "2",
    "interleave": "bip",
    "byte order": "0",
}
CUBE = np.arange(-5, 19, dtype="<i2").reshape(4, 3, 2)
WHOLE = (slice(0, 4), slice(0, 3))


def header_of(**changes):
    """Return a header with fields changed, added or, if None, left out."""
    fields = {**FIELDS, **{name.replace("_", " "): value for name, value in changes.items()}}
    lines = [f"{name} = {value}" for name, value in fields.items() if value is not None]
    return "\n".join(["ENVI", *lines, ""])


BASE = header_of()


def scene(folder, header, cube=CUBE):
    (folder / "scene.img").write_bytes(cube.tobytes())
    data = header if isinstance(header, bytes) else header.encode()
    (folder / "scene.hdr").write_bytes(data)
    return folder / "scene.img"


HEADERS = {
    "plain": BASE,
    "empty field": BASE.replace("data type", "sensor type =\ndata type"),
    "empty field, spaces": BASE.replace("interleave", "description =  \t \ninterleave"),
    "empty last field": BASE + "wavelength units =",
    "empty list": BASE.replace("interleave", "band names = {}\ninterleave"),
    "upper case": BASE.replace("= bip", "= BIP"),
    "mixed case of names": BASE.replace("interleave", "Interleave").replace("data t", "Data T"),
    "no spaces": BASE.replace(" = ", "="),
    "tabs": BASE.replace(" = ", "\t=\t").replace("\n", "\t\n"),
    "indented": BASE.replace("\ninterleave", "\n   interleave"),
    "carriage returns": BASE.replace("\n", "\r\n"),
    "carriage returns in a list": BASE.replace("\n", "\r\n") + "wavelength = {\r\n 1,\r\n 2}\r\n",
    "blank lines": BASE.replace("\n", "\n\n"),
    "no end of line": BASE.rstrip(),
    "comment": BASE.replace("interleave", "; interleave = bsq\ninterleave"),
    "comment behind a value": BASE.replace("= bip", "= bip ; by pixel"),
    "comment in a list": BASE + "wavelength = {1,\n; 3, 4,\n2}\n",
    "comment behind a list": BASE + "wavelength = {1, 2} ; nm\n",
    "comment behind an item": BASE + "wavelength = {1, ; the first, of two\n2}\n",
    "trailing comma": BASE + "wavelength = { 1 ,\n 2 ,\n}\n",
    "square brackets": BASE + "wavelength = [1, 2]\n",
    "list over lines": BASE.replace("interleave", "fwhm = {\n1\n,\n2\n}\ninterleave"),
    "equals in a list": BASE.replace("interleave", "band names = {a = 1,\nb = 2}\ninterleave"),
    "equals in a value": BASE.replace("interleave", "sensor type = a = b\ninterleave"),
    "a field in a description": BASE + "description = {\nas in {it}:\ninterleave = bsq\n}\n",
    "latin-1": BASE.encode() + "description = {café}\n".encode("latin-1"),
    "no header offset": header_of(header_offset=None),
    "plus sign": header_of(data_type="+2"),
    "leading zeros": header_of(samples="003"),
}
# which GDAL gets wrong
NOT_AS_GDAL = {"comment behind an item", "a field in a description"}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_read_as_they_are_meant(tmp_path, name):
    path = scene(tmp_path, HEADERS[name])
    source = open_source(path)
    assert source.raw is not None
    np.testing.assert_array_equal(source.read(WHOLE)[0], CUBE)
    if name not in NOT_AS_GDAL:
        with rasterio.open(path, driver="ENVI") as dataset:
            np.testing.assert_array_equal(np.moveaxis(dataset.read(), 0, -1), CUBE)


REFUSED = {
    "unknown interleave": (header_of(interleave="bix"), "'bix' as 'interleave', expected one of"),
    "empty interleave": (header_of(interleave=""), "'' as 'interleave', expected one of bsq"),
    "no interleave": (header_of(interleave=None), "'' as 'interleave'"),
    "no byte order": (header_of(byte_order=None), "lacks 'byte order'"),
    "empty byte order": (header_of(byte_order=""), "lacks 'byte order'"),
    "words for byte order": (header_of(byte_order="Host (Intel)"), "Intel.*' as 'byte order'"),
    "byte order 2": (header_of(byte_order="2"), "'2' as 'byte order', expected one of 0, 1"),
    "no data type": (header_of(data_type=None), "lacks 'data type'"),
    "a name for a data type": (header_of(data_type="int16"), "data_type"),
    "unknown data type": (header_of(data_type="99"), "data_type"),
    "too large a data type": (header_of(data_type="4"), "truncated"),
    "too small a data type": (header_of(data_type="1"), "longer"),
    "fraction of lines": (header_of(lines="4.5"), "'4.5' as 'lines', expected a whole number"),
    "words behind lines": (header_of(lines="4 x"), "'4 x' as 'lines', expected a whole number"),
    "no lines": (header_of(lines=None), "lines and bands keywords"),
    "no bands": (header_of(bands=None), "lacks 'bands'|bands keywords"),
    "no end of a list": (BASE + "wavelength = {1,\n2\n", "'wavelength' in .* begins with '{'"),
    "another list in it": (header_of(fwhm="{1,\nlines = 4\n"), "does not end"),
    "too few wavelengths": (header_of(wavelength="{1}"), "1 wavelengths, but 2 bands"),
    "too many wavelengths": (header_of(wavelength="{1, 2, 3}"), "3 wavelengths, but 2 bands"),
    "negative offset": (header_of(header_offset="-2"), "nImgOffset|whole number"),
    "offset beyond the file": (header_of(header_offset="99"), "truncated"),
    "offset in words": (header_of(header_offset="none"), "'none' as 'header offset'"),
    "too few gains": (header_of(data_gain_values="{1}"), "'data gain values', expected 2 numbers"),
    "gains in words": (header_of(data_gain_values="{a, b}"), "expected 2 numbers"),
    "not ENVI": (BASE[5:], "could not be opened as a raster"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_headers_that_are_refused(tmp_path, name):
    header, match = REFUSED[name]
    path = scene(tmp_path, header)
    with pytest.raises(OSError, match=match) as info:
        open_source(path)
    assert "\n" not in str(info.value)


def test_complex_values_are_refused(tmp_path):
    path = scene(tmp_path, header_of(data_type="6"), CUBE.astype("c8"))
    with pytest.raises(TypeError, match="Expected a scene of real numbers.*complex64"):
        open_source(path).decoding()


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 12, 13, 14, 15])
@pytest.mark.parametrize("byte_order", [0, 1])
def test_every_type_in_either_byte_order(tmp_path, code, byte_order):
    path = scene(tmp_path, header_of(data_type=code, byte_order=byte_order))
    codes = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
    cube = (np.arange(24).reshape(4, 3, 2) + 250).astype("<>"[byte_order] + codes[code])
    path.write_bytes(cube.tobytes())
    source = open_source(path)
    assert source.dtype == cube.dtype.newbyteorder("=")
    np.testing.assert_array_equal(source.read(WHOLE)[0], cube)
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(np.moveaxis(dataset.read(), 0, -1), cube)


def test_the_header_that_is_given_is_read(tmp_path):
    path = scene(tmp_path, BASE)
    (tmp_path / "scene.img.hdr").write_text(header_of(interleave="bsq"))
    with rasterio.open(path) as dataset:
        read = [file for file in dataset.files if file.endswith(".hdr")]
    other = {"scene.hdr", "scene.img.hdr"} - {name.rpartition("/")[2] for name in read}
    with pytest.raises(
        OSError, match=r"Expected the header .*, which GDAL reads|is a header without data"
    ):
        open_source(tmp_path / other.pop())


# Units


@pytest.mark.parametrize("dtype", ["i2", "f4"])
@pytest.mark.parametrize("factor", ["10000", "1e4", "10000.000000", "10000 ; of ENVI"])
def test_the_reflectance_scale_factor_divides(tmp_path, dtype, factor):
    code = {"i2": 2, "f4": 4}[dtype]
    header = header_of(data_type=code, reflectance_scale_factor=factor)
    source = open_source(scene(tmp_path, header, CUBE.astype(dtype)))
    decoding = source.decoding()
    spectra, *_ = decoding.decode(source.read(WHOLE)[0])
    np.testing.assert_allclose(spectra.reshape(CUBE.shape), CUBE / 1e4, rtol=1e-6)
    assert "spectra = stored · 0.0001" in str(decoding)
    assert source.decoding(scale_factor=3.0).scale == 3.0


def test_gains_and_offsets(tmp_path):
    header = header_of(data_gain_values="{0.5,\n0.25}", data_offset_values="{1, -1,}")
    source = open_source(scene(tmp_path, header))
    spectra, *_ = source.decoding().decode(source.read(WHOLE)[0])
    np.testing.assert_allclose(spectra.reshape(CUBE.shape), CUBE * [0.5, 0.25] + [1, -1])
    with rasterio.open(source.path) as dataset:
        assert (dataset.scales, dataset.offsets) == ((0.5, 0.25), (1.0, -1.0))


def test_gains_and_a_factor_are_ambiguous(tmp_path):
    header = header_of(data_gain_values="{0.5, 0.25}", reflectance_scale_factor="100")
    source = open_source(scene(tmp_path, header))
    with pytest.raises(ValueError, match="both a reflectance scale factor of 100 and a scale"):
        source.decoding()
    assert source.decoding(scale_factor=0.01).scale == 0.01


@pytest.mark.parametrize("factor", ["0", "-1", "nan", "ten"])
def test_a_factor_that_is_none(tmp_path, factor):
    source = open_source(scene(tmp_path, header_of(reflectance_scale_factor=factor)))
    with pytest.raises(ValueError, match="reflectance.scale.factor is .*, expected"):
        source.decoding()
    assert source.decoding(scale_factor=1.0).scale == 1.0


# Names


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.text(st.sampled_from("ab1,;{}=[] \t\n\r\x0bé"), max_size=8), min_size=1, max_size=5)
)
def test_names_survive_as_many_as_they_are(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("names") / "scene.hdr"
    path.write_text(f"ENVI\nband names = {{\n{list_of_names(names)}}}\nbands = 1\n", "utf-8")
    fields = read_header(path)
    assert fields["bands"] == "1"
    found = fields["band names"].split(",")
    assert len(found) == len(names)
    plain = str.maketrans("", "", " \t\n\r\x0b,;{}=:()[]")
    for name, read in zip(names, found):
        assert name.translate(plain) in ("", read.strip().translate(plain))
    assert len(split_list(fields["band names"].replace(";", ":"))) == len(names)
