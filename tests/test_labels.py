"""Labels agree, are aligned, or are refused: any permutation gives the same abundances by name."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skunmix import ISTANetRegressor, SunSALRegressor, SunSALRegressorCV, UADMMRegressor
from skunmix.metrics import (
    abundance_angle_distance,
    abundance_angle_scorer,
    abundance_information_divergence,
    abundance_rmse,
    abundance_rmse_scorer,
    signal_to_reconstruction_error,
    spectral_angle_distance,
)

PROBLEM = {"n_pixels": 40, "n_bands": 6, "n_endmembers": 4, "noise": 0.01}
NAMES = ["tree", "water", "dirt", "road"]
BANDS = {
    "strings": [f"b{i}" for i in range(6)],
    "wavelengths": [450.5, 550.25, 660.0, 850.0, 1650.0, 2200.0],
    "numbers in strings": ["450.5", "550.25", "660", "850", "1650", "2200"],
    "counted": list(range(6)),
}
QUICK = {"max_epochs": 2, "random_state": 0}
LEARNERS = [
    SunSALRegressor(lam=0),
    SunSALRegressorCV(lams=2, cv=2),
    ISTANetRegressor.paper(**QUICK),
    UADMMRegressor.paper(**QUICK),
]


def frame(values, index, columns, kind="pandas"):
    """A labelled matrix of some kind."""
    if kind == "xarray":
        coords = {"row": index, "column": columns}
        coords = {name: labels for name, labels in coords.items() if labels is not None}
        return xr.DataArray(values, dims=("row", "column"), coords=coords)
    if kind == "polars":
        data = pl.DataFrame(values, schema=list(map(str, columns)))
        return data if index is None else data.insert_column(0, pl.Series("name", index))
    return pd.DataFrame(values, index=index, columns=columns)


def permuted(data, order, axis):
    if isinstance(data, pl.DataFrame):
        columns = data.columns
        named = data.schema[columns[0]] == pl.String
        columns = (
            columns[:1] + [columns[1 + i] for i in order] if named else [columns[i] for i in order]
        )
        return data[order] if axis == 0 else data[columns]
    if isinstance(data, xr.DataArray):
        return data[order] if axis == 0 else data[:, order]
    return data.iloc[order] if axis == 0 else data.iloc[:, order]


@pytest.mark.parametrize("bands", BANDS)
@pytest.mark.parametrize("kind", ["pandas", "polars", "xarray"])
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_endmembers_in_any_order(bands, kind, data):
    """Rows, columns and the whole matrix turned: the same abundances by name."""
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.1, 0.9, (4, 6))
    spectra = pd.DataFrame(rng.dirichlet(np.ones(4), 10) @ endmembers, columns=BANDS[bands])
    expected = SunSALRegressor(endmembers, lam=0).fit(spectra).predict(spectra)
    labelled = frame(endmembers, NAMES, BANDS[bands], kind)
    rows = data.draw(st.permutations(range(4)))
    labelled = permuted(labelled, rows, 0)
    labelled = permuted(labelled, data.draw(st.permutations(range(6))), 1)
    if kind != "polars" and data.draw(st.booleans()):
        labelled = labelled.T
    model = SunSALRegressor(labelled, lam=0).fit(spectra)
    names = [NAMES[i] for i in rows]
    assert model.get_feature_names_out().tolist() == names
    found = pd.DataFrame(model.predict(spectra), columns=names)
    assert_allclose(found[NAMES], expected, atol=1e-8)


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: type(learner).__name__)
@pytest.mark.parametrize("kind", ["pandas", "polars", "xarray"])
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_abundances_in_any_order(learner, kind, data):
    """In `fit`, `partial_fit`, `score` and `inverse_transform`."""
    rng = np.random.default_rng(0)
    endmembers = rng.uniform(0.1, 0.9, (4, 6))
    abundances = rng.dirichlet(np.ones(4), 30)
    spectra = abundances @ endmembers
    order = data.draw(st.permutations(range(4)))
    shuffled = permuted(frame(abundances, None, NAMES, kind), order, 1)
    parameters = {**learner.get_params(), "endmembers": pd.DataFrame(endmembers, index=NAMES)}
    expected = type(learner)(**parameters).fit(spectra, abundances)
    model = type(learner)(**parameters).fit(spectra, shuffled)
    assert_allclose(model.predict(spectra), expected.predict(spectra))
    assert model.score(spectra, shuffled) == pytest.approx(expected.score(spectra, abundances))
    assert_allclose(model.inverse_transform(shuffled), abundances @ endmembers)
    if hasattr(model, "partial_fit"):
        again = [m.partial_fit(spectra, y) for m, y in ((model, shuffled), (expected, abundances))]
        assert_allclose(*(m.predict(spectra) for m in again))


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(4)), kind=st.sampled_from(["pandas", "polars", "xarray"]))
def test_metrics_in_any_order(order, kind):
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet(np.ones(4), (2, 20))
    true, estimated = (frame(y, None, NAMES, kind) for y in (a, b))
    for metric in (
        abundance_rmse,
        abundance_angle_distance,
        abundance_information_divergence,
        signal_to_reconstruction_error,
        spectral_angle_distance,
    ):
        assert metric(true, permuted(estimated, order, 1)) == pytest.approx(metric(a, b))


@pytest.mark.parametrize("scorer", [abundance_rmse_scorer, abundance_angle_scorer, None])
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_scorers_in_any_order(problem, scorer, in_pipeline):
    spectra, abundances, endmembers = problem
    named = pd.DataFrame(endmembers, index=NAMES)
    model = SunSALRegressor(named, lam=0)
    if in_pipeline:
        model = make_pipeline(StandardScaler(with_mean=False, with_std=False), model)
    y = pd.DataFrame(abundances, columns=NAMES)
    expected = cross_val_score(model, spectra, abundances, scoring=scorer, cv=3)
    assert_allclose(cross_val_score(model, spectra, y[NAMES[::-1]], scoring=scorer, cv=3), expected)
    search = GridSearchCV(model, {}, scoring=scorer, cv=3).fit(spectra, y[NAMES[::-1]])
    assert search.best_score_ == pytest.approx(expected.mean())
    # of another regressor they are positions
    cross_val_score(Ridge(), spectra, y, scoring=scorer, cv=3, error_score="raise")


@pytest.mark.parametrize("bands", ["wavelengths", "numbers in strings", "counted"])
@pytest.mark.parametrize("kind", ["pandas", "xarray"])
def test_spectra_in_another_order(problem, bands, kind):
    spectra, _, endmembers = problem
    labelled = frame(spectra, None, BANDS[bands], kind)
    model = SunSALRegressor(endmembers, lam=0).fit(labelled)
    shuffled = permuted(labelled, [3, 1, 0, 5, 4, 2], 1)
    with pytest.raises(ValueError, match=r"in another order|should match those"):
        model.predict(shuffled)


def test_spectra_of_other_wavelengths_are_refused(problem):
    spectra, _, endmembers = problem
    nanometres = np.array(BANDS["wavelengths"])
    model = SunSALRegressor(endmembers).fit(pd.DataFrame(spectra, columns=nanometres))
    with pytest.raises(ValueError, match=r"bands of X have other labels.*450\.5 is only among"):
        model.predict(pd.DataFrame(spectra, columns=nanometres / 1000))
    nearly = pd.DataFrame(spectra, columns=nanometres.astype(np.float32).astype(float))
    assert_allclose(model.predict(nearly), model.predict(spectra))


X = pd.DataFrame(np.eye(6)[:4] + 0.1, columns=BANDS["strings"])
E = pd.DataFrame(np.eye(6)[:4] + 0.2, index=NAMES, columns=BANDS["strings"])
Y = pd.DataFrame(np.eye(4), columns=NAMES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: (X, Y, E.rename(columns={"b2": "c"})), "bands of the endmembers.*'b2'.*'c'"),
        (lambda: (X, Y, E.T.rename(index={"b2": "c"})), "bands of the endmembers.*'b2'.*'c'"),
        (lambda: (X, Y, E.set_axis(BANDS["wavelengths"], axis=1)), "b0.*450.5"),
        (lambda: (X, Y.rename(columns={"tree": "bush"}), E), "columns of y.*'tree'.*'bush'"),
        (lambda: (X, Y.set_axis(["tree", "tree", "dirt", "road"], axis=1), E), "'tree' twice"),
        (lambda: (X, None, E.set_axis(["tree", "tree", "dirt", "road"])), "'tree' twice"),
    ],
    ids=["band", "turned", "kind", "abundance", "abundance twice", "endmember twice"],
)
def test_labels_that_differ_are_refused(change, message):
    spectra, abundances, endmembers = change()
    with pytest.raises(ValueError, match=message):
        SunSALRegressor(endmembers).fit(spectra, abundances)


def test_a_square_library_with_its_bands_in_the_index(problem):
    spectra, _, endmembers = problem
    spectra, endmembers = spectra[:, :4], endmembers[:, :4]
    expected = SunSALRegressor(endmembers, lam=0).fit(spectra).predict(spectra)
    turned = pd.DataFrame(endmembers.T, index=BANDS["wavelengths"][:4], columns=NAMES)
    named = pd.DataFrame(endmembers.T, index=pd.Index(list("abcd"), name="band"), columns=NAMES)
    array = xr.DataArray(endmembers.T, dims=("wavelength", "material"), coords={"material": NAMES})
    for given_ in (turned, named, array):
        model = SunSALRegressor(given_, lam=0).fit(spectra)
        assert_allclose(model.predict(spectra), expected)
        assert model.get_feature_names_out().tolist() == NAMES


def test_labels_that_only_count_are_no_labels_beside_names(problem):
    spectra, abundances, endmembers = problem
    model = SunSALRegressor(pd.DataFrame(endmembers), lam=0)
    model.fit(pd.DataFrame(spectra, columns=BANDS["wavelengths"]), pd.DataFrame(abundances))
    expected = SunSALRegressor(endmembers, lam=0).fit(spectra)
    assert_allclose(model.predict(spectra), expected.predict(spectra))
    assert model.score(spectra, pd.DataFrame(abundances, columns=NAMES)) > 0.5


MASKED = np.ma.masked_array(np.full((4, 6), 0.5), np.eye(4, 6, dtype=bool))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda m: m.fit(MASKED), "X"),
        (lambda m: m.predict(MASKED), "X"),
        (lambda m: m.transform(MASKED), "X"),
        (lambda m: m.inverse_transform(MASKED[:, :4]), "X"),
        (lambda m: m.fit(X.to_numpy(), MASKED[:, :4]), "y"),
        (lambda m: m.score(X.to_numpy(), MASKED[:, :4]), "y"),
        (lambda m: m.fit(X.to_numpy(), endmembers=MASKED), "endmembers"),
        (lambda m: abundance_rmse(MASKED, MASKED), "y_true"),
        (lambda m: abundance_rmse(MASKED.data, MASKED), "y_pred"),
        (lambda m: spectral_angle_distance(MASKED, MASKED), "spectra_true"),
    ],
)
def test_masks_are_refused(call, name):
    model = SunSALRegressor(E.to_numpy()).fit(X.to_numpy())
    with pytest.raises(ValueError, match=f"^{name} is a masked array with 4 masked entries"):
        call(model if name != "endmembers" else SunSALRegressor())


def test_an_array_without_a_masked_entry_is_an_array(problem):
    spectra, _, endmembers = problem
    model = SunSALRegressor(np.ma.masked_array(endmembers), lam=0).fit(np.ma.masked_array(spectra))
    expected = SunSALRegressor(endmembers, lam=0).fit(spectra).predict(spectra)
    assert_allclose(model.predict(np.ma.masked_array(spectra)), expected)


@pytest.mark.parametrize("kind", ["pandas", "xarray"])
def test_skops_saves_the_names_of_endmembers_that_fit_gets(kind, tmp_path):
    sio = pytest.importorskip("skops.io")
    endmembers = frame(E.to_numpy(), E.index, E.columns, kind)
    model = SunSALRegressor().fit(pd.concat([X, X]), endmembers=endmembers)
    path = tmp_path / "model.skops"
    sio.dump(model, path)
    loaded = sio.load(path, trusted=sio.get_untrusted_types(file=path))
    assert list(loaded.get_feature_names_out()) == list(E.index)
    assert_allclose(loaded.predict(X), model.predict(X), rtol=0)
    with pytest.raises(ValueError, match="names"):
        loaded.predict(X[X.columns[::-1]])
