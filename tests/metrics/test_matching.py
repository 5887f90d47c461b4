"""Endmembers matched to known ones, and what is scored after that."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skunmix import SunSALRegressor
from skunmix.metrics import (
    abundance_angle_distance,
    abundance_rmse,
    endmember_angle,
    make_endmember_angle_scorer,
    make_matched_abundance_scorer,
    match_endmembers,
)
from skunmix.preprocessing import BandSelector

RNG = np.random.RandomState(0)
TRUE = RNG.uniform(0.1, 1, (4, 9))


def angle(u, v):
    return np.arccos(np.clip(u @ v / np.linalg.norm(u) / np.linalg.norm(v), -1, 1))


@pytest.mark.parametrize("seed", range(5))
def test_of_all_assignments_the_one_with_the_smallest_angles(seed):
    rng = np.random.RandomState(seed)
    pred = TRUE[rng.permutation(4)] + rng.normal(0, 0.2, TRUE.shape)  # some pairs are disputed
    sums = {
        order: sum(angle(t, pred[i]) for t, i in zip(TRUE, order))
        for order in permutations(range(4))
    }
    order = match_endmembers(TRUE, pred)
    assert tuple(order) == min(sums, key=sums.get)
    expected = [angle(t, p) for t, p in zip(TRUE, pred[order])]
    np.testing.assert_allclose(endmember_angle(TRUE, pred, average=False), expected)
    np.testing.assert_allclose(endmember_angle(TRUE, pred), np.mean(expected))
    np.testing.assert_allclose(
        endmember_angle(TRUE, pred, degrees=True), np.degrees(np.mean(expected))
    )


def test_brightness_has_no_effect():
    order = np.array([2, 0, 3, 1])
    pred = TRUE[order] * np.array([[1e-9], [3], [1e6], [0.1]])
    np.testing.assert_array_equal(pred[match_endmembers(TRUE, pred)] / TRUE > 0, True)
    assert endmember_angle(TRUE, pred) < 1e-7
    np.testing.assert_array_equal(order[match_endmembers(TRUE, pred)], np.arange(4))


def test_more_estimates_than_true_endmembers():
    pred = np.vstack([RNG.uniform(0, 1, (2, 9)), TRUE[::-1]])
    order = match_endmembers(TRUE, pred)
    np.testing.assert_array_equal(order, [5, 4, 3, 2])
    np.testing.assert_array_equal(np.setdiff1d(np.arange(len(pred)), order), [0, 1])
    assert endmember_angle(TRUE, pred) < 1e-7


def test_fewer_estimates_than_true_endmembers():
    pred = TRUE[[3, 1]]
    order = match_endmembers(TRUE, pred)
    np.testing.assert_array_equal(order, [2, 1, 2, 0])  # 2 is no row
    with pytest.raises(IndexError):
        pred[order]
    found = order < len(pred)
    np.testing.assert_array_equal(pred[order[found]], TRUE[found])
    angles = endmember_angle(TRUE, pred, average=False, degrees=True)
    np.testing.assert_allclose(angles, [90, 0, 90, 0], atol=1e-5)


def test_bands_are_aligned_by_label_and_names_ignored():
    bands = [f"{400 + 10 * i} nm" for i in range(9)]
    true = pd.DataFrame(TRUE, index=list("abcd"), columns=bands)
    pred = pd.DataFrame(TRUE[::-1], index=list("abcd"), columns=bands)[bands[::-1]]
    np.testing.assert_array_equal(match_endmembers(true, pred), [3, 2, 1, 0])
    assert endmember_angle(true, pred) < 1e-7
    with pytest.raises(ValueError, match="the bands of endmembers_pred have other labels"):
        match_endmembers(true, pred.rename(columns={"400 nm": "395 nm"}))


def test_what_cannot_be_matched():
    with pytest.raises(ValueError, match="with the 9 bands of endmembers_true, got shape"):
        match_endmembers(TRUE, TRUE[:, :5])
    with pytest.raises(ValueError, match="endmembers_pred contains NaN"):
        endmember_angle(TRUE, TRUE * np.nan)
    with pytest.raises(ValueError, match="masked"):
        match_endmembers(np.ma.masked_less(TRUE, 0.3), TRUE)


class Found(BaseEstimator):
    """An extractor that was told what to find, in the space that it sees."""

    def __init__(self, rows):
        self.rows = rows

    def fit(self, X, y=None):
        self.endmembers_ = np.asarray(X)[self.rows]
        return self


ABUNDANCES = np.vstack([np.eye(4), RNG.dirichlet(np.ones(4), 60)])
SPECTRA = ABUNDANCES @ TRUE


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [Normalizer()],
        [StandardScaler()],
        [BandSelector(slice(1, 8))],
        [Normalizer(), BandSelector(slice(1, 8))],
        [PCA(4)],
    ],
    ids=str,
)
def test_scorers_compare_in_a_space_that_has_both(steps):
    rows = [2, 0, 3, 1]
    unmixer = SunSALRegressor(endmembers=Found(rows), lam=0, sum_to_one="normalize")
    for last in (Found(rows), unmixer):
        model = make_pipeline(*steps, last).fit(SPECTRA)
        assert abs(make_endmember_angle_scorer(TRUE)(model, SPECTRA)) < 1e-6
    expected = abundance_rmse(ABUNDANCES[:, rows], model.predict(SPECTRA))
    score = make_matched_abundance_scorer(TRUE)(model, SPECTRA, ABUNDANCES)
    np.testing.assert_allclose(score, -expected, atol=1e-12)


def test_scorers_of_labelled_spectra():
    bands = [f"b{i}x" for i in range(9)]
    frame = pd.DataFrame(SPECTRA, columns=bands)
    model = make_pipeline(Normalizer(), SunSALRegressor(endmembers=Found([1, 0, 2, 3])))
    model.fit(frame)
    for true in (TRUE, pd.DataFrame(TRUE, columns=bands)[bands[::-1]]):
        assert abs(make_endmember_angle_scorer(true)(model, frame)) < 1e-6
    true = pd.DataFrame(TRUE, index=list("abcd"))
    y = pd.DataFrame(ABUNDANCES, columns=list("abcd"))
    scores = [
        make_matched_abundance_scorer(true, abundance_angle_distance)(model, frame, labelled)
        for labelled in (y, y[list("dbca")])
    ]
    assert scores[0] == scores[1]
    assert -0.5 < scores[0] < 0


def test_an_endmember_that_was_not_found_has_no_abundance():
    model = SunSALRegressor(endmembers=TRUE[[3, 1, 0]], lam=0, sum_to_one=True).fit(SPECTRA)
    padded = np.zeros((len(SPECTRA), 4))
    padded[:, [3, 1, 0]] = model.predict(SPECTRA)
    score = make_matched_abundance_scorer(TRUE)(model, SPECTRA, ABUNDANCES)
    np.testing.assert_allclose(score, -abundance_rmse(ABUNDANCES, padded))
    weight = np.arange(len(SPECTRA))
    np.testing.assert_allclose(
        make_matched_abundance_scorer(TRUE)(model, SPECTRA, ABUNDANCES, sample_weight=weight),
        -abundance_rmse(ABUNDANCES, padded, sample_weight=weight),
    )


def test_scorers_in_cross_validation():
    model = SunSALRegressor(endmembers=TRUE[::-1])
    scores = cross_val_score(model, SPECTRA, scoring=make_endmember_angle_scorer(TRUE), cv=3)
    np.testing.assert_allclose(scores, 0, atol=1e-7)
    with pytest.raises(TypeError, match="has endmembers_, got PCA without it"):
        make_endmember_angle_scorer(TRUE)(PCA(2).fit(SPECTRA), SPECTRA)
