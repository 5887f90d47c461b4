"""A network that is neither of ours, and keeps the contract, needs nothing else."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skunmix import ISTANetRegressor
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV
from skunmix.networks import (
    UnmixingNetwork,
    UnrolledADMM,
    UnrolledADMMAutoencoder,
    UnrolledISTA,
    layer_products,
)
from skunmix.networks.training.stacked import stack

PROBLEM = {"n_pixels": 120, "n_bands": 24}
N_HIDDEN = 10


class ReLUNet(UnmixingNetwork):
    """Two plain layers: softmax(W₂·max(W₁y + b₁, 0) + b₂)."""

    def __init__(self, endmembers, *, n_hidden, transform=None):
        super().__init__(endmembers, transform, n_hidden=n_hidden)
        self.warm_start(endmembers, n_hidden=n_hidden)

    def warm_start(self, endmembers, *, n_hidden):
        rng = np.random.default_rng(0)
        seen = self.transform.to_coordinates(self.transform.rescale(endmembers))
        n_endmembers, n_coordinates = seen.shape
        self.W1 = parameter(rng.normal(size=(n_hidden, n_coordinates)) / n_coordinates**0.5)
        self.b1 = parameter(np.zeros((n_hidden, 1)))
        self.W2 = parameter(rng.normal(size=(n_endmembers, n_hidden)) / n_hidden**0.5)
        self.b2 = parameter(np.zeros((n_endmembers, 1)))

    def project_spectra(self, spectra):
        return layer_products(spectra, self.W1.unsqueeze(-3))

    def unroll(self, projected):
        hidden = torch.relu(projected + self.b1)
        return torch.softmax(self.W2 @ hidden + self.b2, dim=-2)


def parameter(values):
    return torch.nn.Parameter(torch.tensor(values, dtype=torch.float32))


class ReLURegressor(ISTANetRegressor):
    """Its estimator."""

    _network = ReLUNet

    def _make_network(self, transform, spectra, abundances):
        return ReLUNet(self.endmembers_, n_hidden=N_HIDDEN, transform=transform)


def regressor(endmembers, **parameters):
    quick = {"max_epochs": 30, "learning_rate": 1e-2, "batch_size": 32, "random_state": 0}
    return ReLURegressor.paper(endmembers, **{**quick, **parameters})


NETWORKS = {
    "ADMM": lambda endmembers: UnrolledADMM(endmembers, n_layers=3, mu=0.5, lam=0.01),
    "ADMM on the plane": lambda endmembers: UnrolledADMM(
        endmembers, n_layers=3, mu=0.5, lam=0.01, sum_to_one=True
    ),
    "tied ADMM": lambda endmembers: UnrolledADMM(
        endmembers, n_layers=3, mu=0.5, lam=0.01, tied=True
    ),
    "ADMM with a decoder": lambda endmembers: UnrolledADMMAutoencoder(
        endmembers, n_layers=3, mu=0.5, lam=0.01
    ),
    "ISTA": lambda endmembers: UnrolledISTA(endmembers, n_layers=3, lam=0.01),
    "ReLU": lambda endmembers: ReLUNet(endmembers, n_hidden=N_HIDDEN),
}


@pytest.mark.parametrize("name", NETWORKS)
class TestEachNetwork:
    """The promises of the contract, one by one."""

    def spectra(self, problem):
        return torch.tensor(problem.spectra, dtype=torch.float32)

    def test_forward_is_unroll_of_project_spectra(self, problem, name):
        network, spectra = NETWORKS[name](problem.endmembers), self.spectra(problem)
        projected = network.project_spectra(spectra)
        assert projected.shape[1] == len(spectra)
        assert torch.equal(network(spectra), network.unroll(projected).mT)
        assert network(spectra).shape == problem.abundances.shape

    def test_products_are_linear_in_the_spectra(self, problem, name):
        network, spectra = NETWORKS[name](problem.endmembers), self.spectra(problem)
        both = network.project_spectra(2 * spectra[:30] - 3 * spectra[30:60])
        apart = [network.project_spectra(part) for part in (spectra[:30], spectra[30:60])]
        torch.testing.assert_close(both, 2 * apart[0] - 3 * apart[1], atol=1e-4, rtol=1e-4)
        assert (network.project_spectra(0 * spectra) == 0).all()

    def test_a_stack_is_its_networks(self, problem, name):
        networks = [NETWORKS[name]((1 + i) * problem.endmembers) for i in range(6)]
        folds = self.spectra(problem).reshape(2, 60, -1)
        for i, abundances in enumerate(stack(networks)(folds)):
            torch.testing.assert_close(abundances, networks[i](folds[i // 3]))

    def test_a_pixel_depends_on_itself_alone(self, problem, name):
        network, spectra = NETWORKS[name](problem.endmembers).eval(), self.spectra(problem)
        alone = torch.cat([network(spectrum[None]) for spectrum in spectra])
        torch.testing.assert_close(alone, network(spectra), atol=1e-6, rtol=1e-5)

    def test_options_and_parameters_are_all_there_is(self, problem, name):
        network, spectra = NETWORKS[name](problem.endmembers), self.spectra(problem)
        again = type(network)(np.eye(*network.shape), **network.options)
        again.load_state_dict(network.state_dict())
        assert torch.equal(again(spectra), network(spectra))


@pytest.mark.parametrize(
    "parameters",
    [{}, {"norm": "l2"}, {"noise_augmentation": True}, {"early_stopping": True}],
    ids=str,
)
def test_it_trains_saves_loads_and_predicts(problem, parameters):
    spectra, abundances, endmembers = problem
    start = regressor(endmembers, max_epochs=0).fit(spectra, abundances)
    model = regressor(endmembers, **parameters).fit(spectra, abundances)
    errors = [abundance_rmse(abundances, m.predict(spectra)) for m in (start, model)]
    assert errors[1] < 0.5 * errors[0]
    network = model.net_.module_
    with torch.no_grad():
        expected = network(torch.tensor(network.transform(spectra), dtype=torch.float32))
    assert_allclose(model.predict(spectra), expected, atol=1e-5)

    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(spectra), model.predict(spectra))
    further = [m.set_params(warm_start=True).fit(spectra, abundances) for m in (model, loaded)]
    assert_array_equal(*(m.predict(spectra) for m in further))


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_it_stacks(problem, in_a_pipeline):
    spectra, abundances, endmembers = problem
    grid = {"alpha_mse": [0.5, 1.0], "learning_rate": [1e-3, 1e-2], "alpha_aid": [0, 1e-3]}
    estimator = regressor(endmembers)
    if in_a_pipeline:
        estimator = Pipeline([("scale", StandardScaler()), ("net", regressor(None))])
        grid = {f"net__{name}": values for name, values in grid.items()}
    results = [
        search(clone(estimator), grid, scoring=abundance_rmse_scorer, cv=3)
        .fit(spectra, abundances)
        .cv_results_["mean_test_score"]
        for search in (StackedGridSearchCV, GridSearchCV)
    ]
    assert_allclose(*results, rtol=1e-6)
