import json

import numpy as np
import pytest
import torch
from skorch import NeuralNetRegressor

from skunmix.networks import (
    UnrolledADMM,
    UnrolledADMMAutoencoder,
    UnrolledISTA,
    net_to_state,
    network_from_state,
    restore_net,
)


def make_net(module):
    return NeuralNetRegressor(
        module,
        optimizer=torch.optim.Adam,
        train_split=None,
        batch_size=4,
        lr=0.01,
        max_epochs=1,
        verbose=0,
    ).initialize()


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        (UnrolledADMM, {"mu": 0.3, "sum_to_one": True}),
        (UnrolledADMM, {"mu": 0.3, "sum_to_one": False, "tied": True}),
        (UnrolledADMMAutoencoder, {"mu": 0.3}),
        (UnrolledISTA, {}),
    ],
)
def test_a_net_goes_on_where_it_was(network, parameters):
    rng = np.random.default_rng(0)
    X = rng.uniform(0.1, 1, (10, 5)).astype(np.float32)
    y = rng.dirichlet(np.ones(3), 10).astype(np.float32)
    net = make_net(network(rng.uniform(0.1, 1, (3, 5)), n_layers=2, lam=0.01, **parameters))
    net.partial_fit(X, y)
    net.history.record("note", object())  # as a user's callback might
    net.history.record("score", np.float32(0.5))
    state = net_to_state(net)
    json.dumps(state, default=np.ndarray.tolist)  # nothing but plain things and arrays
    saved = {name: values.copy() for name, values in state["parameters"].items()}

    again = make_net(network_from_state(network, state))
    restore_net(again, state)
    assert again.history[-1, "train_loss"] == net.history[-1, "train_loss"]
    assert again.history[-1, "score"] == 0.5
    for one in (net, again):
        one.partial_fit(X, y)
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    assert len(again.history) == len(net.history) == 2
    # the state is a copy, of the one and for the other
    for name, values in saved.items():
        np.testing.assert_array_equal(state["parameters"][name], values)
