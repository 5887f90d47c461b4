"""Tests of ConformalUnmixer."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.extraction import VCA
from skunmix.metrics import abundance_rmse_scorer
from skunmix.model_selection import TileKFold
from skunmix.uncertainty import ConformalUnmixer

SCENE = make_scene(shape=(40, 40), n_endmembers=4, snr=20, random_state=0)
Y, X = SCENE.spectra[::4], SCENE.abundances[::4]
NEW, TRUE = SCENE.spectra[1::4], SCENE.abundances[1::4]
FCLS = SunSALRegressor(endmembers=SCENE.endmembers, lam=0, sum_to_one=True)


@parametrize_with_checks([ConformalUnmixer(Ridge()), ConformalUnmixer(Ridge(), method="split")])
def test_common_checks(estimator, check):
    check(estimator)


class Mean(RegressorMixin, BaseEstimator):
    """Predicts the mean abundances of the training pixels."""

    def fit(self, X, y):
        self.mean_ = np.mean(y, axis=0)
        return self

    def predict(self, X):
        return np.tile(self.mean_, (len(X), 1))


@settings(deadline=None, max_examples=30)
@given(
    n_folds=st.integers(2, 5),
    n_pixels=st.integers(20, 40),
    percent=st.integers(5, 95),
    seed=st.integers(0, 99),
)
@example(n_folds=2, n_pixels=39, percent=5, seed=0)  # 0.05 · 40 is above 2 for some roundings
def test_against_the_definition(n_folds, n_pixels, percent, seed):
    """The formula of the jackknife+ paper, entry by entry, for its CV+."""
    coverage = percent / 100
    generator = np.random.RandomState(seed)
    Y, X = generator.rand(n_pixels, 3), generator.rand(n_pixels, 2)  # sums exceed one
    new = generator.rand(3, 3)
    folds = KFold(n_folds)
    model = ConformalUnmixer(LinearRegression(), conformity_score="absolute", cv=folds).fit(Y, X)
    lower, upper = model.predict_interval(new, coverage=coverage)
    rank = math.ceil(Fraction(percent, 100) * (n_pixels + 1))
    for pixel in range(3):
        for j in range(2):
            starts, ends = [], []
            for train, test in folds.split(Y):
                fitted = LinearRegression().fit(Y[train], X[train, j])
                centre = fitted.predict(new[[pixel]])[0]
                for i in test:
                    residual = abs(X[i, j] - fitted.predict(Y[[i]])[0])
                    starts.append(centre - residual)
                    ends.append(centre + residual)
            end = np.inf if rank > n_pixels else sorted(ends)[rank - 1]
            start = -np.inf if rank > n_pixels else sorted(starts)[n_pixels - rank]
            np.testing.assert_allclose(upper[pixel, j], max(end, 0), atol=1e-9)
            np.testing.assert_allclose(lower[pixel, j], min(max(start, 0), max(end, 0)), atol=1e-9)


@pytest.mark.parametrize("method", ["cv+", "split"])
@pytest.mark.parametrize("conformity_score", ["scaled", "absolute"])
def test_the_share_of_new_pixels(method, conformity_score):
    """Over many drawings of labelled and new pixels, the coverage is the nominal one."""
    covered = []
    for seed in range(60):
        pixels = np.random.RandomState(seed).permutation(1600)
        labelled, new = pixels[:100], pixels[100:200]
        model = ConformalUnmixer(
            FCLS, method=method, conformity_score=conformity_score, random_state=seed
        ).fit(SCENE.spectra[labelled], SCENE.abundances[labelled])
        lower, upper = model.predict_interval(SCENE.spectra[new], coverage=0.8)
        inside = (lower <= SCENE.abundances[new]) & (SCENE.abundances[new] <= upper)
        covered.append(inside.mean(axis=0))
    assert np.abs(np.mean(covered, axis=0) - 0.8).max() < 0.035


def test_scaled_intervals_are_wide_where_errors_are():
    scaled, absolute = (
        ConformalUnmixer(FCLS, conformity_score=score, random_state=0).fit(Y, X)
        for score in ("scaled", "absolute")
    )
    widths = [np.subtract(*model.predict_interval(NEW)[::-1]) for model in (scaled, absolute)]
    predicted = scaled.predict(NEW)
    mixed, pure = (predicted > 0.3) & (predicted < 0.7), predicted < 0.01
    assert widths[0][mixed].mean() > widths[1][mixed].mean()
    assert widths[0][pure].mean() < widths[1][pure].mean()


@pytest.mark.parametrize("method", ["cv+", "split"])
def test_intervals_are_nested_and_hold_the_prediction_mostly(method):
    model = ConformalUnmixer(FCLS, method=method, random_state=0).fit(Y, X)
    narrow, wide = (model.predict_interval(NEW, coverage=share) for share in (0.5, 0.9))
    assert (wide[0] <= narrow[0]).all()
    assert (narrow[1] <= wide[1]).all()
    assert (wide[0] >= 0).all()
    assert (wide[1] <= 1).all()
    inside = (wide[0] <= model.predict(NEW)) & (model.predict(NEW) <= wide[1])
    assert inside.mean() > 0.99


def test_columns_of_y_in_another_order():
    names = ["water", "tree", "road", "soil"]
    endmembers = pd.DataFrame(SCENE.endmembers, index=names)
    given = ConformalUnmixer(SunSALRegressor(endmembers=endmembers), cv=3, random_state=0)
    labelled = pd.DataFrame(X, columns=names)
    expected = given.fit(Y, labelled)
    other = ConformalUnmixer(SunSALRegressor(endmembers=endmembers), cv=3, random_state=0)
    other.fit(Y, labelled[names[::-1]])
    for one, two in zip(expected.predict_interval(NEW), other.predict_interval(NEW)):
        np.testing.assert_array_equal(one, two)
    reverse = labelled[names[::-1]]
    assert other.score(Y, reverse) == pytest.approx(expected.score(Y, labelled))
    assert abundance_rmse_scorer(other, Y, reverse) == abundance_rmse_scorer(expected, Y, labelled)


@pytest.mark.parametrize("routing", [False, True])
def test_folds_of_tiles(routing):
    folds = TileKFold(4, tile_size=10, gap=1, shape=(40, 40), random_state=0)
    pixels = np.arange(0, 1600, 4)
    with config_context(enable_metadata_routing=routing):
        model = ConformalUnmixer(FCLS, cv=folds).fit(Y, X, groups=pixels)
    assert len(model.estimators_) == 4
    assert model.n_calibration_ == 400
    rows, columns = np.divmod(pixels, 40)
    tiles = rows // 10 * 4 + columns // 10
    whole = ConformalUnmixer(FCLS, method="split", random_state=0).fit(Y, X, groups=tiles)
    assert whole.n_calibration_ == 100


def test_in_front_and_behind():
    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1, 10]}, cv=2)
    model = ConformalUnmixer(search, cv=3, random_state=0).fit(Y, X)
    lower, upper = model.predict_interval(NEW)
    assert (lower <= upper).all()
    assert len(cross_val_score(ConformalUnmixer(FCLS), Y, X, cv=3)) == 3


def test_a_fitted_estimator_is_not_fitted_again():
    fitted = FCLS.fit(Y)
    half = np.arange(0, 400, 2)
    model = ConformalUnmixer(FrozenEstimator(fitted), method="split", cv=[(half, half)]).fit(Y, X)
    scores = np.abs(X[half] - fitted.predict(Y[half]))
    absolute = ConformalUnmixer(
        FrozenEstimator(fitted), method="split", cv=[(half, half)], conformity_score="absolute"
    ).fit(Y, X)
    quantile = np.sort(scores, axis=0)[math.ceil(0.9 * 201) - 1]
    predicted = fitted.predict(NEW)
    lower, upper = absolute.predict_interval(NEW)
    np.testing.assert_allclose(lower, np.clip(predicted - quantile, 0, 1))
    np.testing.assert_allclose(upper, np.clip(predicted + quantile, 0, 1))
    assert model.n_calibration_ == 200


def test_one_dimensional_abundances():
    model = ConformalUnmixer(Ridge(), random_state=0).fit(Y, X[:, 0])
    lower, upper = model.predict_interval(NEW)
    assert lower.shape == upper.shape == (len(NEW),)
    assert 0.8 < ((lower <= TRUE[:, 0]) & (TRUE[:, 0] <= upper)).mean() < 1


def test_abundances_above_one():
    model = ConformalUnmixer(Ridge(), random_state=0).fit(Y, 100 * X)
    assert model.predict_interval(NEW)[1].max() > 50


def test_too_few_labels_for_a_coverage():
    model = ConformalUnmixer(Ridge(), random_state=0).fit(Y[:10], X[:10])
    with pytest.warns(
        UserWarning, match=r"10 labelled pixels .* at most 0.909, but 0.95 .* 19 pix"
    ):
        lower, upper = model.predict_interval(NEW, coverage=0.95)
    assert (lower == 0).all()
    assert (upper == 1).all()


@pytest.mark.parametrize("n_labelled", [9, 99])
def test_the_fewest_labels_for_a_coverage(n_labelled):
    model = ConformalUnmixer(Ridge(), cv=3, random_state=0).fit(Y[:n_labelled], X[:n_labelled])
    largest = n_labelled / (n_labelled + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict_interval(NEW, coverage=largest)
    with pytest.warns(UserWarning, match=f"{n_labelled} labelled pixels .* label at least"):
        model.predict_interval(NEW, coverage=largest + 1e-6)


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 90, np.nan])
def test_coverage_is_a_share(coverage):
    model = ConformalUnmixer(Ridge(), random_state=0).fit(Y, X)
    with pytest.raises(ValueError, match="Expected coverage between 0 and 1, got"):
        model.predict_interval(NEW, coverage=coverage)


def test_bad_input():
    with pytest.raises(NotFittedError):
        ConformalUnmixer(FCLS).predict_interval(NEW)
    with pytest.raises(ValueError, match="requires y to be passed"):
        ConformalUnmixer(FCLS).fit(Y, None)
    with pytest.raises(ValueError, match=r"at least 5 labelled pixels.*n_samples = 3"):
        ConformalUnmixer(FCLS).fit(Y[:3], X[:3])
    with pytest.raises(ValueError, match=r"at least 20 labelled pixels.*n_samples = 10"):
        ConformalUnmixer(FCLS, cv=20).fit(Y[:10], X[:10])
    with pytest.raises(ValueError, match=r"at least 5 groups .* got 2; .* or lower cv"):
        ConformalUnmixer(FCLS).fit(Y, X, groups=np.arange(400) // 200)
    with pytest.raises(ValueError, match="order"):
        ConformalUnmixer(SunSALRegressor(endmembers=VCA(4))).fit(Y, X)
    with pytest.raises(ValueError, match="masked"):
        ConformalUnmixer(FCLS).fit(Y, np.ma.masked_less(X, 0.5))
    with pytest.raises(NotFittedError):
        ConformalUnmixer(FrozenEstimator(SunSALRegressor(SCENE.endmembers))).fit(Y, X)


def test_a_failed_fit_leaves_the_fit_before():
    model = ConformalUnmixer(Ridge(), random_state=0).fit(Y, X)
    before = model.predict_interval(NEW)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.vstack([Y[:-1], np.full((1, Y.shape[1]), np.nan)]), X)
    np.testing.assert_array_equal(model.predict_interval(NEW), before)
