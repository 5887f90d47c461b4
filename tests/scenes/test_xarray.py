import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skunmix.scenes import unmix

xr = pytest.importorskip("xarray")
da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")
ORDERS = list(itertools.permutations(("y", "x", "band")))


@pytest.fixture(autouse=True, scope="module")
def _threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


@pytest.fixture(scope="module")
def scene(small):
    n_rows, n_cols, n_bands = small.cube.shape
    return xr.DataArray(
        small.cube,
        dims=("y", "x", "band"),
        coords={
            "y": np.arange(n_rows) * -30.0,
            "x": np.arange(n_cols) * 30.0,
            "wavelength": ("band", np.linspace(400, 2500, n_bands)),
            "lat": (("y", "x"), np.ones((n_rows, n_cols))),
            "time": np.datetime64("2026-01-01"),
        },
        attrs={"sensor": "made", "_FillValue": -9999, "units": "1"},
        name="reflectance",
    )


@pytest.mark.parametrize("dims", ORDERS)
def test_any_order_of_dimensions(small, check, scene, dims):
    abundances = unmix(small.model, scene.transpose(*dims), working_memory=0.01)
    assert abundances.dims == tuple("endmember" if dim == "band" else dim for dim in dims)
    check(abundances.transpose("y", "x", "endmember"))


@settings(deadline=None, max_examples=20)
@given(
    dims=st.sampled_from(ORDERS),
    chunks=st.fixed_dictionaries({"y": st.integers(1, 30), "x": st.integers(1, 30)}),
)
def test_any_chunks(small, check, scene, dims, chunks):
    lazy = unmix(small.model, scene.transpose(*dims).chunk(chunks))
    assert lazy.chunks is not None
    assert lazy.dtype == np.float32
    check(lazy.transpose("y", "x", "endmember"))


def test_what_is_kept_and_what_is_not(small, scene):
    abundances = unmix(small.model, scene)
    assert list(abundances.endmember.values) == small.names
    assert set(abundances.coords) == {"y", "x", "lat", "time", "endmember"}
    assert abundances.attrs == {"sensor": "made"}
    assert np.isnan(abundances.encoding["_FillValue"])
    assert abundances.name == "abundance"
    xr.testing.assert_identical(unmix(small.model, scene.chunk({"y": 5})).compute(), abundances)


def test_lazy_means_lazy(small, scene):
    def fail(block):
        raise AssertionError("computed")

    lazy = scene.chunk({"y": 5}).copy()
    lazy.data = lazy.data.map_blocks(fail, dtype=lazy.dtype, meta=np.empty((0, 0, 0), np.float32))
    unmix(small.model, lazy)


def test_bands_in_chunks_are_merged_with_a_warning(small, check, scene):
    with pytest.warns(UserWarning, match="12 bands of dimension 'band' are in 3 chunks"):
        lazy = unmix(small.model, scene.chunk({"band": 5, "y": 7}))
    check(lazy)


def test_merged_chunks_stay_small(small, scene):
    with dask.config.set({"array.chunk-size": "2kB"}), pytest.warns(UserWarning, match="merged"):
        lazy = unmix(small.model, scene.chunk({"band": 1}))
    assert max(itertools.chain(*lazy.chunksizes.values())) < 23
    assert lazy.sizes["y"] == 23


def test_mask_is_aligned_by_dimensions(small, scene):
    mask = xr.DataArray(np.zeros((17, 23), dtype=bool), dims=("x", "y"))
    mask[3, 10:] = True
    rows = xr.DataArray(np.arange(23) > 20, dims="y", coords={"y": scene.y})
    hidden = np.asarray(mask.T)
    for m, left_out in ((mask, hidden), (hidden, hidden), (rows, rows.values[:, np.newaxis])):
        expected = np.where(left_out[..., np.newaxis], np.nan, small.expected)
        for s in (scene, scene.chunk({"y": 4, "x": 9})):
            np.testing.assert_array_equal(unmix(small.model, s, mask=m), expected)


def test_a_further_dimension(small, check, scene):
    twice = xr.concat([scene, scene], "season").chunk({"season": 1})
    abundances = unmix(small.model, twice)
    assert abundances.dims == ("season", "y", "x", "endmember")
    check(abundances[1])
    check(unmix(small.model, twice.compute())[0])


def test_what_xarray_decoded_is_not_decoded_again(small, scene, tmp_path):
    pytest.importorskip("netCDF4")
    packed = {"dtype": "i2", "scale_factor": 1e-4, "add_offset": 0.1, "_FillValue": -32768}
    clean = scene.where(np.isfinite(scene) & (scene != -9999)).drop_attrs()
    clean.to_netcdf(tmp_path / "scene.nc", encoding={"reflectance": packed})
    decoded = xr.open_dataarray(tmp_path / "scene.nc")
    stored = xr.open_dataarray(tmp_path / "scene.nc", mask_and_scale=False)
    assert (decoded.dtype.kind, stored.dtype) == ("f", np.int16)
    expected = unmix(small.model, decoded.load())
    assert np.isfinite(expected).sum() == 372 * 3
    for s in (stored, stored.load(), stored.chunk({"y": 5})):
        np.testing.assert_allclose(unmix(small.model, s), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(expected, small.expected, rtol=0, atol=2e-3)


def test_unread_files_are_read_by_blocks(small, check, scene, tmp_path):
    pytest.importorskip("netCDF4")
    scene.to_netcdf(tmp_path / "scene.nc")
    lazy = xr.open_dataarray(tmp_path / "scene.nc", mask_and_scale=False)
    abundances = unmix(small.model, lazy.transpose("band", "x", "y"), working_memory=0.01)
    check(abundances.transpose("y", "x", "endmember"))
    assert not lazy.variable._in_memory


# Bad input


def test_the_wrong_bands(small, scene):
    with pytest.raises(
        ValueError, match="fitted on 12 bands, but dimension 'band' of the scene has 4"
    ):
        unmix(small.model, scene[..., :4])
    with pytest.raises(ValueError, match="no dimension 'wavelength', but {'y': 23, 'x': 17"):
        unmix(small.model, scene, band_dim="wavelength")


def test_no_valid_pixel(small, scene):
    with pytest.raises(ValueError, match="None of the scene's 391 pixels"):
        unmix(small.model, scene * np.nan)


def test_other_kinds(small, scene):
    with pytest.raises(TypeError, match="Dataset of \\['reflectance'\\]"):
        unmix(small.model, scene.to_dataset())
    with pytest.raises(TypeError, match="out is for NumPy"):
        unmix(small.model, scene, out=np.empty((2, 2)))


def test_masks_of_another_grid(small, scene):
    with pytest.raises(ValueError, match="dimension 'time'"):
        unmix(small.model, scene, mask=xr.DataArray(np.ones(3), dims="time"))
    with pytest.raises(ValueError, match="differ along 'y'"):
        unmix(small.model, scene, mask=xr.DataArray(np.ones(3), dims="y"))
    with pytest.raises(ValueError, match="differ along 'y'"):
        unmix(small.model, scene, mask=xr.DataArray(np.ones(23), {"y": scene.y + 1}, "y"))
