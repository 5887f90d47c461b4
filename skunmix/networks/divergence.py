"""A training that diverges ends with an error and the last good parameters."""

from copy import deepcopy

import numpy as np
import torch
from skorch.callbacks import Callback


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
        self.good_ = deepcopy(net.module_.state_dict())

    def on_epoch_end(self, net, **kwargs):
        """Check the epoch, and keep its parameters or go back."""
        loss = net.history[-1, "train_loss"]
        state = net.module_.state_dict()
        if np.isfinite(loss) and all(torch.isfinite(value).all() for value in state.values()):
            self.good_ = deepcopy(state)
            return
        net.module_.load_state_dict(self.good_)
        raise divergence_error(len(net.history), loss, net.lr)

    def on_train_end(self, net, **kwargs):
        """Let go of the copy."""
        del self.good_
