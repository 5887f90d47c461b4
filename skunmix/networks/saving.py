"""A net as plain arrays, and back: what a file can hold without naming a class of torch."""

import json

import numpy as np
import torch
from skorch.history import History

from .transform import SpectrumTransform


def net_to_state(net):
    """Return what it takes to predict with a net, or to train it further.

    Parameters
    ----------
    net : skorch.NeuralNet
        Around an UnmixingNetwork, initialised, with Adam.

    Returns
    -------
    state : dict
        Of arrays, numbers and a string.
    """
    network, adam = net.module_, net.optimizer_.state_dict()["state"]
    return {
        "shape": network.shape,
        "options": network.options,
        "transform": vars(network.transform),
        "parameters": {name: _array(tensor) for name, tensor in network.state_dict().items()},
        # a parameter that no layer uses has no moments
        "adam": {
            str(i): {name: _array(value) for name, value in moments.items()}
            for i, moments in adam.items()
        },
        "history": json.dumps(net.history.to_list(), default=_plain),
    }


def network_from_state(network_class, state):
    """Return the network of a net that was saved.

    Parameters
    ----------
    network_class : type
        Of UnmixingNetwork.
    state : dict
        From `net_to_state`.

    Returns
    -------
    network : UnmixingNetwork
    """
    transform = SpectrumTransform(**state["transform"])
    # the start is overwritten: any endmembers of the shape will do
    network = network_class(np.eye(*state["shape"]), transform=transform, **state["options"])
    network.load_state_dict({name: _tensor(a) for name, a in state["parameters"].items()})
    return network


def restore_net(net, state):
    """Give an initialised net the moments of Adam and the history that it had."""
    groups = net.optimizer_.state_dict()["param_groups"]
    moments = {
        int(i): {name: _tensor(value) for name, value in values.items()}
        for i, values in state["adam"].items()
    }
    net.optimizer_.load_state_dict({"state": moments, "param_groups": groups})
    net.history_ = History(json.loads(state["history"]))


def _array(tensor):
    return tensor.numpy(force=True).copy()


def _plain(value):
    """Return what a callback wrote into the history as a number, or in words."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return repr(value)


def _tensor(array):
    return torch.from_numpy(np.array(array))
