"""Conversion of a net to plain arrays and back, so that a file names no class of torch."""

import json

import numpy as np
import torch
from skorch.history import History

from .transform import SpectrumTransform


def net_to_state(net):
    """Return the state of a net, from which it can predict or be trained further.

    Parameters
    ----------
    net : skorch.NeuralNet
        Initialised, with an UnmixingNetwork and Adam.

    Returns
    -------
    state : dict
        Holds arrays, numbers and a string.
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
    """Return the network of the given class from the state of its net."""
    transform = SpectrumTransform(**state["transform"])
    # any endmembers of the shape will do, because the parameters are overwritten
    network = network_class(np.eye(*state["shape"]), transform=transform, **state["options"])
    network.load_state_dict({name: _tensor(a) for name, a in state["parameters"].items()})
    return network


def restore_net(net, state):
    """Restore the moments of Adam and the history of an initialised net."""
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
    """Return a value that a callback wrote into the history as a number or string."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return repr(value)


def _tensor(array):
    return torch.from_numpy(np.array(array))
