import numpy as np
import pytest
import torch

from skunmix.networks import Fold, UnrolledADMM, UnrolledISTA, bytes_per_network, train_stacked
from skunmix.networks.training.losses import CompositeLoss
from skunmix.networks.training.stacked import _side_by_side, _StackedLoss, stack


def make_modules(network, n, **parameters):
    rng = np.random.default_rng(0)
    more = {"n_layers": 3, "lam": 0.01, **parameters}
    modules = []
    for i in range(n):
        if network is UnrolledADMM:
            more = {**more, "mu": 0.3 + i}
        modules.append(network(rng.uniform(0.1, 1.0, (4, 7)), **more))
    return modules


def make_pairs(n, seed=0):
    rng = np.random.default_rng(seed)
    return (
        torch.tensor(rng.uniform(0.1, 1.0, (n, 7)), dtype=torch.float32),
        torch.tensor(rng.dirichlet(np.ones(4), n), dtype=torch.float32),
    )


@pytest.mark.parametrize("network", [UnrolledADMM, UnrolledISTA])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("sum_to_one", [False, "normalize"])
def test_a_stack_is_its_networks(network, tied, n_layers, sum_to_one):
    modules = make_modules(network, 6, tied=tied, n_layers=n_layers, sum_to_one=sum_to_one)
    folds = [make_pairs(5, seed)[0] for seed in range(2)]
    stacked = stack(modules)
    result = stacked(torch.stack(folds)).mT
    for i, module in enumerate(modules):
        torch.testing.assert_close(result[i].T, module(folds[i // 3]))


def test_a_stack_takes_networks_with_and_without_a_bias():
    modules = [
        make_modules(UnrolledADMM, 1, sum_to_one=sum_to_one)[0]
        for sum_to_one in (True, "normalize")
    ]
    spectra, _ = make_pairs(5)
    for order in (modules, modules[::-1]):
        stacked = stack(order)
        result = stacked(spectra[None]).mT
        for one, module in zip(result, order):
            torch.testing.assert_close(one.T, module(spectra))


def test_stacking_copies():
    modules = make_modules(UnrolledADMM, 2)
    stacked = stack(modules)
    with torch.no_grad():
        stacked.W += 1
    assert modules[0].W.max() < stacked.W.min() + 1
    assert not torch.equal(modules[0].W, stacked.W[0])


WEIGHTS = [[1.0, 0.0, 0.0], [0.5, 1e-2, 0.0], [0.0, 0.0, 1e-3]]


def test_the_loss_of_each_network_is_its_own():
    pairs = [make_pairs(5, seed) for seed in range(2)]
    [(spectra, abundances)] = _side_by_side([[fold] for fold in pairs])
    torch.testing.assert_close(spectra[1], pairs[1][0], rtol=0, atol=0)
    estimates = torch.stack([make_pairs(5, 9 + i)[1] for i in range(6)])
    values = _StackedLoss(WEIGHTS, "cpu")(estimates.mT, abundances)
    for i, estimate in enumerate(estimates):
        fold, candidate = divmod(i, 3)
        expected = CompositeLoss(*WEIGHTS[candidate])(estimate, pairs[fold][1])
        torch.testing.assert_close(values[fold, candidate], expected)


def test_folds_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        list(_side_by_side([[make_pairs(5)], []]))


@pytest.mark.parametrize("schedule", [None, lambda progress: 1 - progress])
@pytest.mark.parametrize("network", [UnrolledADMM, UnrolledISTA])
def test_training_is_torchs_adam_on_each_network(network, schedule):
    modules = make_modules(network, 6)
    weights, rates = WEIGHTS, [1e-3, 1e-2, 3e-2]
    folds = [[make_pairs(n, n + seed) for n in (6, 6, 3)] for seed in range(2)]
    training = train_stacked(
        [modules[:3], modules[3:]],
        [Fold(fold) for fold in folds],
        weights,
        rates,
        n_epochs=7,
        schedule=schedule,
    )
    assert (training.n_epochs == 7).all()
    assert not training.diverged.any()
    for i, module in enumerate(modules):
        fold, candidate = divmod(i, 3)
        trained = training.module(fold, candidate)
        module.train()
        optimizer = torch.optim.Adam(module.parameters())
        step = 0
        for epoch in range(7):
            losses = []
            for spectra, abundances in folds[fold]:
                factor = schedule(step / 21) if schedule else 1.0
                optimizer.param_groups[0]["lr"] = factor * rates[candidate]
                optimizer.zero_grad()
                loss = CompositeLoss(*weights[candidate])(module(spectra), abundances)
                loss.backward()
                optimizer.step()
                losses.append(loss.item() * len(spectra))
                step += 1
            expected = sum(losses) / sum(len(spectra) for spectra, _ in folds[fold])
            assert training.loss[fold, candidate, epoch] == pytest.approx(expected, rel=1e-6)
        for a, b in zip(trained.parameters(), module.parameters()):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("spoilt", [0, 1])
def test_one_that_diverges_harms_no_other(spoilt):
    folds = [Fold([make_pairs(6, seed)]) for seed in range(2)]

    def train(rates, modules):
        return train_stacked([modules[:2], modules[2:]], folds, [[1, 0, 0]] * 2, rates, n_epochs=5)

    modules = make_modules(UnrolledADMM, 4, sum_to_one=False)
    alone = train([1e-3, 1e-3], modules)
    rates = [1e-3, 1e-3]
    rates[spoilt] = 1e30
    training = train(rates, modules)
    np.testing.assert_array_equal(training.diverged[:, spoilt], [True, True])
    assert (training.n_epochs[:, spoilt] < 5).all()
    other = 1 - spoilt
    assert not training.diverged[:, other].any()
    np.testing.assert_array_equal(training.loss[:, other], alone.loss[:, other])
    for fold in range(2):
        torch.testing.assert_close(
            training.module(fold, other).state_dict(), alone.module(fold, other).state_dict()
        )


@pytest.mark.parametrize("n_layers", [2, 10])
@pytest.mark.parametrize("network", [UnrolledADMM, UnrolledISTA])
def test_estimated_memory_bounds_what_autograd_keeps(network, n_layers):
    """Of tensors kept for the backward pass, and parameters with what Adam has for each."""
    module = network(
        np.random.default_rng(0).uniform(0.1, 1, (5, 30)),
        **{"n_layers": n_layers, "lam": 0.01, **({"mu": 0.5} if network is UnrolledADMM else {})},
    )
    stacked = stack([module] * 20).train()
    kept = {}
    pack = lambda t: kept.setdefault(t.untyped_storage().data_ptr(), t)  # noqa: E731
    spectra, abundances = torch.rand(1, 64, 30), torch.rand(1, 64, 5)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        value = _StackedLoss([[1.0, 1.0, 1.0]] * 20, "cpu")(stacked(spectra).mT, abundances)
    value.sum().backward()
    used = sum(t.untyped_storage().nbytes() for t in kept.values())
    used += 5 * sum(p.nbytes for p in stacked.parameters())
    estimated = 20 * bytes_per_network(module, 64)
    assert estimated / 4 < used < estimated
