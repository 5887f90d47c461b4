"""SpectralLibrary: selection, frames, and resampling beside SPy's and an integral."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sklearn.base import clone

from skunmix import SunSALRegressor
from skunmix.libraries import SpectralLibrary
from skunmix.utils.resampling import usual_widths

NM = np.arange(350.0, 2501.0)


def rows(nm):
    """Return spectra with a broad, and with a narrow feature."""
    t = (np.asarray(nm) - 350) / 2150
    narrow = 0.25 * np.exp(-(((np.asarray(nm) - 680) / 15) ** 2))
    return np.array([0.3 + 0.2 * np.sin(7 * t), 0.3 + 0.3 * t - narrow])


@pytest.fixture
def library():
    return SpectralLibrary(
        rows(NM), ["Dry grass", "clay"], NM, classes=["plant", "soil"], metadata={"by": "me"}
    )


@pytest.mark.parametrize("fwhm", [3.0, 10.0, 25.0])
def test_resampling_as_spy_where_features_are_broader_than_bands(library, fwhm):
    spy = pytest.importorskip("spectral")
    target = np.linspace(400, 2400, 101)
    resample = spy.BandResampler(NM, target, fwhm2=np.full(101, fwhm))
    found = library.resample(target, fwhm).spectra[0]
    spectrum = library.spectra[0]
    np.testing.assert_allclose(found, resample(spectrum), rtol=0, atol=1e-3 * np.ptp(spectrum))


def test_where_spy_differs_it_cuts_the_response(library):
    spy = pytest.importorskip("spectral")
    centre, fwhm = 690.0, 30.0
    sigma = fwhm / np.sqrt(8 * np.log(2))

    def mean(reach):
        def response(nm):
            return np.exp(-(((nm - centre) / sigma) ** 2) / 2)

        low, high = centre - reach, centre + reach
        total = quad(lambda nm: response(nm) * rows(nm)[1], low, high, limit=200)[0]
        return total / quad(response, low, high, limit=200)[0]

    ours = library.resample([centre], fwhm).spectra[1, 0]
    theirs = spy.BandResampler(NM, [centre], fwhm2=[fwhm])(library.spectra[1])
    assert ours == pytest.approx(mean(8 * fwhm), abs=1e-4)
    assert theirs == pytest.approx(mean(fwhm / 2), abs=1e-3)
    assert abs(ours - theirs) > 5e-3


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_bands=st.integers(3, 40),
    n_missing=st.integers(0, 2),
    fwhm=st.floats(1, 100),
)
def test_properties_of_resampling(seed, n_bands, n_missing, fwhm):
    rng = np.random.default_rng(seed)
    nm = rng.permutation(np.linspace(400, 2500, n_bands) + rng.uniform(-5, 5, n_bands))
    spectra = rng.uniform(size=(3, n_bands))
    spectra[0, rng.choice(n_bands, n_missing, replace=False)] = np.nan
    spectra[1] = 0.25
    target = rng.uniform(450, 2450, 7)
    library = SpectralLibrary(spectra, None, nm)
    found = library.resample(target, fwhm, uncovered="nan").spectra
    known = np.isfinite(found)
    np.testing.assert_allclose(found[1][known[1]], 0.25)  # a constant stays
    assert (found[known] >= np.nanmin(spectra) - 1e-12).all()
    assert (found[known] <= np.nanmax(spectra) + 1e-12).all()
    order = rng.permutation(n_bands)
    shuffled = SpectralLibrary(spectra[:, order], None, nm[order])
    np.testing.assert_allclose(shuffled.resample(target, fwhm, uncovered="nan").spectra, found)
    turned = library.resample(target[::-1], fwhm, uncovered="nan").spectra[:, ::-1]
    np.testing.assert_allclose(turned, found)


def test_targets(library, tmp_path):
    target = np.linspace(500, 2000, 16)
    found = library.resample(target, 20.0)
    np.testing.assert_array_equal(found.wavelengths, target)
    np.testing.assert_array_equal(found.fwhm, 20)
    assert (found.names, found.classes, found.metadata) == (
        library.names,
        library.classes,
        library.metadata,
    )
    for other in (
        library.resample(target / 1e3, 0.02, unit="um"),
        library.resample(found),
        library.resample(SpectralLibrary(np.ones((1, 16)), None, target, fwhm=20)),
    ):
        np.testing.assert_allclose(other.spectra, found.spectra)
    with pytest.raises(ValueError, match=r"Expected a target with wavelengths"):
        library.resample(SpectralLibrary(np.ones((1, 16))))
    with pytest.raises(ValueError, match=r"pass fwhm"):
        library.resample([500.0])


def test_a_scene_file_as_target(library, tmp_path):
    pytest.importorskip("rasterio")
    target = np.linspace(500, 2000, 16)
    np.zeros((16, 2, 2), "<f4").tofile(tmp_path / "scene.img")
    listed = ", ".join(f"{nm / 1000:.6f}" for nm in target)
    (tmp_path / "scene.hdr").write_text(
        "ENVI\nsamples = 2\nlines = 2\nbands = 16\ndata type = 4\ninterleave = bsq\n"
        f"byte order = 0\nwavelength units = Micrometers\nwavelength = {{{listed}}}\n"
        f"fwhm = {{{', '.join(['0.02'] * 16)}}}\n"
    )
    expected = library.resample(target, 20.0).spectra
    for name in ("scene.hdr", "scene.img"):
        np.testing.assert_allclose(library.resample(tmp_path / name).spectra, expected)


def test_bands_that_are_not_covered(library):
    target = [300.0, 400, 1000, 2600]
    message = (
        r"Expected target bands that the library covers, from 350 to 2500 nm, got 2 of 4 bands "
        r"that 2 of 2 spectra do not cover, the first of which is 300 nm for 'Dry grass'"
    )
    with pytest.raises(ValueError, match=message):
        library.resample(target, 10)
    found = library.resample(target, 10, uncovered="nan").spectra
    assert np.isnan(found).tolist() == [[True, False, False, True]] * 2
    assert library.resample(target, 10, uncovered="drop").wavelengths.tolist() == [400, 1000]
    spectra = library.spectra.copy()
    spectra[1, (NM > 1000) & (NM < 1100)] = -1.23e34
    gap = SpectralLibrary(spectra, None, NM).resample([900.0, 1050, 1200], 10, uncovered="nan")
    assert np.isnan(gap.spectra).tolist() == [[False] * 3, [False, True, False]]


def test_widths_beside_gaps_and_overlaps():
    steps = np.r_[np.arange(400.0, 1000, 10), np.arange(1500.0, 2000, 10)]
    widths = usual_widths(steps)
    assert widths.min() == 10
    assert widths.max() == 15  # beside the gap
    overlap = usual_widths(np.sort(np.r_[np.arange(400.0, 1000, 10), np.arange(981.0, 1400, 10)]))
    assert overlap.min() > 1
    np.testing.assert_allclose(usual_widths(steps[::-1]), widths[::-1])


def test_selection(library):
    assert library["clay"].names == ("clay",)
    assert library.select("*GRASS").names == ("Dry grass",)
    assert library[["clay", "Dry grass"]].names == ("Dry grass", "clay")
    assert library[1].names == library[-1:].names == library[[False, True]].names == ("clay",)
    assert library.select(classes="plant").classes == ("plant",)
    cut = library.select(wavelengths=[(400, 500), (600, 700)])
    assert cut.shape == (2, 202)
    np.testing.assert_array_equal(cut.spectra, rows(cut.wavelengths))
    with pytest.raises(ValueError, match=r"got 'sand', which no spectrum has; its names begin"):
        library["sand"]
    with pytest.raises(ValueError, match=r"from 350 to 2500 nm; check the unit"):
        library.select(wavelengths=(0.4, 0.5))
    with pytest.raises(ValueError, match=r"Expected a library with classes"):
        SpectralLibrary(np.ones((1, 3))).select(classes="a")


def test_a_name_with_characters_of_patterns():
    library = SpectralLibrary(np.ones((2, 3)), ["a[1]", "a1"])
    assert library["a[1]"].names == ("a[1]",)


def test_frames_and_back(library):
    frame = library.to_frame()
    assert frame.index.names == ["name", "class"]
    assert frame.columns[0] == 350.0
    for back in (SpectralLibrary.from_frame(frame), SpectralLibrary.from_frame(frame / 1)):
        np.testing.assert_array_equal(back.spectra, library.spectra)
        np.testing.assert_allclose(back.wavelengths, NM)
        assert (back.names, back.classes) == (library.names, library.classes)
    plain = pd.DataFrame(rows([450, 550]), index=["a", "b"], columns=["0.45 µm", "0.55 µm"])
    np.testing.assert_allclose(SpectralLibrary.from_frame(plain).wavelengths, [450, 550])
    plain.columns = [0.45, 0.55]
    np.testing.assert_allclose(SpectralLibrary.from_frame(plain, unit="um").wavelengths, [450, 550])
    plain.columns = ["red", "blue"]
    assert SpectralLibrary.from_frame(plain).wavelengths is None


def test_missing_values_scales_and_names():
    spectra = np.array([[1.0, -9999, 3], [4, 5, 6], [7, 8, np.inf]])
    library = SpectralLibrary(spectra, ["a", "a", "a (2)"], [450, 550, 650], fwhm=10)
    assert np.isnan(library.spectra).sum() == 2
    assert library.drop_missing().wavelengths.tolist() == [450]
    assert library.drop_missing("spectra").spectra.tolist() == [[4, 5, 6]]
    assert library.scale(0.1).spectra[1].tolist() == pytest.approx([0.4, 0.5, 0.6])
    assert library.unique_names().names == ("a", "a (3)", "a (2)")
    with pytest.raises(ValueError, match="at least one band"):
        library.select(wavelengths=(500, 700)).drop_missing()


def test_concatenation(library):
    both = SpectralLibrary.concatenate([library, library])
    assert both.shape == (4, 2151)
    assert both.classes == ("plant", "soil") * 2
    with pytest.raises(ValueError, match="Expected libraries of the same wavelengths"):
        SpectralLibrary.concatenate([library, library.select(wavelengths=(400, 500))])


def test_a_library_does_not_change(library):
    with pytest.raises(ValueError, match="read-only"):
        library.spectra[0, 0] = 1
    given = rows(NM)
    copy = SpectralLibrary(given, None, NM)
    given[:] = 0
    assert copy.spectra.any()


def test_as_a_parameter_of_estimators(library):
    model = SunSALRegressor(endmembers=library)
    assert "SpectralLibrary(2 spectra × 2151 bands" in repr(model)
    for same in (clone(model), pickle.loads(pickle.dumps(model))):
        fitted = same.fit(library.spectra)
        assert list(fitted.get_feature_names_out()) == ["Dry grass", "clay"]
        np.testing.assert_allclose(fitted.predict(library.spectra), np.eye(2), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 2.0],), r"Expected spectra of shape \(n_spectra, n_bands\), got \(2,\)"),
        ((np.ones((2, 3)), ["a"]), "Expected 2 names, one for each spectrum, got 1"),
        ((np.ones((2, 3)), None, [450, 550]), "Expected 3 wavelengths, one for each band"),
        ((np.ones((2, 3)), None, [0.45, 0.55, 0.65]), "between 100 and 60000 nm, got 0.45 to"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralLibrary(*arguments)


def test_plot(library):
    pytest.importorskip("matplotlib")
    display = library.plot()
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), NM)
    assert [text.get_text() for text in display.legend_.get_texts()] == ["Dry grass", "clay"]
