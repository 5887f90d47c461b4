"""The size of residuals as a function of the predicted abundance."""

import numpy as np

# Standard deviation of the kernel, as a part of the largest predicted abundance.
_BANDWIDTH = 0.05
_N_NODES = 101
# No spread is smaller than this part of the mean residual, so that scores stay finite.
_LEAST = 0.1
# The mean of all residuals counts as much as this number of entries.
_FEW = 1.0
_TINY = 1e-12


class LocalSpread:
    """The mean residual of the entries whose predicted abundance is about p, s(p).

    Errors of absent and pure endmembers are smaller than those of mixed ones. The mean is weighted
    by a Gaussian kernel and taken over all endmembers, since few labels leave few entries each.

    Parameters
    ----------
    predicted, residuals : ndarray of shape (n_pixels, n_endmembers)
    """

    def __init__(self, predicted, residuals):
        largest = max(1.0, predicted.max())
        width = _BANDWIDTH * largest
        # s is linear between the nodes
        self.nodes = np.linspace(0, largest, _N_NODES)
        weights = np.exp(-0.5 * ((self.nodes[:, np.newaxis] - predicted.ravel()) / width) ** 2)
        self.totals = weights @ residuals.ravel()
        self.weights = weights.sum(axis=1)
        self.mean = residuals.mean() + _TINY

    def __call__(self, predicted):
        """Return the spread at predicted abundances, of their shape."""
        return self._mean(*self._sums(predicted))

    def without_own(self, predicted, residuals):
        """Return the spread at each given entry, without the residual of the entry itself.

        Otherwise an entry far from others has a score of about 1, whatever its residual.
        """
        totals, weights = self._sums(predicted)
        return self._mean(np.maximum(totals - residuals, 0), np.maximum(weights - 1, 0))

    def _sums(self, predicted):
        return tuple(np.interp(predicted, self.nodes, y) for y in (self.totals, self.weights))

    def _mean(self, totals, weights):
        # far from all predicted abundances, it is the mean of all residuals
        local = (totals + _FEW * self.mean) / (weights + _FEW)
        return local + _LEAST * self.mean


class ConstantSpread:
    """The same spread for all pixels and endmembers, 1; the arguments are ignored."""

    def __init__(self, predicted, residuals):
        pass

    def __call__(self, predicted):
        """Return ones of the shape of the predicted abundances."""
        return np.ones_like(predicted)

    def without_own(self, predicted, residuals):
        """Return ones of the shape of the predicted abundances."""
        return np.ones_like(predicted)
