"""Whole scenes through a network, at the speed of its one large product."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from sklearn.utils import assert_all_finite, gen_batches

from ..utils.threads import torch_on_one_thread

# On a CPU a block takes longer than it takes a thread to hand the interpreter to another some dozen
# times; a GPU wants more to do at once.
_BLOCK_SIZE = 2**15
_BLOCK_SIZE_ON_DEVICE = 2**17


def predict_blocks(network, spectra, out):
    """Write a network's abundances of spectra into an array.

    A block of pixels at a time goes through all layers on one thread, and the threads share the
    blocks: splitting each small operation among them costs more than it gains. The network's
    transform goes into the matrix of its product, except for the length of a spectrum, which
    divides the product: so float32 spectra are read and never copied, by pixels or by bands. They
    need not have been checked to be finite, because what is not finite shows in the product.

    Parameters
    ----------
    network : UnmixingNetwork
    spectra : ndarray of shape (n_pixels, n_bands)
        As they are, before the network's transform.
    out : ndarray of shape (n_pixels, n_endmembers)
        Overwritten.

    Raises
    ------
    ValueError
        If there is a NaN or infinity in the spectra.
    """
    network.eval()
    transform, device = network.transform, network.device
    with torch.inference_mode():
        matrix = _product_matrix(network, spectra.shape[1])

    by_bands = spectra.flags.f_contiguous and not spectra.flags.c_contiguous

    def predict_block(block):
        # what is read-only or of another type is copied, for torch
        layout = [] if by_bands else ["C"]
        values = np.require(spectra[block], dtype=np.float32, requirements=[*layout, "W"])
        with torch.inference_mode():
            y = torch.from_numpy(values).to(device).T
            projected = matrix @ y
            if transform.norm == "l2":
                length = torch.linalg.vector_norm(y, dim=0)
                # an overflow is to show below, not to make a zero
                projected /= length.masked_fill(length == 0, 1.0).masked_fill(
                    length.isinf(), torch.nan
                )
            # what is not finite shows in the sum, and so may an overflow, which is no matter
            if not torch.isfinite(projected.sum()) and not torch.isfinite(projected).all():
                assert_all_finite(spectra[block], input_name="X")
                pixel = int(torch.nonzero(~torch.isfinite(projected).all(dim=0))[0])
                largest = np.abs(spectra[block][pixel]).max()
                raise ValueError(
                    f"Input X contains a value too large for dtype('float32'), in which the "
                    f"networks compute: pixel {block.start + pixel} goes up to {largest:g}; leave "
                    f"it out, or check the units of the spectra."
                )
            out[block] = network.unroll(projected).T.numpy(force=True)

    if device.type != "cpu":
        for block in gen_batches(len(spectra), _BLOCK_SIZE_ON_DEVICE):
            predict_block(block)
        return
    n_pixels, n_threads = len(spectra), torch.get_num_threads()
    # as much for each thread
    n_blocks = n_threads * -(-n_pixels // (n_threads * _BLOCK_SIZE))
    blocks = list(gen_batches(n_pixels, -(-n_pixels // n_blocks)))
    n_threads = min(n_threads, len(blocks))
    with torch_on_one_thread():
        if n_threads == 1:
            for block in blocks:
                predict_block(block)
            return
        # A thread has a number of its own, and until that is set each of its products has the
        # processors' worth of helpers started: that took as long as the product itself.
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            # the first exception, if there is one, comes out of the list
            list(pool.map(predict_block, blocks))


def _product_matrix(network, n_bands):
    """Return P with P·y the network's products of a spectrum y before its transform."""
    transform = network.transform
    n_coordinates = n_bands if transform.basis is None else transform.basis.shape[1]
    # the products are linear in the spectra, so that those of unit vectors are their matrix
    matrix = network.project_spectra(torch.eye(n_coordinates, device=network.device))
    if transform.basis is not None:
        matrix = matrix @ torch.from_numpy(transform.basis.T).to(matrix)
    return matrix / transform.scale
