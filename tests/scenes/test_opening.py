"""Scenes opened as DataArrays, beside what unmix_file makes of the same files."""

import numpy as np
import pytest

from skunmix import SunSALRegressor
from skunmix.scenes import open_scene, sample_pixels, unmix, unmix_file

rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
pytest.importorskip("rioxarray")
pytest.importorskip("netCDF4")
pytest.importorskip("dask.array")

GOOD = np.array([1, 1, 0, 1, 1, 1])
WAVELENGTHS = np.linspace(450, 2400, 6)
TRANSFORM = rasterio.transform.from_origin(500_000, 4_000_000, 30, 30)


@pytest.fixture
def path(tmp_path):
    """A GeoTIFF of packed integers, with a bad band and pixels without data."""
    rng = np.random.default_rng(0)
    stored = rng.integers(500, 6000, (6, 9, 7)).astype("i2")
    stored[2] = -9999
    stored[:, 3, 4] = -9999
    with rasterio.open(
        tmp_path / "scene.tif",
        "w",
        driver="GTiff",
        height=9,
        width=7,
        count=6,
        dtype="int16",
        nodata=-9999,
        crs="EPSG:32633",
        transform=TRANSFORM,
    ) as dataset:
        dataset.write(stored)
        dataset.scales = (1e-4,) * 6
        dataset.update_tags(
            ns="ENVI",
            wavelength=f"{{{', '.join(map(str, WAVELENGTHS))}}}",
            wavelength_units="nm",
            bbl=f"{{{', '.join(map(str, GOOD))}}}",
        )
    return tmp_path / "scene.tif"


def test_spectra_are_those_of_rasterio(path):
    spectra = open_scene(path)
    with rasterio.open(path) as dataset:
        expected = np.moveaxis(dataset.read(), 0, -1) * 1e-4
    expected[3, 4] = np.nan
    good = np.flatnonzero(GOOD)
    np.testing.assert_allclose(spectra.values[..., good], expected[..., good], rtol=1e-6)
    np.testing.assert_allclose(
        spectra[2:5:2, ::3].values[..., good], expected[2:5:2, ::3][..., good]
    )
    np.testing.assert_allclose(spectra[1, 2].values[good], expected[1, 2][good])
    assert spectra[:, :0].values.shape == (9, 0, 6)
    np.testing.assert_allclose(spectra.wavelength, WAVELENGTHS)
    np.testing.assert_array_equal(spectra.good_bands, GOOD == 1)
    assert spectra.rio.crs.to_epsg() == 32633
    assert spectra.rio.transform() == TRANSFORM


def test_unmix_and_sample_do_as_with_the_file(path, tmp_path):
    spectra = open_scene(path)
    sample = sample_pixels(spectra, 30)
    assert sample.shape == sample_pixels(path, 30).shape == (30, 5)
    model = SunSALRegressor(endmembers=sample.iloc[:3]).fit(sample)
    abundances = unmix(model, spectra)
    found = np.load(unmix_file(model, path, tmp_path / "out.npy"))
    np.testing.assert_allclose(abundances.values, found, atol=1e-5)
    assert np.isnan(found[3, 4]).all()
    assert np.isfinite(found).sum() == (9 * 7 - 1) * 3


def test_some_rows_and_bands_are_selected_before_they_are_unmixed(path):
    spectra = open_scene(path)
    sample = sample_pixels(spectra, 30)
    model = SunSALRegressor(endmembers=sample.iloc[:3]).fit(sample)
    part = spectra[:2].sel(band=spectra.good_bands)
    np.testing.assert_allclose(unmix(model, part), unmix(model, spectra)[:2], atol=1e-6)
