import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skunmix import SunSALRegressor
from skunmix.scenes import unmix_file
from skunmix.scenes.io import envi as envi_module
from skunmix.scenes.io.opening import open_source
from skunmix.scenes.io.sources import RasterSource

rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
rioxarray = pytest.importorskip("rioxarray")
pytest.importorskip("netCDF4")
pytest.importorskip("zarr")
pytest.importorskip("dask.array")

CRS = "EPSG:32633"
TRANSFORM = rasterio.transform.from_origin(500_000, 4_000_000, 30, 20)
ENVI = ["bil", "bip", "bsq"]


def write_raster(path, cube, **profile):
    n_rows, n_cols, n_bands = cube.shape
    profile = {
        "driver": "GTiff",
        "crs": CRS,
        "transform": TRANSFORM,
        "nodata": -9999,
        "dtype": cube.dtype,
        **profile,
    }
    scales, offset = profile.pop("scales", None), profile.pop("offset", 0.0)
    with rasterio.open(path, "w", height=n_rows, width=n_cols, count=n_bands, **profile) as dataset:
        dataset.write(np.moveaxis(cube, -1, 0))
        if scales is not None:
            dataset.scales = scales
            dataset.offsets = [offset] * n_bands
    return path


@pytest.fixture(scope="module")
def scenes(small, tmp_path_factory):
    """Return the paths of the small scene in many formats."""
    folder = tmp_path_factory.mktemp("scenes")
    cube = small.cube
    paths = {}
    for interleave in ENVI:
        path = folder / f"{interleave}.img"
        paths[interleave] = write_raster(path, cube, driver="ENVI", interleave=interleave)
    paths["header"] = paths["bil"].with_suffix(".hdr")
    paths["tif"] = write_raster(folder / "strips.tif", cube)
    paths["tiled"] = write_raster(
        folder / "tiled.tif", cube, tiled=True, blockxsize=16, blockysize=16, compress="deflate"
    )
    array = rioxarray.open_rasterio(paths["tif"]).rename("reflectance")
    array.to_netcdf(folder / "scene.nc")
    array.astype("f4").to_dataset().to_zarr(folder / "scene.zarr", consolidated=False)
    paths["nc"], paths["zarr"] = folder / "scene.nc", folder / "scene.zarr"
    np.save(folder / "scene.npy", np.where(cube == -9999, np.nan, cube))
    paths["npy"] = folder / "scene.npy"
    return paths


def read(path):
    """Return abundances (rows, cols, endmembers), their names, and CRS and transform."""
    if path.suffix == ".npy":
        return np.load(path), None, None, None
    if path.suffix in (".tif", ".hdr"):
        with rasterio.open(path if path.suffix == ".tif" else path.with_suffix(".img")) as dataset:
            assert np.isnan(dataset.nodata)
            names = list(dataset.descriptions)
            return np.moveaxis(dataset.read(), 0, -1), names, dataset.crs, dataset.transform
    engine = "zarr" if path.is_dir() else None
    with xr.open_dataset(path, engine=engine, decode_coords="all") as dataset:
        array = dataset["abundance"].transpose("y", "x", "endmember").load()
    return array.values, list(array.endmember.values), array.rio.crs, array.rio.transform()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("output", ["tif", "hdr", "nc", "zarr", "npy"])
@pytest.mark.parametrize("scene", [*ENVI, "header", "tif", "tiled", "nc", "zarr", "npy"])
def test_from_any_format_to_any(small, check, scenes, tmp_path, scene, output):
    path = tmp_path / f"out.{output}"
    if scene == "npy" and output in ("nc", "zarr", "hdr"):
        pytest.skip("has no place on the Earth to be kept")
    assert unmix_file(small.model, scenes[scene], path, working_memory=0.02) == path
    abundances, names, crs, transform = read(path)
    check(abundances)
    assert abundances.dtype == np.float32
    assert names in (None, small.names)
    if scene != "npy" and output != "npy":
        assert crs == CRS
        assert transform.almost_equals(TRANSFORM)
    made = {".img", ".hdr", ".xml"} if output == "hdr" else {f".{output}"}
    assert {p.suffix for p in tmp_path.iterdir()} == made
    for part in tmp_path.rglob("*"):  # none tells of the folder in which it was made
        assert part.is_dir() or f"{path.name}.part".encode() not in part.read_bytes()


def test_processes(small, check, scenes, tmp_path):
    path = unmix_file(
        small.model, scenes["tiled"], tmp_path / "out.tif", working_memory=0.02, n_jobs=2
    )
    check(read(path)[0])


def test_an_estimator_of_a_script_goes_to_processes(small, scenes, tmp_path):
    class Mine(LinearRegression):
        pass

    Mine.__module__ = "__main__"
    model = Mine().fit(np.eye(12), np.eye(12)[:, :2])
    path = unmix_file(model, scenes["npy"], tmp_path / "out.npy", working_memory=0.1, n_jobs=2)
    np.testing.assert_allclose(np.load(path)[5], model.predict(small.cube[5]), rtol=0, atol=1e-6)


def test_options_of_the_writer(small, check, scenes, tmp_path):
    path = unmix_file(
        small.model,
        scenes["bip"],
        tmp_path / "out.tif",
        creation_options={"compress": "deflate", "predictor": 3},
    )
    with rasterio.open(path) as dataset:
        assert dataset.compression.name == "deflate"
    check(read(path)[0])


@pytest.mark.parametrize("driver", ["GTiff", "ENVI"])
def test_integers_with_a_scale(small, check, tmp_path, driver):
    scales = np.linspace(1e-4, 2e-4, 12)
    valid = np.isfinite(small.cube) & (small.cube != -9999)
    stored = np.where(valid, np.round((small.cube - 0.01) / scales), -9999).astype(np.int16)
    scene = write_raster(tmp_path / "scene.img", stored, driver=driver, scales=scales, offset=0.01)
    abundances = read(unmix_file(small.model, scene, tmp_path / "out.tif"))[0]
    check(abundances, atol=2e-3)  # of the rounding
    spectra = np.where(valid.all(axis=2)[..., None], stored * scales + 0.01, np.nan)
    expected = small.model.predict(spectra[np.isfinite(spectra[..., 0])])
    found = abundances[np.isfinite(abundances[..., 0])]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_packed_netcdf_is_decoded_once(small, check, scenes, tmp_path):
    packed = {"dtype": "i2", "scale_factor": 1e-4, "_FillValue": -32768}
    scene = xr.open_dataset(scenes["nc"])["reflectance"]
    scene = scene.where(np.isfinite(scene)).drop_attrs()
    scene.to_netcdf(tmp_path / "packed.nc", encoding={"reflectance": packed})
    check(read(unmix_file(small.model, tmp_path / "packed.nc", tmp_path / "o.tif"))[0], atol=2e-3)


def test_the_caller_goes_first(small, tmp_path):
    cube = np.nan_to_num(small.cube, nan=7, posinf=7)
    scene = write_raster(tmp_path / "scene.tif", (cube * 100).round().astype("i2"), nodata=3)
    path = unmix_file(
        small.model, scene, tmp_path / "o.npy", nodata=[700, -32768], scale_factor=0.01
    )
    assert np.isnan(np.load(path)[2, 3]).all()
    assert np.isfinite(np.load(path)[0]).all()


def test_masks(small, scenes, tmp_path):
    mask = np.zeros(small.cube.shape[:2], dtype=np.uint8)
    mask[10:, 3] = 1
    expected = np.where(mask[..., np.newaxis], np.nan, small.expected)
    write_raster(tmp_path / "clouds.tif", mask[..., np.newaxis], nodata=None)
    for number, given in enumerate((mask, tmp_path / "clouds.tif")):
        path = unmix_file(small.model, scenes["bip"], tmp_path / f"{number}.npy", mask=given)
        np.testing.assert_array_equal(np.load(path), expected)

    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        own = write_raster(tmp_path / "own.tif", small.cube, nodata=None)
        with rasterio.open(own, "r+") as dataset:
            dataset.write_mask(mask == 0)
    path = unmix_file(small.model, own, tmp_path / "own.npy", nodata=-9999)
    np.testing.assert_array_equal(np.load(path), expected)


def test_ground_control_points_are_kept(small, tmp_path):
    points = [
        rasterio.control.GroundControlPoint(row, col, 10 + col / 9, 50 - row / 9)
        for row, col in ((0, 0), (0, 16), (22, 0), (22, 16))
    ]
    scene = write_raster(
        tmp_path / "scene.tif", small.cube, gcps=points, crs="EPSG:4326", transform=None
    )
    with rasterio.open(unmix_file(small.model, scene, tmp_path / "o.tif")) as dataset:
        found, crs = dataset.gcps
    assert crs == "EPSG:4326"
    assert [(p.row, p.col, p.x) for p in found] == [(p.row, p.col, p.x) for p in points]


@pytest.mark.parametrize("interleave", ENVI)
@pytest.mark.parametrize("byte_order", [0, 1])
def test_raw_files_are_read_as_gdal_reads_them(small, tmp_path, interleave, byte_order):
    cube = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    path = write_raster(tmp_path / "s.img", cube, driver="ENVI", interleave=interleave)
    header = path.with_suffix(".hdr").read_text()
    header = header.replace("byte order = 0", f"byte order = {byte_order}")
    path.with_suffix(".hdr").write_text(header.replace("header offset = 0", "header offset = 6"))
    path.write_bytes(b"header" + path.read_bytes())
    source = open_source(path)
    assert source.raw is not None
    with rasterio.open(path) as dataset:
        expected = np.moveaxis(dataset.read(), 0, -1)
    for window in ((slice(0, 5), slice(0, 4)), (slice(1, 4), slice(2, 3))):
        np.testing.assert_array_equal(source.read(window)[0], expected[window])


@pytest.mark.parametrize("interleave", ENVI)
def test_pixels_or_bands_of_a_raw_file_lie_together(scenes, interleave):
    """So that estimators, which take both, need not turn them."""
    values, _ = open_source(scenes[interleave]).read((slice(3, 9), slice(0, 17)))
    spectra = values.reshape(-1, 12)
    assert np.shares_memory(spectra, values)
    assert spectra.flags.c_contiguous if interleave == "bip" else spectra.flags.f_contiguous


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="there is no such call here")
@pytest.mark.parametrize("height", [1, 2, 3, 7])
def test_each_value_of_bsq_is_prefetchd_before_it_is_read(scenes, monkeypatch, height):
    source = open_source(scenes["bsq"])
    announced = np.zeros(os.path.getsize(scenes["bsq"]) // 4, dtype=int)

    def posix_fadvise(file, offset, length, advice):
        assert advice == os.POSIX_FADV_WILLNEED
        announced[offset // 4 : (offset + length) // 4] += 1

    monkeypatch.setattr(envi_module, "_AHEAD", 3 * 12 * 17 * 4)  # three rows
    monkeypatch.setattr(os, "posix_fadvise", posix_fadvise)
    for start in range(0, 23, height):
        rows = slice(start, min(start + height, 23))
        source.read((rows, slice(0, 17)))
        assert announced.reshape(12, 23, 17)[:, rows].all()
    if height <= 3:  # and once
        assert (announced == 1).all()


# Bad input


def test_the_wrong_bands(small, scenes, tmp_path):
    model = SunSALRegressor(endmembers=small.endmembers[:, :5]).fit(small.endmembers[:, :5])
    for scene, where in (("tif", "strips.tif"), ("nc", "dimension 'band' of scene.nc")):
        with pytest.raises(ValueError, match=f"fitted on 5 bands, but {where} has 12"):
            unmix_file(model, scenes[scene], tmp_path / "out.tif")
    assert not list(tmp_path.iterdir())


def test_no_valid_pixel(small, tmp_path):
    scene = write_raster(tmp_path / "scene.tif", np.full_like(small.cube, -9999))
    with pytest.raises(ValueError, match="None of the scene's 391 pixels"):
        unmix_file(small.model, scene, tmp_path / "out.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


@pytest.mark.parametrize("scene", ["bil", "tif", "nc", "npy", "tiled"])
def test_a_truncated_file(small, scenes, tmp_path, scene):
    whole = scenes[scene]
    path = tmp_path / whole.name
    path.write_bytes(whole.read_bytes()[: int(0.7 * os.path.getsize(whole))])
    if scene == "bil":
        path.with_suffix(".hdr").write_bytes(whole.with_suffix(".hdr").read_bytes())
    with pytest.raises(OSError, match="truncated"):
        unmix_file(small.model, path, tmp_path / "out.tif", working_memory=0.02)
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("lines   = 23", "lines   = 22", "19584?.*bytes, but its header says|longer"),
        ("data type = 4", "data type = 5", "truncated"),
        ("byte order = 0", "byte order = 0\nwavelength = {1, 2, 3}", "3 wavelengths, but 12 bands"),
    ],
)
def test_a_header_that_disagrees(small, scenes, tmp_path, old, new, match):
    path = tmp_path / "scene.img"
    path.write_bytes(scenes["bsq"].read_bytes())
    header = scenes["bsq"].with_suffix(".hdr").read_text()
    assert old in header
    path.with_suffix(".hdr").write_text(header.replace(old, new))
    with pytest.raises(OSError, match=match):
        unmix_file(small.model, path, tmp_path / "out.tif")


def test_outputs_that_cannot_be(small, scenes, tmp_path):
    with pytest.raises(ValueError, match=r"got '\.png' in .*out\.png"):
        unmix_file(small.model, scenes["tif"], tmp_path / "out.png")
    with pytest.raises(FileNotFoundError, match="no folder"):
        unmix_file(small.model, scenes["tif"], tmp_path / "nowhere" / "out.tif")
    with pytest.raises(ValueError, match="the scene itself"):
        unmix_file(small.model, scenes["tif"], scenes["tif"], overwrite=True)
    with pytest.raises(ValueError, match="the scene itself"):
        unmix_file(small.model, scenes["bil"], scenes["header"], overwrite=True)


@pytest.mark.parametrize("output", ["out.tif", "out.zarr", "out.hdr"])
def test_an_output_that_exists(small, check, scenes, tmp_path, output):
    path = unmix_file(small.model, scenes["tif"], tmp_path / output)
    other = SunSALRegressor(endmembers=small.endmembers, lam=1.0).fit(small.endmembers)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        unmix_file(other, scenes["tif"], path)
    check(read(path)[0])
    unmix_file(other, scenes["tif"], path, overwrite=True)
    assert np.nanmax(abs(read(path)[0] - small.expected)) > 0.1
    assert not path.with_name(f"{output}.part").exists()


def test_scenes_that_are_none(small, tmp_path):
    with pytest.raises(FileNotFoundError, match="no scene at"):
        unmix_file(small.model, tmp_path / "scene.tif", tmp_path / "out.tif")
    (tmp_path / "scene.hdr").write_text("ENVI")
    with pytest.raises(FileNotFoundError, match="is a header without data"):
        unmix_file(small.model, tmp_path / "scene.hdr", tmp_path / "out.tif")
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(OSError, match="could not be opened as a raster"):
        unmix_file(small.model, tmp_path / "notes.txt", tmp_path / "out.tif")
    (tmp_path / "bad.nc").write_text("nothing")
    with pytest.raises((OSError, ImportError), match="bad.nc"):
        unmix_file(small.model, tmp_path / "bad.nc", tmp_path / "out.tif")
    np.save(tmp_path / "flat.npy", small.cube[0])
    with pytest.raises(ValueError, match=r"got \(17, 12\) in .*flat\.npy"):
        unmix_file(small.model, tmp_path / "flat.npy", tmp_path / "out.tif")


def test_variables_must_be_told_apart(small, check, scenes, tmp_path):
    scene = xr.open_dataset(scenes["nc"], mask_and_scale=False)
    scene["other"] = scene["reflectance"] * 2
    scene.to_netcdf(tmp_path / "two.nc")
    with pytest.raises(ValueError, match="has 2 variables with a dimension 'band'"):
        unmix_file(small.model, tmp_path / "two.nc", tmp_path / "out.tif")
    with pytest.raises(ValueError, match="no variable 'third'"):
        unmix_file(small.model, tmp_path / "two.nc", tmp_path / "out.tif", variable="third")
    path = unmix_file(
        small.model, tmp_path / "two.nc", tmp_path / "out.tif", variable="reflectance"
    )
    check(read(path)[0])
    with pytest.raises(ValueError, match="0 variables with a dimension 'wavelength'"):
        unmix_file(small.model, scenes["nc"], tmp_path / "o.tif", band_dim="wavelength")


def test_masks_of_another_size(small, scenes, tmp_path):
    with pytest.raises(ValueError, match=r"bands\) = \(23, 17, 1\), got \(23, 17, 12\)"):
        unmix_file(small.model, scenes["tif"], tmp_path / "o.tif", mask=scenes["bip"])
    with pytest.raises(ValueError, match="scene's shape"):
        unmix_file(small.model, scenes["tif"], tmp_path / "o.tif", mask=np.ones((2, 2)))


@pytest.mark.parametrize("scene", ["nc", "zarr"])
def test_threads_share_one_dataset(small, scenes, monkeypatch, scene):
    """netCDF4 may crash where threads open a file at the same time."""
    source = pickle.loads(pickle.dumps(open_source(scenes[scene])))
    opened = []
    original = xr.open_dataset
    monkeypatch.setattr(
        xr, "open_dataset", lambda path, **kw: opened.append(path) or original(path, **kw)
    )
    windows = [(slice(row, row + 1), slice(0, 17)) for row in range(23)]
    with ThreadPoolExecutor(4) as pool:
        rows = [values for values, _ in pool.map(source.read, windows)]
    np.testing.assert_array_equal(np.concatenate(rows), small.cube)
    assert len(opened) == 1


def test_sources_go_to_other_processes(scenes):
    source = RasterSource(scenes["tiled"])
    window = (slice(0, 2), slice(0, 3))
    again = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(again.read(window)[0], source.read(window)[0])
