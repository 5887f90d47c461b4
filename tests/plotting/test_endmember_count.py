import numpy as np
import pytest

from skunmix.datasets import make_scene
from skunmix.extraction import estimate_n_endmembers
from skunmix.plotting import EndmemberCountDisplay

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def spectra():
    return make_scene(n_endmembers=5, shape=(50, 50), snr=30, random_state=0).spectra


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_both_panels(spectra):
    display = EndmemberCountDisplay.from_spectra(spectra)
    assert [count.method for count in display.counts] == ["elbow", "hysime", "nwhfc"]
    assert display.figure_ is display.axes_[0].figure
    power, gains = display.axes_
    hysime = estimate_n_endmembers(spectra, "hysime", return_spectra=True)
    n_shown = len(power.lines[0].get_ydata())
    np.testing.assert_array_equal(power.lines[0].get_ydata(), hysime.signal[:n_shown])
    np.testing.assert_array_equal(power.lines[1].get_ydata(), hysime.noise[:n_shown])
    labels = [text.get_text() for text in power.get_legend().get_texts()]
    nwhfc = estimate_n_endmembers(spectra, "nwhfc")
    assert labels[2:] == ["HySime: 5", f"NWHFC: {nwhfc}"]
    assert power.lines[2].get_xdata()[0] == 5

    elbow = estimate_n_endmembers(spectra, return_spectra=True)
    np.testing.assert_array_equal(gains.lines[0].get_ydata()[:5], elbow.signal[:5])
    # what noise leaves, which may be negative, is drawn below what counts
    rest = gains.lines[0].get_ydata()[5:]
    assert np.isfinite(rest).all()
    assert (rest < gains.lines[1].get_ydata()[5:]).all()
    assert gains.lines[2].get_xdata()[0] == elbow.n_endmembers == 5
    assert display.lines_ == [*power.lines, *gains.lines]


@pytest.mark.parametrize(
    ("methods", "n_panels"),
    [("elbow", 1), (["hfc"], 1), (["nwhfc", "hfc"], 1), (("hfc", "elbow"), 2)],
)
def test_methods_choose_panels(spectra, methods, n_panels):
    display = EndmemberCountDisplay.from_spectra(spectra, methods=methods)
    assert len(display.axes_) == len(display.figure_.axes) == n_panels


def test_own_axes_and_style(spectra):
    figure, axes = plt.subplots(2, 1)
    display = EndmemberCountDisplay.from_spectra(spectra, ax=axes, line_kw={"linewidth": 5})
    assert display.axes_.tolist() == list(axes)
    assert len(figure.axes) == 2
    assert axes[0].lines[0].get_linewidth() == 5
    assert axes[0].lines[2].get_linewidth() != 5
    _, ax = plt.subplots()
    display = EndmemberCountDisplay.from_spectra(spectra, methods="elbow", ax=ax)
    assert display.axes_.tolist() == [ax]


def test_weights(spectra):
    weight = np.arange(len(spectra)) % 2
    display = EndmemberCountDisplay.from_spectra(
        np.where(weight[:, np.newaxis] == 0, 7.0, spectra), methods="hysime", sample_weight=weight
    )
    assert display.counts[0].n_endmembers == estimate_n_endmembers(spectra[1::2], "hysime")


def test_nothing_but_noise():
    X = np.random.RandomState(0).normal(size=(500, 10))
    display = EndmemberCountDisplay.from_spectra(X)
    display.figure_.canvas.draw()


def test_errors(spectra):
    with pytest.raises(ValueError, match="at least one count, got none; pass one or more methods"):
        EndmemberCountDisplay.from_spectra(spectra, methods=[])
    with pytest.raises(ValueError, match="Expected 2 axes, one for each panel, got 1"):
        EndmemberCountDisplay.from_spectra(spectra, ax=plt.subplots()[1])
    with pytest.raises(ValueError, match="'method' parameter"):
        EndmemberCountDisplay.from_spectra(spectra, methods="nonsense")
