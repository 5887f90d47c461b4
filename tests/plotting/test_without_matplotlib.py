"""Every way to a picture names the extra where matplotlib is absent."""

import sys

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from skunmix import plotting

X = np.ones((4, 2))
MODEL = LinearRegression().fit(X, X)


@pytest.mark.parametrize(
    ("caller", "draw"),
    [
        (f"{name}.{method}", draw)
        for name, method, draw in [
            (
                "AbundanceMapDisplay",
                "from_estimator",
                lambda display: display.from_estimator(MODEL, X, shape=(2, 2)),
            ),
            (
                "AbundanceMapDisplay",
                "from_predictions",
                lambda display: display.from_predictions(X, shape=(2, 2)),
            ),
            ("AbundanceMapDisplay", "plot", lambda display: display(X[np.newaxis]).plot()),
            (
                "CoverageDisplay",
                "from_estimator",
                lambda display: display.from_estimator(MODEL, X, X),
            ),
            (
                "CoverageDisplay",
                "from_predictions",
                lambda d: d.from_predictions(X, lower=[X], upper=[X], coverages=[0.9]),
            ),
            ("CoverageDisplay", "plot", lambda display: display([0.9], shares=[X[0]]).plot()),
            (
                "IntervalDisplay",
                "from_estimator",
                lambda display: display.from_estimator(MODEL, X, shape=(2, 2)),
            ),
            (
                "IntervalDisplay",
                "from_predictions",
                lambda display: display.from_predictions(X, lower=X, upper=X, shape=(2, 2)),
            ),
            ("IntervalDisplay", "from_file", lambda display: display.from_file("maps.npy")),
            ("IntervalDisplay", "plot", lambda display: display(X, lower=X, upper=X).plot()),
            ("EndmemberDisplay", "from_estimator", lambda display: display.from_estimator(MODEL)),
            ("EndmemberDisplay", "from_predictions", lambda display: display.from_predictions(X)),
            ("EndmemberDisplay", "plot", lambda display: display(X).plot()),
            ("LossCurveDisplay", "from_estimator", lambda display: display.from_estimator(MODEL)),
            ("LossCurveDisplay", "plot", lambda display: display([1.0]).plot()),
            (
                "ResidualMapDisplay",
                "from_estimator",
                lambda display: display.from_estimator(MODEL, X, shape=(2, 2)),
            ),
            (
                "ResidualMapDisplay",
                "from_predictions",
                lambda display: display.from_predictions(X, X, shape=(2, 2)),
            ),
            ("ResidualMapDisplay", "plot", lambda display: display(X).plot()),
        ]
    ],
)
def test_the_error_names_the_extra(monkeypatch, caller, draw):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)
    with pytest.raises(ImportError, match=rf"{caller} needs matplotlib.*skunmix\[plot\]"):
        draw(getattr(plotting, caller.split(".")[0]))
