"""Tests of CoverageDisplay."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.extraction import VCA
from skunmix.plotting import CoverageDisplay
from skunmix.uncertainty import ConformalUnmixer

plt = pytest.importorskip("matplotlib.pyplot")

SCENE = make_scene(shape=(20, 20), n_endmembers=3, snr=20, random_state=0)
Y, X = SCENE.spectra, SCENE.abundances
NAMES = ["water", "soil", "tree"]
FCLS = SunSALRegressor(pd.DataFrame(SCENE.endmembers, index=NAMES), lam=0, sum_to_one=True).fit(Y)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_shares_by_hand():
    true = np.array([[0.5, 0.5], [1.0, 0.0], [0.3, np.nan], [0.98, 0.02]])
    lower = np.array([[[0.4, 0.6], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]], np.zeros((4, 2))])
    upper = np.array([[[0.5, 0.7], [1.0, 0.1], [0.2, 1.0], [0.9, 0.1]], np.ones((4, 2))])
    display = CoverageDisplay.from_predictions(
        true, lower=lower, upper=upper, coverages=[0.5, 0.8], endmember_names=["a", "b"]
    )
    np.testing.assert_allclose(display.shares, [[2 / 4, 2 / 3], [1, 1]])
    # those of 0.02 and 0.98, of 0 and 1, and the unknown one do not count
    np.testing.assert_allclose(display.mixed_shares, [1 / 3, 1])
    for line, share in zip(display.lines_, [*display.shares.T, display.mixed_shares]):
        np.testing.assert_allclose(line.get_xdata(), [0.5, 0.8])
        np.testing.assert_allclose(line.get_ydata(), share)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels == ["a", "b", "mixed (0.02 to 0.98)"]
    assert display.ax_.get_xlabel() == "nominal coverage"


def test_from_an_estimator():
    display = CoverageDisplay.from_estimator(FCLS, Y, pd.DataFrame(X, columns=NAMES)[NAMES[::-1]])
    np.testing.assert_allclose(display.coverages, np.arange(1, 10) / 10)
    for coverage, share, mixed in zip(display.coverages, display.shares, display.mixed_shares):
        lower, upper = FCLS.predict_interval(Y, coverage=coverage)
        inside = (lower <= X) & (upper >= X)
        np.testing.assert_allclose(share, inside.mean(axis=0))
        np.testing.assert_allclose(mixed, inside[(X > 0.02) & (X < 0.98)].mean())
    assert [line.get_label() for line in display.lines_[:3]] == NAMES
    search = GridSearchCV(FCLS, {"lam": [0.0]}, cv=2).fit(Y, X)
    _, ax = plt.subplots()
    again = CoverageDisplay.from_estimator(search, Y, X, ax=ax, line_kw={"linewidth": 3})
    np.testing.assert_allclose(again.shares, display.shares)
    assert again.ax_ is ax
    assert again.lines_[0].get_linewidth() == 3


def test_one_dimensional_and_pure_abundances():
    model = ConformalUnmixer(LinearRegression(), random_state=0).fit(Y[::4], X[::4, 0])
    display = CoverageDisplay.from_estimator(model, Y, X[:, 0], coverages=0.9)
    assert display.shares.shape == (1, 1)
    assert 0.8 < display.shares[0, 0] <= 1
    pure = (X[:, 0] > 2).astype(float)
    display = CoverageDisplay.from_estimator(model, Y, pure, coverages=[0.9])
    assert np.isnan(display.mixed_shares).all()


def test_errors():
    with pytest.raises(TypeError, match=r"for CoverageDisplay\.from_estimator, got LinearRegr"):
        CoverageDisplay.from_estimator(LinearRegression().fit(Y, X), Y, X)
    with pytest.raises(ValueError, match="Expected coverage between 0 and 1, got 1"):
        CoverageDisplay.from_estimator(FCLS, Y, X, coverages=[0.5, 1])
    with pytest.raises(ValueError, match=r"Expected lower of shape \(1, 400, 3\)"):
        CoverageDisplay.from_predictions(X, lower=X, upper=[X], coverages=[0.5])
    with pytest.raises(ValueError, match="order"):
        CoverageDisplay.from_estimator(SunSALRegressor(VCA(3, random_state=0)).fit(Y), Y, X)
    with pytest.raises(ValueError, match="endmember_names"):
        CoverageDisplay([0.5], shares=[[0.4, 0.5]], endmember_names=["a"]).plot()
    with pytest.raises(ValueError, match=r"\(1, 390, 3\)"):
        CoverageDisplay.from_estimator(FCLS, Y, X[:390], coverages=[0.5])
