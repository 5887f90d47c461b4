import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skunmix.preprocessing import BandSelector

WAVELENGTHS = np.linspace(400, 2500, 22)
SPECTRA = np.arange(66.0).reshape(3, 22)


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks([BandSelector(), BandSelector(slice(None))])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@given(kept=st.sets(st.integers(0, 21), min_size=1), form=st.sampled_from(["index", "mask", "bbl"]))
def test_forms_of_the_same_choice(kept, form):
    mask = np.isin(np.arange(22), list(kept))
    selector = {
        "index": lambda: BandSelector(list(kept)),
        "mask": lambda: BandSelector(mask),
        "bbl": lambda: BandSelector(bbl=mask.astype(int)),
    }[form]()
    np.testing.assert_array_equal(selector.fit_transform(SPECTRA), SPECTRA[:, mask])
    np.testing.assert_array_equal(selector.get_support(), mask)
    back = selector.inverse_transform(selector.transform(SPECTRA))
    np.testing.assert_array_equal(back, np.where(mask, SPECTRA, 0))


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1), ("um", 1e-3), ("µm", 1e-3)])
def test_ranges_in_either_unit(unit, factor):
    selector = BandSelector(
        ranges=[(400 * factor, 700 * factor), (1000 * factor, 1300 * factor)],
        exclude=[(650 * factor, 1100 * factor)],
        wavelengths=WAVELENGTHS * factor,
        unit=unit,
    ).fit(SPECTRA)
    np.testing.assert_allclose(selector.wavelengths_, [400, 500, 600, 1200, 1300])


def test_everything_together():
    selector = BandSelector(
        slice(0, 20),
        bbl=[1] * 5 + [0] * 17,
        exclude=[(390, 410)],
        wavelengths=WAVELENGTHS,
        unit="nm",
    )
    assert selector.fit(SPECTRA).get_support(indices=True).tolist() == [1, 2, 3, 4]
    assert selector.get_feature_names_out().tolist() == ["x1", "x2", "x3", "x4"]


def test_names_and_pipelines():
    import pandas as pd

    frame = pd.DataFrame(SPECTRA, columns=[f"b{i}" for i in range(22)])
    out = make_pipeline(BandSelector([-1, 3])).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == ["b3", "b21"]


def test_what_is_not_finite_passes():
    spectra = SPECTRA.copy()
    spectra[0, 0], spectra[0, 1] = np.nan, np.inf
    assert np.isfinite(BandSelector(slice(2, None)).fit(spectra).transform(spectra)).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bands": [22]}, "indices of the 22 bands.*got 22"),
        ({"bands": [1.5]}, "pass wavelengths as `ranges`"),
        ({"bands": [True, False]}, r"shape \(22,\), got \(2,\)"),
        ({"bands": []}, "pass wavelengths as|at least one of 22"),
        ({"bbl": np.zeros(22)}, "at least one of 22 bands, got none"),
        ({"bbl": np.arange(22)}, "pass indices as `bands`"),
        ({"bbl": [1, 0]}, "22 values"),
        ({"ranges": [(400, 500)]}, "pass `wavelengths` and `unit`"),
        ({"ranges": [(400, 500)], "wavelengths": WAVELENGTHS}, "unit of the wavelengths.*got None"),
        ({"ranges": [(0.4, 0.5)], "wavelengths": WAVELENGTHS, "unit": "nm"}, "check the unit"),
        ({"ranges": [400], "wavelengths": WAVELENGTHS, "unit": "nm"}, "got an item 400"),
        ({"wavelengths": WAVELENGTHS, "unit": "um"}, "got 400 to 2500 um; check the unit"),
        ({"wavelengths": WAVELENGTHS / 1000, "unit": "nm"}, "got 0.4 to 2.5 nm; check .* 'um'"),
        ({"wavelengths": WAVELENGTHS[:5], "unit": "nm"}, "Expected 22 wavelengths.*got 5"),
        ({"wavelengths": [np.nan] * 22, "unit": "nm"}, "NaN"),
        ({"wavelengths": [[1.0]], "unit": "nm"}, "one-dimensional"),
        ({"unit": "cm"}, "'unit' parameter"),
    ],
)
def test_bad_input(options, match):
    with pytest.raises(ValueError, match=match):
        BandSelector(**options).fit(SPECTRA)
