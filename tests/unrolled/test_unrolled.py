import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.metrics import abundance_rmse, abundance_rmse_scorer
from skunmix.networks import max_eigenvalue
from skunmix.solvers import csr_admm, csr_ista, normalize_abundances

NETWORKS = [ISTANetRegressor, UADMMRegressor]
N_BANDS = 25
PROBLEM = {"n_pixels": 150, "n_bands": N_BANDS}


def quick(network, endmembers, **parameters):
    """A small network that trains briefly, and makes no choice."""
    start = {"mu": "auto"} if network is UADMMRegressor else {}
    parameters = {"max_epochs": 3, "random_state": 0, **start, **parameters}
    return network.paper(endmembers=endmembers, **parameters)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2, 5, 10])
@pytest.mark.parametrize("scale", [1.0, 4000.0])
def test_untrained_networks_are_their_solvers(problem, n_layers, tied, scale):
    spectra, abundances, endmembers = problem
    spectra, endmembers, lam, mu = scale * spectra, scale * endmembers, 0.05 * scale**2, scale**2
    parameters = {"n_layers": n_layers, "tied": tied, "lam": lam, "max_epochs": 0}
    uadmm = quick(UADMMRegressor, endmembers, mu=mu, **parameters).fit(spectra, abundances)
    expected = csr_admm(spectra, endmembers, lam=lam, mu=mu, max_iter=n_layers, tol=0).abundances
    np.testing.assert_allclose(uadmm.predict(spectra), normalize_abundances(expected), atol=1e-5)
    assert uadmm.loss_curve_ == []
    assert uadmm.n_iter_ == 0

    ista = quick(ISTANetRegressor, endmembers, **parameters).fit(spectra, abundances)
    expected = csr_ista(spectra, endmembers, lam=lam, max_iter=n_layers, tol=0).abundances
    np.testing.assert_allclose(ista.predict(spectra), normalize_abundances(expected), atol=1e-5)


def test_start_chosen_on_the_pairs_is_its_solver_too(problem):
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressor, endmembers, max_epochs=0).fit(spectra, abundances)
    assert model.sum_to_one_ is True  # these spectra are linear mixtures
    expected = csr_admm(
        spectra, endmembers, lam=1e-3, mu=model.mu_, sum_to_one=True, max_iter=2, tol=0
    ).abundances
    np.testing.assert_allclose(model.predict(spectra), expected, atol=1e-5)


def test_number_of_parameters(problem):
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressor, endmembers, n_layers=3).fit(spectra, abundances)
    count = sum(parameter.numel() for parameter in model.net_.module_.parameters())
    assert count == (4**2 + 4 * N_BANDS + 2) * 3


@pytest.mark.parametrize("network", NETWORKS)
def test_training_improves_on_the_start(problem, network):
    spectra, abundances, endmembers = problem
    errors = [
        abundance_rmse(
            abundances,
            quick(network, endmembers, max_epochs=epochs, learning_rate=1e-3, batch_size=16)
            .fit(spectra, abundances)
            .predict(spectra),
        )
        for epochs in (0, 60)
    ]
    assert errors[1] < 0.9 * errors[0]


def test_training_is_adam_on_the_loss(problem):
    """One epoch of one batch against torch's Adam on the module itself."""
    spectra, abundances, endmembers = problem
    model = quick(UADMMRegressor, endmembers, max_epochs=0, mu=1.0, alpha_aad=0, alpha_aid=0)
    module = model.fit(spectra, abundances).net_.module_.train()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-4)
    x_hat = module(torch.tensor(spectra / spectra.max(), dtype=torch.float32))
    loss = ((x_hat - torch.tensor(abundances, dtype=torch.float32)) ** 2).sum(dim=1).mean()
    loss.backward()
    optimizer.step()
    expected = [parameter.detach().numpy().copy() for parameter in module.parameters()]

    model.set_params(max_epochs=1, batch_size=1000).fit(spectra, abundances)
    assert model.loss_curve_ == pytest.approx([loss.item()], rel=1e-5)
    for parameter, value in zip(model.net_.module_.parameters(), expected):
        np.testing.assert_allclose(parameter.detach().numpy(), value, atol=2e-6)


def test_mu(problem):
    spectra, abundances, endmembers = problem
    given, paper, chosen = (
        quick(UADMMRegressor, endmembers, mu=mu, max_epochs=0).fit(spectra, abundances)
        for mu in (0.7, "max-eigenvalue", "auto")
    )
    assert given.mu_ == pytest.approx(0.7)
    assert given.sum_to_one_ == paper.sum_to_one_ == "normalize"
    assert paper.mu_ == pytest.approx(max_eigenvalue(endmembers))
    assert abundance_rmse(abundances, chosen.predict(spectra)) < abundance_rmse(
        abundances, paper.predict(spectra)
    )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("sum_to_one", [False, "normalize", True, "auto"])
def test_output_sums_to_one_where_asked(problem, network, sum_to_one):
    spectra, abundances, endmembers = problem
    model = quick(network, endmembers, sum_to_one=sum_to_one)
    if network is ISTANetRegressor and sum_to_one in (True, "auto"):
        with pytest.raises(ValueError, match="'sum_to_one'|expected 'normalize' or False"):
            model.fit(spectra, abundances)
        return
    result = model.fit(spectra, abundances).predict(spectra)
    assert (result >= 0).all()
    assert np.allclose(result.sum(axis=1), 1, atol=1e-6) == (sum_to_one is not False)


@pytest.mark.parametrize("network", NETWORKS)
def test_same_random_state_same_bits(problem, network):
    spectra, abundances, endmembers = problem
    first, second = (
        quick(network, endmembers, early_stopping=True).fit(spectra, abundances).predict(spectra)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    other = quick(network, endmembers, random_state=1).fit(spectra, abundances).predict(spectra)
    assert abs(first - other).max() > 0


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("random_state", [0, None])
def test_nothing_of_the_caller_changes(problem, network, random_state):
    spectra, abundances, endmembers = problem
    copies = [a.copy() for a in problem]
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    n_threads = torch.get_num_threads()
    model = quick(network, endmembers, random_state=random_state, early_stopping=True)
    model.fit(spectra, abundances).predict(spectra)
    for array, copy in zip(problem, copies):
        np.testing.assert_array_equal(array, copy)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_num_threads() == n_threads


@pytest.mark.parametrize("network", NETWORKS)
def test_a_pixel_depends_on_itself_alone(problem, network):
    spectra, abundances, endmembers = problem
    model = quick(network, endmembers).fit(spectra, abundances)
    many = np.tile(spectra, (60, 1))
    together = model.predict(many)
    np.testing.assert_allclose(together, np.tile(together[:150], (60, 1)), atol=1e-6)
    np.testing.assert_allclose(model.predict(spectra[::-1])[::-1], together[:150], atol=1e-6)
    for size in (1, 7):
        apart = np.vstack([model.predict(spectra[i : i + size]) for i in range(0, 150, size)])
        np.testing.assert_allclose(apart, together[:150], atol=1e-6)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n_pixels", [1, 10])
def test_fewer_pixels_than_a_batch(problem, network, n_pixels):
    spectra, abundances, endmembers = problem
    model = quick(network, endmembers).fit(spectra[:n_pixels], abundances[:n_pixels])
    assert np.isfinite(model.predict(spectra)).all()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "convert",
    [
        lambda a: (a * 1000).astype(np.int32),
        lambda a: a.astype(np.float16),
        lambda a: a.astype(np.float32),
        lambda a: a.astype(">f8"),
        np.asfortranarray,
        pd.DataFrame,
        np.ndarray.tolist,
    ],
    ids=["int32", "float16", "float32", "big-endian", "Fortran", "DataFrame", "list"],
)
def test_arrays_of_every_kind(problem, network, convert, tmp_path):
    spectra, abundances, endmembers = problem
    converted = convert(spectra)
    scale = 1000 if getattr(converted, "dtype", None) == np.int32 else 1
    # a mu and a lam that follow the units
    model = quick(network, scale * endmembers, lam=1e-3 * scale**2).fit(converted, abundances)
    expected = quick(network, endmembers).fit(spectra, abundances).predict(spectra)
    np.testing.assert_allclose(model.predict(converted), expected, atol=2e-2)
    np.save(tmp_path / "scene.npy", np.asarray(converted))
    scene = np.load(tmp_path / "scene.npy", mmap_mode="r")
    np.testing.assert_array_equal(model.predict(scene), model.predict(np.asarray(converted)))


@pytest.mark.parametrize("network", NETWORKS)
def test_endmembers_are_estimated_in_the_space_the_network_sees(problem, network):
    spectra, abundances, _ = problem
    pipeline = make_pipeline(Normalizer(), quick(network, None)).fit(spectra, abundances)
    seen = Normalizer().transform(spectra)
    expected = np.linalg.lstsq(abundances, seen, rcond=None)[0]
    np.testing.assert_allclose(pipeline[-1].endmembers_, expected)
    assert pipeline.predict(spectra).shape == abundances.shape


def test_grid_search_on_a_loss_weight(problem):
    spectra, abundances, endmembers = problem
    search = GridSearchCV(
        quick(UADMMRegressor, endmembers),
        {"alpha_aid": [0, 1e-5, 1e-3]},
        scoring=abundance_rmse_scorer,
        cv=3,
        error_score="raise",
    ).fit(spectra, abundances)
    assert search.best_score_ < 0
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_unit_length_is_a_normalizer_before(problem, network):
    spectra, abundances, endmembers = problem
    spectra = spectra * np.linspace(0.2, 3, len(spectra))[:, None]
    model = quick(network, endmembers, norm="l2").fit(spectra, abundances)
    unit = Normalizer().transform(endmembers)
    pipeline = make_pipeline(Normalizer(), quick(network, unit)).fit(spectra, abundances)
    np.testing.assert_allclose(model.predict(spectra), pipeline.predict(spectra), atol=1e-6)
    np.testing.assert_array_equal(model.endmembers_, endmembers)
    assert model.norm_ == "l2"


@pytest.mark.parametrize("network", NETWORKS)
def test_noise_augmentation_starts_where_training_without_it_starts(problem, network):
    spectra, abundances, endmembers = problem
    plain, augmented = (
        quick(network, endmembers, noise_augmentation=augmentation, max_epochs=0, n_layers=5)
        .fit(spectra, abundances)
        .predict(spectra)
        for augmentation in (False, True)
    )
    np.testing.assert_allclose(augmented, plain, atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_noise_augmentation_helps_where_pixels_are_few_and_linear_mixtures(problem, network):
    spectra, abundances, endmembers = problem
    spectra = spectra + 0.1 * np.random.default_rng(1).normal(size=spectra.shape)
    errors = []
    for augmentation in (False, True):
        model = quick(
            network,
            endmembers,
            noise_augmentation=augmentation,
            learning_rate=2e-3,
            max_epochs=300,
            n_layers=4,
        ).fit(spectra[:40], abundances[:40])
        errors.append(abundance_rmse(abundances[40:], model.predict(spectra[40:])))
        assert model.noise_augmentation_ is augmentation
    assert errors[1] < 0.95 * errors[0]


def test_noise_is_drawn_from_the_random_state(problem):
    spectra, abundances, endmembers = problem
    same, again, other = (
        quick(
            UADMMRegressor, endmembers, noise_augmentation=True, random_state=seed, batch_size=150
        )
        .fit(spectra, abundances)
        .predict(spectra)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(same, again)
    assert np.abs(same - other).max() > 1e-7


def test_strong_is_a_set_of_parameters(problem):
    strong = UADMMRegressor.strong(problem[2], max_epochs=5, random_state=3)
    assert strong.get_params()["max_epochs"] == 5
    assert strong.get_params()["n_layers"] == 20
    assert strong.get_params()["endmembers"] is problem[2]
    assert clone(strong).get_params()["noise_augmentation"] == "auto"
    estimated = UADMMRegressor.strong(max_epochs=2, random_state=0)
    assert estimated.fit(problem[0], problem[1]).predict(problem[0]).shape == problem[1].shape
    with pytest.raises(TypeError, match="layers"):
        UADMMRegressor.strong(problem[2], layers=5)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "parameters", [{}, {"norm": "l2"}, {"noise_augmentation": True}], ids=["plain", "l2", "noise"]
)
@pytest.mark.parametrize("case", ["one pixel", "one endmember", "constant spectra", "a dark pixel"])
def test_pairs_that_teach_little(problem, network, parameters, case):
    spectra, abundances, endmembers = problem
    if case == "one pixel":
        spectra, abundances = spectra[:1], abundances[:1]
    elif case == "one endmember":
        abundances = np.tile([0.0, 1.0, 0.0, 0.0], (len(spectra), 1))
    elif case == "constant spectra":
        spectra = np.full_like(spectra, 0.3)
    else:
        spectra = spectra * (np.arange(len(spectra)) > 0)[:, None]
    model = quick(network, endmembers, **parameters).fit(spectra, abundances)
    predicted = model.predict(spectra)
    assert np.isfinite(predicted).all()
    np.testing.assert_allclose(predicted.sum(axis=1), 1, atol=1e-5)


def test_sums_other_than_one_are_warned_of(problem):
    spectra, abundances, endmembers = problem
    with pytest.warns(UserWarning, match="150 of 150 pixels do not sum to one .*network's output"):
        quick(UADMMRegressor, endmembers).fit(spectra, 0.5 * abundances)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(UADMMRegressor, endmembers).fit(spectra, abundances)
        quick(UADMMRegressor, endmembers, sum_to_one=False).fit(spectra, 0.5 * abundances)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_layers": 0}, "'n_layers' parameter"),
        ({"lam": -1.0}, "'lam' parameter"),
        ({"learning_rate": 0.0}, "'learning_rate' parameter"),
        ({"learning_rate": np.inf}, "'learning_rate' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"max_epochs": -1}, "'max_epochs' parameter"),
        ({"lr_schedule": "step"}, "'lr_schedule' parameter"),
        ({"device": "abacus"}, "device='abacus' cannot be used here.*'cpu'"),
        ({"alpha_mse": 0, "alpha_aad": 0, "alpha_aid": 0}, "there is no loss to train with"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "no pixel to validate on"),
        ({"norm": "l1"}, "'norm' parameter"),
        ({"noise_augmentation": "some"}, "'noise_augmentation' parameter"),
        ({"noise_augmentation": True, "norm": "l2"}, "expected norm=None, got 'l2', after which"),
        (
            {"noise_augmentation": True, "endmembers": None},
            "got endmembers=None; pass them, or use noise_augmentation='auto'",
        ),
    ],
)
def test_parameters_that_will_not_do(problem, network, parameters, message):
    spectra, abundances, endmembers = problem
    with pytest.raises(ValueError, match=message):
        quick(network, **{"endmembers": endmembers, **parameters}).fit(spectra, abundances)


def test_one_epoch_does_not_choose(problem):
    spectra, abundances, endmembers = problem
    model = UADMMRegressor(endmembers, random_state=0).partial_fit(spectra, abundances)
    fixed = {"norm": None, "noise_augmentation": False, "fallback": None}
    other = UADMMRegressor(endmembers, random_state=0, **fixed).partial_fit(spectra, abundances)
    assert (model.norm_, model.noise_augmentation_, model.fallback_) == (None, False, None)
    np.testing.assert_array_equal(model.predict(spectra), other.predict(spectra))


@pytest.mark.parametrize("mu", [0.0, -1.0, "least"])
def test_mu_that_will_not_do(problem, mu):
    spectra, abundances, endmembers = problem
    with pytest.raises(ValueError, match="'mu' parameter"):
        quick(UADMMRegressor, endmembers, mu=mu).fit(spectra, abundances)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_needs_abundances(problem, network):
    with pytest.raises(
        ValueError, match="pass the abundances to learn from, or use SunSALRegressor"
    ):
        quick(network, problem[2]).fit(problem[0])


@pytest.mark.parametrize("network", NETWORKS)
def test_sparse_input_is_refused(problem, network):
    spectra, abundances, endmembers = problem
    with pytest.raises(TypeError, match="[Ss]parse"):
        quick(network, endmembers).fit(scipy.sparse.csr_array(spectra), abundances)
    with pytest.raises(TypeError, match="[Ss]parse"):
        quick(network, endmembers).fit(spectra, scipy.sparse.csr_array(abundances))


@pytest.mark.slow
def test_jasper_ridge_is_learnt_by_u_admm_better_than_by_its_peers(jasper):
    """With the paper's structure and training: means of five seeds; no endmember dies in any."""
    errors = {SunSALRegressor: [], ISTANetRegressor: [], UADMMRegressor: []}
    for seed in range(5):
        rows = np.random.RandomState(seed).permutation(len(jasper.spectra))
        train, test = rows[:256], rows[256:]
        for model in (
            SunSALRegressor(endmembers=jasper.endmembers, sum_to_one="normalize"),
            ISTANetRegressor.paper(endmembers=jasper.endmembers, random_state=seed),
            UADMMRegressor.paper(endmembers=jasper.endmembers, mu="auto", random_state=seed),
        ):
            model.fit(jasper.spectra[train], jasper.abundances[train])
            result = model.predict(jasper.spectra[test])
            errors[type(model)].append(abundance_rmse(jasper.abundances[test], result))
            assert (result.max(axis=0) > 0.01).all()
    means = {learner: np.mean(values) for learner, values in errors.items()}
    assert means[UADMMRegressor] <= 0.0214  # the paper's Table 1
    assert means[UADMMRegressor] < means[ISTANetRegressor] < means[SunSALRegressor]
