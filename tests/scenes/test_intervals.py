"""Tests of lower and upper maps, against predict_interval on the pixels themselves."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skunmix import MESMARegressor, SunSALRegressor
from skunmix.libraries import SpectralLibrary
from skunmix.preprocessing import BandSelector
from skunmix.scenes import unmix, unmix_file
from skunmix.scenes._identity import state_hash
from skunmix.uncertainty import ConformalUnmixer

COVERAGE = 0.8


@pytest.fixture(scope="module")
def made(small):
    """Return pixels that have data, their places, fitted models and, for each, the maps by hand."""
    there = np.isfinite(small.expected[..., 0])
    spectra, abundances = small.cube[there], small.expected[there]
    unit = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    fcls = SunSALRegressor(small.endmembers, lam=0, sum_to_one=True)
    norms = np.linalg.norm(small.endmembers, axis=1, keepdims=True)
    of_unit = SunSALRegressor(small.endmembers / norms, lam=0).fit(unit)
    conformal = ConformalUnmixer(fcls, random_state=0).fit(spectra[::5], abundances[::5])
    one = ConformalUnmixer(Ridge(), random_state=0).fit(spectra[::5], abundances[::5, 0])
    search = GridSearchCV(fcls, {"lam": [0.0, 0.1]}, cv=2).fit(spectra, abundances)
    last = [2, 5, 7, 8, 11]
    few = SunSALRegressor(small.endmembers[:, last], lam=0).fit(spectra[:, last])
    step = conformal.estimator_
    pairs = {
        "noise": (fcls.fit(spectra), lambda X: (step.predict(X), *intervals(step, X))),
        "conformal": (conformal, lambda X: (step.predict(X), *intervals(conformal, X))),
        "pipeline": (
            make_pipeline("passthrough", make_pipeline(Normalizer(), of_unit)),
            lambda X: (of_unit.predict(lengthless(X)), *intervals(of_unit, lengthless(X))),
        ),
        "bands": (
            make_pipeline(BandSelector(last).fit(spectra), few),
            lambda X: (few.predict(X[:, last]), *intervals(few, X[:, last])),
        ),
        "search": (search, lambda X: (step.predict(X), *intervals(step, X))),
        "one-dimensional": (one, lambda X: (one.predict(X), *intervals(one, X))),
    }
    found = {}
    for name, (model, by_hand) in pairs.items():
        parts = [part.reshape(len(spectra), -1) for part in by_hand(spectra)]
        maps = np.full((*there.shape, 3 * parts[0].shape[1]), np.nan)
        maps[there] = np.hstack(parts)
        found[name] = model, maps
    return found


def intervals(model, X):
    return model.predict_interval(X, coverage=COVERAGE)


def lengthless(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


MODELS = ["noise", "conformal", "pipeline", "search", "one-dimensional"]
NAMES = [f"{name}{side}" for side in ("", " lower", " upper") for name in ("a", "b,c", "d")]


def same(found, expected):
    np.testing.assert_allclose(np.asarray(found), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", MODELS)
def test_an_array(small, made, name):
    model, expected = made[name]
    found = unmix(model, small.cube, nodata=-9999, coverage=COVERAGE)
    same(found, expected)
    abundances = unmix(model, small.cube, nodata=-9999)
    assert found.dtype == abundances.dtype
    values, lower, upper = np.split(found, 3, axis=-1)
    np.testing.assert_array_equal(values, abundances)
    there = np.isfinite(values)
    assert (lower[there] <= upper[there]).all()
    assert (upper[there] - lower[there]).max() > 0


def test_bands_that_a_pipeline_drops_have_no_say(small, made):
    model, expected = made["bands"]
    cube = small.cube.copy()
    cube[..., 0] = np.nan
    found = unmix(model, cube, coverage=COVERAGE)
    there = np.isfinite(expected[..., 0])
    same(found[there], expected[there])
    assert np.isfinite(found[4]).all()  # only band 0 has no data there


@settings(deadline=None, max_examples=15)
@given(
    working_memory=st.floats(1e-4, 0.2),
    n_jobs=st.sampled_from([None, 2]),
    name=st.sampled_from(["noise", "conformal"]),
)
def test_any_blocks(small, made, working_memory, n_jobs, name):
    model = made[name][0]
    whole = unmix(model, small.cube, nodata=-9999, coverage=COVERAGE)
    options = {"working_memory": working_memory, "n_jobs": n_jobs}
    cut = unmix(model, small.cube, nodata=-9999, coverage=COVERAGE, **options)
    np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-7)


def test_masks_another_axis_and_out(small, made):
    model, expected = made["noise"]
    mask = np.zeros(small.cube.shape[:2], dtype=bool)
    mask[10:, 3] = True
    hidden = np.broadcast_to(mask[..., np.newaxis], small.cube.shape)
    scene = np.ma.MaskedArray(small.cube, hidden)
    out = np.empty((9, *small.cube.shape[:2]), np.float32)
    bands_first = np.moveaxis(small.cube, 2, 0)
    unmix(model, bands_first, nodata=-9999, mask=mask, band_dim=0, out=out, coverage=COVERAGE)
    found = unmix(model, scene, nodata=-9999, coverage=COVERAGE)
    expected = np.where(mask[..., np.newaxis], np.nan, expected)
    same(found.filled(np.nan), expected)
    same(np.moveaxis(out, 0, 2), expected)
    with pytest.raises(ValueError, match="Expected out with the shape"):
        unmix(model, small.cube, out=np.empty((*mask.shape, 3)), coverage=COVERAGE)


@pytest.mark.parametrize("chunks", [None, {"y": 5, "x": 7}])
@pytest.mark.parametrize("name", MODELS)
def test_a_dataarray(small, made, name, chunks):
    xr = pytest.importorskip("xarray")
    pytest.importorskip("dask.array")
    model, expected = made[name]
    attrs = {"_FillValue": -9999}
    scene = xr.DataArray(np.moveaxis(small.cube, 2, 0), dims=("band", "y", "x"), attrs=attrs)
    found = unmix(model, scene if chunks is None else scene.chunk(chunks), coverage=COVERAGE)
    assert (found.chunks is None) == (chunks is None)
    same(found.transpose("y", "x", "endmember"), expected)
    assert found.attrs["unmixing"] == (
        "lower and upper are the bounds of intervals with a coverage of 0.8"
    )
    names = [str(value) for value in found.endmember.values]
    count = expected.shape[2] // 3
    assert names[count:] == [f"{n}{side}" for side in (" lower", " upper") for n in names[:count]]


def write(path, maps):
    """Write spectra as integers, with a scale, in the format of the suffix."""
    rasterio = pytest.importorskip("rasterio")
    stored = np.where(np.isfinite(maps), np.round(maps * 20_000), -9999).astype(np.int16)
    if path.suffix == ".npy":
        np.save(path, stored)
        return {"scale_factor": 1 / 20_000, "nodata": -9999}
    profile = {"driver": "GTiff" if path.suffix == ".tif" else "ENVI", "nodata": -9999}
    profile |= {"crs": "EPSG:32633", "transform": rasterio.Affine(30, 0, 5e5, 0, -30, 4e6)}
    rows, cols, bands = stored.shape
    profile |= {"height": rows, "width": cols, "count": bands, "dtype": "int16"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(np.moveaxis(stored, 2, 0))
    return {"scale_factor": 1 / 20_000}


def read(path):
    """Return maps (rows, cols, maps), their names, and what the file says of them."""
    if path.suffix == ".npy":
        return np.load(path), None, None
    if path.suffix in (".nc", ".zarr"):
        xr = pytest.importorskip("xarray")
        engine = "zarr" if path.is_dir() else None
        with xr.open_dataset(path, engine=engine) as dataset:
            array = dataset["abundance"].transpose("y", "x", "endmember").load()
        return array.values, list(array.endmember.values), array.attrs["unmixing"]
    rasterio = pytest.importorskip("rasterio")
    with rasterio.open(path if path.suffix == ".tif" else path.with_suffix(".img")) as dataset:
        maps, names = np.moveaxis(dataset.read(), 0, -1), list(dataset.descriptions)
        said = dataset.tags().get("unmixing")
    return maps, names, path.read_text() if path.suffix == ".hdr" else said


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize(
    ("scene", "output"), [("npy", "npy"), ("tif", "tif"), ("img", "hdr"), ("tif", "nc")]
)
def test_a_file_of_scaled_integers(small, tmp_path, scene, output, n_jobs):
    path, out = tmp_path / f"scene.{scene}", tmp_path / f"maps.{output}"
    missing = ~np.isfinite(small.expected[..., 0])
    cube = np.where(missing[..., np.newaxis], np.nan, small.cube).astype(float)
    options = write(path, cube)
    spectra = np.round(cube[~missing] * 20_000) / 20_000
    library = SpectralLibrary(small.endmembers, ["a", "b,c", "d"])
    model = SunSALRegressor(library, lam=0, sum_to_one=True).fit(spectra)
    unmix_file(model, path, out, coverage=COVERAGE, working_memory=0.02, n_jobs=n_jobs, **options)
    maps, names, said = read(out)
    expected = np.hstack([model.predict(spectra), *intervals(model, spectra)])
    same(maps[~missing], expected)
    assert np.isnan(maps[missing]).all()
    assert names in (None, NAMES)
    assert output == "npy" or "intervals with a coverage of 0.8" in said
    if output == "hdr":  # names are split at commas by other readers than GDAL
        assert "\nb;c lower,\n" in said


def test_a_model_that_is_fitted_to_the_scene(small, tmp_path):
    """Its endmembers are resampled, so that it is the last step of a pipeline."""
    pytest.importorskip("netCDF4")
    xr = pytest.importorskip("xarray")
    nm = np.linspace(400, 2500, small.cube.shape[2])
    library = SpectralLibrary(small.endmembers, small.names, wavelengths=nm)
    scene = xr.DataArray(
        np.where(small.cube == -9999, np.nan, small.cube),
        dims=("y", "x", "band"),
        coords={"wavelength": ("band", nm, {"units": "nm"})},
        name="reflectance",
    )
    scene.to_netcdf(tmp_path / "scene.nc")
    model = SunSALRegressor(library, lam=0, sum_to_one=True)
    found = unmix(model, scene, coverage=COVERAGE)
    same(found, unmix(model, small.cube, nodata=-9999, coverage=COVERAGE))
    path = unmix_file(model, tmp_path / "scene.nc", tmp_path / "maps.nc", coverage=COVERAGE)
    maps, names, said = read(path)
    same(maps, found)
    assert names == [*small.names, *(f"{n} lower" for n in small.names)] + [
        f"{n} upper" for n in small.names
    ]
    for text in (said, found.attrs["unmixing"]):
        assert text.startswith("3 endmembers with 12 bands")
        assert text.endswith("; lower and upper are the bounds of intervals with a coverage of 0.8")


class Killed(BaseException):
    """In place of a signal."""


class Stopped(SunSALRegressor):
    """Stops at a block."""

    left = None

    def predict_interval(self, X, *, coverage=0.9):
        if len(X) > 1 and Stopped.left is not None and len(X) != 16:  # no trial, no probe
            Stopped.left -= 1
            if Stopped.left < 0:
                raise Killed
        return super().predict_interval(X, coverage=coverage)


def test_a_killed_run_goes_on_with_the_same_coverage_only(small, tmp_path):
    np.save(tmp_path / "scene.npy", small.cube)
    given = (
        Stopped(small.endmembers).fit(small.endmembers),
        tmp_path / "scene.npy",
        tmp_path / "maps.npy",
    )
    options = {"nodata": -9999, "working_memory": 0.005}
    unmix_file(*given, coverage=COVERAGE, **options)
    whole = given[2].read_bytes()
    given[2].unlink()
    Stopped.left = 10
    with pytest.raises(Killed):
        unmix_file(*given, coverage=COVERAGE, **options)
    Stopped.left = None
    for other in (0.9, None):
        with pytest.raises(ValueError, match="another options than this one"):
            unmix_file(*given, coverage=other, **options)
    unmix_file(*given, coverage=np.float64(COVERAGE), **options)
    assert given[2].read_bytes() == whole
    unmix_file(*given, coverage=np.float32(COVERAGE), overwrite=True, **options)
    np.testing.assert_allclose(np.load(given[2])[5:8], np.load(io.BytesIO(whole))[5:8], atol=1e-6)


def test_another_calibration_is_another_model(small, made):
    model, _ = made["conformal"]
    before = state_hash(model)
    scores = model._scores.copy()
    try:
        model._scores[3] += 0.1
        assert state_hash(model) != before
    finally:
        model._scores = scores
    assert state_hash(model) == before


def test_upper_bounds_may_be_infinite(small):
    """Of abundances that exceed one, and too few labels for the coverage."""
    pixels, percent = small.cube[5:7].reshape(-1, 12), 100 * small.expected[5:7].reshape(-1, 3)
    model = ConformalUnmixer(Ridge(), random_state=0).fit(pixels[:10], percent[:10])
    with pytest.warns(UserWarning, match="10 labelled pixels give") as warned:
        found = unmix(model, small.cube, nodata=-9999, coverage=0.95, working_memory=0.01)
    assert len([one for one in warned if "labelled pixels" in str(one.message)]) == 1
    there = np.isfinite(small.expected[..., 0])
    assert (found[there][:, 3:6] == 0).all()
    assert np.isinf(found[there][:, 6:]).all()
    assert warned[0].filename == __file__


def test_a_pixel_that_fails_is_nan_in_all_maps(small, made):
    def refuse(X):
        if (np.asarray(X)[:, 0] == np.float32(0.123)).any():
            raise ValueError("not this one")
        return X

    cube = np.array(small.cube[5:8])
    cube[1, 2, 0] = 0.123
    model = make_pipeline(FunctionTransformer(refuse), made["noise"][0])
    with pytest.warns(UserWarning, match="for 1 of 51 pixels"):
        found = unmix(model, cube, coverage=COVERAGE)
    assert np.isnan(found[1, 2]).all()
    assert np.isnan(found).sum() == 9


class Unsure(SunSALRegressor):
    """Knows no upper bound of a dark pixel."""

    def predict_interval(self, X, *, coverage=0.9):
        lower, upper = super().predict_interval(X, coverage=coverage)
        return lower, np.where(X[:, :1] == np.float32(0.123), np.nan, upper)


def test_a_pixel_without_a_bound_is_nan_in_all_maps(small):
    cube = np.array(small.cube[5:8])
    cube[1, 2, 0] = 0.123
    model = Unsure(small.endmembers).fit(small.endmembers)
    with pytest.warns(UserWarning, match="returned NaN or infinity for 1 of 51 pixels"):
        found = unmix(model, cube, coverage=COVERAGE)
    assert np.isnan(found[1, 2]).all()
    assert np.isnan(found).sum() == 9


def test_zeros_are_no_abundances(small, made):
    """A pixel of zeros has abundances of zero, whose upper bound is not zero, and no warning."""
    cube = np.array(small.cube[5:8])
    cube[1, 2] = 0
    pixels, abundances = small.cube[9:].reshape(-1, 12)[:99], small.expected[9:].reshape(-1, 3)[:99]
    model = ConformalUnmixer(SunSALRegressor(small.endmembers, lam=0), random_state=0)
    model.fit(pixels, abundances)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unmix(model, cube)
        unmix(model, cube, coverage=COVERAGE)


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 90, float("nan"), "0.9", True])
def test_a_coverage_that_is_no_share(small, made, tmp_path, coverage):
    with pytest.raises(ValueError, match="Expected coverage between 0 and 1, got"):
        unmix(made["noise"][0], small.cube, coverage=coverage)
    with pytest.raises(ValueError, match="Expected coverage between 0 and 1, got"):
        unmix_file(made["noise"][0], tmp_path / "none.npy", tmp_path / "o.npy", coverage=coverage)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda e: LinearRegression().fit(e, np.eye(3)), "LinearRegression"),
        (lambda e: MESMARegressor(e), "MESMARegressor"),
        (lambda e: make_pipeline(Normalizer(), MESMARegressor(e)).fit(e), "MESMARegressor"),
        (lambda e: GridSearchCV(LinearRegression(), {"positive": [True]}), "LinearRegression"),
    ],
)
def test_an_estimator_without_intervals(small, tmp_path, make, name):
    model = make(small.endmembers)
    message = rf"Expected an estimator with predict_interval for coverage=0\.9, got {name} without"
    with pytest.raises(TypeError, match=message):
        unmix(model, small.cube, coverage=0.9)
    with pytest.raises(TypeError, match=message):
        unmix_file(model, tmp_path / "none.npy", tmp_path / "o.npy", coverage=0.9)


def test_what_has_no_intervals_in_closed_form(small):
    with pytest.raises(ValueError, match="Expected positive=True for intervals"):
        unmix(
            SunSALRegressor(small.endmembers, lam=0, positive=False), small.cube[5:8], coverage=0.9
        )
    unfitted = ConformalUnmixer(SunSALRegressor(small.endmembers))
    with pytest.raises(ValueError, match="is not fitted, and needs abundances"):
        unmix(unfitted, small.cube, coverage=0.9)


def test_a_bound_with_the_name_of_an_endmember(small):
    library = SpectralLibrary(small.endmembers, ["soil", "soil upper", "tree"])
    model = SunSALRegressor(library).fit(small.endmembers)
    with pytest.raises(ValueError, match="got 'soil upper'; rename this endmember"):
        unmix(model, small.cube, coverage=0.9)
