"""Time of predicting a scene by networks, as a ratio to one matrix product.

    python benchmarks/predict.py --threads 1 2
    python benchmarks/predict.py --quick           # small, for continuous integration

The product is ``Y @ W`` of float32, with W of shape (n_bands, n_layers · n_endmembers), the W of
all layers. A ratio is a time divided by that of the product in the same turn: the median of the
repeats, then the smallest and the largest. skorch's own `predict` of the same net, in its batches
of 128 and in one batch, shows the time without `predict_blocks`. Memory is the largest increase in
megabytes, without the scene and the result.
"""

import argparse
from functools import partial

import numpy as np
import torch
from _measure import PeakMemory, describe_machine, print_table, time_in_turn
from skorch import NeuralNetRegressor

from skunmix import ISTANetRegressor, UADMMRegressor
from skunmix.datasets import make_endmembers, make_mixtures

N_BANDS, N_ENDMEMBERS = 198, 4


def main():
    """Time prediction on a scene, with shallow and deep networks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a small scene, once")
    parser.add_argument("--pixels", type=int, default=None, help="500,000, or 5,000 with --quick")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], metavar="N")
    parser.add_argument("--repeats", type=int, default=None, help="7, or 1 with --quick")
    arguments = parser.parse_args()
    n_pixels = arguments.pixels or (5_000 if arguments.quick else 500_000)
    repeats = arguments.repeats or (1 if arguments.quick else 7)

    print(describe_machine())
    endmembers = make_endmembers(N_ENDMEMBERS, N_BANDS, random_state=0).endmembers
    training = make_mixtures(endmembers, 500, snr=30, random_state=0)
    scene = make_mixtures(endmembers, n_pixels, snr=30, random_state=1).spectra.astype(np.float32)
    for threads in arguments.threads:
        for n_layers in (2, 20):
            models = {
                "UADMMRegressor": UADMMRegressor(endmembers, n_layers=n_layers, max_epochs=0),
                "the same, norm='l2'": UADMMRegressor(
                    endmembers, n_layers=n_layers, max_epochs=0, norm="l2"
                ),
                "ISTANetRegressor": ISTANetRegressor(endmembers, n_layers=n_layers, max_epochs=0),
            }
            for model in models.values():
                model.fit(training.spectra, training.abundances)
            run(models, scene, n_layers, threads, repeats)


def run(models, scene, n_layers, threads, repeats):
    """Print the table for one number of layers."""
    W = np.random.default_rng(0).random((N_BANDS, n_layers * N_ENDMEMBERS), dtype=np.float32)
    product = f"Y @ W of {W.shape}"
    functions = {product: lambda: scene @ W}
    functions |= {name: partial(model.predict, scene) for name, model in models.items()}
    net = models["UADMMRegressor"].net_
    if n_layers == 2:
        functions["skorch predict, batches of 128"] = partial(skorch_predict, net, scene, 128)
        functions["skorch predict, one batch"] = partial(skorch_predict, net, scene, -1)

    n_threads = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        seconds, _, _ = time_in_turn(functions, repeats, threads)
        rows = []
        for name, function in functions.items():
            with PeakMemory() as memory:
                result = function()
            ratios = seconds[name] / seconds[product]
            rows.append(
                [
                    name,
                    f"{1000 * np.median(seconds[name]):.0f}",
                    f"{np.median(ratios):.2f}",
                    f"{ratios.min():.2f} to {ratios.max():.2f}",
                    f"{len(scene) / np.median(seconds[name]) / 1e6:.2f}",
                    f"{memory.megabytes - result.nbytes / 1e6:.0f}",
                ]
            )
    finally:
        torch.set_num_threads(n_threads)
    print_table(
        f"{scene.shape[0]} pixels of {N_BANDS} bands, {n_layers} layers, {threads} thread(s)",
        ["", "ms", "ratio to the product", "range", "million pixels/s", "extra MB"],
        rows,
    )


def skorch_predict(net, scene, batch_size):
    """Return the prediction of skorch in batches of this size; -1 is one batch."""
    return NeuralNetRegressor(net.module_, batch_size=batch_size).initialize().predict(scene)


if __name__ == "__main__":
    main()
