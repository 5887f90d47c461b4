"""The facts of a scene, beside what was written and what rasterio reads."""

import numpy as np
import pytest

from skunmix.scenes import describe_scene

rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
pytest.importorskip("rioxarray")
pytest.importorskip("netCDF4")

TRANSFORM = rasterio.transform.from_origin(500_000, 4_000_000, 30, 20)
HEADER = """ENVI
samples = 5
lines = 4
bands = 3
header offset = 0
data type = 2
interleave = bil
byte order = 0
sensor type = AVIRIS-NG
data ignore value = -9999
reflectance scale factor = 10000
wavelength units = {unit}
band names = {{blue, green, red}}
wavelength = {{{wavelengths}}}
fwhm = {{{fwhm}}}
bbl = {{1, 0, 1}}
"""


def envi(folder, unit, wavelengths, fwhm):
    np.zeros((4, 3, 5), "<i2").tofile(folder / "scene.img")
    text = HEADER.format(unit=unit, wavelengths=wavelengths, fwhm=fwhm)
    (folder / "scene.hdr").write_text(text)
    return folder / "scene.hdr"


@pytest.mark.parametrize(
    ("unit", "wavelengths", "fwhm"),
    [
        ("Nanometers", "480, 560, 655.5", "5, 6, 7"),
        ("Micrometers", "0.48, 0.56, 0.6555", "0.005, 0.006, 0.007"),
        ("Unknown", "0.48, 0.56, 0.6555", "0.005, 0.006, 0.007"),
        ("Unknown", "480, 560, 655.5", "5, 6, 7"),
        ("Wavenumber", "20833.3333333, 17857.142857, 15255.53", "217.01, 191.33, 162.9"),
    ],
)
def test_envi(tmp_path, unit, wavelengths, fwhm):
    found = describe_scene(envi(tmp_path, unit, wavelengths, fwhm))
    assert (found.format, found.sensor) == ("ENVI", "AVIRIS-NG")
    assert (found.shape, found.n_bands, found.dtype) == ((4, 5, 3), 3, np.int16)
    np.testing.assert_allclose(found.wavelengths, [480, 560, 655.5], rtol=1e-6)
    np.testing.assert_allclose(found.fwhm, [5, 6, 7], rtol=2e-3)
    assert found.names == ["blue", "green", "red"]
    assert found.bad_bands.tolist() == [1]
    assert found.nodata == (-9999,)
    assert found.scale_factor == pytest.approx(1e-4)
    assert found.crs is found.transform is found.problem is None
    text = str(found)
    for part in ("4 rows × 5 columns × 3 bands", "480 to 655.5 nm", "1 of 3", "AVIRIS-NG"):
        assert part in text


def test_units_that_contradict_the_numbers_give_no_wavelengths(tmp_path):
    found = describe_scene(envi(tmp_path, "Micrometers", "480, 560, 655.5", "5, 6, 7"))
    assert found.wavelengths is None
    assert "not given" in str(found)


def test_a_bad_band_list_of_another_length_is_an_error(tmp_path):
    path = envi(tmp_path, "nm", "480, 560, 655.5", "5, 6, 7")
    path.write_text(path.read_text().replace("{1, 0, 1}", "{1, 0}"))
    with pytest.raises(OSError, match="as 'bbl', expected 3 numbers"):
        describe_scene(path)


@pytest.mark.parametrize("tags", ["imagery", "envi", "band"])
def test_geotiff(tmp_path, tags):
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "height": 4, "width": 5, "count": 2, "dtype": "uint16"}
    with rasterio.open(
        path, "w", nodata=0, crs="EPSG:32633", transform=TRANSFORM, **profile
    ) as dataset:
        dataset.write(np.ones((2, 4, 5), np.uint16))
        dataset.descriptions = ["B2", "B3"]
        dataset.scales, dataset.offsets = (1e-4, 1e-4), (-0.1, -0.1)
        if tags == "envi":
            dataset.update_tags(
                ns="ENVI", wavelength="{0.49, 0.56}", wavelength_units="um", fwhm="{0.06, 0.03}"
            )
        for band, (center, width) in enumerate([(0.49, 0.06), (0.56, 0.03)], start=1):
            if tags == "imagery":
                dataset.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=center, FWHM_UM=width)
            elif tags == "band":
                dataset.update_tags(
                    band, wavelength=1e3 * center, fwhm=1e3 * width, wavelength_units="Nanometers"
                )
    found = describe_scene(path)
    np.testing.assert_allclose(found.wavelengths, [490, 560])
    np.testing.assert_allclose(found.fwhm, [60, 30])
    assert found.names == ["B2", "B3"]
    assert (found.scale_factor, found.add_offset, found.nodata) == (1e-4, -0.1, (0,))
    assert found.crs.to_epsg() == 32633
    assert found.transform == TRANSFORM
    assert "30 × 20" in str(found)


def test_netcdf(tmp_path):
    path = tmp_path / "scene.nc"
    coords = {
        "wavelength": ("wavelength", [0.49, 0.56], {"units": "micrometers"}),
        "fwhm": ("wavelength", [0.06, 0.03]),
        "good_wavelengths": ("wavelength", [1, 0]),
        "y": 4e6 - 20.0 * np.arange(4),
        "x": 5e5 + 30.0 * np.arange(5),
    }
    array = xr.DataArray(
        np.ones((4, 5, 2), "f4"), dims=("y", "x", "wavelength"), coords=coords, name="r"
    ).rio.write_crs("EPSG:32633")
    array.attrs["units"] = "unitless"
    array.to_netcdf(path)
    found = describe_scene(path, band_dim="wavelength")
    np.testing.assert_allclose(found.wavelengths, [490, 560])
    np.testing.assert_allclose(found.fwhm, [60, 30])
    assert found.bad_bands.tolist() == [1]
    assert (found.format, found.units) == ("netCDF-4", "unitless")
    assert found.crs.to_epsg() == 32633


def test_what_is_ambiguous_is_a_problem_and_not_an_error(tmp_path):
    path = tmp_path / "scene.tif"
    profile = {"driver": "GTiff", "height": 4, "width": 5, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=TRANSFORM, **profile) as dataset:
        dataset.write(np.ones((1, 4, 5), np.float32))
        dataset.update_tags(reflectance_scale_factor="10000")
    found = describe_scene(path)
    assert found.scale_factor is None
    assert "may have been divided already" in found.problem
    assert "problem:" in str(found)
