"""Cases of the rule that labels agree, are aligned, or are refused, and that masks are."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skunmix import SunSALRegressor
from skunmix.datasets import make_mixtures
from skunmix.metrics import (
    abundance_rmse,
    abundance_rmse_scorer,
    spectral_angle_distance,
    spectral_angle_scorer,
)
from skunmix.plotting import AbundanceMapDisplay, EndmemberDisplay, ResidualMapDisplay
from skunmix.preprocessing import BandSelector, SpectralResampler
from skunmix.solvers import csr_active_set, csr_admm, csr_objective
from skunmix.utils.estimators import fitted_bands
from skunmix.utils.labels import order_among, order_of

RNG = np.random.default_rng(0)
N = 4  # of everything, so that no shape tells one axis from another
NAMES = ["tree", "water", "dirt", "road"]
BANDS = ["red", "green", "blue", "nir"]
WAVELENGTHS = [450.5, 550.25, 660.0, 850.0]
PIXELS = ["p", "q", "r", "s"]
A = RNG.uniform(0.1, 0.9, (N, N))
X = RNG.dirichlet(np.ones(N), N)
Y = X @ A
SHUFFLED = [2, 0, 3, 1]

library = pd.DataFrame(A, index=NAMES, columns=BANDS)
spectra = pd.DataFrame(Y, index=PIXELS, columns=BANDS)
abundances = pd.DataFrame(X, index=PIXELS, columns=NAMES)


def fcls(endmembers=None):
    return SunSALRegressor(endmembers, lam=0)


KINDS = {
    "strings": (PIXELS, NAMES, BANDS),
    "numbers": ([11, 12, 15, 17], [101, 205, 307, 404], WAVELENGTHS),
    "counted": (range(N), range(N), range(N)),
}
permutations = st.permutations(range(N))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("container", [pd.DataFrame, xr.DataArray])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_permutation_of_any_axis(kind, container, data):
    """The same abundances by name, or a refusal; of what is square, so that no shape helps."""
    pixels, names, bands = (list(labels) for labels in KINDS[kind])

    def labelled(values, rows, columns):
        """Permute both axes, and perhaps transpose."""
        frame = pd.DataFrame(values, index=rows, columns=columns)
        if data.draw(st.booleans()):
            frame = frame.iloc[data.draw(permutations)]
        if data.draw(st.booleans()):
            frame = frame.iloc[:, data.draw(permutations)]
        if data.draw(st.booleans()):
            frame = frame.T
        if container is pd.DataFrame:
            return frame
        coords = {"row": list(frame.index), "column": list(frame.columns)}
        return xr.DataArray(frame.to_numpy(), coords=coords, dims=("row", "column"))

    seen, target = labelled(Y, pixels, bands), labelled(X, pixels, names)
    known, later = labelled(A, names, bands), labelled(Y, pixels, bands)
    given_endmembers = data.draw(st.booleans())
    try:
        model = fcls(known if given_endmembers else None).fit(seen, target)
        found = model.predict(later)
    except ValueError:
        return
    rows, columns = (
        (list(later.index), list(later.columns))
        if container is pd.DataFrame
        else (later.coords["row"].values.tolist(), later.coords["column"].values.tolist())
    )
    if kind == "counted" and sorted(rows) == sorted(columns):
        return  # the same numbers on both axes: a transpose is another image
    found = pd.DataFrame(found, index=rows, columns=model.get_feature_names_out())
    expected = pd.DataFrame(X, index=pixels, columns=list(map(str, names)))
    assert_allclose(found.loc[pixels, list(map(str, names))], expected, atol=1e-6)


def test_nothing_is_refused_that_is_in_order():
    model = fcls(library).fit(spectra, abundances)
    assert_allclose(model.predict(spectra), X, atol=1e-6)
    assert model.score(spectra, abundances) == pytest.approx(1)
    assert_allclose(model.inverse_transform(abundances), Y)


# Bands


@pytest.mark.filterwarnings("ignore:X (has|does not have):UserWarning")  # names that come or go
@pytest.mark.parametrize("first", ["array with a library", "DataArray", "frame"])
@pytest.mark.parametrize("bands", [BANDS, WAVELENGTHS], ids=["names", "wavelengths"])
@pytest.mark.parametrize("later", ["frame", "DataArray"])
def test_spectra_after_fit_are_compared_whatever_was_fitted(first, bands, later):
    frame = spectra.set_axis(bands, axis=1)
    array = xr.DataArray(Y, coords={"band": bands}, dims=("pixel", "band"))
    if first == "array with a library":
        model = fcls(library.set_axis(bands, axis=1)).fit(Y)
    else:
        model = fcls(A).fit(frame if first == "frame" else array)
    again, turned = (frame, frame.T) if later == "frame" else (array, array.T)
    if first != "array with a library" or later != "frame" or bands is WAVELENGTHS:
        assert_allclose(model.predict(again), X, atol=1e-6)
    shuffled = again.iloc[:, SHUFFLED] if later == "frame" else again[:, SHUFFLED]
    for call in (model.predict, model.transform, model.optimality):
        for given_ in (shuffled, turned):
            with pytest.raises(
                ValueError, match="in another order|other labels|should match|transp"
            ):
                call(given_)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (WAVELENGTHS, [f"{value} nm" for value in WAVELENGTHS]),
        (WAVELENGTHS, [f"{value / 1000} um" for value in WAVELENGTHS]),
        ([value / 1000 for value in WAVELENGTHS], [f"{value}nm" for value in WAVELENGTHS]),
        (WAVELENGTHS, [f"{value / 1000} Micrometers" for value in WAVELENGTHS]),
        (WAVELENGTHS, [450.5, 550.3, 660.0, 850.0]),
        (WAVELENGTHS, np.float32(WAVELENGTHS).tolist()),
        (WAVELENGTHS, list(map(str, WAVELENGTHS))),
        ([1, 2, 3, 4], ["1", "2", "3", "4"]),
    ],
)
def test_labels_that_say_the_same(a, b):
    assert order_of(a, b, "these", "those") is None
    shuffled = [b[i] for i in SHUFFLED]
    assert_array_equal([shuffled[i] for i in order_of(shuffled, a, "these", "those")], b)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (WAVELENGTHS, [value + 1 for value in WAVELENGTHS]),
        (WAVELENGTHS, [value / 1000 for value in WAVELENGTHS]),
        (BANDS, [*BANDS[:3], "swir"]),
        (BANDS, WAVELENGTHS),
        (["b0", "b1", "b2", "b3"], ["b1", "b2", "b3", "b4"]),
        ([450.0, 450.1, 450.2, 450.3], [450.05, 450.15, 450.25, 450.35]),
        (["red", "red", "blue", "nir"], ["red", "blue", "red", "nir"]),
    ],
)
def test_labels_that_do_not(a, b):
    with pytest.raises(ValueError, match=r"these have (other labels than those|the label)"):
        order_of(a, b, "these", "those")


@pytest.mark.parametrize(
    "nameless",
    [
        range(N),
        range(1, N + 1),
        [f"column_{i}" for i in range(N)],
        [f"x{i}" for i in (0, 2, 5, 7)],
        [f"Band {i + 1}" for i in range(N)],
        [f"endmember{i}" for i in range(N)],
        [""] * N,
        [None] * N,
        ["0", "1", "2", "3"],
    ],
)
def test_labels_that_only_count_are_none(nameless):
    assert order_of(list(nameless), BANDS, "these", "those") is None
    assert order_of(WAVELENGTHS, list(nameless), "these", "those") is None


def test_bands_that_stand_twice():
    twice = spectra.set_axis([*WAVELENGTHS[:3], WAVELENGTHS[0]], axis=1)
    with pytest.raises(ValueError, match=r"bands of X have the label '450\.5' twice"):
        fcls(A).fit(twice)


SQUARE = [
    pd.DataFrame(A.T, index=["b0", "b1", "b2", "b3"], columns=NAMES),
    pd.DataFrame(A.T, index=[450, 550, 660, 850], columns=NAMES),
    pd.DataFrame(A.T, index=WAVELENGTHS),
    pd.DataFrame(A.T, index=[f"{value}nm" for value in WAVELENGTHS], columns=NAMES),
    pd.DataFrame(A.T, columns=pd.Index(NAMES, name="material"), index=BANDS),
    pd.DataFrame(A.T, columns=NAMES).assign(wavelength=WAVELENGTHS),
    pl.DataFrame(A.T, schema=NAMES, orient="row").insert_column(
        0, pl.Series("wavelength", WAVELENGTHS)
    ),
    xr.DataArray(A.T, dims=("x", "endmember"), coords={"endmember": NAMES}),
]


@pytest.mark.parametrize("turned", SQUARE)
def test_a_square_library_that_tells_its_bands(turned):
    assert_allclose(fcls(turned).fit(Y).endmembers_, A)


def test_a_square_library_told_by_others():
    assert_allclose(fcls(library.T).fit(spectra).endmembers_, A)
    assert_allclose(fcls(library.T).fit(Y, abundances).endmembers_, A)
    # nothing tells, and a spectrum is a row
    assert_allclose(fcls(library.T).fit(Y).endmembers_, A.T)
    assert_allclose(fcls(pd.DataFrame(A, index=[3, 7, 9, 11])).fit(Y).endmembers_, A)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("place", [0, 2])
def test_names_in_a_column(kind, place):
    columns = dict(zip(BANDS, A.T))
    items = list(columns.items())
    items.insert(place, ("material", NAMES))
    model = fcls(kind(dict(items))).fit(spectra.iloc[:, SHUFFLED])
    assert model.get_feature_names_out().tolist() == NAMES
    assert_allclose(model.endmembers_, A[:, SHUFFLED])


def test_a_library_given_twice_with_other_labels():
    model = fcls(library)
    with pytest.warns(UserWarning, match="as many rows as there are pixels"):
        model.fit(spectra, endmembers=library.copy())
    with pytest.raises(ValueError, match="with other values or labels"):
        model.fit(spectra, endmembers=library.set_axis(NAMES[::-1]))


# Names


def test_names_that_are_numbers():
    numbered = library.set_axis([101, 205, 307, 404])
    target = abundances.set_axis([101, 205, 307, 404], axis=1)
    model = fcls(numbered).fit(spectra, target.iloc[:, SHUFFLED])
    assert model.get_feature_names_out().tolist() == ["101", "205", "307", "404"]
    assert model.score(spectra, target.iloc[:, SHUFFLED]) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"columns of y.*'tree'"):
        model.score(spectra, abundances)


def test_abundances_in_rows_are_refused():
    turned = abundances.reset_index(drop=True).T
    model = fcls(library).fit(Y)
    for call in (
        lambda: fcls(library).fit(Y, turned),
        lambda: model.score(Y, turned),
        lambda: model.inverse_transform(turned),
        lambda: abundance_rmse_scorer(model, Y, turned),
        lambda: abundance_rmse(abundances, turned),
    ):
        with pytest.raises(ValueError, match=r"those of the rows, .*; pass the transpose"):
            call()


def test_spectra_in_columns_are_refused():
    turned = spectra.reset_index(drop=True).T
    with pytest.raises(ValueError, match=r"those of the rows, red.*; pass the transpose"):
        fcls(library).fit(turned)


# Pixels


def test_pixels_in_another_order_are_refused():
    other = abundances.iloc[SHUFFLED]
    model = fcls(library).fit(spectra)
    weights = pd.Series(np.ones(N), index=PIXELS)
    for call in (
        lambda: fcls().fit(spectra, other),
        lambda: model.score(spectra, other),
        lambda: abundance_rmse_scorer(model, spectra, other),
        lambda: abundance_rmse(abundances, other),
        lambda: abundance_rmse(abundances, abundances, sample_weight=weights.iloc[SHUFFLED]),
        lambda: spectral_angle_distance(spectra, spectra.iloc[SHUFFLED]),
        lambda: fcls().fit(spectra.iloc[SHUFFLED], abundances.iloc[:, 0]),
        lambda: fcls().fit(spectra, abundances.set_axis(["p", "q", "r", "t"])),
    ):
        with pytest.raises(ValueError, match=r"rows of .* different labels.* at position"):
            call()


def test_pixels_of_a_part_are_not():
    part = spectra.set_axis([3, 8, 11, 12])
    for target in (abundances.set_axis([3, 8, 11, 12]), abundances.reset_index(drop=True), X):
        model = fcls().fit(part, target)
        assert model.score(part, target) == pytest.approx(1)
    many = pd.concat([spectra] * 3, ignore_index=True).sample(frac=1, random_state=0)
    same = pd.concat([abundances] * 3, ignore_index=True).loc[many.index]
    assert cross_val_score(fcls(library), many, same, cv=3, error_score="raise").min() > 0.99
    with pytest.raises(ValueError, match="different labels"):
        cross_val_score(fcls(library), many, same.sort_index(), cv=3, error_score="raise")


# What is made of predictions


def test_spectra_are_rebuilt_in_their_own_order():
    wide = spectra.set_axis(WAVELENGTHS, axis=1)
    model = fcls(A).fit(wide)
    assert spectral_angle_scorer(model, wide) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="in another order"):
        spectral_angle_scorer(model, wide.iloc[:, SHUFFLED])


def test_labels_survive_in_a_pipeline_that_keeps_them():
    scaler = StandardScaler(with_mean=False, with_std=False).set_output(transform="pandas")
    pipeline = make_pipeline(scaler, fcls(library.iloc[:, SHUFFLED])).fit(spectra)
    assert_allclose(pipeline.predict(spectra), X, atol=1e-6)
    with pytest.raises(ValueError, match="'red' is only among"):
        make_pipeline(scaler, fcls(library.rename(columns={"red": "swir"}))).fit(spectra)


def test_a_scorer_of_several_and_with_weights():
    model = fcls(library)
    many = pd.concat([spectra] * 3, ignore_index=True)
    target = pd.concat([abundances] * 3, ignore_index=True)[NAMES[::-1]]
    search = GridSearchCV(
        model,
        {"lam": [0, 1e-9]},
        scoring={"rmse": abundance_rmse_scorer, "r2": "r2"},
        refit="rmse",
        cv=3,
    ).fit(many, target)
    assert search.best_score_ == pytest.approx(0, abs=1e-6)
    weighted = abundance_rmse_scorer(search, many, target, sample_weight=np.arange(12.0))
    assert weighted == pytest.approx(0, abs=1e-6)


# Selectors and resamplers


def test_a_selector_compares_wavelengths():
    wide = spectra.set_axis(WAVELENGTHS, axis=1)
    for unit, factor in (("nm", 1), ("um", 1e-3)):
        given_ = np.array(WAVELENGTHS) * factor
        selector = BandSelector(ranges=[given_[[0, 2]]], wavelengths=given_, unit=unit).fit(wide)
        assert_allclose(selector.transform(wide), Y[:, :3])
        with pytest.raises(ValueError, match="in another order"):
            selector.transform(wide.iloc[:, SHUFFLED])
        with pytest.raises(ValueError, match="in another order than wavelengths"):
            selector.fit(wide.iloc[:, SHUFFLED])
        with pytest.raises(ValueError, match="other labels than wavelengths"):
            selector.fit(wide.set_axis([450, 551, 661, 851], axis=1))
        BandSelector(wavelengths=given_, unit=unit).fit(spectra)  # names say nothing of them


def test_a_resampler_compares_wavelengths():
    wide = spectra.set_axis(WAVELENGTHS, axis=1)
    target = {"target": [500, 700], "fwhm": 100, "source_unit": "nm", "target_unit": "nm"}
    resampler = SpectralResampler(WAVELENGTHS, **target).fit(wide)
    assert_allclose(resampler.transform(wide), resampler.transform(Y))
    with pytest.raises(ValueError, match="in another order than those of `fit`"):
        resampler.transform(wide.iloc[:, SHUFFLED])
    with pytest.raises(ValueError, match="in another order than source"):
        resampler.fit(wide.iloc[:, SHUFFLED])


# Scenes: all labels that one has, against all that a model knows


@pytest.mark.parametrize(
    ("found", "expected", "order"),
    [
        ([], [BANDS], None),
        ([BANDS[::-1]], [], None),
        ([BANDS[::-1]], [BANDS], [3, 2, 1, 0]),
        ([[4, 3, 2, 1], WAVELENGTHS[::-1]], [WAVELENGTHS], [3, 2, 1, 0]),
        ([range(1, 5), WAVELENGTHS[::-1]], [BANDS, WAVELENGTHS], [3, 2, 1, 0]),
        ([[f"{b} ({w} nm)" for b, w in zip(BANDS, WAVELENGTHS)][::-1]], [BANDS], [3, 2, 1, 0]),
        ([[f"{b} ({w})" for b, w in zip(BANDS, WAVELENGTHS)]], [WAVELENGTHS[::-1]], [3, 2, 1, 0]),
        ([WAVELENGTHS[::-1]], [BANDS], None),  # of another kind
        ([range(1, 5)], [BANDS], None),
        ([["Band 1", "Band 2", "Band 3", "Band 4"]], [BANDS], None),
        ([[4, 3, 2, 1]], [range(1, 5)], [3, 2, 1, 0]),
    ],
)
def test_labels_of_several_kinds(found, expected, order):
    found, expected = [list(one) for one in found], [list(one) for one in expected]
    assert_array_equal(order_among(found, expected, "these", "those"), order)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([["a", "b", "c", "d"]], [BANDS]),
        ([range(1, 5), ["a", "b", "c", "d"]], [BANDS]),
        ([[4, 3, 2, 1]], [BANDS]),  # the file's numbers say that its bands were reordered
        ([WAVELENGTHS], [[value + 2 for value in WAVELENGTHS]]),
    ],
)
def test_labels_of_several_kinds_that_differ(found, expected):
    with pytest.raises(ValueError, match="these have other labels than those"):
        order_among([list(one) for one in found], expected, "these", "those")


def test_bands_that_a_fitted_estimator_knows():
    wide = spectra.set_axis(WAVELENGTHS, axis=1)
    assert fitted_bands(fcls(A).fit(Y)) == []
    assert fitted_bands(fcls(library).fit(Y)) == [BANDS]
    assert fitted_bands(make_pipeline("passthrough", fcls(A)).fit(wide)) == [WAVELENGTHS]
    search = GridSearchCV(make_pipeline(fcls(A)), {}, cv=2).fit(spectra, X)
    assert BANDS in fitted_bands(search)
    selector = BandSelector(wavelengths=WAVELENGTHS, unit="nm")
    assert fitted_bands(make_pipeline(selector, fcls(A)).fit(Y)) == [
        [f"{value} nm" for value in WAVELENGTHS]
    ]


# Masks

HIDDEN = np.ma.masked_array(Y, np.eye(N, dtype=bool))


@pytest.mark.parametrize(
    "call",
    [
        lambda: fcls(A).fit(list(HIDDEN)),
        lambda: fcls(A).fit(Y).predict(list(HIDDEN)),
        lambda: fcls(A).fit(Y).optimality(HIDDEN),
        lambda: fcls(list(HIDDEN)).fit(Y),
        lambda: fcls(A).fit(Y).score(Y, X, sample_weight=HIDDEN[0]),
        lambda: fcls(A).fit(Y).score(HIDDEN, X),
        lambda: abundance_rmse_scorer(fcls(A).fit(Y), Y, HIDDEN),
        lambda: abundance_rmse(X, X, sample_weight=HIDDEN[0]),
        lambda: csr_active_set(HIDDEN, A),
        lambda: csr_admm(Y, HIDDEN),
        lambda: csr_objective(Y, A, HIDDEN),
        lambda: make_mixtures(HIDDEN, 5),
        lambda: BandSelector([0, 1]).fit_transform(HIDDEN),
        lambda: SpectralResampler(
            WAVELENGTHS, [500], 100, source_unit="nm", target_unit="nm"
        ).fit_transform(HIDDEN),
    ],
)
def test_a_mask_is_refused(call):
    with pytest.raises(ValueError, match=r"is a masked array with \d+ masked entr"):
        call()


def test_a_band_that_is_dropped_may_be_masked():
    hidden = np.ma.masked_array(Y, [[False, False, True, False]] * N)
    pipeline = make_pipeline(BandSelector([0, 1, 3]), fcls(A[:, [0, 1, 3]])).fit(Y)
    assert_allclose(pipeline.predict(hidden), pipeline.predict(Y))


def test_solvers_compare_labels():
    with pytest.raises(ValueError, match="bands of spectra are in another order"):
        csr_active_set(spectra, library.iloc[:, SHUFFLED])
    with pytest.raises(ValueError, match="columns of abundances are in another order"):
        csr_objective(spectra, library, abundances.iloc[:, SHUFFLED])


# Pictures


def test_maps_of_labelled_abundances():
    display = AbundanceMapDisplay.from_predictions(
        abundances, y_true=abundances.iloc[:, SHUFFLED], shape=(2, 2), error=True
    )
    assert_allclose(display.reference, display.abundances)
    model = fcls(library).fit(spectra)
    display = AbundanceMapDisplay.from_estimator(
        model, spectra, abundances.iloc[:, SHUFFLED], shape=(2, 2)
    )
    assert_allclose(display.reference, display.abundances, atol=1e-6)


@pytest.mark.parametrize("dims", [("y", "x", "endmember"), ("endmember", "y", "x")])
def test_maps_of_a_labelled_image(dims):
    image = xr.DataArray(
        X.reshape(2, 2, N), dims=("y", "x", "endmember"), coords={"endmember": NAMES}
    )
    display = AbundanceMapDisplay.from_predictions(
        image.transpose(*dims), y_true=image[..., SHUFFLED]
    )
    assert display.endmember_names == NAMES
    assert_allclose(display.abundances, X.reshape(2, 2, N))
    assert_allclose(display.reference, X.reshape(2, 2, N))


def test_a_labelled_image_is_unmixed_by_label():
    scene = xr.DataArray(
        Y.reshape(2, 2, N), dims=("y", "x", "band"), coords={"band": BANDS}
    ).transpose("band", "x", "y")[SHUFFLED]
    model = fcls(library).fit(Y)
    display = AbundanceMapDisplay.from_estimator(model, scene)
    assert_allclose(display.abundances, X.reshape(2, 2, N), atol=1e-6)  # rows are y
    residuals = ResidualMapDisplay.from_estimator(model, scene).residuals
    assert_allclose(residuals, 0, atol=1e-6)


def test_residuals_of_labelled_spectra():
    display = ResidualMapDisplay.from_predictions(spectra, spectra.iloc[:, SHUFFLED], shape=(2, 2))
    assert_allclose(display.residuals, 0)


def test_spectra_of_a_labelled_library():
    display = EndmemberDisplay.from_predictions(
        library, reference=library.iloc[SHUFFLED, SHUFFLED[::-1]]
    )
    assert_allclose(display.angles_, 0, atol=1e-6)
    model = fcls(library).fit(spectra)
    display = EndmemberDisplay.from_estimator(model, reference=library.iloc[SHUFFLED, SHUFFLED])
    assert_allclose(display.angles_, 0, atol=1e-6)
    wide = library.set_axis(WAVELENGTHS, axis=1)
    EndmemberDisplay.from_predictions(wide, wavelengths=np.array(WAVELENGTHS) / 1000)
    with pytest.raises(ValueError, match="in another order than wavelengths"):
        EndmemberDisplay.from_predictions(wide, wavelengths=WAVELENGTHS[::-1], unit="nm")


def test_a_masked_band_is_a_gap():
    hidden = np.ma.masked_array(A, [[False, True, False, False]] * N)
    display = EndmemberDisplay.from_predictions(hidden)
    assert np.isnan(display.endmembers[:, 1]).all()
    assert np.isfinite(display.endmembers[:, [0, 2, 3]]).all()
