"""Report of the epochs to other code."""

from skorch.callbacks import Callback


class ReportEpochs(Callback):
    """Callback that calls functions at the beginning and the end of each epoch.

    Parameters
    ----------
    begin : callable
        Called without arguments. Its result is passed to `end`.
    end : callable
        Returns whether to stop training.
    """

    def __init__(self, begin, end):
        self.begin = begin
        self.end = end

    def on_train_begin(self, net, **kwargs):
        """Reset the state of an earlier training."""
        self.stopped_ = False

    def on_epoch_begin(self, net, **kwargs):
        """Call `begin`."""
        self.epoch_ = self.begin()

    def on_epoch_end(self, net, **kwargs):
        """Call `end`, and stop training if it returns True."""
        self.stopped_ = bool(self.end(self.epoch_))
        if self.stopped_:
            raise KeyboardInterrupt  # as skorch's own callbacks stop training
