"""PACE OCI and AVIRIS in groups of netCDF, and AVIRIS in ENVI: values by netCDF4 and rasterio."""

import numpy as np
import pytest

from skunmix import SunSALRegressor
from skunmix.scenes import describe_scene, sample_pixels, unmix_file
from skunmix.scenes.io.opening import open_source

netCDF4 = pytest.importorskip("netCDF4")
rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
pytest.importorskip("rioxarray")
pytest.importorskip("dask.array")

ROWS, COLS, BANDS = 8, 6, 5
WAVELENGTHS = np.array([351.0, 442.0, 555.0, 865.0, 2258.0])


def add(file, name, values, dims, **attributes):
    fill = attributes.pop("_FillValue", None)
    variable = file.createVariable(name, values.dtype, dims, fill_value=fill)
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes)
    variable[:] = values


def pace(path, *, packed, others=()):
    rng = np.random.default_rng(0)
    stored = rng.integers(500, 9000, (ROWS, COLS, BANDS)).astype("i2")
    stored[2, 1, 4] = -32767
    with netCDF4.Dataset(path, "w") as file:
        sizes = (ROWS, COLS, BANDS, BANDS + 3)
        dims = ("number_of_lines", "pixels_per_line", "wavelength_3d", "number_of_bands")
        for name, size in zip(dims, sizes):
            file.createDimension(name, size)
        if packed:
            scaling = {"scale_factor": np.float32(1e-4), "add_offset": np.float32(0.05)}
            attributes = {"_FillValue": np.int16(-32767), **scaling}
            values = stored
        else:
            values = np.where(stored == -32767, -32767, stored * 1e-4 + 0.05).astype("f4")
            attributes = {"_FillValue": np.float32(-32767)}
        for name in ("rhos", *others):
            add(file, f"geophysical_data/{name}", values, dims[:3], **attributes)
        add(file, "geophysical_data/l2_flags", np.zeros((ROWS, COLS), "i4"), dims[:2])
        add(file, "sensor_band_parameters/wavelength_3d", WAVELENGTHS, dims[2:3], units="nm")
        more = np.linspace(340, 2258, BANDS + 3)
        add(file, "sensor_band_parameters/wavelength", more, dims[3:], units="nm")
        for name in ("latitude", "longitude"):
            values = rng.uniform(30, 31, (ROWS, COLS)).astype("f4")
            add(file, f"navigation_data/{name}", values, dims[:2])
        file.title = "OCI Level-2 Data SFREFL"
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("others", [(), ("rhos_uncertainty",)])
def test_pace(tmp_path, packed, others):
    path = pace(tmp_path / "PACE_OCI.L2.SFREFL.nc", packed=packed, others=others)
    found = describe_scene(path)
    assert (found.sensor, found.shape) == ("PACE OCI", (ROWS, COLS, BANDS))
    np.testing.assert_allclose(found.wavelengths, WAVELENGTHS)
    assert found.fwhm is None
    with netCDF4.Dataset(path) as file:
        cube = file["geophysical_data/rhos"][:].filled(np.nan)
        latitude = file["navigation_data/latitude"][:]
    model = SunSALRegressor(endmembers=cube[:3, 0]).fit(cube[0])
    output = unmix_file(model, path, tmp_path / "out.nc")
    with xr.open_dataset(output) as written:
        abundances = written["abundance"].values
        np.testing.assert_allclose(written["latitude"], latitude)
    np.testing.assert_allclose(abundances[3], model.predict(cube[3]), atol=2e-5)
    assert np.isnan(abundances[2, 1]).all()
    assert np.isnan(abundances).sum() == 3
    assert list(sample_pixels(path, 9).columns) == [f"{w:.10g} nm" for w in WAVELENGTHS]


def test_another_variable_of_pace(tmp_path):
    path = pace(tmp_path / "scene.nc", packed=False, others=("Rrs",))
    source = open_source(path, variable="geophysical_data/Rrs")
    assert source.template().name == "Rrs"
    np.testing.assert_allclose(source.bands().wavelengths, WAVELENGTHS)


def aviris_netcdf(path, group):
    rng = np.random.default_rng(0)
    cube = rng.uniform(0.05, 0.6, (BANDS, ROWS, COLS)).astype("f4")
    cube[:, 0, 0] = -9999
    with netCDF4.Dataset(path, "w") as file:
        dims = ("wavelength", "northing", "easting")
        for name, size in zip(dims, cube.shape):
            file.createDimension(name, size)
        add(file, "northing", 4e6 - 5.0 * np.arange(ROWS), dims[1:2], units="m")
        add(file, "easting", 5e5 + 5.0 * np.arange(COLS), dims[2:], units="m")
        mapping = file.createVariable("transverse_mercator", "S1")
        mapping.setncatts({"crs_wkt": rasterio.crs.CRS.from_epsg(32611).to_wkt()})
        add(file, f"{group}/wavelength", WAVELENGTHS.astype("f4"), dims[:1], units="nanometers")
        add(file, f"{group}/fwhm", np.full(BANDS, 5.5, "f4"), dims[:1], units="nanometers")
        add(
            file,
            f"{group}/{group}",
            cube,
            dims,
            _FillValue=np.float32(-9999),
            grid_mapping="transverse_mercator",
        )
    return path


def test_aviris_in_netcdf(tmp_path):
    path = aviris_netcdf(tmp_path / "AV320230926t201618_L2A_OE_RFL.nc", "reflectance")
    found = describe_scene(path)
    assert (found.sensor, found.shape) == ("AVIRIS", (ROWS, COLS, BANDS))
    np.testing.assert_allclose(found.wavelengths, WAVELENGTHS)
    np.testing.assert_allclose(found.fwhm, 5.5)
    assert found.crs.to_epsg() == 32611
    assert found.transform == rasterio.Affine(5, 0, 5e5 - 2.5, 0, -5, 4e6 + 2.5)
    with netCDF4.Dataset(path) as file:
        cube = file["reflectance/reflectance"][:].filled(np.nan).transpose(1, 2, 0)
    model = SunSALRegressor(endmembers=cube[1, :3]).fit(cube[1])
    output = unmix_file(model, path, tmp_path / "out.tif")
    with rasterio.open(output) as dataset:
        abundances = np.moveaxis(dataset.read(), 0, -1)
        assert dataset.crs.to_epsg() == 32611
    np.testing.assert_allclose(abundances[4], model.predict(cube[4]), atol=2e-5)
    assert np.isnan(abundances[0, 0]).all()


def test_aviris_in_envi(tmp_path):
    cube = np.random.default_rng(0).uniform(0.05, 0.6, (ROWS, COLS, BANDS)).astype("<f4")
    cube[1, 2] = -9999
    cube[..., 3] = -0.02
    path = tmp_path / "ang20190624t230039_rfl_v2u1_img"
    cube.transpose(0, 2, 1).tofile(path)
    lists = {
        "wavelength": WAVELENGTHS,
        "fwhm": np.full(BANDS, 5.57),
        "bbl": [1, 1, 1, 0, 1],
    }
    lines = "\n".join(f"{n} = {{ {', '.join(map(str, v))} }}" for n, v in lists.items())
    tmp_path.joinpath(f"{path.name}.hdr").write_text(
        f"ENVI\nsamples = {COLS}\nlines = {ROWS}\nbands = {BANDS}\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = 4\ninterleave = bil\nbyte order = 0\n"
        f"map info = {{UTM, 1, 1, 500000, 4000000, 5, 5, 11, North, WGS-84, units=Meters}}\n"
        f"wavelength units = Nanometers\ndata ignore value = -9999\n{lines}\n"
    )
    found = describe_scene(path)
    np.testing.assert_allclose(found.wavelengths, WAVELENGTHS)
    np.testing.assert_allclose(found.fwhm, 5.57)
    assert found.bad_bands.tolist() == [3]
    assert found.nodata == (-9999,)
    sample = sample_pixels(path, 20)
    assert sample.shape == (20, 4)
    assert sample.to_numpy().min() > 0
    model = SunSALRegressor(endmembers=sample.iloc[:3]).fit(sample)
    output = unmix_file(model, path, tmp_path / "out.tif")
    with rasterio.open(output) as dataset:
        abundances = np.moveaxis(dataset.read(), 0, -1)
    good = cube[..., [0, 1, 2, 4]]
    expected = SunSALRegressor(endmembers=sample.iloc[:3].to_numpy()).fit(good[0]).predict(good[4])
    np.testing.assert_allclose(abundances[4], expected, atol=2e-5)
    assert np.isnan(abundances[1, 2]).all()
    assert np.isnan(abundances).sum() == 3


# Folders


def test_a_folder_with_one_scene_is_this_scene(tmp_path):
    path = pace(tmp_path / "scene.nc", packed=False)
    assert describe_scene(tmp_path).path == path


def test_a_folder_with_several_scenes_or_none_names_them(tmp_path):
    with pytest.raises(OSError, match="to hold one scene, got none"):
        describe_scene(tmp_path)
    for name in ("a.nc", "b.nc"):
        pace(tmp_path / name, packed=False)
    with pytest.raises(OSError, match=r"got 2 \(a.nc, b.nc\); pass the path of a file"):
        describe_scene(tmp_path)


def test_plain_scenes_have_no_options(tmp_path):
    np.save(tmp_path / "scene.npy", np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="no option 'resolution', expected one of .*: none"):
        open_source(tmp_path / "scene.npy", options={"resolution": 10})
