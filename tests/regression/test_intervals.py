"""Tests of predict_interval of SunSALRegressor and SunSALRegressorCV."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from skunmix import SunSALRegressor, SunSALRegressorCV
from skunmix.datasets import make_scene
from skunmix.solvers import least_squares_intervals

SCENE = make_scene(n_endmembers=4, shape=(30, 30), snr=15, random_state=0)
A, Y, X = SCENE.endmembers, SCENE.spectra, SCENE.abundances
GROUPS = ["plant", "rock", "plant", "rock"]


def fitted(**parameters):
    return SunSALRegressor(A, lam=0, **{"sum_to_one": True, **parameters}).fit(Y)


@pytest.mark.parametrize("sum_to_one", [True, False, "normalize"])
def test_is_the_solver(sum_to_one):
    found = fitted(sum_to_one=sum_to_one).predict_interval(Y, coverage=0.7)
    expected = least_squares_intervals(Y, A, coverage=0.7, sum_to_one=sum_to_one)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("sum_to_one", [False, "normalize"])
def test_a_chosen_lam(groups, sum_to_one):
    """The intervals of SunSALRegressorCV are those of SunSALRegressor with the λ that it chose."""
    parameters = {"groups": groups, "sum_to_one": sum_to_one}
    model = SunSALRegressorCV(A, lams=3, cv=2, **parameters).fit(Y)
    given = SunSALRegressor(A, lam=model.lam_, **parameters).fit(Y)
    found = model.predict_interval(Y, coverage=0.7)
    assert found[0].shape == model.predict(Y).shape
    np.testing.assert_array_equal(found, given.predict_interval(Y, coverage=0.7))


def test_a_pixel_does_not_depend_on_others():
    model = fitted()
    np.testing.assert_array_equal(
        np.stack(model.predict_interval(Y))[:, 5:6], np.stack(model.predict_interval(Y[5:6]))
    )


def test_groups():
    model = fitted(groups=GROUPS)
    lower, upper = model.predict_interval(Y)
    assert list(model.get_feature_names_out()) == ["plant", "rock"]
    true = np.column_stack([X[:, ::2].sum(axis=1), X[:, 1::2].sum(axis=1)])
    inside = (lower <= true + 1e-12) & (true <= upper + 1e-12)
    assert (np.abs(inside.mean(axis=0) - 0.91) < 0.05).all()


def test_noise_of_some_bands():
    """Where noise differs between bands, known weights keep the coverage and narrow the widths."""
    deviations = np.where(np.arange(A.shape[1]) % 2, 0.1, 0.005)
    spectra = X @ A + np.random.RandomState(0).normal(0, deviations, Y.shape)
    plain, weighted = fitted(), fitted(band_weights=1 / deviations**2)
    widths = []
    for model in (plain, weighted):
        lower, upper = model.predict_interval(spectra)
        mixed = (X > 0.02) & (X < 0.98)
        inside = (lower <= X) & (X <= upper)
        assert abs(inside[mixed].mean() - 0.9) < 0.03
        widths.append((upper - lower)[mixed].mean())
    assert widths[1] < 0.5 * widths[0]


def test_labelled_spectra():
    bands = [f"b{i}" for i in range(A.shape[1])]
    frame = pd.DataFrame(Y, columns=bands)
    model = SunSALRegressor(pd.DataFrame(A, columns=bands), lam=0, sum_to_one=True).fit(frame)
    np.testing.assert_array_equal(
        model.predict_interval(frame), fitted().predict_interval(Y.copy())
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict_interval(frame[bands[::-1]])


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 2, np.nan])
def test_coverage_is_a_share(coverage):
    with pytest.raises(ValueError, match=f"coverage between 0 and 1, got {coverage}"):
        fitted().predict_interval(Y, coverage=coverage)


def test_bad_input():
    with pytest.raises(NotFittedError):
        SunSALRegressor(A).predict_interval(Y)
    with pytest.raises(NotFittedError):
        SunSALRegressorCV(A).predict_interval(Y)
    with pytest.raises(ValueError, match="Expected positive=True for intervals"):
        fitted(positive=False).predict_interval(Y)
    with pytest.raises(ValueError, match="NaN"):
        fitted().predict_interval(np.full_like(Y, np.nan))
