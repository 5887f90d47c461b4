import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skunmix import SunSALRegressor, UADMMRegressor
from skunmix.preprocessing import BandSelector
from skunmix.scenes import unmix
from skunmix.scenes._blocks import BlockUnmixer
from skunmix.scenes.io.decoding import Decoding, decoding_of
from skunmix.scenes.io.windows import block_slices
from skunmix.utils.estimators import endmember_names


@given(
    shape=st.lists(st.integers(1, 30), min_size=1, max_size=3).map(tuple),
    chunk_shape=st.lists(st.integers(1, 30), min_size=3, max_size=3),
    max_pixels=st.integers(1, 500),
)
def test_blocks_cover_each_pixel_once_and_are_small(shape, chunk_shape, max_pixels):
    chunk_shape = tuple(chunk_shape[: len(shape)])
    seen = np.zeros(shape, dtype=int)
    for block in block_slices(shape, max_pixels, chunk_shape):
        seen[block] += 1
        assert seen[block].size <= max_pixels
    assert (seen == 1).all()


def test_blocks_are_of_whole_grains_where_they_fit():
    blocks = block_slices((100, 90), 4 * 32 * 16, (16, 32))
    assert {block[0].start % 16 for block in blocks} == {0}
    assert {block[1].start % 32 for block in blocks} == {0}


@settings(deadline=None, max_examples=25)
@given(
    working_memory=st.floats(1e-4, 0.2),
    n_jobs=st.sampled_from([None, 2]),
    axis=st.sampled_from([0, 1, 2]),
    order=st.sampled_from("CF"),
)
def test_any_block_size_order_and_threads(small, check, working_memory, n_jobs, axis, order):
    cube = np.array(np.moveaxis(small.cube, 2, axis), order=order)
    before = cube.copy()
    abundances = unmix(
        small.model,
        cube,
        band_dim=axis,
        nodata=-9999,
        working_memory=working_memory,
        n_jobs=n_jobs,
    )
    check(np.moveaxis(abundances, axis, 2))
    assert abundances.dtype == np.float32
    np.testing.assert_array_equal(cube, before)


def test_a_network_whatever_the_blocks(small):
    spectra = np.nan_to_num(small.cube[5:].reshape(-1, small.cube.shape[2]), posinf=0)
    network = UADMMRegressor(
        endmembers=small.endmembers, sum_to_one=False, max_epochs=2, random_state=0
    )
    network.fit(spectra, np.nan_to_num(small.expected[5:].reshape(len(spectra), -1)))
    whole = unmix(network, small.cube, nodata=-9999)
    assert np.isfinite(whole).sum() == np.isfinite(small.expected).sum()
    for options in ({"working_memory": 0.003}, {"working_memory": 0.01, "n_jobs": 2}):
        cut = unmix(network, small.cube, nodata=-9999, **options)
        np.testing.assert_allclose(cut, whole, rtol=0, atol=1e-6)


def test_a_pixel_is_what_predict_says(small):
    pipeline = make_pipeline(StandardScaler(), LinearRegression())
    valid = np.isfinite(small.expected[..., 0])
    pipeline.fit(small.cube[valid], small.expected[valid])
    abundances = unmix(pipeline, small.cube, nodata=-9999)
    np.testing.assert_allclose(
        abundances[valid], pipeline.predict(small.cube[valid]), rtol=0, atol=1e-6
    )
    assert np.isnan(abundances[~valid]).all()


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_memory_mapped(small, check, tmp_path, mode):
    np.save(tmp_path / "scene.npy", small.cube)
    cube = np.load(tmp_path / "scene.npy", mmap_mode=mode)
    if mode == "c":  # changes that are in memory alone must survive
        cube[0, 0] = np.nan
    abundances = unmix(small.model, cube, nodata=-9999, working_memory=0.01)
    if mode == "c":
        assert np.isnan([abundances[0, 0, 0], cube[0, 0, 0]]).all()
        abundances[0, 0] = small.expected[0, 0]
    check(abundances)


def test_out_may_be_a_file(small, check, tmp_path):
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.float32, small.expected.shape)
    assert unmix(small.model, small.cube, nodata=-9999, out=out) is out
    out.flush()
    check(np.load(tmp_path / "out.npy"))


def test_mask_and_masked_array(small):
    mask = np.zeros(small.cube.shape[:2], dtype=bool)
    mask[10:, 3] = True
    masked = unmix(small.model, small.cube, nodata=-9999, mask=mask)
    assert np.isnan(masked[mask]).all()
    np.testing.assert_array_equal(masked[~mask], small.expected[~mask])

    hidden = np.broadcast_to(mask[..., np.newaxis], small.cube.shape)
    scene = np.ma.MaskedArray(small.cube, hidden)
    abundances = unmix(small.model, scene, nodata=-9999)
    assert isinstance(abundances, np.ma.MaskedArray)
    np.testing.assert_array_equal(abundances.filled(np.nan), masked)


def test_integers_with_a_scale(small):
    stored = np.round(np.nan_to_num(small.cube, nan=-1, posinf=-1) * 1e4).clip(-1).astype(np.int16)
    abundances = unmix(small.model, stored, nodata=-1, scale_factor=1e-4)
    spectra = np.where(stored == -1, np.nan, stored * 1e-4)
    np.testing.assert_allclose(abundances, unmix(small.model, spectra), rtol=0, atol=1e-6)
    shifted = unmix(
        small.model,
        (stored.astype(np.int32) + 100).astype(np.uint16),
        nodata=99,
        scale_factor=1e-4,
        add_offset=-1e-2,
    )
    np.testing.assert_allclose(shifted, abundances, rtol=0, atol=1e-6)


def test_a_scale_for_each_band_and_foreign_byte_order(small, check):
    gain = np.linspace(0.5, 2, small.cube.shape[2])
    stored = np.where(small.cube == -9999, -9999, small.cube / gain).astype(">f4")
    check(unmix(small.model, stored, nodata=-9999, scale_factor=gain), atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "nodata", "kept"),
    [("u1", -9999, []), ("i2", -9999, [-9999]), ("i2", 0.5, []), ("f4", -3.4e38, [-3.4e38])],
)
def test_no_data_in_the_type_of_the_scene(dtype, nodata, kept):
    fill = Decoding(np.dtype(dtype), (nodata,))._fill
    assert list(fill) == [np.dtype(dtype).type(value) for value in kept]


def test_bands_that_are_dropped_have_no_say(small):
    keep = [0, 2, 3, 5, 7, 8, 9]
    endmembers = small.endmembers[:, keep]
    cube = np.where(np.isfinite(small.cube) & (small.cube != -9999), small.cube, 0.1)
    cube[:, :, 1] = np.nan
    cube[:, :5, 4] = np.inf
    cube[:, 5:, 6] = -9999
    cube[7, 7, 2] = np.nan  # this one has
    pipeline = make_pipeline(BandSelector(keep), SunSALRegressor(endmembers=endmembers))
    pipeline.fit(np.ones((1, cube.shape[2])))
    abundances = unmix(pipeline, cube, nodata=-9999)
    assert np.isnan(abundances[7, 7]).all()
    cube[7, 7] = 0.1
    expected = (
        SunSALRegressor(endmembers=endmembers)
        .fit(endmembers)
        .predict(cube[:, :, keep].reshape(-1, len(keep)))
    )
    expected = expected.reshape(abundances.shape)
    expected[7, 7] = np.nan
    np.testing.assert_allclose(abundances, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("largest", [np.finfo(np.float32).min, 1e30])
def test_no_data_that_overflow_when_squared(small, check, largest, recwarn):
    cube = np.where(small.cube == -9999, np.float32(largest), small.cube)
    check(unmix(small.model, cube, nodata=largest))
    assert not recwarn.list


def test_fitted_on_a_data_frame(small, recwarn):
    import pandas as pd

    spectra = pd.DataFrame(small.endmembers, columns=[f"b{i}" for i in range(12)])
    model = SunSALRegressor(endmembers=small.endmembers).fit(spectra)
    np.testing.assert_array_equal(unmix(model, small.cube, nodata=-9999), small.expected)
    assert not recwarn.list


def test_one_output(small):
    model = LinearRegression().fit(small.cube[:2].reshape(34, -1), np.arange(34.0))
    assert unmix(model, small.cube[:2]).shape == (2, 17, 1)


def test_names(small):
    names = small.names
    assert endmember_names(small.model) == names
    assert endmember_names(make_pipeline(Normalizer(), small.model)) == names
    search = GridSearchCV(small.model, {"lam": [0.0, 1e-3]}, cv=2, scoring="r2")
    search.fit(small.cube[:2].reshape(34, -1), small.expected[:2].reshape(34, -1))
    assert endmember_names(search) == names
    assert endmember_names(LinearRegression()) is None


# Bad input


def test_the_wrong_number_of_bands(small):
    with pytest.raises(
        ValueError, match=r"fitted on 12 bands, but axis 2 of .*\(23, 17, 9\) has 9"
    ):
        unmix(small.model, small.cube[:, :, :9])


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_no_valid_pixel(small, n_jobs):
    with pytest.raises(ValueError, match="None of the scene's 391 pixels is valid"):
        unmix(small.model, np.full_like(small.cube, np.nan), n_jobs=n_jobs, working_memory=0.01)


def test_what_is_no_estimator(small):
    with pytest.raises(TypeError, match="ndarray has none"):
        unmix(small.cube, small.cube)
    with pytest.raises(TypeError, match="StandardScaler has none"):
        unmix(StandardScaler(), small.cube)
    with pytest.raises(NotFittedError):
        unmix(SunSALRegressor(), small.cube)


def test_what_is_no_scene(small):
    with pytest.raises(TypeError, match="a str; use unmix_file"):
        unmix(small.model, "scene.tif")
    with pytest.raises(TypeError, match="real numbers"):
        unmix(small.model, small.cube.astype(complex))
    with pytest.raises(ValueError, match=r"has \(12,\)"):
        unmix(small.model, small.cube[0, 0])
    with pytest.raises(ValueError, match="mask must have the scene's shape"):
        unmix(small.model, small.cube, mask=np.ones((3, 3)))
    with pytest.raises(ValueError, match="out must have the shape"):
        unmix(small.model, small.cube, out=np.empty((3, 3)))
    with pytest.raises(ValueError, match="working_memory"):
        unmix(small.model, small.cube, working_memory=0)


def test_floats_that_may_have_been_scaled():
    attributes = {"scale_factor": 1e-4, "_FillValue": -1}
    with pytest.raises(ValueError, match="cannot be told whether these have been applied"):
        decoding_of("f4", attributes, decoded=None)
    assert not decoding_of("f4", attributes, decoded=None, scale_factor=1).scaled
    assert not decoding_of("f4", attributes, decoded=True).scaled
    assert decoding_of("i2", attributes, decoded=None) == Decoding(np.dtype("i2"), (-1.0,), 1e-4)


def test_an_estimator_without_numbers(small):
    class Names(LinearRegression):
        def predict(self, X):
            return np.full(len(X), "tree")

    model = Names().fit(np.ones((2, 12)), np.ones(2))
    with pytest.raises(TypeError, match="Abundances are numbers"):
        BlockUnmixer(model, 12, Decoding(np.dtype("f4")), "the scene")


def test_a_masked_band_that_is_dropped_hides_no_pixel():
    rng = np.random.default_rng(0)
    endmembers, cube = rng.uniform(0.1, 0.9, (3, 5)), rng.uniform(0.1, 0.9, (4, 6, 5))
    keep = [0, 1, 3, 4]
    model = make_pipeline(BandSelector(keep), SunSALRegressor(endmembers[:, keep])).fit(cube[0])
    expected = unmix(model, cube)
    masked = np.ma.masked_array(cube, np.zeros(cube.shape, dtype=bool))
    masked[..., 2] = np.ma.masked
    masked[0, 0, 1] = np.ma.masked
    found = unmix(model, masked)
    assert found.mask[0, 0].all()
    assert found.mask.sum() == 3
    np.testing.assert_allclose(found[1:], expected[1:])
