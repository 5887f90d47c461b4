"""Learning-rate schedules, as a skorch callback."""

from math import cos, pi

from skorch.callbacks import Callback

# One-cycle schedule: fraction of the training in which the rate rises, and the factor at the start.
_RISE = 0.3
_FROM = 1 / 25


def cosine(progress):
    """Return the factor of the learning rate, which falls from 1 to 0 as half a cosine."""
    return 0.5 * (1 + cos(pi * progress))


def one_cycle(progress):
    """Return the factor of the learning rate, which rises from 1/25 to 1, then falls to 0."""
    if progress < _RISE:
        return 1 - (1 - _FROM) * cosine(progress / _RISE)
    return cosine((progress - _RISE) / (1 - _RISE))


class LearningRate(Callback):
    """Callback that sets the learning rate before each training step.

    Unlike torch's schedulers, it keeps no state in the optimiser, so that each call of `fit` can
    begin a new schedule.

    Parameters
    ----------
    learning_rate : float
        The rate that the factor is multiplied by.
    schedule : callable, default=None
        Returns the factor for a progress in [0, 1). None keeps the rate constant.
    n_steps : int, default=1
        Number of steps of the training.
    """

    def __init__(self, learning_rate, schedule=None, n_steps=1):
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.n_steps = n_steps

    def on_train_begin(self, net, **kwargs):
        """Begin the schedule."""
        self.step_ = 0
        self._set(net, 1.0)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Set the rate of the next step."""
        if training and self.schedule is not None:
            self._set(net, self.schedule(self.step_ / self.n_steps))
            self.step_ += 1

    def _set(self, net, factor):
        for group in net.optimizer_.param_groups:
            group["lr"] = factor * self.learning_rate
