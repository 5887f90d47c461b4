"""How well endmembers explain a scene, beside sums by hand."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from skunmix import SunSALRegressor
from skunmix.metrics import fit_summary
from skunmix.plotting import ResidualMapDisplay
from skunmix.preprocessing import ContinuumRemoval

PROBLEM = {"n_pixels": 80, "noise": 0.05}


@pytest.fixture
def model(problem):
    return SunSALRegressor(endmembers=problem.endmembers, lam=0).fit(problem.spectra)


def test_by_hand(problem, model):
    spectra = problem.spectra
    summary = fit_summary(model, spectra, n_worst=3)
    x = model.predict(spectra)
    rmse = np.array(
        [np.sqrt(((y - a @ problem.endmembers) ** 2).mean()) for y, a in zip(spectra, x)]
    )
    np.testing.assert_allclose(summary.rmse, rmse, rtol=1e-12)
    assert summary.mean_rmse == pytest.approx(rmse.mean())
    assert summary.median_rmse == pytest.approx(np.median(rmse))
    np.testing.assert_array_equal(summary.worst, np.argsort(rmse)[::-1][:3])
    assert summary.names == [f"endmember{j}" for j in range(4)]
    np.testing.assert_allclose(summary.at_zero, (x == 0).mean(axis=0))
    assert summary.at_zero.max() > 0
    np.testing.assert_allclose(summary.above_one, (x > 1 + 1e-6).mean(axis=0))
    assert not summary.below_zero.any()
    assert not summary.at_one.any()
    assert summary.at_bound == pytest.approx((x == 0).any(axis=1).mean())
    assert (summary.n_pixels, summary.n_masked, summary.n_missing) == (80, 0, 0)


def test_bounds_of_each_kind(problem):
    pure = np.vstack([problem.endmembers, 2 * problem.endmembers[0] - problem.endmembers[1]])
    held = SunSALRegressor(endmembers=problem.endmembers, lam=0, sum_to_one=True).fit(pure)
    summary = fit_summary(held, pure[:4])
    np.testing.assert_allclose(summary.at_one, [0.25] * 4)
    np.testing.assert_allclose(summary.at_zero, [0.75] * 4)
    assert summary.at_bound == 1
    free = SunSALRegressor(endmembers=problem.endmembers, lam=0, positive=False).fit(pure)
    summary = fit_summary(free, pure)
    np.testing.assert_allclose(summary.below_zero, [0, 0.2, 0, 0])
    np.testing.assert_allclose(summary.above_one, [0.2, 0, 0, 0])


def test_cubes_masks_and_missing_pixels(problem, model):
    cube = problem.spectra.reshape(8, 10, -1).copy()
    expected = fit_summary(model, problem.spectra).rmse.reshape(8, 10)
    cube[0, :3] = np.nan
    cube[2, 2, 5] = np.inf
    mask = np.zeros((8, 10), dtype=bool)
    mask[0, 0] = mask[7] = True
    left_out = mask | ~np.isfinite(cube).all(axis=2)
    summary = fit_summary(model, cube, mask=mask)
    np.testing.assert_array_equal(np.isnan(summary.rmse), left_out)
    np.testing.assert_allclose(summary.rmse[~left_out], expected[~left_out], rtol=1e-12)
    assert (summary.n_pixels, summary.n_masked, summary.n_missing) == (80, 11, 3)
    assert summary.mean_rmse == pytest.approx(expected[~left_out].mean())
    assert summary.worst.shape == (10, 2)
    worst = np.where(left_out, -1, expected).argmax()
    assert tuple(summary.worst[0]) == np.unravel_index(worst, (8, 10))
    text = str(summary)
    assert text.startswith(
        "80 pixels, 14 left out (11 by the mask, 3 with missing values, 0 without abundances)\n"
    )
    assert f"in pixel {tuple(map(int, summary.worst[0]))}" in text
    # the same by a masked array, of which all pixels are missing
    masked = np.ma.masked_array(cube, np.broadcast_to(mask[..., np.newaxis], cube.shape))
    again = fit_summary(model, masked)
    np.testing.assert_array_equal(again.rmse, summary.rmse)
    assert (again.n_masked, again.n_missing) == (0, 14)
    pytest.importorskip("matplotlib")
    display = ResidualMapDisplay.from_estimator(model, np.where(mask[..., None], np.nan, cube))
    np.testing.assert_allclose(display.residuals, summary.rmse)


def test_dataarrays_and_frames(problem):
    xr = pytest.importorskip("xarray")
    bands = [f"b{i}" for i in range(20)]
    frame = pd.DataFrame(problem.spectra, columns=bands)
    library = pd.DataFrame(problem.endmembers, index=[*"abcd"], columns=bands)
    model = SunSALRegressor(endmembers=library, lam=0).fit(frame)
    expected = fit_summary(model, frame)
    assert expected.names == [*"abcd"]
    assert "\na " in str(expected)
    scene = xr.DataArray(
        problem.spectra.reshape(8, 10, 20), dims=["y", "x", "band"], coords={"band": bands}
    )
    mask = xr.DataArray(np.arange(80).reshape(8, 10) < 5, dims=["y", "x"])
    rmse = np.where(mask, np.nan, expected.rmse.reshape(8, 10))
    with pytest.warns(UserWarning, match="feature names"):
        found = fit_summary(model, scene[..., ::-1].transpose("band", "x", "y"), mask=mask.T)
    np.testing.assert_allclose(found.rmse, rmse)


def test_pipelines_groups_and_blocks(problem, model):
    spectra = problem.spectra
    expected = fit_summary(model, spectra)
    grouped = SunSALRegressor(endmembers=problem.endmembers, groups=[*"aabb"], lam=0)
    for estimator in (
        make_pipeline(FunctionTransformer(inverse_func=np.asarray, func=np.asarray), model),
        grouped.fit(spectra),
        make_pipeline("passthrough", grouped).fit(spectra),
    ):
        found = fit_summary(estimator, spectra)
        np.testing.assert_allclose(found.rmse, expected.rmse)
        np.testing.assert_array_equal(found.at_zero, expected.at_zero)
    many = fit_summary(model, np.tile(spectra, (300, 1)).astype(np.float32))
    np.testing.assert_allclose(many.rmse, np.tile(expected.rmse, 300), rtol=1e-4)
    # compared in the space of X if all steps can be inverted, and else behind them
    scaled = make_pipeline(StandardScaler(), SunSALRegressor(lam=0)).fit(
        spectra, problem.abundances
    )
    rebuilt = scaled.inverse_transform(scaled.predict(spectra))
    rmse = np.sqrt(((spectra - rebuilt) ** 2).mean(axis=1))
    np.testing.assert_allclose(fit_summary(scaled, spectra).rmse, rmse)
    for step in (Normalizer(), ContinuumRemoval()):
        behind = make_pipeline(step, SunSALRegressor(lam=0)).fit(abs(spectra), problem.abundances)
        seen = behind[0].transform(abs(spectra))
        np.testing.assert_allclose(
            fit_summary(behind, abs(spectra)).rmse, fit_summary(behind[-1], seen).rmse
        )


class WithoutSome(SunSALRegressor):
    """Gives no abundances to some pixels, as an estimator with bounds does."""

    def predict(self, X):
        abundances = super().predict(X)
        abundances[X[:, 0] > 0.5] = np.nan
        return abundances


def test_pixels_without_abundances(problem, model):
    some = WithoutSome(endmembers=problem.endmembers, lam=0).fit(problem.spectra)
    failed = problem.spectra[:, 0] > 0.5
    assert 0 < failed.sum() < 80
    summary, expected = (fit_summary(m, problem.spectra) for m in (some, model))
    assert summary.n_failed == failed.sum()
    np.testing.assert_array_equal(summary.rmse, np.where(failed, np.nan, expected.rmse))
    assert summary.mean_rmse == pytest.approx(expected.rmse[~failed].mean())
    assert not failed[summary.worst].any()
    x = model.predict(problem.spectra)[~failed]
    np.testing.assert_allclose(summary.at_zero, (x == 0).mean(axis=0))
    with pytest.raises(ValueError, match="got none for all .* pixels from WithoutSome"):
        fit_summary(some, problem.spectra[failed])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": np.zeros(3, bool)}, r"mask of shape \(80,\) .* got bool of shape \(3,\)"),
        ({"mask": np.array(["a"] * 80)}, r"mask of shape \(80,\) .* got <U1"),
        ({"mask": np.ones(80, bool)}, "pixels to summarise, got none, as the mask leaves out 80"),
        ({"n_worst": 0}, "n_worst == 0, must be >= 1"),
    ],
)
def test_refused(problem, model, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit_summary(model, problem.spectra, **arguments)


def test_refused_spectra_and_estimators(problem, model):
    with pytest.raises(ValueError, match="got none among the 80 pixels"):
        fit_summary(model, np.full((80, 20), np.nan))
    with pytest.raises(ValueError, match=r"Expected X of shape .* got \(20,\)"):
        fit_summary(model, problem.spectra[0])
    with pytest.raises(TypeError, match="fit_summary expected an estimator with inverse_transform"):
        fit_summary(LinearRegression().fit(problem.spectra, problem.abundances), problem.spectra)
