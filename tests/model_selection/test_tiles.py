"""Tests of TileKFold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.metrics import abundance_rmse_scorer
from skunmix.model_selection import TileKFold

SHAPE = (20, 30)


def all_positions(shape):
    return np.argwhere(np.ones(shape, dtype=bool))


@given(
    n_splits=st.integers(2, 4),
    tile_size=st.sampled_from([4, 7, (5, 9)]),
    gap=st.integers(0, 3),
    n_pixels=st.integers(80, 600),
    shuffle=st.booleans(),
    seed=st.integers(0, 99),
)
def test_against_all_distances(n_splits, tile_size, gap, n_pixels, shuffle, seed):
    image = all_positions(SHAPE)
    pixels = np.random.RandomState(seed).permutation(600)[:n_pixels]
    rows, columns = image[pixels].T
    height, width = np.broadcast_to(tile_size, 2)
    folds = TileKFold(
        n_splits, tile_size=tile_size, gap=gap, shape=SHAPE, shuffle=shuffle, random_state=seed
    )
    splits = list(folds.split(np.zeros((n_pixels, 2)), groups=pixels))
    assert len(splits) == folds.get_n_splits() == n_splits
    tested = np.concatenate([test for _, test in splits])
    assert np.array_equal(np.sort(tested), np.arange(n_pixels))
    tile = rows // height * 100 + columns // width
    tile_of_image = image[:, 0] // height * 100 + image[:, 1] // width
    for train, test in splits:
        # all cells of the tiles of the test set, whether labelled or not
        cells = image[np.isin(tile_of_image, tile[test])]
        distance = np.abs(image[pixels][:, np.newaxis] - cells).max(axis=2).min(axis=1)
        assert np.array_equal(np.sort(train), np.flatnonzero(distance > gap))


def test_without_a_gap_it_is_group_k_fold():
    X = np.zeros((600, 3))
    rows, columns = all_positions(SHAPE).T
    tiles = rows // 5 * 10 + columns // 6
    ours = TileKFold(3, tile_size=(5, 6), shape=SHAPE, random_state=1).split(X)
    theirs = GroupKFold(3, shuffle=True, random_state=1).split(X, groups=tiles)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))


def test_rows_and_columns_need_no_shape():
    pixels = np.arange(0, 600, 3)
    X = np.zeros((len(pixels), 3))
    at = all_positions(SHAPE)[pixels]
    by_index = TileKFold(3, tile_size=7, gap=1, shape=SHAPE, random_state=0).split(X, groups=pixels)
    by_rows = TileKFold(3, tile_size=7, gap=1, random_state=0).split(X, groups=at)
    for one, other in zip(by_index, by_rows, strict=True):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))


@pytest.mark.parametrize("routing", [False, True])
def test_in_searches(routing):
    scene = make_scene(shape=(20, 20), random_state=0)
    model = SunSALRegressor(endmembers=scene.endmembers)
    folds = TileKFold(2, tile_size=5, gap=1, shape=(20, 20), random_state=0)
    pixels = np.arange(0, 400, 2)
    Y, X = scene.spectra[pixels], scene.abundances[pixels]
    with config_context(enable_metadata_routing=routing):
        groups = {"params": {"groups": pixels}} if routing else {"groups": pixels}
        scores = cross_val_score(model, Y, X, cv=folds, scoring=abundance_rmse_scorer, **groups)
        search = GridSearchCV(model, {"lam": [1e-3, 1]}, cv=folds, scoring=abundance_rmse_scorer)
        search.fit(Y, X, groups=pixels)
    assert len(scores) == 2
    assert scores.mean() == search.cv_results_["mean_test_score"][0]


@pytest.mark.parametrize(
    ("parameters", "groups", "message"),
    [
        ({}, None, r"the shape of the image, .* got shape=None; pass TileKFold\(shape="),
        ({}, np.arange(600), "got shape=None"),
        ({"shape": (20, 31)}, None, "the 620 pixels of an image of shape .* got 600"),
        ({"shape": SHAPE}, np.arange(600) + 1, "got 1 to 600"),
        ({"shape": SHAPE}, np.arange(600) - 1, "got -1 to 598"),
        ({"shape": SHAPE}, all_positions((30, 20)), "positions from 0 in an image of shape"),
        ({"shape": SHAPE}, np.arange(600) / 2, "Expected integers .* got float64"),
        ({"shape": SHAPE}, np.arange(599), r"of shape \(600,\) or \(600, 2\) as groups"),
        ({"shape": SHAPE, "tile_size": 20}, None, "at least n_splits=5 tiles .* got 2"),
        ({"shape": SHAPE, "tile_size": 0}, None, "positive integers as tile_size, got 0"),
        ({"shape": SHAPE, "tile_size": 2.5}, None, "positive integers as tile_size, got 2.5"),
        ({"shape": SHAPE, "tile_size": (1, 2, 3)}, None, "positive integers as tile_size"),
        ({"shape": 600}, None, "positive integers as shape, got 600"),
        ({"shape": SHAPE, "tile_size": 5, "gap": 30}, None, "more than gap=30 pixels from"),
    ],
)
def test_bad_input(parameters, groups, message):
    with pytest.raises(ValueError, match=message):
        list(TileKFold(**parameters).split(np.zeros((600, 2)), groups=groups))
