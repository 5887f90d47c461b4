"""Estimators fitted in stacks against the same fitted one after another."""

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import KFold, ParameterGrid

from skunmix import ISTANetRegressor, UADMMRegressor
from skunmix.networks.training import stacked
from skunmix.unrolled._stacking import fit_stacked

NETWORKS = [ISTANetRegressor, UADMMRegressor]
N_BANDS = 12
PROBLEM = {"n_pixels": 101, "n_bands": N_BANDS}
GRID = [
    {"alpha_aid": [0], "learning_rate": [1e-4, 1e-3], "lam": [1e-4]},
    {"alpha_aid": [1e-3], "alpha_mse": [0.5], "lam": [1e-2]},
]


def uneven(sizes):
    """Splits whose training parts have these sizes."""
    return [(np.arange(n)[:: -1 if n % 2 else 1], np.arange(n, 101)) for n in sizes]


def candidates(network, endmembers, grid=GRID, **parameters):
    quick = {"max_epochs": 4, "random_state": 3, "batch_size": 16}
    if network is UADMMRegressor:
        quick["mu"] = 0.5
    base = network.paper(endmembers, **{**quick, **parameters})
    return [clone(base).set_params(**point) for point in ParameterGrid(grid)]


def fit_all(estimators, spectra, abundances, splits):
    """Return the fitted estimators, or what went wrong, and the times."""
    folds = [(spectra[train], abundances[train], {}) for train, _ in splits]
    fits, seconds = fit_stacked(estimators, folds)

    def result(fit):
        try:
            return fit()
        except Exception as error:
            return error

    return [result(fit) for fit in fits.ravel()], seconds


def assert_as_alone(estimators, problem, splits, atol=1e-4):
    spectra, abundances, _ = problem
    fits, seconds = fit_all(estimators, spectra, abundances, splits)
    assert seconds.shape == (len(estimators), len(splits))
    fits = iter(fits)
    for estimator in estimators:
        for train, test in splits:
            alone = clone(estimator).fit(spectra[train], abundances[train])
            model = next(fits)
            assert type(model) is type(alone)
            assert model.get_params().keys() == alone.get_params().keys()
            assert {k for k in vars(model) if k.endswith("_")} == {
                k for k in vars(alone) if k.endswith("_")
            }
            assert model.n_iter_ == alone.n_iter_
            assert model.scale_ == alone.scale_
            np.testing.assert_allclose(model.loss_curve_, alone.loss_curve_, rtol=1e-3)
            if alone.early_stopping:
                np.testing.assert_allclose(
                    model.validation_loss_curve_, alone.validation_loss_curve_, rtol=1e-3
                )
            np.testing.assert_allclose(
                model.predict(spectra[test]), alone.predict(spectra[test]), atol=atol
            )
    assert next(fits, None) is None


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"tied": True, "n_layers": 4},
        {"n_layers": 1, "sum_to_one": False},
        {"lr_schedule": "one-cycle"},
        {"batch_size": 1000},
        {"max_epochs": 0},
        {"norm": "l2"},
        {"noise_augmentation": True},
        {"noise_augmentation": "auto"},
    ],
    ids=str,
)
def test_a_stack_of_fits_is_the_fits(problem, network, parameters):
    # 80 and 81 are the sizes of KFold(5); of batches of 16 they have 5 and 6
    splits = uneven([80, 81, 50, 49])
    assert_as_alone(candidates(network, problem[2], **parameters), problem, splits)


@pytest.mark.parametrize("endmembers", [True, False])
@pytest.mark.parametrize("mu", ["auto", "max-eigenvalue"])
def test_each_fold_has_a_start_of_its_own(problem, mu, endmembers):
    estimators = candidates(UADMMRegressor, problem[2] if endmembers else None, mu=mu)
    assert_as_alone(estimators, problem, uneven([70, 40]))


def test_candidates_may_differ_in_anything(problem):
    grid = [
        {"n_layers": [1, 3], "alpha_aad": [0, 1e-2]},
        {"mu": [0.1, "auto"], "sum_to_one": [False, True], "random_state": [0, 1]},
        {"batch_size": [7, 200], "lr_schedule": [None, "cosine"]},
    ]
    estimators = candidates(UADMMRegressor, problem[2], grid)
    assert_as_alone(estimators, problem, uneven([60, 61]))


@pytest.mark.parametrize("network", NETWORKS)
def test_each_stops_when_it_would(problem, network):
    estimators = candidates(
        network,
        problem[2],
        {"learning_rate": [1e-5, 3e-3, 0.02], "alpha_mse": [1.0, 0.3]},
        early_stopping=True,
        validation_fraction=0.25,
        n_iter_no_change=2,
        max_epochs=30,
    )
    splits = uneven([80, 83, 50])
    assert_as_alone(estimators, problem, splits)
    fits, _ = fit_all(estimators, *problem[:2], splits)
    n_iter = [fit.n_iter_ for fit in fits]
    assert min(n_iter) < max(n_iter)


def test_closed_units_reopen_as_they_do_alone(problem):
    """At a learning rate that closes some for all pixels."""
    estimators = candidates(
        UADMMRegressor, problem[2], {"learning_rate": [0.03, 0.1]}, mu="max-eigenvalue"
    )
    assert_as_alone(estimators, problem, uneven([33, 34]))


def test_a_generator_is_left_alone_and_none_is_shared(problem):
    spectra, abundances, endmembers = problem
    generator = np.random.RandomState(5)
    before = generator.get_state()[1].copy()
    estimators = candidates(UADMMRegressor, endmembers, random_state=generator)
    assert_as_alone(estimators[:2], problem, uneven([50, 51]))
    np.testing.assert_array_equal(generator.get_state()[1], before)

    # drawn by the operating system: the candidates of a fold see the same batches
    twins = candidates(UADMMRegressor, endmembers, {"alpha_mse": [1.0, 1.0]}, random_state=None)
    first, second = fit_all(twins, spectra, abundances, uneven([90]))[0]
    np.testing.assert_array_equal(first.predict(spectra), second.predict(spectra))


@pytest.mark.parametrize("megabytes", [1e-9, 0.05])
def test_memory_is_bounded_by_splitting_the_stack(problem, monkeypatch, megabytes):
    sizes = []

    def watched(modules, *args, **kwargs):
        sizes.append(np.size(modules))
        return stacked.train_stacked(modules, *args, **kwargs)

    monkeypatch.setattr("skunmix.unrolled._stacks.train_stacked", watched)
    estimators = candidates(UADMMRegressor, problem[2])
    with config_context(working_memory=megabytes):
        assert_as_alone(estimators, problem, uneven([64, 62, 63]))
    size = stacked.bytes_per_network(estimators[0].fit(*problem[:2]).net_.module_, 16)
    assert sum(sizes) == 9
    assert max(sizes) <= max(1, megabytes * 2**20 / size)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (
            {"learning_rate": [1e-3, 1e30], "sum_to_one": [False]},
            "diverged in epoch 1.*which is 1e\\+30",
        ),
        ({"alpha_aid": [1e-3, 0.0], "alpha_mse": [0.0], "alpha_aad": [0.0]}, "no loss to train"),
        ({"lam": [1e-3, -1.0]}, "'lam' parameter"),
        ({"batch_size": [16, 0]}, "'batch_size' parameter"),
        ({"endmembers": [None, np.ones((4, 3))]}, "do not fit spectra of 12 bands"),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_candidate_that_fails_harms_no_other(problem, grid, message, last):
    spectra, abundances, endmembers = problem
    if last:
        grid = {name: values[::-1] for name, values in grid.items()}
    estimators = candidates(UADMMRegressor, None if "endmembers" in grid else endmembers, grid)
    splits = uneven([80, 61])
    fits = list(fit_all(estimators, spectra, abundances, splits)[0])
    failed, fine = (fits[:2], fits[2:]) if last else (fits[2:], fits[:2])
    for error in failed:
        assert isinstance(error, ValueError)
        with pytest.raises(ValueError, match=message):
            raise error
    for model, (train, _) in zip(fine, splits):
        alone = clone(estimators[-1 if last else 0]).fit(spectra[train], abundances[train])
        np.testing.assert_allclose(model.predict(spectra), alone.predict(spectra), atol=1e-4)


def test_a_fold_that_fails_harms_no_other(problem):
    spectra, abundances, _ = problem
    abundances = abundances.copy()
    abundances[:30, 0] = 0  # in the first fold no pixel has it
    estimators = candidates(ISTANetRegressor, None, {"lam": [1e-3, 1e-2]})
    first, second, third, fourth = fit_all(estimators, spectra, abundances, uneven([30, 60]))[0]
    assert "no abundance in any of the 30 pixels" in str(first)
    assert "no abundance in any of the 30 pixels" in str(third)
    for model, estimator in zip((second, fourth), estimators):
        alone = clone(estimator).fit(spectra[:60], abundances[:60])
        np.testing.assert_allclose(model.predict(spectra), alone.predict(spectra), atol=1e-4)


def test_nothing_of_the_caller_changes(problem):
    copies = [a.copy() for a in problem]
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    n_threads = torch.get_num_threads()
    estimators = candidates(UADMMRegressor, problem[2], early_stopping=True)
    before = [vars(estimator).copy() for estimator in estimators]
    splits = list(KFold(3).split(problem[0]))
    list(fit_all(estimators, *problem[:2], splits)[0])
    for array, copy in zip(problem, copies):
        np.testing.assert_array_equal(array, copy)
    assert [vars(estimator) for estimator in estimators] == before
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_num_threads() == n_threads
