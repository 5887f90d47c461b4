"""A net as plain arrays, and back: what a file can hold without naming a class of torch."""

import json

import numpy as np
import torch
from skorch.history import History
from torch import nn


def net_to_state(net):
    """Return what it takes to predict with a net, or to train it further.

    Parameters
    ----------
    net : skorch.NeuralNet
        Around an UnrolledADMM or UnrolledISTA, initialised, with Adam.

    Returns
    -------
    state : dict
        Of arrays, numbers and a string.
    """
    module, adam = net.module_, net.optimizer_.state_dict()["state"]
    return {
        "parameters": {name: _array(tensor) for name, tensor in module.named_parameters()},
        "s": None if getattr(module, "s", None) is None else _array(module.s),
        "n_layers": module.n_layers,
        "sum_to_one": module.sum_to_one,
        # a parameter that no layer uses has no moments
        "adam": {
            str(i): {name: _array(value) for name, value in moments.items()}
            for i, moments in adam.items()
        },
        "history": json.dumps(net.history.to_list(), default=_plain),
    }


def module_from_state(network, state):
    """Return the module of a net that was saved.

    Parameters
    ----------
    network : type
        UnrolledADMM or UnrolledISTA.
    state : dict
        From `net_to_state`.

    Returns
    -------
    module : UnrolledADMM or UnrolledISTA
    """
    module = network.__new__(network)
    nn.Module.__init__(module)
    for name, array in state["parameters"].items():
        module.register_parameter(name, nn.Parameter(_tensor(array)))
    module.register_buffer("s", None if state["s"] is None else _tensor(state["s"]))
    module.n_layers, module.sum_to_one = state["n_layers"], state["sum_to_one"]
    return module


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
