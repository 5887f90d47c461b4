"""Sentinel-2 L2A in folders as its guide describes them: values by rasterio."""

import numpy as np
import pandas as pd
import pytest

from skunmix import SunSALRegressor
from skunmix.scenes import describe_scene, sample_pixels, unmix_file
from skunmix.scenes.io.opening import open_source

rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
pytest.importorskip("rioxarray")
pytest.importorskip("netCDF4")
pytest.importorskip("dask.array")

# name, bandId, centre, response beyond half of its maximum
BANDS = {
    "B02": (1, 492.4, 66),
    "B03": (2, 559.8, 36),
    "B8A": (8, 864.7, 21),
    "B11": (11, 1613.7, 91),
    "B01": (0, 442.7, 21),
}
SIZES = {10: 24, 20: 12, 60: 4}
AT = {10: ["B02", "B03"], 20: ["B01", "B02", "B03", "B8A", "B11"], 60: list(BANDS)}
XML = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd">
<n1:General_Info><Product_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
<Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake></Product_Info>
<Product_Image_Characteristics>
<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
<Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
<SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST>
<BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST>
<Spectral_Information_List>{bands}</Spectral_Information_List>
</Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>
"""


def response(width):
    return " ".join(["0.1"] * 3 + ["0.9"] * width + ["0.2"] * 3)


def write(folder, *, baseline="05.09", offset=-1000, suffix="jp2"):
    safe = folder / "S2B_MSIL2A_20230115T101319_N0509_R022_T32TQM_20230115T120000.SAFE"
    images = safe / "GRANULE" / "L2A_T32TQM_A030600_20230115T101315" / "IMG_DATA"
    rng = np.random.default_rng(0)
    stored = {}
    for resolution, names in AT.items():
        (images / f"R{resolution}m").mkdir(parents=True)
        for name in [*names, "SCL", "AOT"]:
            n = SIZES[resolution]
            values = rng.integers(1000, 6000, (1, n, n)).astype("u2")
            if name in BANDS:
                values[0, 1, 2] = 0
            path = (
                images / f"R{resolution}m" / f"T32TQM_20230115T101319_{name}_{resolution}m.{suffix}"
            )
            options = {"QUALITY": "100", "REVERSIBLE": "YES"} if suffix == "jp2" else {}
            with rasterio.open(
                path,
                "w",
                driver="JP2OpenJPEG" if suffix == "jp2" else "GTiff",
                height=n,
                width=n,
                count=1,
                dtype="uint16",
                crs="EPSG:32632",
                transform=rasterio.transform.from_origin(6e5, 5.1e6, resolution, resolution),
                **options,
            ) as dataset:
                dataset.write(values)
            stored[name, resolution] = values[0]
    bands = "".join(
        f'<Spectral_Information bandId="{i}" physicalBand="B{name[1:].lstrip("0")}"><Wavelength>'
        f'<MIN unit="nm">1</MIN><MAX unit="nm">2</MAX><CENTRAL unit="nm">{center}</CENTRAL>'
        f'</Wavelength><Spectral_Response><STEP unit="nm">1</STEP>'
        f"<VALUES>{response(width)}</VALUES>"
        f"</Spectral_Response></Spectral_Information>"
        for name, (i, center, width) in BANDS.items()
    )
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">{offset}</BOA_ADD_OFFSET>' for i in range(13))
    offsets = "" if offset is None else offsets
    (safe / "MTD_MSIL2A.xml").write_text(
        XML.format(baseline=baseline, offsets=offsets, bands=bands)
    )
    return safe, stored


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    return write(tmp_path_factory.mktemp("s2"))


@pytest.mark.parametrize("resolution", AT)
def test_values_are_those_of_rasterio(product, resolution):
    safe, stored = product
    names = sorted(AT[resolution], key=lambda name: BANDS[name][1])
    source = open_source(safe, options={"resolution": str(resolution)})
    assert source.bands().names == names
    np.testing.assert_allclose(source.bands().wavelengths, [BANDS[name][1] for name in names])
    np.testing.assert_allclose(source.bands().fwhm, [BANDS[name][2] for name in names])
    n = SIZES[resolution]
    window = slice(1, n), slice(0, n - 1)
    values, _ = source.read(window)
    expected = np.stack([stored[name, resolution] for name in names], axis=-1)[window]
    np.testing.assert_array_equal(values, expected)
    spectra, valid, *_ = source.decoding().decode(values)
    valid = valid.reshape(n - 1, n - 1)
    assert not valid[0, 2]
    assert valid.sum() == valid.size - 1
    spectra = spectra.reshape(expected.shape)
    np.testing.assert_allclose(spectra[valid], (expected[valid] - 1000.0) / 10000, atol=1e-6)


@pytest.mark.parametrize("given", ["folder", "metadata"])
def test_description(product, given):
    path = product[0] if given == "folder" else product[0] / "MTD_MSIL2A.xml"
    found = describe_scene(path)
    assert (found.sensor, found.format, found.shape) == ("Sentinel-2B", "SAFE", (12, 12, 5))
    assert found.nodata == (0, 65535)
    assert (found.scale_factor, found.add_offset) == (1e-4, -0.1)
    assert found.crs.to_epsg() == 32632
    assert found.transform == rasterio.transform.from_origin(6e5, 5.1e6, 20, 20)


@pytest.mark.parametrize("name", ["out.tif", "out.nc"])
def test_unmixing(product, tmp_path, name):
    sample = sample_pixels(product[0], 60)
    assert list(sample.columns) == ["B01", "B02", "B03", "B8A", "B11"]
    model = SunSALRegressor(endmembers=sample.iloc[:3]).fit(sample)
    output = unmix_file(model, product[0], tmp_path / name, n_jobs=2 if name == "out.tif" else 1)
    stored = np.stack([product[1][band, 20] for band in sample.columns], axis=-1)
    spectra = (stored.reshape(-1, 5) - 1000.0) / 10000
    expected = model.predict(pd.DataFrame(spectra, columns=sample.columns))
    expected = expected.reshape(12, 12, 3)
    expected[1, 2] = np.nan
    if name == "out.tif":
        with rasterio.open(output) as dataset:
            found = np.moveaxis(dataset.read(), 0, -1)
            assert dataset.crs.to_epsg() == 32632
    else:
        with xr.open_dataset(output, decode_coords="all") as dataset:
            array = dataset["abundance"].transpose("y", "x", "endmember").load()
        found = array.values
        assert array.rio.crs.to_epsg() == 32632
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_products_before_baseline_4_have_no_offset(tmp_path):
    safe, _ = write(tmp_path, baseline="02.14", offset=None, suffix="tif")
    assert describe_scene(safe).add_offset == 0


def test_later_products_without_an_offset_are_damaged(tmp_path):
    safe, _ = write(tmp_path, offset=None, suffix="tif")
    with pytest.raises(OSError, match="gives no BOA_ADD_OFFSET for band B01"):
        describe_scene(safe)


def test_a_resolution_that_is_not_there(product, tmp_path):
    with pytest.raises(ValueError, match="one of 10, 20, 60, got 30"):
        open_source(product[0], options={"resolution": 30})
    safe, _ = write(tmp_path, suffix="tif")
    for path in safe.rglob("*_10m.tif"):
        path.unlink()
    with pytest.raises(OSError, match="no bands at 10 m"):
        open_source(safe, options={"resolution": 10})


def test_an_output_inside_the_product_is_refused(product):
    model = SunSALRegressor(endmembers=np.eye(5)[:2]).fit(np.eye(5))
    with pytest.raises(ValueError, match="is the scene itself, or inside"):
        unmix_file(model, product[0], product[0] / "out.tif")


def test_a_stack_in_one_file_is_matched_by_the_names_of_its_bands(product, tmp_path):
    stored = product[1]
    names = ["B11", "B03", "B02"]
    path = tmp_path / "stack.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=12, width=12, count=3, dtype="uint16", nodata=0
    ) as dataset:
        dataset.write(np.stack([stored[name, 20] for name in names]))
        dataset.descriptions = names
        dataset.scales, dataset.offsets = (1e-4,) * 3, (-0.1,) * 3
    sample = sample_pixels(product[0], 30)[["B02", "B03", "B11"]]
    model = SunSALRegressor(endmembers=sample.iloc[:2]).fit(sample)
    found = np.load(unmix_file(model, path, tmp_path / "stack.npy"))
    np.testing.assert_allclose(
        found, np.load(unmix_file(model, product[0], tmp_path / "safe.npy")), atol=1e-5
    )
