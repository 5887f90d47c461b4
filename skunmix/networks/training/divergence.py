"""A training that diverges ends with an error and the last good parameters."""

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class DivergenceError(ValueError):
    """The loss, or a parameter, is not finite."""


def divergence_error(epoch, loss, learning_rate):
    """Return the error of a training that diverged in this epoch."""
    return DivergenceError(
        f"Training diverged in epoch {epoch}, with a loss of {loss:g}; the parameters are those of "
        f"the epoch before. Expected a finite loss: lower the learning rate, which is "
        f"{learning_rate:g}, or look for outliers in the spectra."
    )


class StopOnDivergence(Callback):
    """Restore the parameters of the last good epoch, and raise, when the loss is not finite.

    Raises
    ------
    DivergenceError
        At the end of an epoch whose loss, or after which a parameter, is not finite.
    """

    def on_train_begin(self, net, **kwargs):
        """Keep the parameters that training begins with."""
        self.good_ = _parameters(net)

    def on_epoch_end(self, net, **kwargs):
        """Check the epoch, and keep its parameters or go back."""
        loss = net.history[-1, "train_loss"]
        parameters = _parameters(net)
        if np.isfinite(loss) and torch.isfinite(parameters).all():
            self.good_ = parameters
            return
        vector_to_parameters(self.good_.clone(), net.module_.parameters())
        raise divergence_error(len(net.history), loss, net.lr)

    def on_train_end(self, net, **kwargs):
        """Let go of the copy."""
        del self.good_


def _parameters(net):
    with torch.no_grad():
        return parameters_to_vector(net.module_.parameters())
