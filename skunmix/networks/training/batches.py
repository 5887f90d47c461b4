"""Batches that are slices of tensors."""

import torch


class TensorBatches:
    """Iterator over a `TensorDataset` in batches, which does not collate single pixels.

    Parameters
    ----------
    dataset : torch.utils.data.TensorDataset
    batch_size : int
        Number of pixels in a batch. The last batch may be smaller.
    random_state : numpy.random.RandomState, default=None
        Draws a new order for each pass. None keeps the order.
    noise : ndarray of shape (n_coordinates, n_coordinates), default=None
        A factor L: each pass adds new noise of covariance LLᵀ to the first tensor. Requires
        `random_state`.
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
