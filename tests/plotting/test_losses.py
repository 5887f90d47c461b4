import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import UADMMRegressor
from skunmix.datasets import make_scene
from skunmix.plotting import LossCurveDisplay

plt = pytest.importorskip("matplotlib.pyplot")


def legend(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


@pytest.fixture(scope="module")
def pairs():
    return make_scene(n_endmembers=3, shape=(20, 20), random_state=0, return_X_y=True)


def test_training_and_validation_of_a_network(pairs):
    model = UADMMRegressor(max_epochs=4, early_stopping=True, random_state=0)
    pipeline = make_pipeline(Normalizer(), model).fit(*pairs)
    model = pipeline[-1]
    display = LossCurveDisplay.from_estimator(pipeline)
    training, validation = display.lines_
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(training.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(validation.get_ydata(), model.validation_loss_curve_)
    best = int(np.argmin(model.validation_loss_curve_))
    assert legend(display) == ["training", "validation", f"lowest, epoch {best + 1}"]
    assert display.ax_.get_yscale() == "log"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")


def test_training_alone_and_other_networks(pairs):
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, early_stopping=False, random_state=0)
    with pytest.warns(Warning, match="Maximum iterations"):
        model.fit(*pairs)
    display = LossCurveDisplay.from_estimator(model, log_scale=False)
    assert legend(display) == ["training"]
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), model.loss_curve_)
    assert display.ax_.get_yscale() == "linear"


def test_two_models_in_one_axes_have_a_colour_each():
    _, ax = plt.subplots()
    first, second = (
        LossCurveDisplay([3.0, 2.0], validation_loss_curve=[4.0, 3.0], name=name).plot(ax)
        for name in "ab"
    )
    assert first.ax_ is second.ax_ is ax
    assert legend(second) == [
        "a, training",
        "a, validation",
        "lowest, epoch 2",
        "b, training",
        "b, validation",
        "lowest, epoch 2",
    ]
    colors = [{line.get_color() for line in display.lines_} for display in (first, second)]
    assert [len(color) for color in colors] == [1, 1]
    assert colors[0] != colors[1]


def test_the_lowest_point_leaves_out_nan():
    display = LossCurveDisplay([3, 2, 1], validation_loss_curve=[np.nan, 2, 3]).plot()
    assert legend(display)[-1] == "lowest, epoch 2"
    display = LossCurveDisplay([3, 2], validation_loss_curve=[np.nan] * 2).plot()
    assert legend(display) == ["training", "validation"]


def test_a_single_epoch_can_be_seen():
    (line,) = LossCurveDisplay([0.5]).plot(line_kw={"color": "k"}).lines_
    assert line.get_marker() == "o"
    assert line.get_color() == "k"


@pytest.mark.parametrize("span", [1.1, 2.5, 20.0, 1000.0])
def test_a_loss_can_be_read_off_whatever_it_spans(span):
    display = LossCurveDisplay(np.geomspace(0.017, 0.017 / span, 10)).plot()
    display.figure_.canvas.draw()
    low, high = display.ax_.get_ylim()
    labels = [
        label
        for minor in (False, True)
        for label in display.ax_.get_yticklabels(minor=minor)
        if label.get_text() and low <= label.get_position()[1] <= high
    ]
    assert len(labels) >= 2


def test_errors(pairs):
    with pytest.raises(ValueError, match="LinearRegression without loss_curve_"):
        LossCurveDisplay.from_estimator(LinearRegression().fit(*pairs))
    untrained = UADMMRegressor(max_epochs=0).fit(*pairs)
    with pytest.raises(ValueError, match=r"at least one epoch, got shape \(0,\)"):
        LossCurveDisplay.from_estimator(untrained)
    with pytest.raises(ValueError, match=r"Expected .* \(n_epochs,\).*got shape \(1, 2\)"):
        LossCurveDisplay([[1, 2]]).plot()
    with pytest.raises(ValueError, match="with 2 epochs, as loss_curve has, got 1"):
        LossCurveDisplay([1, 2], validation_loss_curve=[1]).plot()
