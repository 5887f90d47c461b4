"""UADMMBlindUnmixer: its start, what it trains, and what it does with labels."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from skorch.callbacks import Callback

from skunmix import UADMMBlindUnmixer
from skunmix.extraction import VCA
from skunmix.model_selection import StackedGridSearchCV
from skunmix.solvers import csr_active_set, csr_admm, normalize_abundances
from skunmix.unrolled import reason_to_fit_alone

N_BANDS = 24
PROBLEM = {"n_pixels": 150, "n_bands": N_BANDS, "concentration": 0.3}


class FarPixels(BaseEstimator):
    """The pixels that are farthest from the span of those before: successive projections."""

    def __init__(self, n_endmembers=4):
        self.n_endmembers = n_endmembers

    def fit(self, X, y=None):
        X = np.asarray(X, dtype=float)
        rest, rows = X.copy(), []
        for _ in range(self.n_endmembers):
            rows.append(int((rest**2).sum(axis=1).argmax()))
            direction = rest[rows[-1]] / np.linalg.norm(rest[rows[-1]])
            rest -= np.outer(rest @ direction, direction)
        self.endmembers_, self.n_endmembers_ = X[rows], len(rows)
        self.indices_ = np.array(rows)
        return self


QUICK = {
    "n_layers": 2,
    "sum_to_one": True,
    "learning_rate": 1e-4,
    "lr_schedule": None,
    "batch_size": 64,
    "max_epochs": 3,
    "random_state": 0,
}


def quick(endmembers=None, **parameters):
    endmembers = FarPixels() if endmembers is None else endmembers
    return UADMMBlindUnmixer(endmembers, **{**QUICK, **parameters})


def reconstruction_error(model, spectra):
    return np.sqrt(np.mean((model.inverse_transform(model.predict(spectra)) - spectra) ** 2))


def mean_angle(endmembers, true):
    """The mean angle to the nearest true endmembers, in degrees."""
    unit = [e / np.linalg.norm(e, axis=1, keepdims=True) for e in (endmembers, true)]
    return np.degrees(np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1)).min(axis=0).mean())


@pytest.mark.parametrize("sum_to_one", [True, "normalize", False])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2, 5])
@pytest.mark.parametrize("scale", [1.0, 4000.0])
def test_the_start_is_admm_with_the_extractors_endmembers(
    problem, scale, n_layers, tied, sum_to_one
):
    spectra, lam, mu = scale * problem.spectra, 0.05 * scale**2, scale**2
    model = quick(
        n_layers=n_layers, tied=tied, lam=lam, mu=mu, sum_to_one=sum_to_one, max_epochs=0
    ).fit(spectra)
    extracted = FarPixels().fit(spectra).endmembers_
    assert (extracted > 0).all()
    assert_array_equal(model.extractor_.endmembers_, extracted)
    assert_array_equal(model.initial_endmembers_, extracted)
    assert_allclose(model.endmembers_, extracted, rtol=1e-6)
    expected = csr_admm(
        spectra, extracted, lam=lam, mu=mu, sum_to_one=sum_to_one is True, max_iter=n_layers, tol=0
    ).abundances
    if sum_to_one == "normalize":
        normalize_abundances(expected)
    assert_allclose(model.predict(spectra), expected, atol=1e-5)
    assert model.loss_curve_ == []
    assert model.n_iter_ == 0


@pytest.mark.parametrize("sum_to_one", [True, "normalize", False])
def test_mu_is_chosen_by_the_exact_abundances(problem, sum_to_one):
    spectra = problem.spectra
    exact = csr_active_set(
        spectra, FarPixels().fit(spectra).endmembers_, lam=1e-3, sum_to_one=sum_to_one is True
    ).abundances
    if sum_to_one == "normalize":
        normalize_abundances(exact)

    def error(**parameters):
        model = quick(sum_to_one=sum_to_one, max_epochs=0, **parameters).fit(spectra)
        return np.mean((model.predict(spectra) - exact) ** 2), model.mu_

    chosen, mu = error()
    assert chosen < error(mu="max-eigenvalue")[0]
    least = min(error(mu=factor * mu)[0] for factor in (0.01, 0.1, 0.5, 1.0, 2.0, 10.0))
    assert chosen <= 2.5 * least


def test_one_step_is_adam_on_the_reconstruction(problem):
    """Against gradients and steps of Adam written out for E, and torch's for the encoder."""
    spectra = problem.spectra
    model = quick(max_epochs=0, mu=1.0, learning_rate=1e-3).fit(spectra)
    scale, start = model.scale_, model.endmembers_.copy()
    abundances = model.predict(spectra)
    W_start = model.net_.module_.W.detach().numpy().copy()

    model.set_params(max_epochs=1, batch_size=1000).fit(spectra)
    E, y = start / scale, spectra / scale
    residuals = abundances @ E - y
    assert model.loss_curve_ == pytest.approx([(residuals**2).sum(axis=1).mean()], rel=1e-5)
    gradient = 2 * abundances.T @ residuals / len(y)
    step = 1e-3 * gradient / (abs(gradient) + 1e-8)  # the first step of Adam
    expected = np.maximum(E - step, 0) * scale
    large = abs(gradient) > 1e-5
    assert large.mean() > 0.9
    assert_allclose(model.endmembers_[large], expected[large], atol=1e-6)
    moved = abs(model.net_.module_.W.detach().numpy() - W_start)
    assert (moved > 0).mean() > 0.9
    assert moved.max() <= 1.01e-3


def test_gradients_reach_all_parameters(problem):
    model = quick(max_epochs=0, mu=0.3, sum_to_one="normalize").fit(problem.spectra)
    net, batch = model.net_, torch.tensor(problem.spectra / model.scale_, dtype=torch.float32)
    net.criterion_(net.module_.train()(batch), batch).backward()
    gradients = {name: p.grad for name, p in net.module_.named_parameters()}
    assert set(gradients) == {"W", "B", "theta", "eta", "E"}
    for name, gradient in gradients.items():
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() > 0, name
    in_optimizer = sum(p.numel() for g in net.optimizer_.param_groups for p in g["params"])
    assert in_optimizer == sum(p.numel() for p in net.module_.parameters())
    assert in_optimizer == (4**2 + 4 * N_BANDS + 2) * 2 + 4 * N_BANDS


def test_endmembers_stay_non_negative(problem):
    """Where the unconstrained optimum is negative they are zero."""
    spectra = problem.spectra - 0.3
    start = FarPixels().fit(spectra).endmembers_
    assert (start < 0).any()

    class Least(Callback):
        values = ()

        def on_batch_begin(self, net, **_):
            self.values = (*self.values, net.module_.E.min().item())

    least = Least()
    model = quick(learning_rate=0.01, max_epochs=20, callbacks=[least]).fit(spectra)
    assert len(least.values) == 60
    assert min(least.values) == 0
    assert model.endmembers_.min() == 0
    assert model.net_.module_.E.min() == 0


@pytest.mark.parametrize("sum_to_one", [True, "normalize", False])
@pytest.mark.parametrize("max_epochs", [0, 5])
def test_abundances(problem, sum_to_one, max_epochs):
    model = quick(sum_to_one=sum_to_one, max_epochs=max_epochs, learning_rate=1e-3)
    abundances = model.fit_transform(problem.spectra)
    assert abundances.shape == (150, 4)
    assert (abundances >= 0).all()
    assert np.allclose(abundances.sum(axis=1), 1, atol=1e-6) == (sum_to_one is not False)
    assert_array_equal(model.predict(problem.spectra), abundances)
    alone = np.vstack([model.predict(spectrum[None]) for spectrum in problem.spectra])
    assert_allclose(alone, abundances, atol=1e-6)


def test_the_reconstruction_is_the_decoders(problem):
    model = quick(learning_rate=1e-3).fit(4000 * problem.spectra)
    abundances = model.predict(4000 * problem.spectra)
    with torch.no_grad():
        decoded = model.net_.module_.decode(torch.tensor(abundances, dtype=torch.float32)).numpy()
    assert_allclose(model.inverse_transform(abundances), decoded * model.scale_, rtol=1e-5)
    assert_allclose(model.inverse_transform(abundances), abundances @ model.endmembers_)


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1e-3, 1e-3)], ids=str)
def test_training_lowers_the_loss(problem, weights):
    names = ("alpha_mse", "alpha_aad", "alpha_aid")
    model = quick(learning_rate=1e-3, max_epochs=30, **dict(zip(names, weights)))
    model.fit(problem.spectra)
    assert model.loss_curve_[-1] < 0.9 * model.loss_curve_[0]


def test_training_improves_the_reconstruction_and_noisy_endmembers(problem):
    rng = np.random.default_rng(1)
    start = problem.endmembers + 0.1 * rng.normal(size=problem.endmembers.shape)
    untrained, trained = (
        quick(start, max_epochs=epochs, learning_rate=1e-3, batch_size=32).fit(problem.spectra)
        for epochs in (0, 100)
    )
    errors = [reconstruction_error(model, problem.spectra) for model in (untrained, trained)]
    assert errors[1] < 0.7 * errors[0]
    assert trained.score(problem.spectra) > untrained.score(problem.spectra)
    angles = [mean_angle(model.endmembers_, problem.endmembers) for model in (untrained, trained)]
    assert angles[1] < 0.7 * angles[0]


def test_score_is_the_share_of_the_variance(problem):
    spectra = problem.spectra.copy()
    spectra[:, 3] = 0.5  # a band that does not vary
    model = quick().fit(spectra)
    weight = np.arange(150) % 3
    residuals = spectra - model.inverse_transform(model.predict(spectra))
    deviations = spectra - spectra.mean(axis=0)
    without = [i for i in range(N_BANDS) if i != 3]
    expected = 1 - (residuals[:, without] ** 2).sum() / (deviations**2).sum()
    assert model.score(spectra) == pytest.approx(expected, abs=1e-3)
    assert model.score(spectra, np.arange(150)) == model.score(spectra)
    repeated = np.repeat(spectra, weight, axis=0)
    assert model.score(spectra, sample_weight=weight) == pytest.approx(model.score(repeated))


@pytest.mark.parametrize("random_state", [0, None])
def test_nothing_of_the_caller_changes(problem, random_state):
    copy = problem.spectra.copy()
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    n_threads = torch.get_num_threads()
    extractor = FarPixels()
    quick(extractor, random_state=random_state, early_stopping=True).fit_transform(problem.spectra)
    assert_array_equal(problem.spectra, copy)
    assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert torch.get_num_threads() == n_threads
    assert not hasattr(extractor, "endmembers_")


def test_same_random_state_same_bits(problem):
    first, second, other = (
        quick(early_stopping=True, random_state=seed).fit(problem.spectra) for seed in (0, 0, 1)
    )
    assert_array_equal(first.endmembers_, second.endmembers_)
    assert_array_equal(first.predict(problem.spectra), second.predict(problem.spectra))
    assert abs(first.endmembers_ - other.endmembers_).max() > 0


@pytest.mark.parametrize("way", ["pickle", "joblib", "skops"])
def test_saving(problem, way, tmp_path):
    model = quick(max_epochs=2, warm_start=True, learning_rate=1e-3).fit(problem.spectra)
    path = tmp_path / "model"
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    elif way == "joblib":
        joblib.dump(model, path)
        loaded = joblib.load(path)
    else:
        sio = pytest.importorskip("skops.io")
        sio.dump(model, path)
        unknown = sio.get_untrusted_types(file=path)
        loaded = sio.load(path, trusted=unknown)
    assert_array_equal(loaded.predict(problem.spectra), model.predict(problem.spectra))
    assert_array_equal(loaded.endmembers_, model.endmembers_)
    for further in (model, loaded):
        further.fit(problem.spectra)
    assert_array_equal(loaded.endmembers_, model.endmembers_)
    assert_array_equal(loaded.predict(problem.spectra), model.predict(problem.spectra))


def test_training_continues(problem):
    whole = quick(max_epochs=4).fit(problem.spectra)
    parts = quick(max_epochs=2, warm_start=True).fit(problem.spectra)
    start = parts.initial_endmembers_.copy()
    parts.fit(problem.spectra)
    assert_array_equal(parts.endmembers_, whole.endmembers_)
    assert_array_equal(parts.initial_endmembers_, start)
    assert parts.loss_curve_ == whole.loss_curve_
    assert parts.n_iter_ == 4


def test_early_stopping_restores_the_best(problem):
    model = quick(
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=3,
        learning_rate=0.03,
        max_epochs=500,
    ).fit(problem.spectra)
    assert model.n_iter_ < 500
    best = int(np.argmin(model.validation_loss_curve_))
    shorter = clone(model).set_params(max_epochs=best + 1).fit(problem.spectra)
    assert_array_equal(model.endmembers_, shorter.endmembers_)
    assert_array_equal(model.predict(problem.spectra), shorter.predict(problem.spectra))


def test_divergence_keeps_the_last_good_parameters(problem):
    class Poison(Callback):
        def on_epoch_begin(self, net, **_):
            if len(net.history) == 3:
                with torch.no_grad():
                    net.module_.B.fill_(torch.inf)

    model = quick(max_epochs=5, callbacks=[Poison()])
    with pytest.raises(ValueError, match="Training diverged in epoch 3"):
        model.fit(problem.spectra)
    shorter = quick(max_epochs=2).fit(problem.spectra)
    assert_array_equal(model.endmembers_, shorter.endmembers_)
    assert_array_equal(model.predict(problem.spectra), shorter.predict(problem.spectra))


def test_an_endmember_that_no_pixel_has_is_reported(problem):
    spectra, _, endmembers = problem
    absent = np.full((1, N_BANDS), 30.0)
    with pytest.warns(ConvergenceWarning, match="endmember4 is below 0.01 for every .* than 5"):
        quick(np.vstack([endmembers, absent])).fit(spectra)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(endmembers).fit(spectra)


def test_names(problem):
    spectra, _, endmembers = problem
    assert quick().fit(spectra).get_feature_names_out().tolist() == [
        f"endmember{i}" for i in range(4)
    ]
    bands = [f"b{i}" for i in range(N_BANDS)]
    named = pd.DataFrame(endmembers, index=list("abcd"), columns=bands)[bands[::-1]]
    model = quick(named).fit(pd.DataFrame(spectra, columns=bands))
    assert model.get_feature_names_out().tolist() == list("abcd")
    assert_array_equal(model.initial_endmembers_, endmembers)
    assert model.feature_names_in_.tolist() == bands
    assert_allclose(model.endmembers_, quick(endmembers).fit(spectra).endmembers_, atol=1e-5)


def test_the_default_start_is_vca(problem):
    model = UADMMBlindUnmixer(n_endmembers=4, warm_start=True, **QUICK)
    vca = VCA(4, random_state=0)
    model.fit(problem.spectra)
    assert isinstance(model.extractor_, VCA)
    assert_array_equal(model.initial_endmembers_, vca.fit(problem.spectra).endmembers_)
    assert_array_equal(model.endmembers_, quick(vca).fit(problem.spectra).endmembers_)
    assert model.fit(problem.spectra).n_iter_ == 6


def test_training_on_a_sample(problem):
    class Seen(Callback):
        def on_train_begin(self, net, **_):
            self.spectra = []

        def on_batch_begin(self, net, batch, **_):
            self.spectra.append(batch[0].numpy())

    seen = Seen()
    model = quick(max_samples=40, batch_size=10, max_epochs=1, callbacks=[seen])
    model.fit(problem.spectra)
    assert_array_equal(model.initial_endmembers_, FarPixels().fit(problem.spectra).endmembers_)
    batches = model.callbacks[0].spectra
    assert len(batches) == 4
    pixels = np.vstack(batches) * model.scale_
    distances = abs(pixels[:, None] - problem.spectra).max(axis=2)
    assert distances.min(axis=1).max() < 1e-6
    assert len(set(distances.argmin(axis=1))) == 40
    whole, none = (quick(max_samples=n).fit(problem.spectra) for n in (150, None))
    assert_array_equal(whole.endmembers_, none.endmembers_)


def test_endmembers_to_fit(problem):
    spectra, _, endmembers = problem
    model = UADMMBlindUnmixer(**QUICK).fit(spectra, endmembers=endmembers)
    assert_array_equal(model.endmembers_, quick(endmembers).fit(spectra).endmembers_)


def test_pipelines(problem):
    """The extractor sees what the last step sees, and targets of a later step are ignored."""
    unit = Normalizer().transform(problem.spectra)
    pipeline = make_pipeline(Normalizer(), quick()).fit(problem.spectra)
    assert_array_equal(pipeline[-1].endmembers_, quick().fit(unit).endmembers_)
    assert pipeline.score(problem.spectra) == pipeline[-1].score(unit)
    labels = problem.abundances.argmax(axis=1)
    classifier = make_pipeline(quick(), LogisticRegression(C=100))
    assert classifier.fit(problem.spectra, labels).score(problem.spectra, labels) > 0.8
    assert_array_equal(classifier[0].endmembers_, quick().fit(problem.spectra).endmembers_)


def test_grid_search_without_labels(problem):
    search = GridSearchCV(
        quick(), {"endmembers__n_endmembers": [2, 3, 4]}, cv=3, error_score="raise"
    ).fit(problem.spectra)
    scores = search.cv_results_["mean_test_score"]
    assert scores[0] < scores[1] < scores[2] <= 1
    assert search.best_estimator_.n_endmembers_ == 4


def test_it_is_fitted_alone_in_a_stacked_search(problem):
    assert reason_to_fit_alone(quick()) == "learns without abundances"
    with pytest.warns(UserWarning, match="UADMMBlindUnmixer learns without abundances"):
        search = StackedGridSearchCV(quick(), {"n_layers": [1, 2]}, cv=2).fit(problem.spectra)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame])
def test_abundances_are_refused(problem, kind):
    spectra, abundances, _ = problem
    with pytest.raises(ValueError, match=r"fit takes no abundances.*\(150, 4\).*UADMMRegressor"):
        quick().fit(spectra, kind(abundances))
    model = quick().fit(spectra)
    with pytest.raises(ValueError, match=r"score takes no abundances.*match_endmembers"):
        model.score(spectra, kind(abundances))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_layers": 0}, "'n_layers' parameter"),
        ({"endmembers": None, "n_endmembers": 0}, "'n_endmembers' parameter"),
        ({"max_samples": 0}, "'max_samples' parameter"),
        ({"mu": 0.0}, "'mu' parameter"),
        ({"sum_to_one": "auto"}, "'sum_to_one' parameter"),
        ({"learning_rate": np.inf}, "'learning_rate' parameter"),
        ({"device": "abacus"}, "device='abacus' cannot be used here"),
        ({"alpha_mse": 0}, "there is no loss to train with"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "no pixel to validate on"),
        ({"endmembers": np.ones((2, 7))}, "do not fit spectra of 24 bands"),
        ({"endmembers": np.ones((2, N_BANDS))}, "have the same spectrum"),
        ({"endmembers": np.eye(2, N_BANDS) * np.nan}, "NaN"),
    ],
)
def test_parameters_that_will_not_do(problem, parameters, message):
    model = quick().set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(problem.spectra)
    assert not hasattr(model, "net_")


def test_spectra_that_will_not_do(problem):
    spectra = problem.spectra
    holed = spectra.copy()
    holed[3, 2] = np.nan
    for X, message in (
        (holed, "NaN"),
        (np.ma.masked_less(spectra, 0.3), "masked"),
        (np.where(np.arange(N_BANDS) == 3, 1e30, spectra), "1e.?30"),
    ):
        with pytest.raises(ValueError, match=message):
            quick(problem.endmembers).fit(X)
    model = quick().fit(spectra)
    endmembers = model.endmembers_
    with pytest.raises(ValueError, match="NaN"):
        model.fit(holed)
    assert model.endmembers_ is endmembers  # the earlier fit remains
    with pytest.raises(ValueError, match="features"):
        model.predict(spectra[:, :3])


@pytest.mark.parametrize("case", ["one endmember", "one pixel", "constant", "dark pixel", "int"])
def test_spectra_that_teach_little(problem, case):
    spectra, _, endmembers = problem
    if case == "one endmember":
        endmembers = endmembers[:1]
    elif case == "one pixel":
        spectra = spectra[:1]
    elif case == "constant":
        spectra = np.full_like(spectra, 0.3)
    elif case == "dark pixel":
        spectra = spectra * (np.arange(len(spectra)) > 0)[:, None]
    else:
        spectra, endmembers = (10000 * spectra).astype(np.int16), 10000 * endmembers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        abundances = quick(endmembers).fit_transform(spectra)
    assert np.isfinite(abundances).all()
    assert_allclose(abundances.sum(axis=1), 1, atol=1e-5)
