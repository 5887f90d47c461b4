import subprocess
import sys

import pytest

BLOCK = """
import sys
sys.modules.update(dict.fromkeys({hidden!r}))  # as if they were not there
import numpy as np
from sklearn.linear_model import LinearRegression
from skunmix.scenes import unmix, unmix_file
model = LinearRegression().fit(np.eye(4), np.eye(4)[:, :2])
cube = np.arange(24.0).reshape(2, 3, 4)
cube[0, 0] = np.nan
"""
ALL = ["xarray", "rioxarray", "dask", "distributed", "rasterio", "zarr", "netCDF4", "h5netcdf"]


def run(script, hidden):
    script = BLOCK.format(hidden=hidden) + script
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_numpy_cubes_need_none_of_them(tmp_path):
    run(
        f"""
abundances = unmix(model, cube, n_jobs=2)
expected = model.predict(cube.reshape(6, 4)[1:])
assert np.allclose(abundances.reshape(6, 2)[1:], expected) and np.isnan(abundances[0, 0]).all()
np.save({str(tmp_path / "scene.npy")!r}, cube)
path = unmix_file(model, {str(tmp_path / "scene.npy")!r}, {str(tmp_path / "out.npy")!r})
assert np.array_equal(np.load(path), abundances, equal_nan=True)
""",
        [*ALL, "tqdm"],
    )


def test_a_raster_goes_to_a_raster_without_xarray(tmp_path):
    """Only netCDF and Zarr take the grid by way of rioxarray, which is named."""
    rasterio = pytest.importorskip("rasterio")
    profile = {"driver": "GTiff", "height": 2, "width": 3, "count": 4, "dtype": "float64"}
    profile["transform"] = rasterio.transform.from_origin(500_000, 4_000_000, 30, 30)
    with rasterio.open(tmp_path / "s.tif", "w", crs="EPSG:32633", **profile):
        pass
    scene = str(tmp_path / "s.tif")
    run(
        f"unmix_file(model, {scene!r}, {str(tmp_path / 'o.tif')!r})",
        [name for name in ALL if name != "rasterio"],
    )
    run(
        f"""
try:
    unmix_file(model, {scene!r}, {str(tmp_path / "o.zarr")!r})
except ImportError as error:
    message = str(error)
assert "Writing the grid of s.tif to netCDF or Zarr needs rioxarray, which is not" in message
""",
        ["rioxarray"],
    )


@pytest.mark.parametrize(
    ("scene", "output", "hidden", "match"),
    [
        ("s.tif", "o.npy", ["rasterio"], "Reading s.tif needs rasterio, which is not installed"),
        ("s.nc", "o.npy", ["xarray"], "Reading s.nc needs xarray, which is not installed"),
        ("s.nc", "o.npy", ["netCDF4", "h5netcdf"], "needs netCDF4 or h5netcdf"),
        ("s.npy", "o.tif", ["rasterio"], "Writing o.tif needs rasterio, which is not installed"),
        ("s.npy", "o.nc", ["netCDF4", "h5netcdf"], "Writing o.nc needs netCDF4, which is not"),
        ("s.npy", "o.zarr", ["zarr"], "Writing o.zarr needs zarr, which is not installed"),
        ("s.npy", "o.nc", ["dask"], "Writing o.nc needs dask, which is not installed"),
    ],
)
def test_each_is_named_in_one_sentence(tmp_path, scene, output, hidden, match):
    run(
        f"""
np.save({str(tmp_path / "s.npy")!r}, cube)
for name in ("s.tif", "s.nc"):
    open({str(tmp_path)!r} + "/" + name, "w").write("something")
try:
    unmix_file(model, {str(tmp_path / scene)!r}, {str(tmp_path / output)!r})
except ImportError as error:
    message = str(error)
assert {match!r} in message and "pip install skunmix[scenes]" in message, message
assert message.count(". ") == 0
""",
        hidden,
    )
