"""scikit-learn's own checks, on every estimator: as constructed, unpickled, and with endmembers."""

import pickle

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix import (
    ISTANetRegressor,
    MESMARegressor,
    SunSALRegressor,
    SunSALRegressorCV,
    UADMMBlindUnmixer,
    UADMMRegressor,
)
from skunmix.extraction import SPA


def _fit_known(fit, X, y):
    """Fit as someone does who knows the endmembers of the data, and non-negative abundances.

    The checks bring data of many widths, and targets of either sign; what is no such data goes on
    as it is, for the estimator to refuse.
    """
    try:
        shape, targets = np.shape(np.asarray(X)), np.asarray(y, dtype=float)
    except (TypeError, ValueError):
        return fit(X, y)
    if len(shape) != 2 or 0 in shape:
        return fit(X, y)
    n_endmembers = targets.shape[1] if targets.ndim == 2 else 1
    endmembers = np.random.RandomState(0).uniform(0.1, 0.9, (n_endmembers, shape[1]))
    if y is not None and (targets < 0).any():
        y = abs(targets)
    return fit(X, y, endmembers=endmembers)


class SunSALGiven(SunSALRegressor):
    def fit(self, X, y=None):
        return _fit_known(super().fit, X, y)


class SunSALCVGiven(SunSALRegressorCV):
    def fit(self, X, y=None):
        return _fit_known(super().fit, X, y)


class MESMAGiven(MESMARegressor):
    def fit(self, X, y=None):
        return _fit_known(super().fit, X, y)


class ISTANetGiven(ISTANetRegressor):
    def fit(self, X, y=None):
        return _fit_known(super().fit, X, y)

    def partial_fit(self, X, y=None):
        return _fit_known(super().partial_fit, X, y)


class UADMMGiven(UADMMRegressor):
    def fit(self, X, y=None):
        return _fit_known(super().fit, X, y)

    def partial_fit(self, X, y=None):
        return _fit_known(super().partial_fit, X, y)


class UADMMBlindGiven(UADMMBlindUnmixer):
    def fit(self, X, y=None):
        return _fit_known(super().fit, X, y)


# models without bounds, as the checks' data are no reflectances
UNBOUNDED = dict.fromkeys(("min_fraction", "max_fraction", "min_shade", "max_shade", "max_rmse"))

# the checks warn on purpose, and their targets do not sum to one
pytestmark = pytest.mark.filterwarnings("ignore")


@parametrize_with_checks(
    [
        SunSALRegressor(),
        SunSALRegressorCV(),
        MESMARegressor(**UNBOUNDED),
        ISTANetRegressor(max_epochs=3),
        UADMMRegressor(max_epochs=3),
        UADMMBlindUnmixer(n_endmembers=2, max_epochs=3),
    ]
)
def test_as_constructed(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        pickle.loads(pickle.dumps(estimator))
        for estimator in (
            SunSALRegressor(),
            SunSALRegressorCV(),
            MESMARegressor(**UNBOUNDED),
            ISTANetRegressor(max_epochs=3),
            UADMMRegressor(max_epochs=3),
        )
    ]
)
def test_unpickled(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [
        SunSALGiven(),
        SunSALCVGiven(),
        MESMAGiven(**UNBOUNDED),
        ISTANetGiven(max_epochs=3),
        UADMMGiven(max_epochs=3),
        UADMMBlindGiven(max_epochs=3),
    ]
)
def test_with_endmembers(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [SunSALRegressor(endmembers=SPA(1))],
    expected_failed_checks=lambda _: dict.fromkeys(
        (
            "check_regressors_train",
            "check_regressor_multioutput",
            "check_supervised_y_2d",
            "check_supervised_y_no_nan",
        ),
        "with an extractor, a target is the one of a later step, or is refused",
    ),
)
def test_with_an_extractor(estimator, check):
    check(estimator)
