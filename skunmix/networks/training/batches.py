"""Batches that are slices of tensors."""

import torch


class TensorBatches:
    """Iterate over a `TensorDataset` in batches, without collating pixel by pixel.

    Parameters
    ----------
    dataset : torch.utils.data.TensorDataset
    batch_size : int
        Pixels in a batch; the last may be smaller.
    random_state : numpy.random.RandomState, default=None
        Draws a new order at each pass; None keeps the order.
    noise : ndarray of shape (n_coordinates, n_coordinates), default=None
        A factor L: each pass adds noise of covariance LLᵀ to the first tensor, drawn anew. It
        takes a `random_state`.
    """

    def __init__(self, dataset, batch_size, random_state=None, noise=None):
        self.dataset = dataset
        self.batch_size = batch_size
        self.random_state = random_state
        self.noise = noise

    def __len__(self):
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self):
        tensors = self.dataset.tensors
        if self.random_state is None:
            yield from zip(*(tensor.split(self.batch_size) for tensor in tensors))
            return
        order = torch.from_numpy(self.random_state.permutation(len(self.dataset)))
        if self.noise is not None:
            spectra, *others = tensors
            white = self.random_state.standard_normal((len(spectra), self.noise.shape[1]))
            tensors = (spectra + torch.from_numpy(white @ self.noise.T).to(spectra), *others)
        for batch in order.to(tensors[0].device).split(self.batch_size):
            yield tuple(tensor[batch] for tensor in tensors)
