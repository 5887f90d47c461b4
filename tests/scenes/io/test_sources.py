"""Scenes in groups, in any order of dimensions, in disguise, and in chunks that are too large."""

import itertools
import logging
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skunmix.scenes import unmix, unmix_file
from skunmix.scenes.io.opening import open_source
from skunmix.scenes.io.sources import RasterSource, XarraySource

rasterio = pytest.importorskip("rasterio")
xr = pytest.importorskip("xarray")
rioxarray = pytest.importorskip("rioxarray")
pytest.importorskip("netCDF4")
pytest.importorskip("zarr")
pytest.importorskip("dask.array")

CRS = "EPSG:32633"
TRANSFORM = rasterio.Affine(30, 0, 500_000, 0, -20, 4_000_000)
VRT = """<VRTDataset rasterXSize="17" rasterYSize="23"><VRTRasterBand dataType="Float32" band="1">
<SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.fixture(scope="module")
def scene(small):
    """Return the scene as a DataArray in the grid of TRANSFORM."""
    n_rows, n_cols, _ = small.cube.shape
    return xr.DataArray(
        small.cube,
        dims=("y", "x", "band"),
        coords={
            "y": 4_000_000 - 10 - 20.0 * np.arange(n_rows),
            "x": 500_015 + 30.0 * np.arange(n_cols),
        },
        attrs={"_FillValue": np.float32(-9999)},
        name="reflectance",
    ).rio.write_crs(CRS)


def save(scene, path, **options):
    if path.suffix == ".zarr":
        scene.to_dataset().to_zarr(path, consolidated=False, zarr_format=2, **options)
    else:
        scene.to_netcdf(path, **options)
    return path


# Dimensions and grids


@pytest.mark.parametrize("dims", itertools.permutations(("y", "x", "band")))
def test_rows_are_y_in_any_order_of_dimensions(small, check, scene, tmp_path, dims):
    path = save(scene.transpose(*dims), tmp_path / "scene.nc")
    for name in ("out.tif", "out.hdr"):
        output = unmix_file(small.model, path, tmp_path / name)
        with rasterio.open(output.with_suffix(".img" if name == "out.hdr" else ".tif")) as dataset:
            check(np.moveaxis(dataset.read(), 0, -1))
            assert dataset.transform.almost_equals(TRANSFORM)
            assert dataset.crs == CRS
    with xr.open_dataset(unmix_file(small.model, path, tmp_path / "out.nc")) as written:
        written = written["abundance"]
        assert written.dims == tuple("endmember" if dim == "band" else dim for dim in dims)
        check(written.transpose("y", "x", "endmember"))
        np.testing.assert_array_equal(written.x, scene.x)
    mask = np.zeros(small.cube.shape[:2], dtype=bool)
    mask[3, 8:] = True
    masked = np.load(unmix_file(small.model, path, tmp_path / "out.npy", mask=mask))
    assert np.isnan(masked[3, 8:]).all()


@pytest.mark.parametrize(
    ("names", "attributes", "expected"),
    [
        (("lon", "lat"), {}, ("lat", "lon")),
        (("samples", "lines"), {}, ("lines", "samples")),
        (("a", "b"), {"a": {"axis": "X"}, "b": {"axis": "Y"}}, ("b", "a")),
        (("a", "b"), {"b": {"standard_name": "projection_y_coordinate"}}, ("b", "a")),
        (("y", "x"), {"y": {"axis": "X"}, "x": {"axis": "Y"}}, ("x", "y")),
        (("a", "b"), {}, ("a", "b")),
        (("downtrack", "crosstrack"), {}, ("downtrack", "crosstrack")),
    ],
)
def test_which_dimension_is_the_rows(tmp_path, names, attributes, expected):
    array = xr.DataArray(np.zeros((2, 3, 4)), dims=(*names, "band"), name="r")
    coords = {n: (n, np.arange(array.sizes[n]), attributes.get(n, {})) for n in names}
    source = open_source(save(array.assign_coords(coords), tmp_path / "scene.nc"))
    assert source.dims == expected


def test_a_part_is_where_its_coordinates_are(small, scene, tmp_path):
    scene.rio.write_transform(TRANSFORM)[4::2, 5:].to_netcdf(tmp_path / "part.nc")
    grid = open_source(tmp_path / "part.nc").grid()
    expected = rasterio.Affine(30, 0, 500_150, 0, -40, 3_999_930)  # rows of twice the height
    assert grid["transform"].almost_equals(expected)


def test_packed_coordinates_are_unpacked(scene, tmp_path):
    packed = {"dtype": "i2", "scale_factor": 30.0, "add_offset": 500_015.0}
    save(scene, tmp_path / "scene.nc", encoding={"x": packed})
    assert open_source(tmp_path / "scene.nc").grid()["transform"].almost_equals(TRANSFORM)


def test_uneven_coordinates_have_no_grid(small, check, scene, tmp_path):
    path = save(scene.assign_coords(y=np.arange(23) ** 2.0), tmp_path / "scene.nc")
    for name in ("out.tif", "out.hdr"):
        with pytest.raises(ValueError, match="'y' of scene.nc is not evenly spaced"):
            unmix_file(small.model, path, tmp_path / name)
    with xr.open_dataset(unmix_file(small.model, path, tmp_path / "out.nc")) as written:
        check(written["abundance"])


def test_a_single_row_has_no_grid(small, scene, tmp_path):
    path = save(scene[:1], tmp_path / "row.nc")
    with pytest.raises(ValueError, match="has coordinates but a single row or column"):
        unmix_file(small.model, path, tmp_path / "out.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["row.nc"]


# Groups


@pytest.fixture(params=[".nc", ".h5", ".he5", ".nc4", ".hdf", ".zarr"])
def grouped(scene, tmp_path, request):
    """Return a file with the scene in a group, and its coordinates around."""
    path = tmp_path / f"scene{request.param}"
    inner = scene.drop_vars(["y", "x", "spatial_ref"]).transpose("band", "x", "y")
    kind = {"mode": "a"}
    if path.suffix == ".zarr":
        scene.coords.to_dataset().to_zarr(path, consolidated=False, zarr_format=2)
        kind |= {"consolidated": False, "zarr_format": 2}
    else:
        scene.coords.to_dataset().to_netcdf(path)
    for group, array in (("data/cubes", inner), ("data", inner[0].rename("quality"))):
        dataset = array.to_dataset()
        if path.suffix == ".zarr":
            dataset.to_zarr(path, group=group, **kind)
        else:
            dataset.to_netcdf(path, group=group, **kind)
    return path


@pytest.mark.parametrize("variable", [None, "data/cubes/reflectance", "/data/cubes/reflectance"])
def test_a_variable_in_a_group(small, check, grouped, tmp_path, variable):
    assert isinstance(open_source(grouped), XarraySource)
    path = unmix_file(small.model, grouped, tmp_path / "out.tif", variable=variable)
    with rasterio.open(path) as dataset:
        check(np.moveaxis(dataset.read(), 0, -1))
        assert dataset.transform.almost_equals(TRANSFORM)
        assert dataset.crs == CRS


@pytest.mark.parametrize("options", [{"variable": "reflectance"}, {"band_dim": "wavelength"}])
def test_what_there_is_in_all_groups_is_listed(grouped, options):
    with pytest.raises(ValueError, match="has no variable|has 0 variables") as info:
        open_source(grouped, **options)
    assert "'data/cubes/reflectance' (band: 12, x: 17, y: 23)" in str(info.value)
    assert "'data/quality' (x: 17, y: 23)" in str(info.value)


def test_netcdf_is_told_by_its_first_bytes(small, check, scene, tmp_path):
    for number, engine in enumerate(("NETCDF4", "NETCDF3_CLASSIC")):
        path = save(scene, tmp_path / f"scene{number}.dat", format=engine, engine="netcdf4")
        check(np.load(unmix_file(small.model, path, tmp_path / f"{number}.npy")))


# Formats that name other files


@pytest.fixture
def tif(scene, tmp_path):
    scene.transpose("band", "y", "x").rio.to_raster(tmp_path / "scene.tif")
    return tmp_path / "scene.tif"


@pytest.mark.parametrize("name", ["disguised.tif", "disguised.img", "disguised.jp2", "named.vrt"])
def test_a_vrt_is_refused_whatever_its_name(small, scene, tif, tmp_path, name):
    path = tmp_path / name
    path.write_text(VRT.format(tif))
    with rasterio.open(path) as dataset:
        assert dataset.driver == "VRT"
    match = f"{name} could not be opened as a raster .*a VRT, which may name other files"
    with pytest.raises(OSError, match=match):
        unmix_file(small.model, path, tmp_path / "out.npy")
    with pytest.raises(OSError, match=match):
        unmix_file(small.model, tif, tmp_path / "out.npy", mask=path)


@pytest.mark.parametrize("suffix", [".msk", ".ovr"])
def test_a_vrt_beside_a_raster_is_refused(small, tif, tmp_path, suffix):
    (tmp_path / f"scene.tif{suffix}").write_text(VRT.format(tif))
    with pytest.raises(OSError, match=rf"scene.tif\{suffix}, .* is expected to be a TIFF file"):
        unmix_file(small.model, tif, tmp_path / "out.npy")


def test_a_mask_of_another_grid_is_refused(small, tif, scene, tmp_path):
    mask = xr.zeros_like(scene[..., 0], dtype="u1").drop_attrs().rio.write_crs(CRS)
    for number, moved in enumerate((0.0, 30.0)):
        mask.assign_coords(x=mask.x + moved).rio.to_raster(tmp_path / f"{number}.tif")
    unmix_file(small.model, tif, tmp_path / "out.npy", mask=tmp_path / "0.tif")
    with pytest.raises(ValueError, match="mask must have the scene's grid"):
        unmix_file(small.model, tif, tmp_path / "o.npy", mask=tmp_path / "1.tif")


# Units


def test_units_of_an_envi_scene_are_those_of_the_array(small, scene, tmp_path, caplog):
    stored = (np.nan_to_num(small.cube, nan=-0.9999, posinf=-0.9999) * 10_000).round()
    stored = np.where(small.cube == -9999, -9999, stored).astype(np.int16)
    profile = {"driver": "ENVI", "interleave": "bil", "nodata": -9999, "dtype": "int16"}
    shape = dict(zip(("height", "width", "count"), stored.shape))
    with rasterio.open(tmp_path / "scene.img", "w", **profile, **shape) as dataset:
        dataset.write(np.moveaxis(stored, -1, 0))
    header = tmp_path / "scene.hdr"
    header.write_text(header.read_text() + "reflectance scale factor = 10000\n")
    with caplog.at_level(logging.INFO, "skunmix.scenes"):
        found = np.load(unmix_file(small.model, header, tmp_path / "out.npy"))
    assert "scene.img: int16 values, spectra = stored · 0.0001" in caplog.text
    valid = np.isfinite(found[..., 0])
    np.testing.assert_allclose(found[valid], small.expected[valid], rtol=0, atol=2e-3)
    np.testing.assert_array_equal(valid, np.isfinite(small.expected[..., 0]))

    with rioxarray.open_rasterio(tmp_path / "scene.img") as array:
        np.testing.assert_allclose(
            unmix(small.model, array).transpose("y", "x", "endmember"), found, rtol=0, atol=1e-6
        )
        array.rio.to_raster(tmp_path / "copy.tif", interleave="band")
        array.to_netcdf(tmp_path / "copy.nc")
        with pytest.raises(ValueError, match="may have been divided already"):
            unmix(small.model, array.astype("f4"))
    for name in ("copy.tif", "copy.nc"):
        again = np.load(unmix_file(small.model, tmp_path / name, tmp_path / f"{name}.npy"))
        np.testing.assert_allclose(again, found, rtol=0, atol=1e-6)


# Memory


@pytest.mark.parametrize("kind", ["zarr", "nc", "tif"])
def test_a_chunk_that_does_not_fit_is_refused_before_reading(small, tmp_path, monkeypatch, kind):
    cube = np.tile(small.cube, (20, 20, 1))
    array = xr.DataArray(cube, dims=("y", "x", "band"), name="r", attrs={"_FillValue": -9999.0})
    path = tmp_path / f"scene.{kind}"
    if kind == "zarr":
        array.to_dataset().to_zarr(path, encoding={"r": {"chunks": cube.shape}}, zarr_format=2)
    elif kind == "nc":
        array.to_netcdf(path, encoding={"r": {"chunksizes": cube.shape}})
    else:
        array.transpose("band", "y", "x").rio.to_raster(
            path, compress="deflate", blockysize=cube.shape[0], interleave="pixel"
        )
    match = r"A chunk of .* takes 7.2 MiB, .* working_memory is 16 MiB; pass working_memory=39,"
    with monkeypatch.context() as patched:
        patched.setattr(RasterSource, "_read", None)
        patched.setattr(XarraySource, "_read", None)
        with pytest.raises(ValueError, match=match):
            unmix_file(small.model, path, tmp_path / "out.npy", working_memory=16)
        assert not (tmp_path / "out.npy.part").exists()
    unmix_file(small.model, path, tmp_path / "out.npy", working_memory=39)
    if kind != "tif":
        engine = "zarr" if kind == "zarr" else None
        with xr.open_dataset(path, engine=engine, chunks=None, mask_and_scale=False) as dataset:
            with pytest.raises(ValueError, match="A chunk of the scene takes 7.2 MiB"):
                unmix(small.model, dataset["r"], working_memory=16)
            unmix(small.model, dataset["r"].load(), working_memory=16)


# What ENVI cannot hold


@pytest.mark.parametrize(
    ("transform", "held"),
    [
        (TRANSFORM @ rasterio.Affine.rotation(30), False),
        (rasterio.Affine.translation(5e5, 4e6) @ rasterio.Affine.rotation(30), False),
        (TRANSFORM @ rasterio.Affine.shear(10), False),
        (TRANSFORM @ rasterio.Affine.scale(-1, 1), False),
        (TRANSFORM @ rasterio.Affine.scale(1, -1), True),
        (rasterio.Affine(30, 10, 5e5, 10, -30, 4e6), True),
    ],
)
def test_a_grid_that_envi_cannot_hold_is_refused(small, tmp_path, transform, held):
    profile = {"driver": "GTiff", "crs": CRS, "transform": transform, "dtype": "float32"}
    shape = dict(zip(("height", "width", "count"), small.cube.shape))
    scene = tmp_path / "scene.tif"
    with rasterio.open(scene, "w", nodata=-9999, **profile, **shape) as dataset:
        dataset.write(np.moveaxis(small.cube, -1, 0))
    if not held:
        with pytest.raises(ValueError, match=r"out.hdr cannot hold the scene's grid.* \(.tif\)"):
            unmix_file(small.model, scene, tmp_path / "out.hdr")
        assert {path.name for path in tmp_path.iterdir()} == {"scene.tif"}
        return
    unmix_file(small.model, scene, tmp_path / "out.hdr")
    with rasterio.open(tmp_path / "out.img") as dataset:
        assert dataset.transform.almost_equals(transform, 1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u2", "i4", ">i2"])
def test_what_netcdf_never_wrote_is_no_data(tmp_path, dtype):
    """A variable without `_FillValue`: masked by netCDF4, and NaN here."""
    netcdf = pytest.importorskip("netCDF4")
    path = tmp_path / "scene.nc"
    with netcdf.Dataset(path, "w") as file:
        for name, size in (("y", 4), ("x", 5), ("band", 6)):
            file.createDimension(name, size)
        variable = file.createVariable("reflectance", dtype, ("y", "x", "band"))
        variable[:3] = np.arange(1, 91).reshape(3, 5, 6)
        variable[0, 0, 2] = np.ma.masked
    with netcdf.Dataset(path) as file:
        expected = file["reflectance"][:].mask.any(axis=2)
    assert expected.sum() == 6

    model = LinearRegression().fit(np.eye(6), np.eye(6)[:, :2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = np.load(unmix_file(model, path, tmp_path / "out.npy"))
        np.testing.assert_array_equal(np.isnan(found).any(axis=2), expected)
    if "f" not in dtype:  # a float of this size is too large for a spectrum
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about values like no data
            found = np.load(unmix_file(model, path, tmp_path / "all.npy", nodata=[]))
        assert np.isfinite(found).all()
