"""Epochs told to whoever wants to know."""

from skorch.callbacks import Callback


class ReportEpochs(Callback):
    """Call functions at the beginning and the end of each epoch.

    Parameters
    ----------
    begin : callable
        Called without arguments; what it returns is given to `end`.
    end : callable
        Returns whether to stop training.
    """

    def __init__(self, begin, end):
        self.begin = begin
        self.end = end

    def on_train_begin(self, net, **kwargs):
        """Forget an earlier training."""
        self.stopped_ = False

    def on_epoch_begin(self, net, **kwargs):
        """Report the epoch that begins."""
        self.epoch_ = self.begin()

    def on_epoch_end(self, net, **kwargs):
        """Report the epoch that ends, and stop if asked to."""
        self.stopped_ = bool(self.end(self.epoch_))
        if self.stopped_:
            raise KeyboardInterrupt  # as skorch's own callbacks stop training
