"""Named axes and labelled rows are not read by position against their names."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor

from skunmix import (
    MESMARegressor,
    SunSALRegressor,
    SunSALRegressorCV,
    UADMMBlindUnmixer,
    UADMMRegressor,
)
from skunmix.extraction import (
    SPA,
    VCA,
    MinimumVolume,
    estimate_n_endmembers,
    estimate_noise,
    pixel_purity,
)
from skunmix.metrics import (
    abundance_rmse,
    abundance_rmse_scorer,
    fit_summary,
    match_endmembers,
    signal_to_reconstruction_error,
    spectral_angle_distance,
)
from skunmix.plotting import EndmemberDisplay
from skunmix.preprocessing import (
    BandSelector,
    ContinuumRemoval,
    MinimumNoiseFraction,
    SpectralResampler,
)
from skunmix.solvers import csr_active_set
from skunmix.uncertainty import ConformalUnmixer

RNG = np.random.default_rng(0)
E = RNG.uniform(0.1, 0.9, (3, 8))
Y = RNG.dirichlet(np.ones(3), 40)
X = Y @ E + 0.01 * RNG.normal(size=(40, 8))
MODEL = SunSALRegressor(E, lam=0, sum_to_one=True).fit(X)
MESMA = MESMARegressor(E).fit(X)
CONTINUUM = ContinuumRemoval().fit(X)
MNF = MinimumNoiseFraction(3).fit(X)
WAVELENGTHS = np.linspace(400, 2400, 8)


def turned(values, columns, kind, rows="pixel"):
    """The transpose of a matrix, with names of axes that tell so."""
    if kind == "xarray":
        return xr.DataArray(values, dims=(rows, columns)).T
    frame = pd.DataFrame(values).T
    return frame.rename_axis(index=columns, columns=rows)


X_CALLS = {
    "fit": lambda a: SunSALRegressor(E).fit(a),
    "fit with pairs": lambda a: UADMMRegressor(E, max_epochs=1).fit(a, Y[:8]),
    "predict": lambda a: MODEL.predict(a),
    "transform": lambda a: MODEL.transform(a),
    "VCA": lambda a: VCA(3, random_state=0).fit(a),
    "blind": lambda a: MinimumVolume(3).fit(a),
    "estimate_noise": estimate_noise,
    "estimate_n_endmembers": estimate_n_endmembers,
    "pixel_purity": pixel_purity,
    "MNF": lambda a: MinimumNoiseFraction(2).fit(a),
    "MNF.transform": MNF.transform,
    "BandSelector": lambda a: BandSelector([0, 1]).fit(a),
    "resampler": lambda a: SpectralResampler(WAVELENGTHS, [800, 900]).fit(a),
    "continuum": lambda a: ContinuumRemoval().fit(a),
    "continuum.transform": CONTINUUM.transform,
    "MESMA": lambda a: MESMARegressor(E).fit(a),
    "MESMA.predict": MESMA.predict,
    "interval": MODEL.predict_interval,
    "conformal": lambda a: ConformalUnmixer(MODEL).fit(a, Y[: len(a)]),
    "solver": lambda a: csr_active_set(a, E),
}
Y_CALLS = {
    "y of fit": lambda a: UADMMRegressor(E, max_epochs=1).fit(X[:3], a),
    "y of score": lambda a: MODEL.score(X[:3], a),
    "y of MESMA": lambda a: MESMA.score(X[:3], a),
    "y of conformal": lambda a: ConformalUnmixer(MODEL).fit(X[:3], a),
    "inverse_transform": MODEL.inverse_transform,
    "y_true": lambda a: abundance_rmse(a, Y[:3]),
    "y_pred": lambda a: abundance_rmse(Y[:3], a),
    "scorer": lambda a: abundance_rmse_scorer(MODEL, X[:3], a),
}


@pytest.mark.parametrize("kind", ["xarray", "pandas"])
@pytest.mark.parametrize("call", X_CALLS)
def test_bands_in_rows_are_refused(call, kind):
    for n_pixels in (8, 40):  # the shape may tell, or not
        with pytest.raises(ValueError, match="Expected .* with 'wavelength' in the columns"):
            X_CALLS[call](turned(X[:n_pixels], "wavelength", kind))


def test_a_summary_of_a_fit_follows_the_names():
    turned_array = turned(X, "wavelength", "xarray")
    assert np.array_equal(fit_summary(MODEL, turned_array).rmse, fit_summary(MODEL, X).rmse)
    with pytest.raises(ValueError, match="with 'wavelength' in the columns"):
        fit_summary(MODEL, turned(X[:8], "wavelength", "pandas"))


@pytest.mark.parametrize("kind", ["xarray", "pandas"])
@pytest.mark.parametrize("call", Y_CALLS)
def test_endmembers_in_rows_are_refused(call, kind):
    with pytest.raises(ValueError, match="Expected .* with 'endmember' in the columns"):
        Y_CALLS[call](turned(Y[:3], "endmember", kind))


@pytest.mark.parametrize("kind", ["xarray", "pandas"])
def test_spectra_in_rows_are_compared(kind):
    def named(values):
        return turned(values, "material", kind, rows="band") if kind == "pandas" else values

    spectra = xr.DataArray(E, dims=("material", "band"))
    assert match_endmembers(spectra, spectra[::-1]).tolist() == [2, 1, 0]
    assert spectral_angle_distance(spectra, spectra) == 0
    with pytest.raises(ValueError, match="with 'band' in the columns"):
        match_endmembers(E.T, turned(E, "band", kind, rows="material"))


def series(values, labels=None, names=None):
    names = [None] * len(values) if names is None else names
    return [pd.Series(v, index=labels, name=n) for v, n in zip(values, names)]


BANDS = list("abcdefgh")


def test_rows_with_labels_are_a_frame():
    expected = MODEL.predict(X)
    model = SunSALRegressor(series(E, BANDS, ["tree", "soil", "road"]), lam=0, sum_to_one=True)
    model.fit(pd.DataFrame(X, columns=BANDS)[BANDS[::-1]])
    assert model.get_feature_names_out().tolist() == ["tree", "soil", "road"]
    assert_allclose(model.predict(pd.DataFrame(X, columns=BANDS)[BANDS[::-1]]), expected)
    with pytest.raises(ValueError, match="another order"):
        model.predict(series(X, BANDS))
    arrays = [xr.DataArray(x, dims="band", coords={"band": BANDS}) for x in E]
    model = SunSALRegressor(arrays, lam=0, sum_to_one=True).fit(pd.DataFrame(X, columns=BANDS))
    assert_allclose(model.predict(series(X, BANDS)), expected)


def test_rows_with_other_labels_are_refused():
    rows = series(E, BANDS)
    rows[1] = rows[1][::-1]
    for call in (lambda: SunSALRegressor(rows).fit(X), lambda: MODEL.predict(rows)):
        with pytest.raises(ValueError, match="same labels .* got a, b, c, … in row 0"):
            call()


def test_components_in_another_order_are_refused():
    names = MNF.get_feature_names_out()
    components = pd.DataFrame(MNF.transform(X), columns=names)
    assert_allclose(MNF.inverse_transform(components), MNF.inverse_transform(MNF.transform(X)))
    with pytest.raises(ValueError, match="in another order"):
        MNF.inverse_transform(components[names[::-1]])
    with pytest.raises(ValueError, match="masked"):
        MNF.inverse_transform(np.ma.masked_greater(MNF.transform(X), 1))


@pytest.mark.parametrize("bands", [[3, 1], [0, 0, 1], [2, -7], [-1, -2]])
def test_selected_bands_in_another_order_are_told(bands):
    """They are not those of endmembers that were selected by the same indices."""
    with pytest.warns(UserWarning, match="Selected bands keep the order of the spectra, each once"):
        BandSelector(bands).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        BandSelector([1, 3, -1]).fit(X)


@pytest.mark.parametrize(
    "call",
    [VCA(2).fit, SPA(2).fit, estimate_noise, pixel_purity, MinimumNoiseFraction(2).fit],
)
def test_booleans_are_no_spectra(call):
    with pytest.raises(ValueError, match="Expected X as integers or floats, got .* bool"):
        call(X > 0.4)


def test_spectra_may_be_named_by_their_materials():
    spectra = xr.DataArray(E, dims=("material", "band"))
    assert signal_to_reconstruction_error(spectra, spectra) == np.inf


def test_abundances_in_percent_are_told():
    for call in (
        lambda: abundance_rmse(100 * Y, Y),
        lambda: signal_to_reconstruction_error(Y, 100 * Y),
        lambda: MODEL.score(X, 100 * Y),
        lambda: abundance_rmse_scorer(MODEL, X, 100 * Y),
    ):
        with pytest.warns(UserWarning, match="sum to about .* such as percent"):
            call()
    with pytest.warns(UserWarning, match="mixed by y, go up to about .* such as percent"):
        SunSALRegressorCV(E, lams=3, cv=2).fit(X, 100 * Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        SunSALRegressorCV(E, lams=3, cv=2).fit(X, Y)
        SunSALRegressorCV(lams=3, cv=2).fit(X, 100 * Y)  # endmembers of percent
        MODEL.score(X, Y)
        abundance_rmse(Y, 0 * Y)
        abundance_rmse(Y, 0.01 * Y)  # of a strong penalty


def test_names_are_found_behind_transformed_targets():
    model = SunSALRegressor(pd.DataFrame(E, index=["tree", "soil", "road"]), lam=0)
    y = pd.DataFrame(Y, columns=["tree", "soil", "road"])[["road", "tree", "soil"]]
    inside = TransformedTargetRegressor(model).fit(X, y)
    expected = abundance_rmse_scorer(model.fit(X), X, y)
    assert abundance_rmse_scorer(inside, X, y) == pytest.approx(expected)


@pytest.mark.parametrize("range_", [(1.3, 1.5), (np.nan, 900)])
def test_excluded_ranges_in_another_unit_are_refused(range_):
    """They would leave all bands."""
    with pytest.raises(ValueError, match="Expected exclude between 100 and 60000 nm.*unit"):
        BandSelector(exclude=[range_], wavelengths=WAVELENGTHS, unit="nm").fit(X)


def test_wavelengths_of_a_figure_are_finite():
    wavelengths = np.where(WAVELENGTHS > 2000, np.nan, WAVELENGTHS)
    with pytest.raises(ValueError, match="Expected finite wavelengths, got nan for band 6"):
        EndmemberDisplay(E, wavelengths=wavelengths).plot()


@pytest.mark.parametrize("weight", [-1.0, 0.0, np.nan])
def test_weights_are_checked_by_score(weight):
    weights = np.full(40, weight)
    for score in (
        lambda: MODEL.score(X, Y, sample_weight=weights),
        lambda: SunSALRegressor(E).fit(X).score(X, Y, sample_weight=weights),
    ):
        with pytest.raises(ValueError, match="sample_weight"):
            score()


@pytest.mark.parametrize(
    "model", [UADMMRegressor(E, max_epochs=1), UADMMBlindUnmixer(E, max_epochs=1)]
)
def test_training_further_refuses_other_endmembers(model):
    """They were ignored, so that columns had the order of the first fit."""
    model = clone(model).set_params(warm_start=True)
    y = Y if isinstance(model, UADMMRegressor) else None
    frame = pd.DataFrame(X, columns=BANDS)
    model.set_params(endmembers=pd.DataFrame(E, columns=BANDS)[BANDS[::-1]]).fit(frame, y)
    model.fit(frame, y).fit(frame, y)
    for other in (E[::-1], 2 * E):
        model.set_params(endmembers=other)
        with pytest.raises(ValueError, match="Expected the endmembers of the first fit"):
            model.fit(frame, y)
