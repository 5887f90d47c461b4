"""Pixels drawn from a scene, and estimators that are fitted to them."""

import logging
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import NMF
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.extraction import SPA, VCA
from skunmix.metrics import spectral_angle_scorer
from skunmix.preprocessing import BandSelector
from skunmix.scenes import _sampling as sampling_module
from skunmix.scenes import sample_pixels, unmix, unmix_file
from skunmix.scenes.io.sources import NumpySource

ROWS, COLS, BANDS = 400, 300, 5


@pytest.fixture(scope="module")
def numbered():
    """Return a cube whose first band tells the pixels apart, a third of them no data."""
    cube = np.random.RandomState(0).uniform(1, 2, (ROWS, COLS, BANDS))
    cube[..., 0] = np.arange(ROWS * COLS).reshape(ROWS, COLS)
    cube[:, :100, 1] = np.nan
    cube[7, 200] = -9999
    return cube


def valid_pixels(cube):
    return cube[(cube > -9999).all(axis=-1)]


def places(sample):
    return np.asarray(sample)[:, 0].astype(int)


@pytest.mark.parametrize("n_pixels", [1, 300, 5000, 79_999, 10**6])
def test_each_pixel_is_one_of_the_scene_and_valid(numbered, n_pixels):
    sample = sample_pixels(numbered, n_pixels, nodata=-9999)
    assert sample.shape == (min(n_pixels, 300 * 400 - 400 * 100 - 1), BANDS)
    assert (np.diff(places(sample)) > 0).all()  # none twice, in order
    np.testing.assert_array_equal(sample, numbered.reshape(-1, BANDS)[places(sample)])
    assert sample[:, 1:].min() >= 1


def test_all_parts_of_the_scene_have_their_share(numbered):
    rows, cols = np.divmod(places(sample_pixels(numbered, 4000, nodata=-9999)), COLS)
    counts, *_ = np.histogram2d(rows, cols, bins=(4, 4), range=((0, ROWS), (100, COLS)))
    # blocks are drawn, whose pixels come together
    assert np.abs(counts / 250 - 1).max() < 0.5


def test_the_seed_says_which(numbered):
    first = sample_pixels(numbered, 100)
    np.testing.assert_array_equal(first, sample_pixels(numbered, 100))
    assert not np.array_equal(first, sample_pixels(numbered, 100, random_state=1))


def test_axes_masks_and_maps(numbered, tmp_path):
    expected = sample_pixels(numbered, 100, nodata=-9999)
    first = np.ascontiguousarray(np.moveaxis(numbered, -1, 0))
    np.testing.assert_array_equal(sample_pixels(first, 100, nodata=-9999, band_dim=0), expected)
    np.save(tmp_path / "scene.npy", numbered)
    for scene in (np.load(tmp_path / "scene.npy", mmap_mode="r"), tmp_path / "scene.npy"):
        np.testing.assert_array_equal(sample_pixels(scene, 100, nodata=-9999), expected)
    mask = np.zeros((ROWS, COLS), dtype=bool)
    mask[50:] = True
    np.save(tmp_path / "mask.npy", mask[..., np.newaxis])
    for scene, m in ((numbered, mask), (tmp_path / "scene.npy", tmp_path / "mask.npy")):
        assert places(sample_pixels(scene, mask=m, nodata=-9999)).max() < 50 * COLS
    masked = np.ma.masked_array(numbered, np.repeat(mask[..., np.newaxis], BANDS, axis=-1))
    sample = sample_pixels(masked, nodata=-9999)
    assert len(sample) == 50 * 200 - 1
    assert not np.ma.isMaskedArray(sample)


def test_a_large_scene_is_read_in_part(tmp_path, monkeypatch):
    cube = np.lib.format.open_memmap(
        tmp_path / "scene.npy", mode="w+", dtype=np.float32, shape=(2000, 1000, 3)
    )
    cube[:] = 1
    n_read = []
    original = NumpySource._read

    def read(self, window):
        n_read.append(np.prod([axis.stop - axis.start for axis in window]))
        return original(self, window)

    monkeypatch.setattr(NumpySource, "_read", read)
    assert len(sample_pixels(tmp_path / "scene.npy", 1000)) == 1000
    assert sum(n_read) < 0.01 * 2_000_000
    assert max(n_read) <= 512


def test_a_scene_with_hardly_a_valid_pixel():
    cube = np.full((300, 200, 2), np.nan, dtype=np.float32)
    cube[[3, 150, 299], [199, 5, 0]] = [[1, 2], [3, 4], [5, 6]]
    np.testing.assert_array_equal(sample_pixels(cube, 10), [[1, 2], [3, 4], [5, 6]])
    for empty in (np.full((4, 3, 2), np.nan), np.ones((0, 3, 2))):
        with pytest.raises(ValueError, match="pixels is valid"):
            sample_pixels(empty)


def test_what_is_no_scene_is_refused():
    with pytest.raises(TypeError, match="as scene, got list"):
        sample_pixels([[1.0]])
    with pytest.raises(ValueError, match="n_pixels"):
        sample_pixels(np.ones((2, 2, 2)), 0)
    with pytest.raises(FileNotFoundError, match="no scene at"):
        sample_pixels("nowhere.npy")


@pytest.fixture(scope="module")
def stored():
    """Return stored int16 and the reflectances that they stand for, wavelengths and no-data."""
    rng = np.random.RandomState(0)
    values = rng.randint(100, 9000, (50, 40, 6)).astype(np.int16)
    values[10:20, 5] = -9999
    wavelengths = [450.0, 550.0, 650.0, 750.5, 1600.0, 2200.0]
    spectra = valid_pixels(values) / 10_000
    return SimpleNamespace(values=values, wavelengths=wavelengths, spectra=spectra)


def write_envi(path, stored, interleave="bil"):
    order = {"bil": (0, 2, 1), "bip": (0, 1, 2), "bsq": (2, 0, 1)}[interleave]
    stored.values.transpose(order).tofile(path.with_suffix(".img"))
    path.with_suffix(".hdr").write_text(
        "ENVI\nsamples = 40\nlines = 50\nbands = 6\nheader offset = 0\nfile type = ENVI Standard\n"
        f"data type = 2\ninterleave = {interleave}\nbyte order = 0\ndata ignore value = -9999\n"
        "reflectance scale factor = 10000\nwavelength units = Nanometers\n"
        f"wavelength = {{{', '.join(map(str, stored.wavelengths))}}}\n"
    )
    return path.with_suffix(".hdr")


@pytest.mark.parametrize("interleave", ["bil", "bip", "bsq"])
def test_an_envi_scene_is_decoded_and_labelled(stored, tmp_path, interleave):
    pytest.importorskip("rasterio")
    sample = sample_pixels(write_envi(tmp_path / "scene", stored, interleave))
    np.testing.assert_allclose(sample, stored.spectra, rtol=1e-6)
    assert [float(str(label).split()[0]) for label in sample.columns] == stored.wavelengths
    overridden = sample_pixels(tmp_path / "scene.hdr", scale_factor=1, nodata=())
    assert len(overridden) == 2000
    assert overridden.to_numpy().min() == -9999


def test_dataarrays_and_files_of_xarray(stored, tmp_path):
    xr = pytest.importorskip("xarray")
    pytest.importorskip("netCDF4")
    scene = xr.DataArray(
        stored.values,
        dims=("y", "x", "wavelength"),
        coords={"wavelength": stored.wavelengths},
        attrs={"scale_factor": 1e-4, "_FillValue": np.int16(-9999)},
        name="reflectance",
    ).transpose("wavelength", "y", "x")
    raw = scene.assign_attrs(scale_factor=1.0)
    scene.to_netcdf(tmp_path / "scene.nc")
    mask = xr.DataArray(np.arange(50) >= 10, dims=("y",))
    for one in (scene, tmp_path / "scene.nc", scene.chunk({"y": 7})):
        sample = sample_pixels(one, band_dim="wavelength")
        np.testing.assert_allclose(sample, stored.spectra, rtol=1e-6)
        assert list(sample.columns) == stored.wavelengths
    for one in (raw, raw.chunk({"y": 7, "wavelength": 2})):
        sample = sample_pixels(one, band_dim="wavelength", mask=mask)
        np.testing.assert_array_equal(sample, stored.values[:10].reshape(400, 6))
    with pytest.raises(ValueError, match="no dimension 'band'"):
        sample_pixels(scene)


def test_of_a_lazy_scene_few_chunks_are_computed():
    xr = pytest.importorskip("xarray")
    da = pytest.importorskip("dask.array")
    computed = []

    def make(block_info=None):
        computed.append(block_info[None]["chunk-location"])
        return np.ones((10, 100, 3))

    lazy = da.map_blocks(make, chunks=((10,) * 400, (100,), (3,)), dtype=float)
    scene = xr.DataArray(lazy, dims=("y", "x", "band"))
    assert len(sample_pixels(scene, 500)) == 500
    assert 20 < len(set(computed)) < 80


class Extracted(BaseEstimator):
    """Random pixels, whose fits are counted."""

    n_fits = 0

    def __init__(self, n_endmembers=3, random_state=None):
        self.n_endmembers = n_endmembers
        self.random_state = random_state

    def fit(self, X, y=None):
        type(self).n_fits += 1
        X = np.asarray(X, dtype=float)
        rng = np.random.default_rng(self.random_state)
        self.endmembers_ = X[rng.choice(len(X), self.n_endmembers, replace=False)]
        return self


@pytest.mark.parametrize("scene", ["cube", "xarray", "dask", "file"])
def test_an_unfitted_estimator_is_fitted_to_the_sample(small, scene, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="skunmix.scenes")
    model = make_pipeline(Normalizer(), SunSALRegressor(endmembers=VCA(3, random_state=0)))
    expected = clone(model).fit(sample_pixels(small.cube, nodata=-9999))
    expected = unmix(expected, small.cube, nodata=-9999)
    if scene == "file":
        np.save(tmp_path / "scene.npy", small.cube)
        unmix_file(model, tmp_path / "scene.npy", tmp_path / "out.npy", nodata=-9999)
        found = np.load(tmp_path / "out.npy")
    elif scene == "cube":
        found = unmix(model, small.cube, nodata=-9999)
    else:
        xr = pytest.importorskip("xarray")
        array = xr.DataArray(small.cube, dims=("y", "x", "band"))
        array = array if scene == "xarray" else array.chunk({"y": 5})
        found = unmix(model, array, nodata=-9999).values
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(small.expected))
    assert not hasattr(model[-1], "endmembers_")  # it is as it was
    n_valid = np.isfinite(small.expected[..., 0]).sum()
    assert f"Pipeline is fitted to {n_valid} pixels" in caplog.text


def test_given_endmembers_and_searches_need_no_fit_either(small):
    given = SunSALRegressor(endmembers=pd.DataFrame(small.endmembers, index=small.names))
    np.testing.assert_allclose(unmix(given, small.cube, nodata=-9999), small.expected, atol=1e-6)
    search = GridSearchCV(
        SunSALRegressor(endmembers=SPA(2)),
        {"endmembers__n_endmembers": [2, 3]},
        scoring=spectral_angle_scorer,
        cv=2,
    )
    assert unmix(search, small.cube, nodata=-9999).shape == small.expected.shape


def test_bands_that_the_first_step_drops_have_no_say(small, tmp_path):
    cube = small.cube.copy()
    cube[..., 4] = np.nan
    with pytest.raises(ValueError, match="pixels is valid"):
        sample_pixels(cube)
    keep = np.arange(12) != 4
    model = make_pipeline(BandSelector(keep), SunSALRegressor(endmembers=SPA(3)))
    sample = sample_pixels(cube, estimator=model, nodata=-9999)
    assert len(sample) == np.isfinite(small.expected[..., 0]).sum()
    found = unmix(model, cube, nodata=-9999)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(small.expected))
    np.save(tmp_path / "scene.npy", cube)
    path = unmix_file(model, tmp_path / "scene.npy", tmp_path / "out.npy", nodata=-9999)
    np.testing.assert_allclose(np.load(path), found, atol=1e-6)


def test_labelled_endmembers_meet_the_bands_of_a_file(stored, tmp_path):
    pytest.importorskip("rasterio")
    path = write_envi(tmp_path / "scene", stored)
    rng = np.random.RandomState(1)
    labels = [f"{value} nm" for value in stored.wavelengths]
    endmembers = pd.DataFrame(rng.uniform(size=(3, 6)), index=list("abc"), columns=labels)
    expected = SunSALRegressor(endmembers=endmembers.to_numpy()).fit(stored.spectra)
    shuffled = SunSALRegressor(endmembers=endmembers[labels[::-1]])
    found = np.load(unmix_file(shuffled, path, tmp_path / "out.npy"))
    valid = np.isfinite(found[..., 0])
    np.testing.assert_allclose(found[valid], expected.predict(stored.spectra), atol=1e-5)
    # other wavelengths are resampled: see test_matching
    other = SunSALRegressor(endmembers=endmembers.rename(columns={"550.0 nm": "green"}))
    with pytest.raises(ValueError, match="the bands of the endmembers have other labels"):
        unmix_file(other, path, tmp_path / "other.npy")
    assert not (tmp_path / "other.npy.part").exists()


@pytest.mark.parametrize("kind", [0, 1])
def test_names_and_wavelengths_of_a_band_in_one_label(stored, kind):
    """As GDAL writes them; labelled endmembers have one of the two."""
    xr = pytest.importorskip("xarray")
    pairs = [(f"{name} band", f"{value} nm") for name, value in zip("abcdef", stored.wavelengths)]
    scene = xr.DataArray(
        stored.values[:10] / 10_000,
        dims=("y", "x", "band"),
        coords={"band": [f"{name} ({value})" for name, value in pairs]},
    )
    endmembers = np.random.RandomState(1).uniform(size=(3, 6))
    expected = unmix(SunSALRegressor(endmembers=endmembers), scene.values)
    frame = pd.DataFrame(endmembers, index=list("xyz"), columns=[pair[kind] for pair in pairs])
    found = unmix(SunSALRegressor(endmembers=frame[frame.columns[::-1]]), scene)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_a_pipeline_of_wavelengths_meets_a_file(stored, tmp_path):
    pytest.importorskip("rasterio")
    path = write_envi(tmp_path / "scene", stored)
    water = BandSelector(exclude=[(1340, 1700)], wavelengths=stored.wavelengths, unit="nm")
    model = make_pipeline(water, Normalizer(), SunSALRegressor(endmembers=SPA(3)))
    found = np.load(unmix_file(model, path, tmp_path / "out.npy"))
    fitted = model.fit(sample_pixels(path, estimator=model))
    expected = fitted.predict(pd.DataFrame(stored.spectra, columns=fitted.feature_names_in_))
    np.testing.assert_allclose(found[np.isfinite(found[..., 0])], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (SunSALRegressor(), "SunSALRegressor"),
        (make_pipeline(Normalizer(), SunSALRegressor()), "SunSALRegressor"),
        (UADMMRegressor(endmembers=SPA(3)), "UADMMRegressor"),
        (GridSearchCV(UADMMRegressor(), {"lam": [0, 1]}), "UADMMRegressor"),
    ],
    ids=["SunSAL", "pipeline", "network", "search"],
)
def test_an_unfitted_estimator_that_needs_abundances(small, model, name, tmp_path):
    message = f"{name} is not fitted, and needs abundances .* fit it first by"
    with pytest.raises(NotFittedError, match=message):
        unmix(model, small.cube)
    np.save(tmp_path / "scene.npy", small.cube)
    with pytest.raises(NotFittedError, match=message):
        unmix_file(model, tmp_path / "scene.npy", tmp_path / "out.npy")
    assert os.listdir(tmp_path) == ["scene.npy"]


def test_what_does_not_predict_is_not_fitted_either(small):
    with pytest.raises(TypeError, match="got NMF without it"):
        unmix(NMF(3), small.cube)


class Killed(BaseException):
    """In place of SIGKILL."""


class Stopping(SunSALRegressor):
    """Stops at one of its blocks."""

    stop_at = None

    def predict(self, X):
        if len(X) > 1 and X.dtype == np.float32 and type(self).stop_at is not None:
            type(self).stop_at -= 1
            if not type(self).stop_at:
                raise Killed
        return super().predict(X)


@pytest.fixture
def interrupted(small, tmp_path):
    """Return a function that unmixes a file, which was stopped before; its fits are counted."""
    np.save(tmp_path / "scene.npy", small.cube)
    Extracted.n_fits, Stopping.stop_at = 0, 9

    def run(model, **options):
        options = {"nodata": -9999, "working_memory": 0.01, "progress": False, **options}
        return np.load(unmix_file(model, tmp_path / "scene.npy", tmp_path / "out.npy", **options))

    with pytest.raises(Killed):
        run(Stopping(endmembers=Extracted()))
    assert (tmp_path / "out.npy.part" / "model.pickle").exists()
    Stopping.stop_at = None
    return run


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_run_that_goes_on_has_the_model_of_the_run_before(interrupted, small, tmp_path, n_jobs):
    """Another fit would find other endmembers, as its seed is None."""
    kept = pickle.loads((tmp_path / "out.npy.part" / "model.pickle").read_bytes())
    done = (tmp_path / "out.npy.part" / "done.jsonl").read_text().count("\n")
    assert done > 1
    found = interrupted(Stopping(endmembers=Extracted(), n_jobs=3), n_jobs=n_jobs)
    assert Extracted.n_fits == 1
    np.testing.assert_allclose(found, unmix(kept, small.cube, nodata=-9999), atol=1e-6)
    assert not (tmp_path / "out.npy.part").exists()


def test_another_unfitted_model_is_refused_before_it_is_fitted(interrupted):
    for other in (
        Stopping(endmembers=Extracted(2)),
        Stopping(endmembers=Extracted(random_state=0)),
        Stopping(endmembers=Extracted(), lam=0),
        Stopping(endmembers=small_endmembers()),
    ):
        with pytest.raises(ValueError, match="another model than this one.*resume=False"):
            interrupted(other)
    assert Extracted.n_fits == 1
    interrupted(Stopping(endmembers=Extracted(2)), resume=False)
    assert Extracted.n_fits == 2


def small_endmembers():
    return np.random.RandomState(0).uniform(0.1, 1, (3, 12))


def test_a_fitted_model_does_not_go_on_for_an_unfitted_one(interrupted, small):
    with pytest.raises(ValueError, match="another model"):
        interrupted(Stopping(endmembers=small.endmembers).fit(small.cube[0]))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="of POSIX")
def test_a_model_that_others_may_have_written_is_not_loaded(interrupted, tmp_path):
    (tmp_path / "out.npy.part").chmod(0o777)
    with pytest.raises(PermissionError, match="writable by others"):
        interrupted(Stopping(endmembers=Extracted()))
    (tmp_path / "out.npy.part").chmod(0o700)
    (tmp_path / "out.npy.part" / "model.pickle").rename(tmp_path / "elsewhere")
    (tmp_path / "out.npy.part" / "model.pickle").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        interrupted(Stopping(endmembers=Extracted()))


def test_an_existing_output_is_seen_before_the_fit(small, tmp_path, monkeypatch):
    np.save(tmp_path / "scene.npy", small.cube)
    np.save(tmp_path / "out.npy", small.cube)
    monkeypatch.setattr(sampling_module, "draw_pixels", None)
    with pytest.raises(FileExistsError):
        unmix_file(SunSALRegressor(endmembers=SPA(3)), tmp_path / "scene.npy", tmp_path / "out.npy")


def test_the_global_generator_is_left_alone():
    cube = np.random.RandomState(0).uniform(size=(20, 30, 5))
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    assert len(sample_pixels(cube, 50, random_state=None)) == 50
    np.testing.assert_array_equal(np.random.get_state()[1], before)
