"""Training by skorch: what goes on, stops, diverges and reports."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping
from skorch.utils import noop

from skunmix import ISTANetRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse

NETWORKS = [ISTANetRegressor, UADMMRegressor]
N_BANDS = 25
PROBLEM = {"n_pixels": 150, "n_bands": N_BANDS}


def quick(network, endmembers, **parameters):
    """A small network that trains briefly, and makes no choice."""
    start = {"mu": "auto"} if network is UADMMRegressor else {}
    parameters = {"max_epochs": 3, "random_state": 0, **start, **parameters}
    return network.paper(endmembers=endmembers, **parameters)


@pytest.mark.parametrize("network", NETWORKS)
def test_training_continues(problem, network):
    spectra, abundances, endmembers = problem
    whole = quick(network, endmembers, max_epochs=4).fit(spectra, abundances)
    parts = quick(network, endmembers, max_epochs=2, warm_start=True)
    parts.fit(spectra, abundances).fit(spectra, abundances)
    np.testing.assert_array_equal(parts.predict(spectra), whole.predict(spectra))
    assert parts.n_iter_ == whole.n_iter_ == 4
    assert parts.loss_curve_ == whole.loss_curve_

    steps = quick(network, endmembers)
    for _ in range(4):
        steps.partial_fit(spectra, abundances)
    np.testing.assert_array_equal(steps.predict(spectra), whole.predict(spectra))
    with pytest.raises(ValueError, match="y has 3 columns, but there are 4 endmembers"):
        steps.partial_fit(spectra, abundances[:, :3])
    # and without warm_start fit begins anew
    again = steps.set_params(max_epochs=4).fit(spectra, abundances)
    np.testing.assert_array_equal(again.predict(spectra), whole.predict(spectra))


@pytest.mark.parametrize("network", NETWORKS)
def test_training_continues_after_unpickling(problem, network):
    spectra, abundances, endmembers = problem
    model = quick(network, endmembers, max_epochs=2, warm_start=True).fit(spectra, abundances)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(spectra), model.predict(spectra))
    np.testing.assert_array_equal(
        again.fit(spectra, abundances).predict(spectra),
        model.fit(spectra, abundances).predict(spectra),
    )


@pytest.mark.parametrize(("schedule", "first"), [("cosine", 1.0), ("one-cycle", 1 / 25)])
def test_learning_rate_follows_the_schedule(problem, schedule, first):
    spectra, abundances, endmembers = problem

    class Rates(Callback):
        def on_train_begin(self, net, **_):
            self.rates = []

        def on_batch_begin(self, net, training, **_):
            self.rates.append(net.optimizer_.param_groups[0]["lr"])

    rates = Rates()
    model = quick(
        UADMMRegressor,
        endmembers,
        lr_schedule=schedule,
        learning_rate=0.01,
        max_epochs=5,
        callbacks=[rates],
        warm_start=True,
    )
    for _ in range(2):  # a warm start begins the schedule anew
        model.fit(spectra, abundances)
        assert len(rates.rates) == 15
        assert rates.rates[0] == pytest.approx(0.01 * first)
        assert max(rates.rates) == pytest.approx(0.01, rel=0.05)
        assert rates.rates[-1] < 0.0005
    model.partial_fit(spectra, abundances)
    assert rates.rates == [0.01] * 3


def test_early_stopping_restores_the_best(problem):
    spectra, abundances, endmembers = problem
    model = quick(
        UADMMRegressor,
        endmembers,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=3,
        learning_rate=0.03,
        max_epochs=500,
    ).fit(spectra, abundances)
    assert model.n_iter_ < 500
    assert len(model.validation_loss_curve_) == len(model.loss_curve_) == model.n_iter_
    best = int(np.argmin(model.validation_loss_curve_))
    assert best < model.n_iter_ - 1
    shorter = clone(model).set_params(max_epochs=best + 1).fit(spectra, abundances)
    np.testing.assert_array_equal(model.predict(spectra), shorter.predict(spectra))


@pytest.mark.parametrize("network", NETWORKS)
def test_divergence_restores_the_last_good_parameters(problem, network):
    spectra, abundances, endmembers = problem

    class Spoil(Callback):
        def on_epoch_begin(self, net, **_):
            if len(net.history) == 3:
                net.module_.W.data.fill_(np.nan)

    model = quick(network, endmembers, max_epochs=5, callbacks=[Spoil()])
    with pytest.raises(ValueError, match="diverged in epoch 3.*learning rate, which is 0.0001"):
        model.fit(spectra, abundances)
    expected = quick(network, endmembers, max_epochs=2).fit(spectra, abundances)
    np.testing.assert_array_equal(model.predict(spectra), expected.predict(spectra))
    assert model.n_iter_ == 3
    assert np.isnan(model.loss_curve_[-1])


def test_ctrl_c_is_not_success(problem):
    spectra, abundances, endmembers = problem

    class Interrupt(Callback):
        def on_epoch_end(self, net, **_):
            raise KeyboardInterrupt

        on_batch_begin = on_epoch_end

    n_threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        quick(UADMMRegressor, endmembers, callbacks=[Interrupt()]).fit(spectra, abundances)
    assert torch.get_num_threads() == n_threads


def test_early_stopping_of_the_user_is_success(problem):
    spectra, abundances, endmembers = problem
    stopper = EarlyStopping("train_loss", patience=2, threshold=0.9, sink=noop)
    model = quick(UADMMRegressor, endmembers, max_epochs=50, callbacks=[stopper])
    assert model.fit(spectra, abundances).n_iter_ < 10


@pytest.mark.parametrize("network", NETWORKS)
def test_shade_is_learned_from_its_abundances(problem, network):
    spectra, abundances, endmembers = problem
    light = np.linspace(0.3, 0.9, len(spectra))[:, np.newaxis]
    with_shade = np.column_stack([light * abundances, 1 - light])
    model = quick(network, np.vstack([endmembers, np.zeros(N_BANDS)]), max_epochs=60)
    found = model.fit(light * spectra, with_shade).predict(light * spectra)
    assert np.corrcoef(with_shade[:, -1], found[:, -1])[0, 1] > 0.8


@pytest.mark.parametrize("network", NETWORKS)
def test_a_dead_endmember_is_named(problem, network):
    spectra, abundances, endmembers = problem

    class Kill(Callback):
        def on_train_end(self, net, **_):
            net.module_.W.data[-1, 2] = -10.0

    names = pd.DataFrame(endmembers, index=["tree", "water", "dirt", "road"])
    with pytest.warns(ConvergenceWarning, match="dirt is below 0.01 in the output for every"):
        quick(network, names, callbacks=[Kill()]).fit(spectra, abundances)
    # one that no training pixel has is not dead but absent
    present = abundances[:, 2] < 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(network, names, callbacks=[Kill()]).fit(spectra[present], abundances[present])


def test_callbacks_are_appended_and_verbose_prints(problem, capsys):
    spectra, abundances, endmembers = problem

    class Count(Callback):
        epochs = 0

        def on_epoch_end(self, net, **_):
            self.epochs += 1

    count = Count()
    quick(UADMMRegressor, endmembers, callbacks=[count]).fit(spectra, abundances)
    assert count.epochs == 3
    assert capsys.readouterr().out == ""
    quick(UADMMRegressor, endmembers, verbose=1).fit(spectra, abundances)
    assert "train_loss" in capsys.readouterr().out


class Epochs:
    """A callback as scikit-learn's protocol has it, which stops training in time."""

    def __init__(self, stop_after=np.inf):
        self.stop_after = stop_after
        self.begun, self.ended, self.errors = [], [], []

    def setup(self, estimator, context):
        self.max_subtasks = context.max_subtasks

    def teardown(self, estimator, context):
        self.torn_down = True

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.ended.append(context.task_name)
        if context.task_name == "epoch":
            self.errors.append(abundance_rmse(y, fitted_estimator.predict(X)))
        return len(self.errors) >= self.stop_after


def test_callbacks_of_scikit_learn_are_told_of_each_epoch(problem):
    pytest.importorskip("sklearn.callback")
    spectra, abundances, endmembers = problem
    epochs = Epochs()
    model = quick(UADMMRegressor, endmembers, learning_rate=1e-3).set_callbacks(epochs)
    model.fit(spectra, abundances)
    assert epochs.begun == ["fit", "epoch", "epoch", "epoch"]
    assert epochs.ended == ["epoch", "epoch", "epoch", "fit"]
    assert epochs.max_subtasks == 3
    assert epochs.torn_down
    assert len(set(epochs.errors)) == 3
    assert epochs.errors[-1] == abundance_rmse(abundances, model.predict(spectra))
    model.set_callbacks()
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict(spectra), model.predict(spectra)
    )
    stopped = quick(UADMMRegressor, endmembers, max_epochs=50).set_callbacks(Epochs(stop_after=4))
    assert stopped.fit(spectra, abundances).n_iter_ == 4


def test_callbacks_of_scikit_learn_are_told_of_the_trials(problem):
    callback = pytest.importorskip("sklearn.callback")
    pytest.importorskip("rich")
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressor, endmembers, norm="auto").set_callbacks(callback.ProgressBar())
    assert model.fit(spectra, abundances).n_iter_ == 3


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_further_fit_moves_the_network_to_a_new_device(problem, early_stopping):
    spectra, abundances, endmembers = problem
    stays, moves = (
        quick(UADMMRegressor, endmembers, early_stopping=early_stopping, warm_start=True).fit(
            spectra, abundances
        )
        for _ in range(2)
    )
    moves.set_params(device="cpu:0")  # another name, which every machine has
    for model in (stays, moves):
        model.fit(spectra, abundances).partial_fit(spectra, abundances)
    assert (stays.net_.device, moves.net_.device) == ("cpu", "cpu:0")
    # Adam's moments and the history are kept
    assert moves.loss_curve_ == stays.loss_curve_
    np.testing.assert_array_equal(moves.predict(spectra), stays.predict(spectra))
