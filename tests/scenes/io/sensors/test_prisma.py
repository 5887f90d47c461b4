"""PRISMA L2D as its specification describes it: values by h5py."""

import numpy as np
import pytest

from skunmix import SunSALRegressor
from skunmix.scenes import describe_scene, sample_pixels, unmix_file
from skunmix.scenes.io.opening import open_source

h5py = pytest.importorskip("h5py")
rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
pytest.importorskip("rioxarray")
pytest.importorskip("dask.array")

ROWS, COLS = 7, 6
# by descending wavelength, with dead bands and an overlap of the detectors
VNIR = np.array([970.0, 930.0, 700.0, 550.0, 0.0], "f4")
SWIR = np.array([2490.0, 2000.0, 1600.0, 950.0, 0.0, 920.0], "f4")
FLAGS = {"Vnir": np.array([1, 1, 1, 1, 0]), "Swir": np.array([1, 1, 1, 1, 0, 0])}
ORDER = [550, 700, 930, 950, 970, 1600, 2000, 2490]
FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"
SCALES = {
    "L2ScaleVnirMin": 0.0,
    "L2ScaleVnirMax": 0.9,
    "L2ScaleSwirMin": 0.01,
    "L2ScaleSwirMax": 0.7,
}


def write(path, *, without=(), edges=False, chunks=None, errors=True, **attributes):
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        fields = file.create_group(FIELDS)
        for name, centers in (("VNIR", VNIR), ("SWIR", SWIR)):
            cube = rng.integers(1, 65536, (ROWS, len(centers), COLS)).astype("u2")
            cube[:, centers == 0] = 0
            cube[0, :, :2] = 0  # outside the swath
            cube[1, 0, 0] = 0  # a reflectance of the smallest value
            fields.create_dataset(f"{name}_Cube", data=cube, chunks=chunks, compression="gzip")
            codes = np.zeros(cube.shape, "u1")
            codes[2, 1, 3] = 1  # invalid in Level 1
            codes[3, 2, 3] = 2  # negative
            codes[4, 3, 3] = 3  # saturated
            codes[5, centers == 0] = 1  # a dead band
            if errors:
                fields.create_dataset(f"{name}_PIXEL_L2_ERR_MATRIX", data=codes)
            detector = name.title()
            file.attrs[f"List_Cw_{detector}"] = centers
            file.attrs[f"List_Fwhm_{detector}"] = np.full(len(centers), 10.0, "f4")
            file.attrs[f"List_Cw_{detector}_Flags"] = FLAGS[detector].astype("i4")
        left, top, half = 500_015.0, 4_999_985.0, 15.0
        right, bottom = left + 30 * (COLS - 1), top - 30 * (ROWS - 1)
        if edges:
            left, top, right, bottom = left - half, top + half, right + half, bottom - half
        file.attrs["Product_ULcorner_easting"], file.attrs["Product_LRcorner_easting"] = left, right
        file.attrs["Product_ULcorner_northing"] = top
        file.attrs["Product_LRcorner_northing"] = bottom
        file.attrs["Epsg_Code"] = np.uint32(32632)
        file.attrs["Processing_Level"] = np.bytes_("2D")
        for name, value in {**SCALES, **attributes}.items():
            file.attrs[name] = np.float32(value)
        for name in without:
            if name in file.attrs:
                del file.attrs[name]
            else:
                del file[f"{FIELDS}/{name}"]
        info = file.create_group("HDFEOS INFORMATION")
        info.create_dataset("StructMetadata.0", data=np.bytes_("GROUP=SwathStructure" * 9))
    return path


def reflectance(path):
    """Return reflectances (rows, cols, bands) by h5py, as the specification scales them."""
    with h5py.File(path) as file:
        cubes = []
        for name in ("VNIR", "SWIR"):
            low, high = (file.attrs[f"L2Scale{name.title()}{end}"] for end in ("Min", "Max"))
            cube = file[f"{FIELDS}/{name}_Cube"][:].astype("f8")
            cubes.append(low + cube * (high - low) / 65535)
    cube = np.concatenate(cubes, axis=1).transpose(0, 2, 1)
    wavelengths = np.concatenate([VNIR, SWIR])
    return cube[..., [np.flatnonzero(wavelengths == w)[0] for w in ORDER]]


INVALID = np.zeros((ROWS, COLS), dtype=bool)
INVALID[0, :2] = INVALID[2, 3] = INVALID[4, 3] = True


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("prisma") / "PRS_L2D_STD.he5")


def read(path, **options):
    source = open_source(path, options=options)
    stored, hidden = source.read((slice(0, ROWS), slice(0, COLS)))
    spectra, *_ = source.decoding().decode(stored)
    return spectra.reshape(*stored.shape), hidden


def test_values_are_those_of_the_specification(path):
    spectra, hidden = read(path)
    np.testing.assert_allclose(spectra, reflectance(path), atol=1e-6)
    np.testing.assert_array_equal(hidden, INVALID)


def test_the_error_matrix_may_be_ignored_or_absent(path, tmp_path):
    outside = np.zeros_like(INVALID)
    outside[0, :2] = True
    np.testing.assert_array_equal(read(path, error_matrix=False)[1], outside)
    without = write(tmp_path / "scene.he5", errors=False)
    np.testing.assert_array_equal(read(without)[1], outside)


def test_windows_are_parts_of_the_whole(path):
    source = open_source(path)
    whole, hidden = source.read((slice(0, ROWS), slice(0, COLS)))
    window = slice(2, 5), slice(1, 4)
    part, part_hidden = source.read(window)
    np.testing.assert_array_equal(part, whole[window])
    np.testing.assert_array_equal(part_hidden, hidden[window])


def test_description(path):
    found = describe_scene(path)
    assert (found.sensor, found.format, found.shape) == ("PRISMA L2D", "HDF-EOS5", (ROWS, COLS, 8))
    np.testing.assert_allclose(found.wavelengths, ORDER)
    np.testing.assert_allclose(found.fwhm, 10)
    assert found.crs.to_epsg() == 32632
    assert found.transform == rasterio.transform.from_origin(500_000, 5_000_000, 30, 30)
    assert "by band" in str(found)


def test_corners_may_be_edges(tmp_path):
    found = describe_scene(write(tmp_path / "scene.he5", edges=True))
    assert found.transform == rasterio.transform.from_origin(500_000, 5_000_000, 30, 30)


@pytest.mark.parametrize("name", ["out.tif", "out.nc"])
def test_unmixing(path, tmp_path, name):
    cube = reflectance(path)
    model = SunSALRegressor(endmembers=cube[3, :3], lam=1e-3).fit(cube[3])
    output = unmix_file(model, path, tmp_path / name, n_jobs=2 if name == "out.tif" else 1)
    expected = np.where(
        INVALID[..., None], np.nan, model.predict(cube.reshape(-1, 8)).reshape(ROWS, COLS, 3)
    )
    if name == "out.tif":
        with rasterio.open(output) as dataset:
            found, transform, crs = (
                np.moveaxis(dataset.read(), 0, -1),
                dataset.transform,
                dataset.crs,
            )
    else:
        with xr.open_dataset(output, decode_coords="all") as dataset:
            array = dataset["abundance"].transpose("y", "x", "endmember").load()
        found, transform, crs = array.values, array.rio.transform(recalc=True), array.rio.crs
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert crs.to_epsg() == 32632
    assert transform == rasterio.transform.from_origin(500_000, 5_000_000, 30, 30)


def test_bands_are_matched_by_wavelength(path):
    sample = sample_pixels(path, 20)
    assert list(sample.columns) == [f"{w} nm" for w in ORDER]


def test_chunks(path, tmp_path):
    found, hidden = read(write(tmp_path / "scene.he5", chunks=(3, 2, 4)))
    np.testing.assert_array_equal(found, read(path)[0])
    np.testing.assert_array_equal(hidden, INVALID)


def test_one_cube(path):
    source = open_source(path, variable=f"{FIELDS}/SWIR_Cube")
    np.testing.assert_allclose(source.bands().wavelengths, [950, 1600, 2000, 2490])
    with pytest.raises(ValueError, match="no cube 'VNIR'"):
        open_source(path, variable="VNIR")


@pytest.mark.parametrize(
    ("without", "error", "message"),
    [
        (["List_Cw_Swir"], OSError, "lacks the attribute List_Cw_Swir"),
        (["L2ScaleVnirMax"], ValueError, "lacks the attributes L2ScaleVnirMin"),
    ],
)
def test_a_missing_attribute_is_an_error(tmp_path, without, error, message):
    path = write(tmp_path / "scene.he5", without=without)
    with pytest.raises(error, match=message):
        open_source(path).decoding()


def test_units_of_the_caller_replace_missing_ones(tmp_path):
    path = write(tmp_path / "scene.he5", without=["L2ScaleVnirMax"])
    assert open_source(path).decoding(scale_factor=1e-5).scale == 1e-5
    assert "L2ScaleVnirMin" in describe_scene(path).problem


def test_a_file_without_corners_has_no_grid(tmp_path):
    found = describe_scene(write(tmp_path / "scene.he5", without=["Product_LRcorner_easting"]))
    assert found.crs is found.transform is None


def test_the_vnir_cube_alone(tmp_path):
    path = write(tmp_path / "scene.he5", without=["SWIR_Cube"])
    np.testing.assert_allclose(describe_scene(path).wavelengths, [550, 700, 930, 970])
