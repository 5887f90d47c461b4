"""Abundances summed by material."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from skunmix import SunSALRegressor, SunSALRegressorCV
from skunmix.extraction import VCA
from skunmix.metrics import (
    abundance_rmse_scorer,
    make_matched_abundance_scorer,
    spectral_angle_scorer,
)
from skunmix.plotting import AbundanceMapDisplay, EndmemberDisplay, ResidualMapDisplay
from skunmix.scenes import unmix

PROBLEM = {"n_endmembers": 5}
GROUPS = ["water", "tree", "water", "soil", "tree"]
NAMES = ["clay", "oak", "sand", "lake", "pine"]


def summed(abundances):
    """Sums by hand, in the order of first appearance: water, tree, soil."""
    a = np.asarray(abundances)
    return np.column_stack([a[:, 0] + a[:, 2], a[:, 1] + a[:, 4], a[:, 3]])


def full(problem, **parameters):
    model = SunSALRegressor(endmembers=problem.endmembers, **parameters)
    return model.fit(problem.spectra).predict(problem.spectra)


@pytest.fixture
def library(problem):
    """A library whose index holds the material and the name of each spectrum."""
    index = pd.MultiIndex.from_arrays([GROUPS, NAMES], names=["material", "name"])
    bands = [f"b{i}" for i in range(problem.endmembers.shape[1])]
    return pd.DataFrame(problem.endmembers, index=index, columns=bands)


@pytest.mark.parametrize("sum_to_one", [False, True, "normalize"])
def test_predictions_are_sums(problem, sum_to_one):
    model = SunSALRegressor(
        endmembers=problem.endmembers, groups=GROUPS, lam=0, sum_to_one=sum_to_one
    ).fit(problem.spectra)
    expected = full(problem, lam=0, sum_to_one=sum_to_one)
    np.testing.assert_allclose(model.predict(problem.spectra), summed(expected), rtol=1e-14)
    np.testing.assert_array_equal(model.transform(problem.spectra), model.predict(problem.spectra))
    np.testing.assert_array_equal(model.endmember_abundances(problem.spectra), expected)
    assert list(model.get_feature_names_out()) == list(model.groups_) == ["water", "tree", "soil"]
    assert model.n_endmembers_ == 5
    assert model.optimality(problem.spectra).max() < 1e-8
    single = model.predict(problem.spectra.astype(np.float32))
    assert single.dtype == np.float32
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(problem.spectra), model.predict(problem.spectra))


@pytest.mark.parametrize(
    ("convert", "groups", "names"),
    [
        (lambda table: table, "material", NAMES),
        (lambda table: table, 0, NAMES),
        (lambda table: table, -2, NAMES),
        (lambda table: table.T, "material", NAMES),
        (lambda table: table.droplevel("name"), "material", None),
        (lambda table: table.reset_index(), "material", NAMES),
        (lambda table: table.reset_index("material"), "material", NAMES),
        (lambda table: table.iloc[:, ::-1], "material", NAMES),
    ],
    ids=["level", "number", "negative", "transposed", "only level", "columns", "column", "bands"],
)
def test_groups_from_a_table(problem, library, convert, groups, names):
    model = SunSALRegressor(endmembers=convert(library), groups=groups, lam=0)
    spectra = pd.DataFrame(problem.spectra, columns=library.columns)
    result = model.set_output(transform="pandas").fit_transform(spectra)
    assert list(result.columns) == ["water", "tree", "soil"]
    np.testing.assert_allclose(result, summed(full(problem, lam=0)), atol=1e-12)
    if names is not None:
        rows = pd.DataFrame(model.endmember_abundances(spectra), columns=names)
        np.testing.assert_array_equal(
            model.inverse_transform(rows.iloc[:, ::-1]), model.inverse_transform(rows)
        )


def test_numbered_samples_get_unique_names(problem, library):
    library.index = pd.MultiIndex.from_arrays([GROUPS, [1, 1, 2, 1, 2]], names=["class", "sample"])
    model = SunSALRegressor(endmembers=library.to_numpy()).fit(problem.spectra)
    model = SunSALRegressor(endmembers=library, groups="class").fit(problem.spectra)
    display = pytest.importorskip("matplotlib") and EndmemberDisplay.from_estimator(model)
    assert display.endmember_names == ["water 1", "tree 1", "water 2", "soil 1", "tree 2"]


def test_polars_and_xarray(problem, library):
    pl, xr = pytest.importorskip("polars"), pytest.importorskip("xarray")
    expected = summed(full(problem, lam=0))
    frame = pl.DataFrame(library.reset_index().to_dict("list"))
    model = SunSALRegressor(endmembers=frame, groups="material", lam=0).fit(problem.spectra)
    np.testing.assert_allclose(model.predict(problem.spectra), expected, atol=1e-12)
    array = xr.DataArray(
        problem.endmembers,
        dims=["endmember", "band"],
        coords={"endmember": NAMES, "material": ("endmember", GROUPS)},
    )
    for endmembers, groups in (
        (array, "material"),
        (array.T, "material"),
        (array.drop_vars("material").assign_coords(endmember=GROUPS), "endmember"),
    ):
        model = SunSALRegressor(endmembers=endmembers, groups=groups, lam=0).fit(problem.spectra)
        np.testing.assert_allclose(model.predict(problem.spectra), expected, atol=1e-12)


def test_classes_of_a_library(problem):
    class Library:
        classes = np.array(GROUPS)
        shape = problem.endmembers.shape

        def __len__(self):
            return len(self.classes)

        def __array__(self, dtype=None, copy=None):
            return np.array(problem.endmembers, dtype=dtype)

    for name in ("class", "classes"):
        model = SunSALRegressor(endmembers=Library(), groups=name, lam=0).fit(problem.spectra)
        np.testing.assert_allclose(model.predict(problem.spectra), summed(full(problem, lam=0)))


@pytest.mark.parametrize("kind", ["Series", "dict"])
def test_labelled_groups_are_aligned(problem, library, kind):
    table = library.droplevel("material")
    series = pd.Series(GROUPS, index=NAMES).iloc[::-1]
    groups = series if kind == "Series" else series.to_dict()
    model = SunSALRegressor(endmembers=table, groups=groups, lam=0)
    spectra = pd.DataFrame(problem.spectra, columns=library.columns)
    assert list(model.fit(spectra).groups_) == ["water", "tree", "soil"]
    np.testing.assert_allclose(model.predict(spectra), summed(full(problem, lam=0)))
    groups = series.rename({"oak": "elm"}) if kind == "Series" else {**groups, "elm": "tree"}
    if kind == "dict":
        del groups["oak"]
    with pytest.raises(ValueError, match="the labels of groups .* 'oak'"):
        SunSALRegressor(endmembers=table, groups=groups).fit(spectra)


def test_spectra_are_rebuilt_from_all_endmembers(problem):
    model = SunSALRegressor(endmembers=problem.endmembers, groups=GROUPS).fit(problem.spectra)
    sums = model.predict(problem.spectra)
    for given in (sums, pd.DataFrame(sums, columns=model.groups_)):
        with pytest.raises(ValueError, match=r"3 columns, .* sums over .* endmember_abundances\.$"):
            model.inverse_transform(given)
    rows = model.endmember_abundances(problem.spectra)
    np.testing.assert_allclose(model.inverse_transform(rows), rows @ problem.endmembers)
    plain = SunSALRegressor(endmembers=problem.endmembers).fit(problem.spectra)
    for wrap in (
        lambda unmixer: unmixer,
        lambda unmixer: make_pipeline(FunctionTransformer(), unmixer),
        lambda unmixer: make_pipeline("passthrough", make_pipeline(Normalizer(), unmixer)),
    ):
        with_groups, without = (wrap(m).fit(problem.spectra) for m in (model, plain))
        score = spectral_angle_scorer(with_groups, problem.spectra)
        assert score == spectral_angle_scorer(without, problem.spectra)


def test_each_endmember_a_group(problem):
    names = [*"abcde"]
    model = SunSALRegressor(endmembers=problem.endmembers, groups=names).fit(problem.spectra)
    result = pd.DataFrame(model.predict(problem.spectra), columns=names)
    np.testing.assert_array_equal(result, full(problem))
    np.testing.assert_array_equal(
        model.inverse_transform(result.iloc[:, ::-1]), model.inverse_transform(result.to_numpy())
    )


def test_scores_match_groups_by_name(problem):
    model = SunSALRegressor(endmembers=problem.endmembers, groups=GROUPS)
    truth = pd.DataFrame(summed(problem.abundances), columns=["water", "tree", "soil"])
    shuffled = truth[["soil", "water", "tree"]]
    for y in (truth.to_numpy(), truth, shuffled):
        model.fit(problem.spectra, y)
        predicted = model.predict(problem.spectra)
        assert model.score(problem.spectra, y) == pytest.approx(r2_score(truth, predicted))
        rmse = np.sqrt(((truth - predicted) ** 2).mean(axis=1)).mean()
        assert abundance_rmse_scorer(model, problem.spectra, y) == pytest.approx(-rmse)
    with pytest.raises(ValueError, match="'lawn'"):
        model.score(problem.spectra, truth.rename(columns={"soil": "lawn"}))
    for y in (problem.abundances, problem.abundances[:, :2]):
        with pytest.raises(ValueError, match=r"columns, but there are 3 groups: pass .* \(80, 3\)"):
            model.fit(problem.spectra, y)


def test_matched_scores_use_all_endmembers(problem):
    scorer = make_matched_abundance_scorer(problem.endmembers[::-1])
    y = problem.abundances[:, ::-1]
    scores = [
        scorer(
            SunSALRegressor(endmembers=problem.endmembers, groups=groups).fit(problem.spectra),
            problem.spectra,
            y,
        )
        for groups in (GROUPS, None)
    ]
    assert scores[0] == scores[1] > -0.2


def test_searches(problem):
    y = summed(problem.abundances)
    model = SunSALRegressor(endmembers=problem.endmembers, groups=GROUPS)
    lams = [1e-3, 1e-1, 1.0]
    search = GridSearchCV(model, {"lam": lams}, scoring=abundance_rmse_scorer, cv=3)
    search.fit(problem.spectra, y)
    ours = SunSALRegressorCV(endmembers=problem.endmembers, groups=GROUPS, lams=lams, cv=3)
    ours.fit(problem.spectra, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"][::-1], search.cv_results_["mean_test_score"]
    )
    assert ours.predict(problem.spectra).shape == (80, 3)
    assert SunSALRegressorCV(endmembers=problem.endmembers, groups=GROUPS).fit(
        problem.spectra
    ).transform(problem.spectra).shape == (80, 3)


def test_percent_is_noticed(problem):
    """The library has 40 spectra of a material, so that their sum is no magnitude of a pixel."""
    rng = np.random.default_rng(0)
    materials = problem.endmembers[:2]
    library = np.repeat(materials, [40, 1], axis=0) + rng.normal(0, 0.01, (41, 20))
    y = rng.dirichlet([1, 1], 60)
    model = SunSALRegressorCV(endmembers=library, groups=[*"a" * 40, "b"], lams=2, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(y @ materials, y)
    with pytest.warns(UserWarning, match="such as percent; divide y"):
        model.fit(y @ materials, 100 * y)


def test_scenes_and_maps(problem):
    pytest.importorskip("matplotlib")
    model = SunSALRegressor(endmembers=problem.endmembers, groups=GROUPS).fit(problem.spectra)
    cube = problem.spectra.reshape(8, 10, -1)
    sums = model.predict(problem.spectra).reshape(8, 10, 3)
    np.testing.assert_array_equal(unmix(model, cube), sums)
    display = AbundanceMapDisplay.from_estimator(model, cube)
    np.testing.assert_array_equal(display.abundances, sums)
    assert list(display.endmember_names) == ["water", "tree", "soil"]
    plain = SunSALRegressor(endmembers=problem.endmembers).fit(problem.spectra)
    np.testing.assert_array_equal(
        ResidualMapDisplay.from_estimator(model, cube).residuals,
        ResidualMapDisplay.from_estimator(plain, cube).residuals,
    )


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "b"], "groups with 5 labels, one for each endmember, got 2 labels"),
        ([], "groups with 5 labels, .* got 0 labels"),
        ([["a"] * 5], r"groups with 5 labels, .* got shape \(1, 5\)"),
        (["a", "b", "", "a", "b"], "got '' for endmember 2 "),
        (["a", "b", " ", "a", "b"], "got ' ' for endmember 2 "),
        (["a", None, "b", "a", "b"], "got None for endmember 1 "),
        (pd.Series(["a", "b", np.nan, "a", "b"]), "got nan for endmember 2 "),
        (["a", "b", pd.NA, "a", "b"], "got <NA> for endmember 2 "),
        ("class", "got 'class', which ndarray of shape .* does not have; pass a list"),
        (1, "got 1, which ndarray of shape"),
    ],
)
def test_groups_that_are_refused(problem, groups, message):
    with pytest.raises(ValueError, match=message):
        SunSALRegressor(endmembers=problem.endmembers, groups=groups).fit(problem.spectra)


def test_unknown_level(problem, library):
    with pytest.raises(ValueError, match=r"got 'class', .*its levels are 'material', 'name'"):
        SunSALRegressor(endmembers=library, groups="class").fit(problem.spectra)


@pytest.mark.parametrize("endmembers", [None, VCA(5)])
def test_groups_need_endmembers(problem, endmembers):
    with pytest.raises(ValueError, match="spectra of endmembers with groups, got endmembers="):
        SunSALRegressor(endmembers=endmembers, groups=GROUPS).fit(
            problem.spectra, problem.abundances if endmembers is None else None
        )


def test_a_new_fit_without_groups(problem):
    model = SunSALRegressor(endmembers=problem.endmembers, groups=GROUPS).fit(problem.spectra)
    model.set_params(groups=None).fit(problem.spectra)
    assert model.predict(problem.spectra).shape == (80, 5)
    assert not hasattr(model, "groups_")
