"""What the unmixers share, through the one that is quickest to fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.pipeline import FeatureUnion, make_pipeline

from skunmix import SunSALRegressor
from skunmix.endmembers import check_endmembers, estimate_endmembers
from skunmix.preprocessing import BandSelector

N_BANDS, N_ENDMEMBERS = 12, 3
PROBLEM = {
    "n_pixels": 40,
    "n_bands": N_BANDS,
    "n_endmembers": N_ENDMEMBERS,
    "noise": 0.0,
    "concentration": 1.0,
}


def fit(endmembers, spectra, abundances=None):
    return SunSALRegressor(endmembers=endmembers, lam=0).fit(spectra, abundances)


def test_both_layouts_of_endmembers(problem):
    spectra, abundances, endmembers = problem
    for given in (endmembers, endmembers.T, endmembers.tolist(), np.asfortranarray(endmembers)):
        model = fit(given, spectra)
        np.testing.assert_array_equal(model.endmembers_, endmembers)
        np.testing.assert_allclose(model.predict(spectra), abundances, atol=1e-6)


def test_square_endmembers_are_read_as_rows():
    square = np.array([[1.0, 0.5], [0.0, 1.0]])
    np.testing.assert_array_equal(check_endmembers(square, 2)[0], square)


def test_endmembers_are_copied(problem):
    spectra, _, endmembers = problem
    before = endmembers.copy()
    model = fit(endmembers, spectra)
    model.endmembers_[:] = 0
    np.testing.assert_array_equal(endmembers, before)


def test_endmembers_estimated_from_noiseless_pairs_are_the_true_ones(problem):
    spectra, abundances, endmembers = problem
    np.testing.assert_allclose(estimate_endmembers(spectra, abundances), endmembers)
    model = fit(None, spectra, abundances)
    np.testing.assert_allclose(model.predict(spectra), abundances, atol=1e-6)


@pytest.mark.parametrize("axis", ["rows", "columns"])
def test_names_of_a_data_frame(problem, axis):
    spectra, _, endmembers = problem
    names = ["tree", "water", "road"]
    frame = pd.DataFrame(endmembers, index=names)
    model = fit(frame if axis == "rows" else frame.T, spectra)
    assert list(model.get_feature_names_out()) == names
    table = model.set_output(transform="pandas").transform(spectra)
    assert list(table.columns) == names
    polars = pytest.importorskip("polars")
    table = model.set_output(transform="polars").transform(spectra)
    assert isinstance(table, polars.DataFrame)
    assert table.columns == names


def test_names_of_the_abundances_and_default_names(problem):
    spectra, abundances, endmembers = problem
    frame = pd.DataFrame(abundances, columns=["a", "b", "c"])
    assert list(fit(None, spectra, frame).get_feature_names_out()) == ["a", "b", "c"]
    model = fit(pd.DataFrame(endmembers), spectra)
    assert list(model.get_feature_names_out()) == ["endmember0", "endmember1", "endmember2"]
    with pytest.raises(ValueError, match="input_features should have length equal"):
        model.get_feature_names_out(["one"])


def test_inverse_transform_mixes(problem):
    spectra, abundances, endmembers = problem
    model = fit(endmembers, spectra)
    np.testing.assert_allclose(model.inverse_transform(abundances), spectra)
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(spectra)), spectra, atol=1e-6
    )
    assert model.inverse_transform(abundances.astype(np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="X has 2 columns, but SunSALRegressor has 3 endmembers"):
        model.inverse_transform(abundances[:, :2])


def test_abundances_of_one_endmember_may_be_one_dimensional(problem):
    endmembers = problem[2]
    share = np.linspace(0.1, 1, 40)
    mixed = share[:, np.newaxis] * endmembers[:1]
    model = fit(None, mixed, share)
    np.testing.assert_allclose(model.predict(mixed), share, atol=1e-6)
    assert model.transform(mixed).shape == (40, 1)
    np.testing.assert_allclose(model.inverse_transform(model.predict(mixed)), mixed, atol=1e-6)


def test_unmixers_are_steps_of_pipelines(problem):
    spectra, _, endmembers = problem
    free = SunSALRegressor(endmembers=endmembers)
    held = SunSALRegressor(endmembers=endmembers, sum_to_one=True)
    union = FeatureUnion([("free", free), ("held", held)])
    assert make_pipeline(union, KMeans(2, n_init=1)).fit_predict(spectra).shape == (40,)
    assert len(union.fit(spectra).get_feature_names_out()) == 2 * N_ENDMEMBERS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda A: A[:, :5],
            r"shape \(3, 5\) do not fit spectra of 12 bands.*\(n_endmembers, 12\)",
        ),
        (lambda A: A * np.r_[1, 0, 1][:, None], "endmember 1 is zero in all 12 bands"),
        (lambda A: A[[0, 1, 2, 1]], "endmembers 1 and 3 have the same spectrum"),
        (lambda A: np.where(A == A.max(), np.nan, A), "Input endmembers contains NaN"),
        (lambda A: np.where(A == A.max(), np.inf, A), "Input endmembers contains infinity"),
        (
            lambda A: np.where(np.outer([0, 1, 0], np.arange(12) % 4 == 1), -1.23e34, A),
            r"endmember 1 holds the fill value -1.23e\+34 in 3 of 12 bands \(1 of 3.*drop these",
        ),
        (
            lambda A: pd.DataFrame(A, index=["soil", "tree", "road"]).replace(A[2, 5], -9999),
            r"endmember 2 \('road'\) holds the fill value -9999 in 1 of 12 bands",
        ),
    ],
)
def test_endmembers_that_will_not_do(problem, change, message):
    spectra, _, endmembers = problem
    with pytest.raises(ValueError, match=message):
        fit(change(endmembers), spectra)


@pytest.mark.parametrize("solver", ["active-set", "admm"])
def test_shade_is_an_endmember_where_the_sum_is_constrained(problem, solver):
    spectra, abundances, endmembers = problem
    with_shade = np.vstack([endmembers, np.zeros(N_BANDS)])
    model = SunSALRegressor(with_shade, lam=0, sum_to_one=True, solver=solver).fit(0.6 * spectra)
    expected = np.column_stack([0.6 * abundances, np.full(len(spectra), 0.4)])
    np.testing.assert_allclose(model.predict(0.6 * spectra), expected, atol=1e-5)
    for options in ({}, {"sum_to_one": "normalize"}):
        with pytest.raises(ValueError, match="endmember 3 is zero .* set sum_to_one=True"):
            SunSALRegressor(with_shade, **options).fit(spectra)


def test_bands_with_fill_values_are_dropped_by_a_selector(problem):
    spectra, abundances, endmembers = problem
    library = endmembers.copy()
    library[1, [2, 7]] = -1.23e34
    select = BandSelector((library > -1e30).all(axis=0)).fit(spectra)
    model = fit(select.transform(library), select.transform(spectra))
    np.testing.assert_allclose(model.predict(select.transform(spectra)), abundances, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X - 0.5, "Negative values in y.*clip them"),
        (lambda X: X[:, :2], r"y has 2 columns, but there are 3 endmembers.*\(40, 3\)"),
        (lambda X: X[:5], "inconsistent numbers of samples"),
        (lambda X: X * np.nan, "Input y contains NaN"),
        (lambda X: X / 0.0, "Input y contains (NaN|infinity)"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_abundances_that_will_not_do(problem, change, message):
    spectra, abundances, endmembers = problem
    with pytest.raises(ValueError, match=message):
        fit(endmembers, spectra, change(abundances))


def test_negative_abundances_are_refused_without_endmembers_too(problem):
    spectra, abundances, _ = problem
    abundances[3] = [-0.1, 0.6, 0.5]
    with pytest.raises(ValueError, match=r"pixel 3 has -0.1 of endmember 0"):
        fit(None, spectra, abundances)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_spectra_that_will_not_do(problem, bad):
    spectra, _, endmembers = problem
    model = fit(endmembers, spectra)
    broken = spectra.copy()
    broken[2, 3] = bad
    for call in (model.predict, model.transform, model.fit):
        with pytest.raises(ValueError, match="Input X contains"):
            call(broken)
    with pytest.raises(ValueError, match="X has 11 features, but SunSALRegressor is expecting 12"):
        model.predict(spectra[:, 1:])


def test_endmembers_that_cannot_be_estimated(problem):
    spectra, abundances, _ = problem
    with pytest.raises(ValueError, match="n_samples = 2 pairs; pass `endmembers`"):
        fit(None, spectra[:2], abundances[:2])
    abundances[:, 1] = 0
    with pytest.raises(ValueError, match="endmember 1 has no abundance in any of the 40 pixels"):
        fit(None, spectra, abundances)


def test_endmembers_of_fit_and_of_the_constructor(problem):
    spectra, abundances, endmembers = problem
    model = SunSALRegressor(lam=0).fit(spectra, endmembers=endmembers)
    np.testing.assert_allclose(model.predict(spectra), abundances, atol=1e-6)
    assert model.endmembers is None
    SunSALRegressor(endmembers=endmembers).fit(spectra, endmembers=endmembers.copy())
    with pytest.raises(ValueError, match="with other values or labels, to fit"):
        SunSALRegressor(endmembers=endmembers).fit(spectra, endmembers=endmembers[:2])
