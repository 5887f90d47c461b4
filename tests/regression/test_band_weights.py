"""Weighted least squares: equal to least squares on spectra that are whitened by hand."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import inv, sqrtm
from scipy.optimize import nnls
from sklearn.linear_model import LinearRegression

from skunmix import SunSALRegressor
from skunmix.scenes import unmix
from skunmix.solvers import Whitening

PROBLEM = {"n_pixels": 60, "noise": 0.05}
N_BANDS = 20
WEIGHTS = np.geomspace(0.1, 100, N_BANDS)


@pytest.fixture
def covariance():
    rng = np.random.default_rng(1)
    factor = rng.normal(size=(N_BANDS, N_BANDS))
    sizes = np.geomspace(1e-4, 1.0, N_BANDS)
    return (factor @ factor.T + np.eye(N_BANDS)) * sizes[:, np.newaxis] * sizes


def predictions(problem, **parameters):
    model = SunSALRegressor(endmembers=problem.endmembers, **parameters).fit(problem.spectra)
    return model, model.predict(problem.spectra)


@pytest.mark.parametrize(
    "parameters",
    [
        {"lam": 0},
        {"lam": 0.1},
        {"lam": 0, "sum_to_one": True},
        {"lam": 0, "sum_to_one": "normalize"},
        {"lam": 0.01, "solver": "admm", "tol": 1e-12},
        {"lam": 0, "positive": False},
        {"lam": 0, "positive": False, "sum_to_one": True},
        {"lam": 0.1, "positive": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["weights", "covariance"])
def test_equal_to_whitening_by_hand(problem, covariance, parameters, kind):
    spectra, _, endmembers = problem
    if kind == "weights":
        root, noise = np.diag(np.sqrt(WEIGHTS)), {"band_weights": WEIGHTS}
    else:
        # the symmetric root, which is another one than that of the Cholesky factor
        root, noise = np.real(sqrtm(inv(covariance))), {"noise_covariance": covariance}
    model, found = predictions(problem, **parameters, **noise)
    by_hand = SunSALRegressor(endmembers=endmembers @ root, **parameters).fit(spectra @ root)
    np.testing.assert_allclose(found, by_hand.predict(spectra @ root), rtol=1e-10, atol=1e-10)
    assert abs(found - predictions(problem, **parameters)[1]).max() > 1e-3
    assert model.optimality(spectra).max() < (1e-4 if "solver" in parameters else 1e-10)
    np.testing.assert_array_equal(model.endmembers_, endmembers)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(spectra), found)


def test_weights_are_those_of_linear_regression(problem):
    spectra, _, endmembers = problem
    found = predictions(problem, lam=0, positive=False, band_weights=WEIGHTS)[1]
    peer = LinearRegression(fit_intercept=False).fit(endmembers.T, spectra.T, WEIGHTS)
    np.testing.assert_allclose(found, peer.coef_, atol=1e-10)
    peer = LinearRegression(fit_intercept=False, positive=True).fit(
        endmembers.T, spectra.T, WEIGHTS
    )
    np.testing.assert_allclose(
        predictions(problem, lam=0, band_weights=WEIGHTS)[1], peer.coef_, atol=1e-10
    )


def test_a_diagonal_covariance_is_weights(problem):
    weighted = predictions(problem, lam=0.1, band_weights=WEIGHTS)[1]
    diagonal = predictions(problem, lam=0.1, noise_covariance=np.diag(1 / WEIGHTS))[1]
    np.testing.assert_allclose(diagonal, weighted, atol=1e-12)
    np.testing.assert_array_equal(
        predictions(problem, band_weights=np.ones(N_BANDS))[1], predictions(problem)[1]
    )


def test_zero_weights_leave_bands_out(problem):
    spectra, _, endmembers = problem
    left_out = np.arange(N_BANDS) % 3 == 1
    model, found = predictions(problem, band_weights=~left_out * 1.0)
    expected = SunSALRegressor(endmembers=endmembers[:, ~left_out]).fit(spectra[:, ~left_out])
    np.testing.assert_allclose(found, expected.predict(spectra[:, ~left_out]), atol=1e-14)
    damaged = spectra.copy()
    damaged[:, left_out] = 1e6
    np.testing.assert_array_equal(model._whitening(damaged), model._whitening(spectra))
    damaged[3, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(damaged)


def test_noise_in_some_bands_matters_less(problem):
    _, abundances, endmembers = problem
    sizes = np.where(np.arange(N_BANDS) < 5, 1.0, 0.01)
    noise = sizes * np.random.default_rng(0).normal(size=(60, N_BANDS))
    spectra = abundances @ endmembers + noise
    errors = []
    for weights in (None, 1 / sizes**2):
        model = SunSALRegressor(endmembers=endmembers, lam=0, band_weights=weights).fit(spectra)
        errors.append(abs(model.predict(spectra) - abundances).mean())
    assert errors[1] < errors[0] / 5


def test_more_pixels_than_are_whitened_at_once(problem):
    many = np.tile(problem.spectra, (300, 1))
    model, found = predictions(problem, band_weights=WEIGHTS, n_jobs=2)
    np.testing.assert_array_equal(model.predict(many), np.tile(found, (300, 1)))
    assert model.predict(many.astype(np.float32)).dtype == np.float32
    integers = (1000 * abs(problem.spectra)).astype(np.uint16)
    fitted = SunSALRegressor(endmembers=1000 * problem.endmembers, band_weights=WEIGHTS)
    assert np.isfinite(fitted.fit(integers).predict(integers)).all()
    cube = problem.spectra.reshape(6, 10, N_BANDS).copy()
    cube[0, 0] = np.nan
    result = unmix(model, cube)
    assert np.isnan(result[0, 0]).all()
    np.testing.assert_array_equal(result.reshape(60, -1)[1:], found[1:])


def test_labels_are_aligned(problem, covariance):
    bands = [f"b{i}" for i in range(N_BANDS)]
    spectra = pd.DataFrame(problem.spectra, columns=bands)
    shuffled = np.random.default_rng(0).permutation(N_BANDS)
    series = pd.Series(WEIGHTS, index=bands).iloc[shuffled]
    table = pd.DataFrame(covariance, index=bands, columns=bands).iloc[shuffled, shuffled]
    for name, plain, labelled in (
        ("band_weights", WEIGHTS, series),
        ("noise_covariance", covariance, table),
        ("noise_covariance", covariance, table.iloc[:, ::-1]),
    ):
        found = SunSALRegressor(endmembers=problem.endmembers, **{name: labelled}).fit(spectra)
        np.testing.assert_allclose(
            found.predict(spectra), predictions(problem, **{name: plain})[1], atol=1e-12
        )
    with pytest.raises(ValueError, match="the bands of band_weights have other labels"):
        SunSALRegressor(endmembers=problem.endmembers, band_weights=series.rename({"b3": "c"})).fit(
            spectra
        )
    xr = pytest.importorskip("xarray")
    labelled = xr.DataArray(WEIGHTS, dims="band", coords={"band": bands})[shuffled]
    whitening = Whitening(N_BANDS, band_weights=labelled, bands=bands)
    np.testing.assert_array_equal(whitening.roots, np.sqrt(WEIGHTS))


BAD = np.eye(N_BANDS)
BAD[0, 0] = np.nan


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"band_weights": -WEIGHTS}, "at least 0, got -100 for band 19; pass 0 to leave"),
        ({"band_weights": np.full(N_BANDS, np.nan)}, "band_weights contains NaN"),
        ({"band_weights": np.zeros(N_BANDS)}, "positive value, got 0 for all 20 bands"),
        ({"band_weights": [1.0, 2.0]}, r"shape \(20,\) for spectra of 20 bands, got \(2,\)"),
        ({"band_weights": np.eye(N_BANDS)}, r"band_weights of shape \(20,\) .* got \(20, 20\)"),
        ({"band_weights": "noise"}, "'band_weights' parameter"),
        ({"noise_covariance": WEIGHTS}, r"\(20, 20\) .* variances as band_weights=1/variances"),
        ({"noise_covariance": BAD}, "noise_covariance contains NaN"),
        ({"noise_covariance": -np.eye(N_BANDS)}, "positive variances on its diagonal, got -1"),
        ({"noise_covariance": np.ones((N_BANDS, N_BANDS))}, "positive definite .* eigenvalue"),
        ({"noise_covariance": np.eye(N_BANDS) + np.eye(N_BANDS, k=1)}, "symmetric"),
        (
            {"noise_covariance": np.eye(N_BANDS), "band_weights": WEIGHTS},
            "either band_weights or noise_covariance, got both",
        ),
        (
            {"band_weights": np.ma.masked_less(WEIGHTS, 1)},
            "band_weights is a masked array with 7 masked entries",
        ),
    ],
)
def test_refused(problem, parameters, message):
    with pytest.raises(ValueError, match=message):
        predictions(problem, **parameters)


def test_endmembers_that_differ_only_in_bands_left_out(problem):
    endmembers = problem.endmembers.copy()
    endmembers[1, 5:] = endmembers[0, 5:]
    weights = np.arange(N_BANDS) >= 5
    model = SunSALRegressor(endmembers=endmembers, band_weights=weights * 1.0)
    with pytest.raises(ValueError, match="bands of positive band_weights, endmembers 0 and 1 have"):
        model.fit(problem.spectra)
    endmembers[1, 5:] = 0
    with pytest.raises(ValueError, match="bands of positive band_weights, endmember 1 is zero in"):
        model.set_params(endmembers=endmembers).fit(problem.spectra)


def test_by_scipy(problem, covariance):
    spectra, _, endmembers = problem
    root = np.linalg.cholesky(inv(covariance)).T
    expected = [nnls(root @ endmembers.T, root @ y)[0] for y in spectra]
    found = predictions(problem, lam=0, noise_covariance=covariance)[1]
    np.testing.assert_allclose(found, expected, atol=1e-9)
