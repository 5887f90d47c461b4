"""Time of training by skorch, as a ratio to a plain torch loop with the same operations.

    python benchmarks/training.py
    python benchmarks/training.py --quick          # small, for continuous integration

The plain loop draws the same batches, computes the same loss and takes the same steps of Adam. The
table shows by how much the parameters differ at the end. "skorch, defaults" is the same module in a
`NeuralNetRegressor` with torch's loader and Adam. A ratio is a time divided by that of the plain
loop in the same turn: the median of the repeats, then the smallest and the largest. `fit` includes
its checks, the choice of µ and its warnings.
"""

import argparse

import numpy as np
import torch
from _measure import describe_machine, print_table, time_in_turn
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback

from skunmix import ISTANetRegressor, UADMMRegressor
from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.networks import CompositeLoss

N_BANDS, N_ENDMEMBERS, BATCH_SIZE = 224, 6, 64


def main():
    """Time the training of each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few epochs, once")
    parser.add_argument("--epochs", type=int, default=None, help="100, or 3 with --quick")
    parser.add_argument("--repeats", type=int, default=None, help="9, or 1 with --quick")
    arguments = parser.parse_args()
    epochs = arguments.epochs or (3 if arguments.quick else 100)
    repeats = arguments.repeats or (1 if arguments.quick else 9)

    print(describe_machine())
    endmembers = make_endmembers(N_ENDMEMBERS, N_BANDS, random_state=0).endmembers
    pairs = make_mixtures(endmembers, 1000, snr=15, random_state=0)
    for network in (UADMMRegressor, ISTANetRegressor):
        run(network, pairs.spectra, pairs.abundances, endmembers, epochs, repeats)


def run(network, spectra, abundances, endmembers, epochs, repeats):
    """Print the table for one network."""

    def estimator(**parameters):
        return network.paper(endmembers, batch_size=BATCH_SIZE, random_state=0, **parameters)

    start = estimator(max_epochs=0).fit(spectra, abundances)
    tensors = [
        torch.tensor(array, dtype=torch.float32) for array in (spectra / start.scale_, abundances)
    ]
    weights = {name: getattr(start, name) for name in ("alpha_mse", "alpha_aad", "alpha_aid")}

    def untrained():
        return estimator(max_epochs=0).fit(spectra, abundances).net_.module_.train()

    def fit(**parameters):
        return estimator(max_epochs=epochs, **parameters).fit(spectra, abundances).net_.module_

    def plain():
        random_state = np.random.RandomState(0)
        module, loss_of = untrained(), CompositeLoss(**weights)
        optimizer = torch.optim.Adam(module.parameters(), lr=start.learning_rate, fused=True)
        Y, X = tensors
        for _ in range(epochs):
            order = torch.from_numpy(random_state.permutation(len(Y)))
            for batch in order.split(BATCH_SIZE):
                optimizer.zero_grad(set_to_none=True)
                loss = loss_of(module(Y[batch]), X[batch])
                loss.backward()
                optimizer.step()
        return module

    def defaults():
        net = NeuralNetRegressor(
            untrained(),
            criterion=CompositeLoss(**weights),
            optimizer=torch.optim.Adam,
            lr=start.learning_rate,
            batch_size=BATCH_SIZE,
            iterator_train__shuffle=True,
            max_epochs=epochs,
            train_split=None,
            verbose=0,
        )
        return net.fit(*tensors).module_

    functions = {
        "plain loop": plain,
        "fit": fit,
        "fit, one-cycle and a callback": lambda: fit(
            lr_schedule="one-cycle", callbacks=[Callback()]
        ),
        "skorch, defaults": defaults,
    }
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds, processor, modules = time_in_turn(functions, repeats, threads=1)
    finally:
        torch.set_num_threads(n_threads)
    expected = torch.nn.utils.parameters_to_vector(modules["plain loop"].parameters())
    rows = []
    for name in functions:
        ratios = processor[name] / processor["plain loop"]
        trained = torch.nn.utils.parameters_to_vector(modules[name].parameters())
        rows.append(
            [
                name,
                f"{np.median(seconds[name]):.2f}",
                f"{np.median(ratios):.2f}",
                f"{ratios.min():.2f} to {ratios.max():.2f}",
                f"{(trained - expected).abs().max():.0e}",
            ]
        )
    print_table(
        f"{network.__name__}, {len(spectra)} pixels, batches of {BATCH_SIZE}, {epochs} epochs, "
        f"1 thread",
        ["", "s", "processor time, ratio", "range", "largest difference of a parameter"],
        rows,
    )


if __name__ == "__main__":
    main()
