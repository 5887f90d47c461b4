import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cosine
from scipy.stats import entropy
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skunmix.metrics import (
    abundance_angle_distance,
    abundance_angle_scorer,
    abundance_information_divergence,
    abundance_rmse,
    abundance_rmse_scorer,
    signal_to_reconstruction_error,
    spectral_angle_distance,
    spectral_angle_scorer,
)

METRICS = [
    abundance_rmse,
    abundance_angle_distance,
    abundance_information_divergence,
    spectral_angle_distance,
    signal_to_reconstruction_error,
]
# those that are a mean over rows, and 0 when exact
MEANS = METRICS[:4]
ANGLES = [abundance_angle_distance, spectral_angle_distance]

VALUES = st.floats(0, 1, width=64)


@st.composite
def pairs(draw, values=VALUES):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 5)))
    return tuple(draw(arrays(float, shape, elements=values)) for _ in range(2))


def random_pair(n_pixels=50, n_endmembers=4, seed=0):
    rng = np.random.RandomState(seed)
    return tuple(rng.dirichlet(np.ones(n_endmembers), size=n_pixels) for _ in range(2))


# --- the values, against something independent


def test_rmse_is_the_mean_of_sklearns_row_by_row():
    y_true, y_pred = random_pair()
    rows = [root_mean_squared_error(t, p) for t, p in zip(y_true, y_pred)]
    assert abundance_rmse(y_true, y_pred) == pytest.approx(np.mean(rows), rel=1e-12)
    np.testing.assert_allclose(abundance_rmse(y_true, y_pred, average=False), rows, rtol=1e-12)
    assert abundance_rmse(y_true, y_pred) < root_mean_squared_error(y_true.ravel(), y_pred.ravel())


@pytest.mark.parametrize("metric", ANGLES)
def test_angles_are_scipys(metric):
    y_true, y_pred = random_pair()
    rows = [np.arccos(1 - cosine(t, p)) for t, p in zip(y_true, y_pred)]
    assert metric(y_true, y_pred) == pytest.approx(np.mean(rows), rel=1e-12)
    assert metric(y_true, y_pred, degrees=True) == pytest.approx(np.degrees(np.mean(rows)))
    np.testing.assert_allclose(
        metric(y_true, y_pred, degrees=True, average=False), np.degrees(rows), rtol=1e-12
    )


@pytest.mark.parametrize("metric", ANGLES)
@pytest.mark.parametrize("angle", [0.0, 1e-100, 1e-15, 1e-9, 1e-4, 1.0, np.pi / 2, 3.0, np.pi])
@pytest.mark.parametrize("length", [1e-200, 1.0, 1e200])
def test_angles_are_exact_from_zero_to_pi(metric, angle, length):
    y_true = [[1.0, 0.0]]
    y_pred = length * np.array([[np.cos(angle), np.sin(angle)]])
    assert metric(y_true, y_pred) == pytest.approx(angle, rel=1e-14, abs=0)


@pytest.mark.parametrize("metric", ANGLES)
def test_angle_of_zero_vectors(metric):
    y_true = [[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]]
    y_pred = [[0.0, 0.0], [0.2, 0.8], [0.0, 0.0]]
    np.testing.assert_allclose(metric(y_true, y_pred, degrees=True, average=False), [0, 90, 90])


def test_aid_is_scipys_divergence_both_ways():
    y_true, y_pred = random_pair()
    rows = entropy(y_true, y_pred, axis=1) + entropy(y_pred, y_true, axis=1)
    # the smallest abundance here is about 1e-4: this epsilon does not show
    aid = partial(abundance_information_divergence, y_true, y_pred, eps=1e-15)
    assert aid() == pytest.approx(rows.mean(), rel=1e-9)
    np.testing.assert_allclose(aid(average=False), rows, rtol=1e-9)


@pytest.mark.parametrize("eps", [1e-6, 1e-3])
def test_aid_of_a_pure_pixel_missed_altogether(eps):
    # (1, 0) for (0, 1): both terms are (1 - 0) log((1 + eps) / eps)
    expected = 2 * np.log((1 + eps) / eps)
    assert abundance_information_divergence([[1, 0]], [[0, 1]], eps=eps) == pytest.approx(expected)
    # what is below zero counts as zero
    assert abundance_information_divergence([[1, 0]], [[-2, 1]], eps=eps) == pytest.approx(expected)


def test_sre_by_hand():
    y_true, y_pred = random_pair()
    expected = 10 * np.log10((y_true**2).sum() / ((y_true - y_pred) ** 2).sum())
    assert signal_to_reconstruction_error(y_true, y_pred) == pytest.approx(expected, rel=1e-12)
    assert signal_to_reconstruction_error(y_true, 0.9 * y_true) == pytest.approx(20)
    assert signal_to_reconstruction_error(y_true, 0 * y_true) == 0.0


def test_sre_at_its_ends():
    ones, zeros = np.ones((3, 2)), np.zeros((3, 2))
    assert signal_to_reconstruction_error(ones, ones) == np.inf
    assert signal_to_reconstruction_error(zeros, zeros) == np.inf
    assert signal_to_reconstruction_error(zeros, ones) == -np.inf
    for scale in (1e-300, 1e300):
        sre = signal_to_reconstruction_error(scale * ones, 0.9 * scale * ones)
        assert sre == pytest.approx(20)


# --- properties


@pytest.mark.parametrize("metric", METRICS)
@given(pair=pairs())
@example(pair=(np.zeros((1, 2)), np.ones((1, 2))))
@example(pair=(np.zeros((2, 1)), np.zeros((2, 1))))
def test_never_nan(metric, pair):
    assert not np.isnan(metric(*pair))


@pytest.mark.parametrize("metric", MEANS)
@given(pair=pairs())
def test_zero_when_exact_and_symmetric_and_not_negative(metric, pair):
    y_true, y_pred = pair
    assert metric(y_true, y_true) == 0.0
    assert metric(y_true, y_pred) >= 0.0
    assert metric(y_true, y_pred) == pytest.approx(metric(y_pred, y_true), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("metric", ANGLES)
@given(pair=pairs(st.floats(0.01, 1)), factor=st.floats(1e-3, 1e3))
def test_angles_do_not_see_brightness(metric, pair, factor):
    y_true, y_pred = pair
    expected = metric(y_true, y_pred)
    assert metric(y_true, factor * y_pred) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@given(pair=pairs(), seed=st.integers(0, 10))
def test_order_of_pixels_and_endmembers_does_not_matter(metric, pair, seed):
    rng = np.random.RandomState(seed)
    n_pixels, n_endmembers = pair[0].shape
    index = np.ix_(rng.permutation(n_pixels), rng.permutation(n_endmembers))
    shuffled = metric(*(y[index] for y in pair))
    assert shuffled == pytest.approx(metric(*pair), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_integer_weights_are_repeated_pixels(metric):
    y_true, y_pred = random_pair(6)
    weight = np.array([0, 1, 2, 3, 0, 1])
    repeated = metric(y_true.repeat(weight, axis=0), y_pred.repeat(weight, axis=0))
    assert metric(y_true, y_pred, sample_weight=weight) == pytest.approx(repeated)
    assert metric(y_true, y_pred) != pytest.approx(repeated)


# --- what comes in


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "convert",
    [
        pd.DataFrame,
        np.ndarray.tolist,
        np.asfortranarray,
        partial(np.asarray, dtype=">f8"),
        lambda y: np.frombuffer(y.tobytes()).reshape(y.shape),  # read-only
    ],
)
def test_kinds_of_arrays(metric, convert):
    y_true, y_pred = random_pair()
    expected = metric(y_true, y_pred)
    assert metric(convert(y_true), convert(y_pred)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_small_types_are_computed_in_double(metric):
    y_true, y_pred = (np.round(y * 200).astype(np.uint8) for y in random_pair())
    expected = metric(y_true.astype(float), y_pred.astype(float))
    assert metric(y_true, y_pred) == expected
    assert metric(y_true.astype(np.float16), y_pred.astype(np.float32)) == expected


@pytest.mark.parametrize("metric", [m for m in METRICS if m is not spectral_angle_distance])
def test_one_endmember_may_be_a_vector(metric):
    y_true, y_pred = np.array([0.0, 0.3, 1.0]), np.array([0.1, 0.0, 0.9])
    expected = metric(y_true[:, np.newaxis], y_pred[:, np.newaxis])
    assert metric(y_true, y_pred) == metric(y_true[:, np.newaxis], y_pred) == expected


def test_a_vector_is_one_spectrum():
    assert spectral_angle_distance([1, 0, 0], [1, 1, 0], degrees=True) == pytest.approx(45)


@pytest.mark.parametrize("metric", METRICS)
def test_arrays_are_left_alone(metric):
    pair = random_pair()
    before = [y.copy() for y in pair]
    metric(*pair)
    for y, y_before in zip(pair, before):
        np.testing.assert_array_equal(y, y_before)


@pytest.mark.parametrize("metric", METRICS)
def test_shapes_that_differ(metric):
    with pytest.raises(ValueError, match=r"shape \(3, 2\) of .*got \(2, 3\)"):
        metric(np.ones((3, 2)), np.ones((2, 3)))
    # one row would broadcast
    with pytest.raises(ValueError, match=r"shape \(3, 2\) of .*got \(1, 2\)"):
        metric(np.ones((3, 2)), np.ones((1, 2)))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite(metric, bad):
    with pytest.raises(ValueError, match=r"(y|spectra)_pred contains (NaN|infinity)"):
        metric(np.ones((3, 2)), np.full((3, 2), bad))


@pytest.mark.parametrize("metric", METRICS)
def test_images_and_nothing(metric):
    with pytest.raises(ValueError, match=r"shape \(2, 2, 3\).*flatten an image"):
        metric(np.ones((2, 2, 3)), np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        metric(np.ones((0, 3)), np.ones((0, 3)))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 2], r"shape \(3,\), got \(2,\)"),
        ([1, 2, -1], "got -1 to 2"),
        ([0, 0, 0], "with a positive value, got 0 to 0"),
        ([1, np.nan, 1], "sample_weight contains NaN"),
    ],
)
def test_bad_weights(metric, weight, message):
    with pytest.raises(ValueError, match=message):
        metric(np.ones((3, 2)), np.zeros((3, 2)), sample_weight=weight)


@pytest.mark.parametrize("metric", MEANS)
def test_weights_of_no_mean(metric):
    with pytest.raises(ValueError, match="average=True with sample_weight"):
        metric(np.ones((3, 2)), np.ones((3, 2)), sample_weight=[1, 1, 1], average=False)


@pytest.mark.parametrize("eps", [0, 1, -1e-6, "small"])
def test_bad_eps(eps):
    with pytest.raises(ValueError, match="'eps' parameter of abundance_information_divergence"):
        abundance_information_divergence([[1, 0]], [[1, 0]], eps=eps)


# --- scorers


class Unmixer(TransformerMixin, RegressorMixin, BaseEstimator):
    """Unconstrained least squares on endmembers; `bias` spoils the abundances."""

    def __init__(self, endmembers=None, bias=0.0):
        self.endmembers = endmembers
        self.bias = bias

    def fit(self, X, y=None):
        if self.endmembers is not None:
            self.endmembers_ = np.asarray(self.endmembers)
        else:
            self.endmembers_ = np.linalg.lstsq(y, X, rcond=None)[0]
        return self

    def predict(self, X):
        return np.linalg.lstsq(self.endmembers_.T, np.asarray(X).T, rcond=None)[0].T + self.bias

    transform = predict

    def inverse_transform(self, X):
        return X @ self.endmembers_


@pytest.fixture(scope="module")
def pixels():
    rng = np.random.RandomState(0)
    endmembers = rng.uniform(0.1, 1, size=(3, 12))
    y = rng.dirichlet(np.ones(3), size=60)
    return y @ endmembers + 0.05 * rng.standard_normal((60, 12)), y, endmembers


@pytest.mark.parametrize(
    ("scorer", "metric"),
    [
        (abundance_rmse_scorer, abundance_rmse),
        (abundance_angle_scorer, abundance_angle_distance),
    ],
)
def test_abundance_scorers_are_minus_the_metric(scorer, metric, pixels):
    X, y, endmembers = pixels
    model = Unmixer(endmembers).fit(X)
    assert scorer(model, X, y) == -metric(y, model.predict(X)) < 0
    weight = np.arange(len(X))
    expected = -metric(y, model.predict(X), sample_weight=weight)
    assert scorer(model, X, y, sample_weight=weight) == expected


def test_spectral_scorer_is_minus_the_angle(pixels):
    X, y, endmembers = pixels
    model = Unmixer(endmembers, bias=0.1).fit(X)
    expected = -spectral_angle_distance(X, model.predict(X) @ endmembers)
    assert expected < 0
    assert spectral_angle_scorer(model, X) == spectral_angle_scorer(model, X, y) == expected


@pytest.mark.parametrize("with_y", [True, False])
@pytest.mark.parametrize("multimetric", [True, False])
def test_spectral_scorer_in_a_grid_search(with_y, multimetric, pixels):
    X, y, endmembers = pixels
    scoring = {"sad": spectral_angle_scorer} if multimetric else spectral_angle_scorer
    search = GridSearchCV(
        Unmixer(endmembers),
        {"bias": [0.5, 0.0, 0.1]},
        scoring=scoring,
        refit="sad" if multimetric else True,
        error_score="raise",
    ).fit(X, y if with_y else None)
    assert search.best_params_ == {"bias": 0.0}
    # a fitted search is scored by what it found
    found = spectral_angle_scorer(search.best_estimator_, X)
    assert spectral_angle_scorer(search, X) == found


def test_scorers_side_by_side(pixels):
    X, y, _ = pixels
    scoring = {
        "rmse": abundance_rmse_scorer,
        "aad": abundance_angle_scorer,
        "sad": spectral_angle_scorer,
    }
    scores = cross_validate(Unmixer(), X, y, scoring=scoring, cv=3, error_score="raise")
    for name in scoring:
        assert scores[f"test_{name}"].shape == (3,)
        assert (scores[f"test_{name}"] < 0).all()


def test_spectral_scorer_inverts_a_pipeline_that_can_be(pixels):
    X, y, _ = pixels
    model = make_pipeline(StandardScaler(), PCA(5), Unmixer()).fit(X, y)
    rebuilt = model.inverse_transform(model.predict(X))
    assert rebuilt.shape == X.shape
    assert spectral_angle_scorer(model, X, y) == -spectral_angle_distance(X, rebuilt)


@pytest.mark.parametrize("nested", [True, False])
def test_spectral_scorer_in_the_space_of_the_last_step(nested, pixels):
    X, y, endmembers = pixels
    last = make_pipeline(Unmixer(endmembers)) if nested else Unmixer(endmembers)
    model = make_pipeline(Normalizer(), last).fit(X, y)
    normalized = Normalizer().transform(X)
    expected = -spectral_angle_distance(normalized, model.predict(X) @ endmembers)
    assert spectral_angle_scorer(model, X, y) == expected
    # where the other steps only scale each pixel, it is the same in the space of X
    assert expected == pytest.approx(-spectral_angle_distance(X, model.predict(X) @ endmembers))
    search = GridSearchCV(model, {"normalizer__norm": ["l1", "l2"]}, scoring=spectral_angle_scorer)
    assert spectral_angle_scorer(search.fit(X, y), X) == pytest.approx(expected)


def test_spectral_scorer_with_pandas_output(pixels):
    X, y, _ = pixels
    model = make_pipeline(StandardScaler(), Unmixer()).fit(X, y)
    expected = spectral_angle_scorer(model, X)
    frames = make_pipeline(StandardScaler().set_output(transform="pandas"), Unmixer())
    assert spectral_angle_scorer(frames.fit(X, y), pd.DataFrame(X)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        make_pipeline(LinearRegression()),
        make_pipeline(Normalizer(), LinearRegression()),
    ],
)
def test_spectral_scorer_of_what_cannot_rebuild(model, pixels):
    X, y, _ = pixels
    with pytest.raises(TypeError, match="got LinearRegression without it"):
        spectral_angle_scorer(model.fit(X, y), X, y)


@pytest.mark.parametrize(
    "scorer", [abundance_rmse_scorer, abundance_angle_scorer, spectral_angle_scorer]
)
def test_scorers_pickle(scorer, pixels):
    X, y, endmembers = pixels
    model = Unmixer(endmembers).fit(X)
    assert pickle.loads(pickle.dumps(scorer))(model, X, y) == scorer(model, X, y)


def test_torch_stays_out():
    code = "import sys, skunmix.metrics, skunmix.datasets; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
