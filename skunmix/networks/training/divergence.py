"""Divergence of training: it raises an error and restores the last good parameters."""

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class DivergenceError(ValueError):
    """The loss, or a parameter, is not finite."""


def divergence_error(epoch, loss, learning_rate):
    """Return the error of a training that diverged in this epoch."""
    return DivergenceError(
        f"Training diverged in epoch {epoch}: expected a finite loss and parameters, got a loss of "
        f"{loss:g}, and restored the parameters of the epoch before; lower the learning rate, "
        f"which is {learning_rate:g}, or look for outliers in the spectra."
    )


class StopOnDivergence(Callback):
    """Callback that restores the last good epoch and raises if training diverges.

    Raises
    ------
    DivergenceError
        At the end of an epoch with a loss or a parameter that is not finite.
    """

    def on_train_begin(self, net, **kwargs):
        """Keep the parameters."""
        self.good_ = _parameters(net)

    def on_epoch_end(self, net, **kwargs):
        """Keep the parameters if all is finite, otherwise restore the previous ones and raise."""
        loss = net.history[-1, "train_loss"]
        parameters = _parameters(net)
        if np.isfinite(loss) and torch.isfinite(parameters).all():
            self.good_ = parameters
            return
        vector_to_parameters(self.good_.clone(), net.module_.parameters())
        raise divergence_error(len(net.history), loss, net.lr)

    def on_train_end(self, net, **kwargs):
        """Delete the copy."""
        del self.good_


def _parameters(net):
    with torch.no_grad():
        return parameters_to_vector(net.module_.parameters())
