"""Values that are no spectra, other units, rounding, and fits that fail."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skunmix import ISTANetRegressor, SunSALRegressor, SunSALRegressorCV, UADMMRegressor
from skunmix.preprocessing import BandSelector, SpectralResampler
from skunmix.scenes import unmix, unmix_file

N_BANDS = 8
PROBLEM = {"n_pixels": 60, "n_bands": N_BANDS, "n_endmembers": 3, "noise": 0.01}
QUICK = {"max_epochs": 2, "random_state": 0}
LEARNERS = [
    SunSALRegressor(),
    SunSALRegressor(lam=0, sum_to_one=True),
    SunSALRegressor(solver="admm"),
    SunSALRegressorCV(lams=3, cv=2),
    ISTANetRegressor.paper(**QUICK),
    UADMMRegressor.paper(**QUICK),
]
each_learner = pytest.mark.parametrize("learner", LEARNERS, ids=lambda m: type(m).__name__)


def fitted(learner, problem):
    spectra, abundances, endmembers = problem
    return clone(learner).set_params(endmembers=endmembers).fit(spectra, abundances)


@each_learner
@pytest.mark.parametrize("factor", [1e4, 100.0, 1e-4])
def test_other_units_are_told(problem, learner, factor):
    spectra, abundances, endmembers = problem
    message = f"factor of about {factor:g}:.*multiply the spectra by {1 / factor:g}"
    with pytest.warns(UserWarning, match=message):
        clone(learner).set_params(endmembers=endmembers).fit(factor * spectra, abundances)


@each_learner
def test_units_are_not_told_without_cause(problem, learner):
    """Of dark and bright pixels, of integers on both sides, after centring."""
    spectra, abundances, endmembers = problem
    spectra = spectra.copy()
    spectra[::3] *= 0.01  # a lake
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for scale in (1.0, 1e4):
            model = clone(learner).set_params(endmembers=scale * endmembers)
            model.fit(scale * spectra, abundances).predict(scale * spectra)
        if learner.sum_to_one is not True:
            scaled = make_pipeline(StandardScaler(), clone(learner)).fit(spectra, abundances)
            scaled.predict(spectra)


@each_learner
def test_pixels_that_are_no_data_are_counted(problem, learner):
    model = fitted(learner, problem)
    spectra = problem.spectra.copy()
    spectra[[3, 7]] = -9999
    spectra[9, :3] = -0.01  # noise
    with pytest.warns(
        UserWarning, match=r"2 of 60 pixels are negative in most bands, most often -9999.*nodata"
    ):
        model.predict(spectra)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model.predict(problem.spectra)


@pytest.mark.parametrize("n_bands", [4, 8])
def test_noise_and_shadows_are_no_fill_values(n_bands):
    """Few bands around zero, and a shadow that was corrected too far."""
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.1, 0.9, (3, n_bands))
    model = SunSALRegressor(endmembers).fit(endmembers)
    dark = 0.02 * rng.normal(size=(5000, n_bands))
    shadow = np.full((100, n_bands), -0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for spectra in (dark, shadow, np.concatenate([dark, shadow])):
            model.predict(spectra)
    filled = rng.uniform(0.1, 0.9, (50, n_bands))
    filled[::10, 1:] = -9999  # not in all bands
    with pytest.warns(UserWarning, match="5 of 50 pixels are negative in most bands"):
        model.predict(filled)


@each_learner
def test_pixels_that_are_no_data_are_counted_beside_a_negative_endmember(problem, learner):
    endmembers = problem.endmembers.copy()
    endmembers[1, 2] = -1e-4
    model = fitted(learner, problem._replace(endmembers=endmembers))
    spectra = problem.spectra.copy()
    spectra[5] = -32768
    with pytest.warns(UserWarning, match="1 of 60 pixels are negative .* most often -32768"):
        model.predict(spectra)


@each_learner
@pytest.mark.parametrize("fill", [-9999.0, -1.23e17, 1e12])
def test_fill_values_in_training_pixels_are_told(problem, learner, fill):
    spectra, abundances, endmembers = problem
    spectra = spectra.copy()
    spectra[[3, 7, 8]] = fill
    for given in (endmembers, None):
        with pytest.warns(
            UserWarning, match=re.escape(f"3 of 60 training pixels hold the value {fill:g}, ")
        ):
            clone(learner).set_params(endmembers=given).fit(spectra, abundances)


@pytest.mark.parametrize("learner", [LEARNERS[0], LEARNERS[3]])
def test_no_data_without_abundances_is_told(problem, learner):
    spectra = problem.spectra.copy()
    spectra[[3, 7, 8]] = -9999
    with pytest.warns(UserWarning, match="3 of 60 pixels are negative .* most often -9999"):
        clone(learner).set_params(endmembers=problem.endmembers).fit(spectra)


@each_learner
@pytest.mark.parametrize("fill", [9.969209968386869e36, -1.23e34])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_beyond_all_units_are_refused(problem, learner, fill, dtype):
    model = fitted(learner, problem)
    spectra = problem.spectra.astype(dtype)
    spectra[17] = fill
    with pytest.raises(ValueError, match=re.escape(f"pixel 17 has {fill:g}")):
        model.predict(spectra)


VOID = {
    "beyond": (np.s_[[3, 7], 1], -9999.0, "2 of 60 .* beyond .* factor of more than 500.* -9999,"),
    "barely beyond": (np.s_[:, 5], 65535.0, "60 of 60 .* beyond all endmembers.* 65535,"),
    "constant": (np.s_[[3, 7, 8]], 6.5535, "3 of 60 .* hold 6.5535 in all bands"),
    "zero": (np.s_[[3, 7, 8, 9]], 0.0, "4 of 60 .* are zero in all bands"),
    "nearly zero": (np.s_[[3]], 1e-20, "1 of 60 .* are zero in all bands"),
    "all negative": (np.s_[:], -9999.0, "60 of 60 .* negative in most bands, most often -9999"),
}


@each_learner
@pytest.mark.parametrize("kind", VOID)
def test_pixels_without_data_are_counted_by_kind(problem, learner, kind):
    where, value, message = VOID[kind]
    model = fitted(learner, problem)
    spectra = problem.spectra.copy()
    spectra[where] = value
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        abundances = model.predict(spectra)
    found = [str(w.message) for w in found if issubclass(w.category, UserWarning)]
    if "zero" in kind and abundances[3].max() < 1e-15:  # without the constraint this is right
        assert not found
    else:
        assert len(found) == 1
        assert re.search(message, found[0])


@pytest.mark.parametrize("first", [Normalizer(), StandardScaler()])
def test_saturated_pixels_are_told_before_other_steps(problem, first, run):
    """Also where the endmembers do not tell the units of the scene."""
    model = make_pipeline(first, SunSALRegressor()).fit(problem.spectra, problem.abundances)
    cube = problem.spectra.reshape(6, 10, N_BANDS).copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(model, cube)
    cube[2, 3:5] = 65535
    with pytest.warns(UserWarning, match="^2 of 60 pixels hold 65535 in all bands"):
        run(model, cube)


def test_outliers_are_told_after_centring(problem):
    model = make_pipeline(StandardScaler(), SunSALRegressor())
    model.fit(problem.spectra, problem.abundances)
    spectra = problem.spectra.copy()
    spectra[[3, 7]] = -9999
    with pytest.warns(UserWarning, match="^2 of 60 pixels go beyond all endmembers"):
        model.predict(spectra)


@pytest.mark.parametrize(
    "learner", [SunSALRegressorCV(lams=3, cv=2), UADMMRegressor.paper(**QUICK)]
)
def test_abundances_that_are_no_data_are_told(problem, learner):
    abundances = problem.abundances.copy()
    abundances[[3, 7]] = 255
    with pytest.warns(UserWarning, match="abundances of 2 of 60 pixels sum to more than 50 times"):
        clone(learner).set_params(endmembers=problem.endmembers).fit(problem.spectra, abundances)


def test_shade_may_be_an_endmember(problem):
    endmembers = np.vstack([problem.endmembers, np.zeros(N_BANDS)])
    model = SunSALRegressor(endmembers, lam=0, sum_to_one=True).fit(problem.spectra)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert_allclose(model.predict(np.zeros((2, N_BANDS)))[:, 3], 1.0)


@each_learner
@pytest.mark.parametrize("factor", [1e4, 100.0, 1e-4])
def test_other_units_are_told_in_predict(problem, learner, factor):
    model = fitted(learner, problem)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.predict(factor * problem.spectra)
    found = [str(w.message) for w in found if issubclass(w.category, UserWarning)]
    assert len(found) == 1
    assert f"multiply the spectra by {1 / factor:g}" in found[0]


@each_learner
@pytest.mark.parametrize("value", [1e19, -9.969e36])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_value_beyond_all_units_is_named(problem, learner, value, dtype):
    """In any band, and of any pixel."""
    model = fitted(learner, problem)
    spectra = problem.spectra.astype(dtype)
    spectra[17, 5] = value
    with pytest.raises(ValueError, match=re.escape(f"pixel 17 has {value:g} in band 5")):
        model.predict(spectra)


@pytest.mark.parametrize("n_bands", [8, 40])
def test_units_are_told_by_most_bands_and_pixels(n_bands):
    """Not by a saturated band, a few dark pixels, water, noise around zero, or a large border."""
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.1, 0.7, (3, n_bands))
    spectra = rng.dirichlet(np.ones(3), 50) @ endmembers
    saturated = spectra.copy()
    saturated[:, 2] = 65535
    water = 0.015 * rng.uniform(0.5, 1.0, (50, n_bands))
    noise = 1e-4 * rng.normal(size=(50, n_bands))
    border, full = spectra.copy(), spectra.copy()
    border[::3] = -9999
    full[::3] = 65535
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*different units")
        for pixels in (spectra, saturated, water, noise, 0.01 * spectra[:1], border, full):
            SunSALRegressor(endmembers).fit(pixels).predict(pixels)
    for factor in (1e4, 100.0, 0.01, 1e-4):
        with pytest.warns(UserWarning, match="different units"):
            SunSALRegressor(endmembers).fit(factor * spectra)


@each_learner
def test_booleans_are_no_spectra(problem, learner):
    spectra, abundances, endmembers = problem
    model = fitted(learner, problem)
    with pytest.raises(ValueError, match="Expected X as integers or floats, got .* bool"):
        model.predict(spectra > 0.3)
    with pytest.raises(ValueError, match="Expected X as integers or floats, got .* bool"):
        clone(model).fit(spectra > 0.3, abundances)
    with pytest.raises(ValueError, match="Expected endmembers as .* bool"):
        clone(model).set_params(endmembers=endmembers > 0.3).fit(spectra, abundances)


def write(path, cube):
    np.save(path, cube)
    return path


@pytest.fixture(params=["array", "file", "two processes"])
def run(request, tmp_path):
    """Unmix a cube from memory or from a file."""
    if request.param == "array":
        return unmix
    jobs = 2 if request.param == "two processes" else None

    def from_file(model, cube, **options):
        scene = write(tmp_path / "scene.npy", cube)
        output = tmp_path / "abundances.npy"
        return np.load(unmix_file(model, scene, output, n_jobs=jobs, overwrite=True, **options))

    return from_file


def test_scenes_in_other_units_or_with_no_data_are_told(problem, run):
    model = fitted(SunSALRegressor(lam=0, sum_to_one=True), problem)
    cube = problem.spectra.reshape(6, 10, N_BANDS)
    with pytest.warns(UserWarning, match="up to about .*factor of about 10000"):
        run(model, (10_000 * cube).astype(np.int16))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(model, (10_000 * cube).astype(np.int16), scale_factor=1e-4)
    cube = cube.copy()
    cube[0, :4] = -9999
    with pytest.warns(UserWarning, match="4 of 60 pixels are negative in most bands"):
        run(model, cube)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(model, cube, nodata=-9999)


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (np.uint16, 65535, "4 of 60 pixels hold 65535 in all bands"),
        (np.uint16, 0, "4 of 60 pixels are zero in all bands"),
        (np.int16, -32768, "4 of 60 pixels are negative in most bands, most often -32768"),
        (np.int64, -(2**62), "4 pixels hold a value beyond"),
        (np.int32, 99999999, "4 of 60 pixels hold 99999999 in all bands"),
    ],
)
def test_stored_values_without_data_are_named(problem, run, dtype, value, message):
    """Not the values after scaling."""
    model = fitted(SunSALRegressor(lam=0, sum_to_one=True), problem)
    cube = (10_000 * problem.spectra.reshape(6, 10, N_BANDS)).astype(dtype)
    cube[0, :4] = value
    with pytest.warns(UserWarning, match=f"^{message}") as found:
        run(model, cube, scale_factor=1e-4)
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(model, cube, scale_factor=1e-4, nodata=value)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
@pytest.mark.parametrize("value", [-9999, -32768])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_fill_value_in_one_band_is_told(problem, run, dtype, value, scaled):
    """In integers, which hold it in the same range as reflectances."""
    spectra, _, endmembers = problem
    scale = 1.0 if scaled else 1e4
    model = SunSALRegressor(scale * endmembers, lam=0, sum_to_one=True).fit(scale * spectra)
    cube = (10_000 * spectra.reshape(6, 10, N_BANDS)).astype(dtype)
    options = {"scale_factor": 1e-4} if scaled else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        cube[3, 3] = -300  # a shadow
        run(model, cube, **options)
    if scaled and dtype is np.float32:
        pytest.skip("scaled floats hold reflectances")
    cube[2, 3, 6] = cube[4, 4, 5] = value
    with pytest.warns(UserWarning, match=f"^2 of 60 pixels hold {value} in some bands"):
        run(model, cube, **options)
    if not scaled:
        with pytest.warns(UserWarning, match=f"^2 of 60 pixels hold {value} in some bands"):
            model.predict(cube.reshape(60, N_BANDS))


@pytest.mark.parametrize("learner", [SunSALRegressor(lam=0), SunSALRegressorCV(lams=3, cv=2)])
def test_percent_abundances_are_no_other_units(problem, learner, run):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = clone(learner).fit(problem.spectra, 100 * problem.abundances)
        model.predict(problem.spectra)
        run(model, problem.spectra.reshape(6, 10, N_BANDS))


def test_what_is_no_scene_mask_or_nodata_is_told(problem, run):
    model = fitted(SunSALRegressor(), problem)
    cube = problem.spectra.reshape(6, 10, N_BANDS)
    with pytest.raises(TypeError, match="Expected a scene of real numbers, got .* bool"):
        run(model, cube > 0.3)
    with pytest.raises(TypeError, match="Expected mask with True .* got values of type <U5"):
        run(model, cube, mask=np.full((6, 10), "False"))
    with pytest.warns(UserWarning, match=r"^nodata=-99999 is ignored, .* int16"):
        run(model, (10_000 * cube).astype(np.int16), nodata=[-99999, -9999], scale_factor=1e-4)


def test_a_band_that_no_step_uses_hides_nothing(problem, run):
    model = make_pipeline(
        BandSelector([0, 1, 2, 3, 4, 6, 7]), SunSALRegressor(lam=0, sum_to_one=True)
    )
    model.set_params(sunsalregressor__endmembers=np.delete(problem.endmembers, 5, axis=1))
    model.fit(problem.spectra)
    cube = problem.spectra.reshape(6, 10, N_BANDS).copy()
    cube[..., 5] = 65535
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        run(model, cube)
    cube[2, 3, 6] = 65535
    with pytest.warns(UserWarning, match="^1 of 60 pixels go beyond .* to 65535,"):
        run(model, cube)


@pytest.mark.parametrize("learner", [*LEARNERS, LinearRegression()], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_bad_pixel_of_a_scene_is_its_own_problem(problem, learner, dtype, run):
    if isinstance(learner, LinearRegression):
        model = clone(learner).fit(problem.spectra, problem.abundances)
    else:
        model = fitted(learner, problem)
    cube = problem.spectra.reshape(6, 10, N_BANDS).astype(dtype)
    expected = run(model, cube)
    cube[2, 3, 4] = 1e200 if dtype is np.float64 else 3e38
    cube[5, 0, 0] = -1e19
    cube[0, 0, 0] = np.nan
    with pytest.warns(UserWarning, match=r"^2 pixels hold a value beyond ±1e\+18"):
        found = run(model, cube)
    bad = [(2, 3), (5, 0), (0, 0)]
    assert all(np.isnan(found[pixel]).all() for pixel in bad)
    for pixel in bad:
        expected[pixel] = np.nan
    assert_allclose(found, expected, atol=1e-6)


class Picky(LinearRegression):
    """Refuses a spectrum, and all that come with it."""

    def predict(self, X):
        if (np.asarray(X)[:, 2] == 0.125).any():
            raise ValueError("not this one")
        return super().predict(X)


@pytest.mark.parametrize("n_bad", [1, 3, 10])
def test_a_pixel_that_an_estimator_refuses_is_its_own_problem(problem, n_bad):
    model = Picky().fit(problem.spectra, problem.abundances)
    cube = problem.spectra.reshape(6, 10, N_BANDS).copy()
    expected = unmix(model, cube)
    bad = np.s_[1, 10 - n_bad :]
    cube[bad][:, 2] = 0.125
    expected[bad] = np.nan
    message = f"Picky raised an error .* for {n_bad} of 60 pixels.*not this one"
    with pytest.warns(UserWarning, match=message):
        assert_allclose(unmix(model, cube), expected)


def test_thousands_of_refused_pixels_are_their_own_problem(problem, run):
    model = Picky().fit(problem.spectra, problem.abundances)
    cube = np.tile(problem.spectra.reshape(6, 10, N_BANDS), (10, 6, 1))
    expected = run(model, cube)
    cube[:50, :, 2] = 0.125
    expected[:50] = np.nan
    with pytest.warns(UserWarning, match="for 3000 of 3600 pixels"):
        assert_allclose(run(model, cube), expected)


class Dividing(LinearRegression):
    """Divides by the first band."""

    def predict(self, X):
        with np.errstate(divide="ignore"):
            return super().predict(X) / X[:, :1]


def test_infinity_is_counted(problem, run):
    model = Dividing().fit(problem.spectra, problem.abundances)
    cube = problem.spectra.reshape(6, 10, N_BANDS).copy()
    cube[2, 3:5, 0] = 0.0
    with pytest.warns(UserWarning, match="Dividing .*infinity for 2 of 60 pixels"):
        found = run(model, cube)
    assert np.isnan(found[2, 3:5]).all()
    assert np.isfinite(np.delete(found.reshape(60, -1), [23, 24], axis=0)).all()


def test_a_scene_that_an_estimator_refuses_is_an_error(problem):
    model = Picky().fit(problem.spectra, problem.abundances)
    cube = np.tile(problem.spectra.reshape(6, 10, N_BANDS), (6, 6, 1))
    cube[..., 2] = 0.125
    with pytest.raises(ValueError, match="not this one"):
        unmix(model, cube)


@each_learner
def test_the_error_of_an_array_names_the_pixel(problem, learner):
    model = fitted(learner, problem)
    spectra = problem.spectra.copy()
    spectra[17, 5] = 1e200
    try:
        found = model.predict(spectra)
    except ValueError as error:
        assert "pixel 17 has 1e+200 in band 5" in str(error)  # noqa: PT017
    else:  # ADMM can
        assert_allclose(np.delete(found, 17, 0), np.delete(model.predict(problem.spectra), 17, 0))


@pytest.mark.parametrize("learner", LEARNERS[:4], ids=lambda m: type(m).__name__)
def test_the_certificate_names_the_pixel(problem, learner):
    model = fitted(learner, problem)
    spectra = problem.spectra.copy()
    spectra[17, 5] = 1e200
    with pytest.raises(ValueError, match=r"pixel 17 has 1e\+200 in band 5"):
        model.optimality(spectra)


@pytest.mark.parametrize("learner", LEARNERS[-3:], ids=lambda m: type(m).__name__)
def test_a_bad_training_pixel_is_named(problem, learner):
    spectra, abundances, endmembers = problem
    spectra = spectra.copy()
    spectra[17, 5] = 1e200
    with pytest.raises(ValueError, match=r"pixel 17 has 1e\+200 in band 5"):
        clone(learner).set_params(endmembers=endmembers).fit(spectra, abundances)
    if isinstance(learner, SunSALRegressorCV):
        with pytest.raises(ValueError, match=r"pixel 17 has 1e\+200 in band 5"):
            clone(learner).set_params(endmembers=endmembers).fit(spectra)


@each_learner
@pytest.mark.parametrize("rounding", [-8e-18, -1e-9, -5e-7])
def test_what_is_only_rounding_is_zero(problem, learner, rounding):
    spectra, abundances, endmembers = problem
    zero, nearly = abundances.copy(), abundances.copy()
    zero[:5], nearly[:5] = [0, 0.25, 0.75], [rounding, 0.25, 0.75 - rounding / 2]
    before = nearly.copy()
    models = [
        clone(learner).set_params(endmembers=given).fit(spectra, y)
        for y, given in ((zero, endmembers), (nearly, endmembers), (nearly, None))
    ]
    assert_allclose(models[1].predict(spectra), models[0].predict(spectra), atol=1e-5)
    assert_array_equal(nearly, before)
    nearly[0, 0] = -0.01
    with pytest.raises(ValueError, match="Negative values in y"):
        clone(learner).set_params(endmembers=endmembers).fit(spectra, nearly)


BAD_FITS = {
    "fewer bands, too few pixels": lambda p: (p.spectra[:1, :5], p.abundances[:1], {}),
    "another width": lambda p: (p.spectra[:, :5], p.abundances, {}),
    "negative abundances": lambda p: (p.spectra[:, ::-1], -p.abundances, {}),
    "NaN": lambda p: (np.full((20, 5), np.nan), p.abundances[:20], {}),
    "names": lambda p: (
        pd.DataFrame(p.spectra[:, :5], columns=list("abcde")),
        p.abundances,
        {"endmembers": p.endmembers[:, :4]},
    ),
}


@each_learner
@pytest.mark.parametrize("bad", BAD_FITS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "warm_start"])
def test_a_failed_refit_leaves_the_old_state(problem, learner, bad, method):
    if method != "fit" and not hasattr(learner, "partial_fit"):
        pytest.skip("not a network")
    model = fitted(learner, problem)
    expected, before = model.predict(problem.spectra), dict(vars(model))
    spectra, abundances, late = BAD_FITS[bad](problem)
    if method == "warm_start":
        model.set_params(warm_start=True)
        before["warm_start"] = True
    with pytest.raises(ValueError, match="."):
        getattr(model, "partial_fit" if method == "partial_fit" else "fit")(
            spectra, abundances, **late
        )
    assert vars(model).keys() == before.keys()
    assert_array_equal(model.predict(problem.spectra), expected)


@pytest.mark.parametrize(
    ("step", "good", "bad"),
    [
        (BandSelector([0, 5]), np.ones((2, 8)), np.ones((2, 4))),
        (
            SpectralResampler([400, 500, 600], [450], [50], source_unit="nm", target_unit="nm"),
            np.ones((2, 3)),
            np.ones((2, 4)),
        ),
    ],
    ids=["BandSelector", "SpectralResampler"],
)
def test_a_failed_refit_of_a_step_leaves_the_old_state(step, good, bad):
    step = clone(step).fit(good)
    expected = step.transform(good)
    with pytest.raises(ValueError, match="band"):
        step.fit(bad)
    assert_array_equal(step.transform(good), expected)
    with pytest.raises(ValueError, match="band"):
        unfitted = clone(step).fit(bad)
    unfitted = clone(step)
    with pytest.raises(NotFittedError):
        unfitted.transform(good)
