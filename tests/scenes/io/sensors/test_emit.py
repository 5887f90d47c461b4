"""EMIT L2A as its guide describes it: values by netCDF4, and a map by indexing."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skunmix import SunSALRegressor
from skunmix.extraction import VCA
from skunmix.preprocessing import BandSelector
from skunmix.scenes import describe_scene, sample_pixels, unmix_file

netCDF4 = pytest.importorskip("netCDF4")
rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
pytest.importorskip("rioxarray")
pytest.importorskip("dask.array")

ROWS, COLS, BANDS = 14, 9, 12
WAVELENGTHS = np.linspace(400, 2400, BANDS).astype("f4")
GOOD = np.ones(BANDS, dtype="u1")
GOOD[[5, 6, 9]] = 0
MAP = 17, 21
GEOTRANSFORM = (-62.5, 5.42e-4, 0.0, -39.3, 0.0, -5.42e-4)
WKT = rasterio.crs.CRS.from_epsg(4326).to_wkt()


def write(
    path, *, missing=(), chunks=None, packed=False, order=("downtrack", "crosstrack", "bands")
):
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.05, 0.6, (3, BANDS))
    cube = (rng.dirichlet(np.ones(3), ROWS * COLS) @ endmembers).reshape(ROWS, COLS, BANDS)
    cube[..., GOOD == 0] = -0.01  # as the product has it where the atmosphere absorbs
    cube[2, 3] = -9999
    glt_y, glt_x = (rng.integers(1, n + 1, MAP) for n in (ROWS, COLS))
    glt_y[:3] = glt_x[:3] = 0
    with netCDF4.Dataset(path, "w") as file:
        sizes = {"downtrack": ROWS, "crosstrack": COLS, "bands": BANDS}
        for name, size in {**sizes, "ortho_y": MAP[0], "ortho_x": MAP[1]}.items():
            file.createDimension(name, size)
        for name in ("reflectance", "reflectance_uncertainty"):
            variable = file.createVariable(
                name,
                "i2" if packed else "f4",
                order,
                fill_value=-9999,
                zlib=chunks is not None,
                chunksizes=chunks,
            )
            variable.units = "unitless"
            axes = [["downtrack", "crosstrack", "bands"].index(dim) for dim in order]
            if packed:
                variable.set_auto_maskandscale(False)
                variable.setncatts({"scale_factor": 1e-4, "add_offset": 0.0})
                stored = np.where(cube == -9999, cube, np.rint(cube * 1e4))
            else:
                stored = cube
            variable[:] = stored.transpose(axes)
        groups = {
            "sensor_band_parameters": {
                "wavelengths": (WAVELENGTHS, ("bands",)),
                "fwhm": (np.full(BANDS, 8.5, "f4"), ("bands",)),
                "good_wavelengths": (GOOD, ("bands",)),
            },
            "location": {
                "lat": (rng.uniform(-40, -39, (ROWS, COLS)), ("downtrack", "crosstrack")),
                "lon": (rng.uniform(-62, -61, (ROWS, COLS)), ("downtrack", "crosstrack")),
                "glt_x": (glt_x.astype("i4"), ("ortho_y", "ortho_x")),
                "glt_y": (glt_y.astype("i4"), ("ortho_y", "ortho_x")),
            },
        }
        for group, variables in groups.items():
            if group in missing:
                continue
            for name, (values, dims) in variables.items():
                file.createVariable(f"{group}/{name}", values.dtype, dims)[:] = values
        if "sensor_band_parameters" not in missing:
            file["sensor_band_parameters/wavelengths"].units = "nm"
        file.geotransform, file.spatial_ref = GEOTRANSFORM, WKT
        file.title = "EMIT L2A Estimated Surface Reflectance 60 m V001"
    return path, endmembers, glt_y, glt_x


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return write(tmp_path_factory.mktemp("emit") / "EMIT_L2A_RFL_001.nc")


@pytest.fixture(scope="module")
def expected(scene):
    """Return abundances of each pixel by another reader, from the good bands."""
    path, endmembers, *_ = scene
    with netCDF4.Dataset(path) as file:
        cube = file["reflectance"][:].filled(np.nan)
    spectra = cube.reshape(-1, BANDS)[:, GOOD == 1]
    model = SunSALRegressor(endmembers=endmembers[:, GOOD == 1]).fit(spectra[:5])
    abundances = np.full((len(spectra), 3), np.nan)
    valid = np.isfinite(spectra).all(axis=1)
    abundances[valid] = model.predict(spectra[valid])
    return model, abundances.reshape(ROWS, COLS, 3)


def test_description(scene):
    found = describe_scene(scene[0])
    assert (found.sensor, found.shape, found.units) == ("EMIT", (ROWS, COLS, BANDS), "unitless")
    np.testing.assert_allclose(found.wavelengths, WAVELENGTHS)
    np.testing.assert_allclose(found.fwhm, 8.5)
    assert found.bad_bands.tolist() == [5, 6, 9]
    assert found.nodata == (-9999,)
    assert found.crs is None  # in the geometry of the sensor


def test_a_model_of_the_good_bands_gets_these(scene, expected, tmp_path):
    model, abundances = expected
    path = unmix_file(model, scene[0], tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(path), abundances, atol=1e-5)
    assert np.isnan(abundances[2, 3]).all()
    assert np.isfinite(abundances).sum() == (ROWS * COLS - 1) * 3


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (5, 4, 12)},
        {"packed": True},
        {"order": ("bands", "downtrack", "crosstrack")},
        {"order": ("crosstrack", "bands", "downtrack"), "chunks": (9, 3, 14)},
        {"missing": ("location",)},
    ],
    ids=str,
)
def test_layouts(expected, tmp_path, options):
    model, abundances = expected
    path, *_ = write(tmp_path / "scene.nc", **options)
    output = unmix_file(model, path, tmp_path / "out.npy", n_jobs=2 if "chunks" in options else 1)
    atol = 2e-3 if "packed" in options else 1e-5
    np.testing.assert_allclose(np.load(output), abundances, atol=atol)


def test_bad_bands_are_left_out_of_samples_and_found_again(scene, tmp_path):
    sample = sample_pixels(scene[0], 50)
    assert sample.shape == (50, BANDS - 3)
    assert sample.to_numpy().min() > 0
    model = SunSALRegressor(endmembers=VCA(3, random_state=0)).fit(sample)
    a = np.load(unmix_file(model, scene[0], tmp_path / "a.npy"))
    unfitted = SunSALRegressor(endmembers=VCA(3, random_state=0))
    b = np.load(unmix_file(unfitted, scene[0], tmp_path / "b.npy"))
    assert a.shape == b.shape == (ROWS, COLS, 3)
    # some of the good bands, by their wavelengths
    some = sample.iloc[:, [7, 0, 2, 4]]
    few = SunSALRegressor(endmembers=VCA(3, random_state=0)).fit(some)
    found = np.load(unmix_file(few, scene[0], tmp_path / "c.npy"))
    with netCDF4.Dataset(scene[0]) as file:
        cube = file["reflectance"][:].filled(np.nan)[..., np.flatnonzero(GOOD)[[7, 0, 2, 4]]]
    np.testing.assert_allclose(found[5], few.predict(cube[5]), atol=1e-5)


def test_a_model_of_all_bands_warns_which_are_bad(scene, tmp_path):
    path, endmembers, *_ = scene
    model = SunSALRegressor(endmembers=endmembers).fit(endmembers)
    with pytest.warns(
        UserWarning, match=r"uses 3 of the 3 bands .* \(1309 to 1491, 2036 nm\); fit"
    ):
        unmix_file(model, path, tmp_path / "out.npy")


def test_a_selector_in_the_first_step_drops_bad_bands_without_a_warning(scene, expected, tmp_path):
    path, endmembers, *_ = scene
    model = make_pipeline(BandSelector(bbl=GOOD), SunSALRegressor(endmembers[:, GOOD == 1]))
    with netCDF4.Dataset(path) as file:
        model.fit(file["reflectance"][0].data)
    output = unmix_file(model, path, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(output), expected[1], atol=1e-5)
    assert sample_pixels(path, 10, estimator=model).shape == (10, BANDS)


def test_a_model_of_another_number_of_bands_is_refused(scene, tmp_path):
    model = SunSALRegressor(endmembers=np.eye(7)[:3]).fit(np.eye(7))
    with pytest.raises(ValueError, match="fitted on 7 bands, .* has 12, or 9 without those that"):
        unmix_file(model, scene[0], tmp_path / "out.npy")


@pytest.mark.parametrize("name", ["out.tif", "out.nc"])
def test_orthorectified(scene, expected, tmp_path, name):
    path, _, glt_y, glt_x = scene
    model, abundances = expected
    output = unmix_file(
        model, path, tmp_path / name, open_options={"orthorectify": True}, working_memory=0.1
    )
    on_map = np.full((*MAP, 3), np.nan)
    there = glt_y > 0
    on_map[there] = abundances[glt_y[there] - 1, glt_x[there] - 1]
    transform = rasterio.Affine.from_gdal(*GEOTRANSFORM)
    if name == "out.tif":
        with rasterio.open(output) as dataset:
            found = np.moveaxis(dataset.read(), 0, -1)
            crs, placed = dataset.crs, dataset.transform
    else:
        with xr.open_dataset(output, decode_coords="all") as dataset:
            array = dataset["abundance"].load()
        found = array.transpose("latitude", "longitude", "endmember").values
        crs, placed = array.rio.crs, array.rio.transform(recalc=True)
        assert float(array.latitude[0]) == pytest.approx(GEOTRANSFORM[3] + GEOTRANSFORM[5] / 2)
    np.testing.assert_allclose(found, on_map, atol=1e-5)
    assert crs.to_epsg() == 4326
    assert placed.almost_equals(transform, 1e-9)


def test_the_geometry_of_the_sensor_keeps_latitude_and_longitude(scene, expected, tmp_path):
    output = unmix_file(expected[0], scene[0], tmp_path / "out.nc")
    with xr.open_dataset(output) as written, netCDF4.Dataset(scene[0]) as file:
        np.testing.assert_allclose(written["lat"], file["location/lat"][:])
        assert written["lat"].dims == ("downtrack", "crosstrack")


def test_orthorectification_needs_the_table(expected, tmp_path):
    path, *_ = write(tmp_path / "scene.nc", missing=("location",))
    with pytest.raises(OSError, match="no variable 'location/glt_y', which orthorectification"):
        unmix_file(expected[0], path, tmp_path / "o.tif", open_options={"orthorectify": "true"})


def test_a_file_without_wavelengths_says_how_to_read_it(expected, tmp_path):
    path, *_ = write(tmp_path / "scene.nc", missing=("sensor_band_parameters",))
    with pytest.raises(ValueError, match="pass the scene as variable"):
        describe_scene(path)
    found = describe_scene(path, variable="reflectance", band_dim="bands")
    assert found.wavelengths is None


def test_an_unknown_option_is_refused(scene, expected, tmp_path):
    with pytest.raises(
        ValueError, match="no option 'ortho', expected one of its open_options: orth"
    ):
        unmix_file(expected[0], scene[0], tmp_path / "o.tif", open_options={"ortho": True})
