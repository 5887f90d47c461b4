"""Prediction of whole scenes, at the speed of the matrix product of all layers."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from sklearn.utils import assert_all_finite, gen_batches

from ..utils.threads import torch_on_one_thread

# On a CPU, a block takes much longer than switching threads. A GPU needs larger blocks.
_BLOCK_SIZE = 2**15
_BLOCK_SIZE_ON_DEVICE = 2**17


def predict_blocks(network, spectra, out):
    """Write a network's abundances of spectra into an array.

    Each block of pixels passes all layers on one thread, because splitting each small operation
    among threads is slower. The network's transform is applied to the matrix of the product, and
    only the length of each spectrum to the product itself. Spectra of float32 are therefore not
    copied, whether stored by pixels or by bands. Values that are not finite are found in the
    product, so that the spectra need no check.

    Parameters
    ----------
    network : UnmixingNetwork
    spectra : ndarray of shape (n_pixels, n_bands)
        Before the network's transform.
    out : ndarray of shape (n_pixels, n_endmembers)
        Overwritten.

    Returns
    -------
    size : float
        A number that is at most the largest magnitude in the spectra, times √n_bands if they are
        divided by their norm. It is of this order if a value is so large that it affects the
        products.

    Raises
    ------
    ValueError
        If the spectra hold a NaN, an infinity or a value too large for float32.
    """
    network.eval()
    transform, device = network.transform, network.device
    with torch.inference_mode():
        matrix = _product_matrix(network, spectra.shape[1])

        sums = matrix.abs().sum(dim=1, keepdim=True).clamp_min(torch.finfo(matrix.dtype).tiny)
    sizes = [0.0]

    by_bands = spectra.flags.f_contiguous and not spectra.flags.c_contiguous

    def predict_block(block):
        # torch needs writable float32
        layout = [] if by_bands else ["C"]
        values = np.require(spectra[block], dtype=np.float32, requirements=[*layout, "W"])
        with torch.inference_mode():
            y = torch.from_numpy(values).to(device).T
            projected = matrix @ y
            if transform.norm == "l2":
                length = torch.linalg.vector_norm(y, dim=0)
                sizes.append(float(length.max()))
                # an overflow becomes NaN, not zero, so that the check below finds it
                projected /= length.masked_fill(length == 0, 1.0).masked_fill(
                    length.isinf(), torch.nan
                )
            # the sum is a quick first check; it may also overflow by itself
            if not torch.isfinite(projected.sum()) and not torch.isfinite(projected).all():
                assert_all_finite(spectra[block], input_name="X")
                pixel = int(torch.nonzero(~torch.isfinite(projected).all(dim=0))[0])
                largest = np.abs(spectra[block][pixel]).max()
                raise ValueError(
                    f"Input X contains a value too large for dtype('float32'), in which the "
                    f"networks compute: pixel {block.start + pixel} goes up to {largest:g}; drop "
                    f"it, or check the units of the spectra."
                )
            if transform.norm != "l2":
                sizes.append(float((projected.abs().amax(dim=1, keepdim=True) / sums).max()))
            out[block] = network.unroll(projected).T.numpy(force=True)

    if device.type != "cpu":
        for block in gen_batches(len(spectra), _BLOCK_SIZE_ON_DEVICE):
            predict_block(block)
        return max(sizes)
    n_pixels, n_threads = len(spectra), torch.get_num_threads()
    # the same number of blocks for each thread
    n_blocks = n_threads * -(-n_pixels // (n_threads * _BLOCK_SIZE))
    blocks = list(gen_batches(n_pixels, -(-n_pixels // n_blocks)))
    n_threads = min(n_threads, len(blocks))
    with torch_on_one_thread():
        if n_threads == 1:
            for block in blocks:
                predict_block(block)
            return max(sizes)
        # Each thread has its own number of threads. Without setting it, each product starts as many
        # helpers as there are processors, which takes as long as the product.
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            # the list raises the first exception
            list(pool.map(predict_block, blocks))
    return max(sizes)


def _product_matrix(network, n_bands):
    """Return P with P·y the network's products of a spectrum y before its transform."""
    transform = network.transform
    n_coordinates = n_bands if transform.basis is None else transform.basis.shape[1]
    # the products are linear in the spectra, so that those of unit vectors are their matrix
    matrix = network.project_spectra(torch.eye(n_coordinates, device=network.device))
    if transform.basis is not None:
        matrix = matrix @ torch.from_numpy(transform.basis.T).to(matrix)
    return matrix / transform.scale
