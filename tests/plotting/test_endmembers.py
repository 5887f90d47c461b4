import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.plotting import EndmemberDisplay

plt = pytest.importorskip("matplotlib.pyplot")


def legend(display):
    return [text.get_text() for text in display.legend_.get_texts()]


def segments(line):
    """Return the runs of points that a line joins."""
    x, y = line.get_data()
    finite = np.isfinite(y)
    starts = np.flatnonzero(finite & ~np.concatenate(([False], finite[:-1])))
    stops = np.flatnonzero(finite & ~np.concatenate((finite[1:], [False]))) + 1
    return [(x[a], x[b - 1]) for a, b in zip(starts, stops)]


def test_spectra_against_wavelength_beside_the_reference():
    scene = make_scene(n_endmembers=3, shape=(40, 40), snr=30, random_state=0)
    names = ["a", "b", "c"]
    abundances = pd.DataFrame(scene.abundances, columns=names)
    model = SunSALRegressor().fit(scene.spectra, abundances)
    display = EndmemberDisplay.from_estimator(
        model, reference=scene.endmembers, wavelengths=scene.wavelengths
    )
    assert display.ax_.get_xlabel() == "wavelength [µm]"
    for i, (line, reference) in enumerate(zip(display.lines_, display.reference_lines_)):
        np.testing.assert_array_equal(line.get_xdata(), scene.wavelengths)
        np.testing.assert_array_equal(line.get_ydata(), model.endmembers_[i])
        np.testing.assert_array_equal(reference.get_ydata(), scene.endmembers[i])
        assert line.get_color() == reference.get_color()
        assert (line.get_linestyle(), reference.get_linestyle()) == ("-", "--")
    # the angle by its textbook definition
    cosines = [
        u @ v / np.linalg.norm(u) / np.linalg.norm(v)
        for u, v in zip(model.endmembers_, scene.endmembers)
    ]
    angles = np.degrees(np.arccos(cosines))
    np.testing.assert_allclose(display.angles_, angles, rtol=1e-4)
    expected = [f"{name} ({angle:.1f}°)" for name, angle in zip(names, angles)]
    assert legend(display) == [*expected, "reference"]


def test_without_reference_there_is_no_angle():
    display = EndmemberDisplay.from_predictions(np.eye(2, 5) + 1, endmember_names=["a", "b"])
    assert legend(display) == ["a", "b"]
    assert display.angles_ is None
    assert display.reference_lines_ is None
    assert display.ax_.get_xlabel() == "band"
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), np.arange(5))


def test_the_line_is_broken_where_bands_were_removed():
    bands = np.r_[4:108, 113:154, 167:220]  # those of Jasper Ridge
    display = EndmemberDisplay.from_predictions(np.ones((1, len(bands))), bands=bands)
    assert segments(display.lines_[0]) == [(4, 107), (113, 153), (167, 219)]
    assert display.ax_.get_xlabel() == "band"


def test_one_band_left_out_is_a_gap_and_uneven_steps_are_none():
    even = np.delete(np.linspace(0.4, 2.5, 211), 100)
    assert len(segments(EndmemberDisplay.from_predictions(even, wavelengths=even).lines_[0])) == 2
    rng = np.random.RandomState(0)
    uneven = np.cumsum(rng.uniform(0.008, 0.012, 200))
    line = EndmemberDisplay.from_predictions(uneven, wavelengths=uneven).lines_[0]
    assert len(segments(line)) == 1
    # where two spectrometers overlap steps are smaller than elsewhere
    overlap = np.sort(np.r_[np.arange(0.4, 0.7, 0.01), np.arange(0.6533, 2.0, 0.01)])
    line = EndmemberDisplay.from_predictions(overlap, wavelengths=overlap).lines_[0]
    assert len(segments(line)) == 1


def test_bands_in_any_order_are_drawn_in_order_of_wavelength():
    wavelengths = np.array([0.9, 0.5, 0.7])
    display = EndmemberDisplay.from_predictions([[3.0, 1.0, 2.0]], wavelengths=wavelengths)
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), [0.5, 0.7, 0.9])
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), [1.0, 2.0, 3.0])


def test_a_lone_band_is_a_point():
    wavelengths = [490, 560, 665, 705, 740, 783, 842, 1610, 2190]
    display = EndmemberDisplay.from_predictions(np.ones((1, 9)), wavelengths=wavelengths, unit="nm")
    assert display.ax_.get_xlabel() == "wavelength [nm]"
    (line,) = display.lines_
    marked = line.get_xdata()[line.get_markevery()]
    np.testing.assert_array_equal(marked, [1610, 2190])
    assert line.get_marker() == "o"


def test_nan_breaks_the_line_and_is_left_out_of_the_angle():
    reference = np.array([[1.0, 0.0, 5.0, 1.0, 1.0]])
    spectrum = np.array([[1.0, 1.0, np.nan, 1.0, 1.0]])
    display = EndmemberDisplay.from_predictions(spectrum, reference=reference)
    assert segments(display.lines_[0]) == [(0, 1), (3, 4)]
    np.testing.assert_allclose(display.angles_, np.degrees(np.arccos(3 / np.sqrt(12))))


@pytest.mark.parametrize("n_endmembers", [1, 7, 12, 40])
def test_as_many_colours_as_endmembers(n_endmembers):
    spectra = np.random.RandomState(0).uniform(size=(n_endmembers, 6))
    display = EndmemberDisplay.from_predictions(spectra)
    assert len({str(line.get_color()) for line in display.lines_}) == n_endmembers
    display.figure_.canvas.draw()


def test_axes_styles_and_names_that_are_given():
    _, ax = plt.subplots()
    frame = pd.DataFrame(np.eye(2, 4) + 1, index=["a", "b"])
    display = EndmemberDisplay.from_predictions(
        frame,
        reference=frame.to_numpy(),
        ax=ax,
        line_kw={"linewidth": 3},
        reference_kw={"color": "k"},
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert legend(display) == ["a (0.0°)", "b (0.0°)", "reference"]
    assert {line.get_linewidth() for line in display.lines_} == {3}
    assert {line.get_color() for line in display.reference_lines_} == {"k"}


def test_the_endmembers_of_a_pipeline_are_those_of_its_last_step():
    scene = make_scene(n_endmembers=3, shape=(20, 20), random_state=0)
    model = make_pipeline(Normalizer(), SunSALRegressor()).fit(scene.spectra, scene.abundances)
    display = EndmemberDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.endmembers, model[-1].endmembers_)


def test_errors():
    draw = EndmemberDisplay.from_predictions
    spectra = np.ones((2, 5))
    with pytest.raises(ValueError, match=r"wavelengths of shape \(5,\).*got \(4,\)"):
        draw(spectra, wavelengths=np.arange(4))
    with pytest.raises(ValueError, match=r"bands of shape \(5,\).*got \(6,\)"):
        draw(spectra, bands=np.arange(6))
    with pytest.raises(ValueError, match=r"reference of shape \(2, 5\).*got \(3, 5\)"):
        draw(spectra, reference=np.ones((3, 5)))
    with pytest.raises(ValueError, match="Expected 2 endmember_names.*got 3"):
        draw(spectra, endmember_names=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"one spectrum per row, got \(1, 2, 3\)"):
        draw(np.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="LinearRegression without endmembers_"):
        EndmemberDisplay.from_estimator(LinearRegression())
