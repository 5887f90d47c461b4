"""Constraints on parameters, as a skorch callback."""

from skorch.callbacks import Callback


class ConstrainParameters(Callback):
    """Call the network's ``constrain()`` after each training step: projected gradient descent."""

    def on_batch_end(self, net, training=False, **kwargs):
        """Bring the parameters back to where they may be."""
        if training:
            net.module_.constrain()
