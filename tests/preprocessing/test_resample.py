import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from skunmix.preprocessing import SpectralResampler
from skunmix.utils.resampling import gaussian_weights

RNG = np.random.RandomState(0)
SOURCE = np.linspace(400, 2500, 60) + RNG.uniform(-9, 9, 60)
SPECTRA = RNG.uniform(size=(4, 60))


def resampler(source=SOURCE, target=(450, 700, 1600, 2400), fwhm=(10, 40, 5, 200), **units):
    units = {"source_unit": "nm", "target_unit": "nm", **units}
    return SpectralResampler(source, target, fwhm, **units)


@settings(deadline=None, max_examples=30)
@given(centre=st.floats(float(SOURCE[0]), float(SOURCE[-1])), fwhm=st.floats(0.5, 500))
def test_the_integral_is_that_of_quadrature(centre, fwhm):
    def response(wavelength):
        return np.exp(-4 * np.log(2) * (wavelength - centre) ** 2 / fwhm**2)

    def integral(function):
        low, high = max(SOURCE[0], centre - 4 * fwhm), min(SOURCE[-1], centre + 4 * fwhm)
        knots = [low, *SOURCE[(SOURCE > low) & (SOURCE < high)], high]
        return sum(quad(function, *pair)[0] for pair in itertools.pairwise(knots))

    weights = gaussian_weights(SOURCE, np.array([centre]), np.array([fwhm]))
    for spectrum in SPECTRA:
        expected = integral(lambda w, s=spectrum: response(w) * np.interp(w, SOURCE, s))
        expected /= integral(response)
        np.testing.assert_allclose(weights @ spectrum, expected, rtol=0, atol=1e-6)


def test_a_constant_stays_and_narrow_bands_interpolate():
    out = resampler().fit_transform(np.full((1, 60), 0.3))
    np.testing.assert_allclose(out, 0.3, rtol=1e-12)
    target = np.array([455.5, 700.25, 1999.0])
    weights = gaussian_weights(SOURCE, target, np.full(3, 1e-6))
    expected = [np.interp(target, SOURCE, s) for s in SPECTRA]
    np.testing.assert_allclose(SPECTRA @ weights.T, expected, rtol=1e-6)


def test_the_response_has_its_width():
    dense = np.arange(400.0, 2501.0, 0.5)
    found = SpectralResampler(dense, [1000.0], [30.0], source_unit="nm", target_unit="nm")
    weights = found.fit(np.zeros((1, len(dense)))).weights_[0]
    above_half = dense[weights >= weights.max() / 2]
    assert above_half[-1] - above_half[0] == pytest.approx(30.0, abs=1.0)


@pytest.mark.parametrize(("unit", "factor"), [("um", 1e-3), ("µm", 1e-3)])
def test_units(unit, factor):
    expected = resampler().fit_transform(SPECTRA)
    source = resampler(SOURCE * factor, source_unit=unit).fit_transform(SPECTRA)
    target = resampler(
        target=np.array([450, 700, 1600, 2400]) * factor,
        fwhm=np.array([10, 40, 5, 200]) * factor,
        target_unit=unit,
    ).fit_transform(SPECTRA)
    np.testing.assert_allclose(source, expected, rtol=1e-9)
    np.testing.assert_allclose(target, expected, rtol=1e-9)


def test_the_order_of_the_source_does_not_matter():
    order = np.random.RandomState(1).permutation(60)
    found = resampler(SOURCE[order]).fit_transform(SPECTRA[:, order])
    np.testing.assert_allclose(found, resampler().fit_transform(SPECTRA), rtol=1e-12)


def test_widths_from_the_centres():
    found = resampler(target=[450, 460, 480], fwhm=None).fit(SPECTRA)
    expected = resampler(target=[450, 460, 480], fwhm=[10, 15, 20]).fit(SPECTRA)
    np.testing.assert_allclose(found.weights_, expected.weights_)
    assert found.get_feature_names_out().tolist() == ["450nm", "460nm", "480nm"]
    assert found.transform(SPECTRA.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"source_unit": None}, "unit of the wavelengths.*got None"),
        ({"target_unit": None}, "unit of the wavelengths.*got None"),
        ({"source_unit": "um"}, "Expected source between .*check the unit"),
        ({"target": [0.5, 0.6], "fwhm": 1}, "Expected target between .*got 0.5 to 0.6 nm"),
        ({"source": SOURCE[:9]}, "Expected 60 source wavelengths.*got 9"),
        ({"source": np.r_[SOURCE[:59], SOURCE[0]]}, "twice"),
        ({"target": [300, 450], "fwhm": 5}, "got 1 of 2 without overlap.* band 0, 300 nm"),
        ({"target": [450, 2600], "fwhm": 5}, "band 1, 2600 nm"),
        ({"fwhm": [1, 2]}, "4 target bands"),
        ({"fwhm": [1, 2, 0, 3]}, "positive"),
        ({"target": [450], "fwhm": None}, "pass fwhm"),
        ({"target": [700, 450], "fwhm": None}, "ascend"),
    ],
)
def test_bad_input(options, match):
    with pytest.raises(ValueError, match=match):
        resampler(**options).fit(SPECTRA)


def test_a_band_in_a_gap():
    source = np.r_[400:1340:10, 1460:2500:10]
    spectra = np.zeros((1, len(source)))
    with pytest.raises(ValueError, match=r"with gaps, got .* band 1, 1400 nm"):
        resampler(source, [1300, 1400], [20, 20]).fit(spectra)
    resampler(source, [1300, 1400], [20, 100]).fit(spectra)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fill_values_are_not_spread(dtype):
    model = resampler().fit(SPECTRA)
    spectra = SPECTRA.astype(dtype)
    used = np.flatnonzero(model.weights_.any(axis=0))
    spectra[2, used[:2]] = -1.23e34
    with pytest.raises(
        ValueError, match=r"value -1.23e\+34 in 2 of 60 bands of spectrum 2 \(1 of 4"
    ):
        model.transform(spectra)
    # where no band looks at it, it is no matter
    spectra = SPECTRA.astype(dtype)
    spectra[:, np.setdiff1d(np.arange(60), used)] = -1.23e34
    expected = model.transform(SPECTRA.astype(dtype))
    np.testing.assert_allclose(model.transform(spectra), expected, rtol=1e-6)
