"""Networks on a device whose tensors do not mix with those of the CPU, as on a GPU.

The device is simulated: its tensors hold values on the CPU, but claim to be on "meta". An operation
on tensors of both devices raises an error, and so does `numpy` without `force`, as with CUDA.
"""

import pickle
from importlib import import_module

import numpy as np
import pytest
import torch
from sklearn.model_selection import KFold
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from skunmix import ISTANetRegressor, UADMMBlindUnmixer, UADMMRegressor
from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.metrics import abundance_rmse_scorer
from skunmix.model_selection import StackedGridSearchCV
from skunmix.networks import check_device

DEVICE = "meta"
A = make_endmembers(4, 50, random_state=0).endmembers
PAIRS, NEW = (make_mixtures(A, n, snr=30, random_state=n) for n in (130, 300))


class DeviceTensor(torch.Tensor):
    """A tensor of the simulated device, with its values in a tensor of the CPU."""

    @staticmethod
    def __new__(cls, values):
        layout = {"strides": values.stride(), "storage_offset": values.storage_offset()}
        tensor = torch.Tensor._make_wrapper_subclass(
            cls, values.shape, dtype=values.dtype, device=DEVICE, **layout
        )
        tensor.values_on_cpu = values
        return tensor

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})

    def numpy(self, *, force=False):
        if not force:
            raise TypeError("a tensor of another device has no NumPy array")
        return self.detach().values_on_cpu.numpy().copy()


class SimulatedDevice(TorchDispatchMode):
    """Context in which tensors can be made on the simulated device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return run(function, args, kwargs or {})


def run(function, args, kwargs):
    """Run an operation of torch on the values, and return a tensor of the device it belongs on."""
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    ours = [t for t in tensors if isinstance(t, DeviceTensor)]
    name = function.overloadpacket.__name__
    # numbers may be on the CPU
    if ours and name != "copy_" and any(t.ndim for t in tensors if not isinstance(t, DeviceTensor)):
        raise RuntimeError(f"{function} got tensors of two devices")
    on_device = bool(ours)
    if kwargs.get("device") is not None:
        on_device = torch.device(kwargs["device"]).type == DEVICE
        kwargs = {**kwargs, "device": torch.device("cpu")}
    args, kwargs = tree_map(
        lambda t: t.values_on_cpu if isinstance(t, DeviceTensor) else t, (args, kwargs)
    )
    result = function(*args, **kwargs)
    known = {id(t.values_on_cpu): t for t in ours}  # operations in place return their argument

    def on_its_device(value):
        if not (on_device and isinstance(value, torch.Tensor)):
            return value
        return known[id(value)] if id(value) in known else DeviceTensor(value)

    return tree_map(on_its_device, result)


@pytest.fixture
def device(monkeypatch):
    """The simulated device, without what it does not support."""
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)
    for module in ("torch.optim.adam", "torch.optim.optimizer"):
        name = "_get_fused_kernels_supported_devices"
        monkeypatch.setattr(import_module(module), name, lambda: ["cpu", DEVICE], raising=False)
    # it looks at addresses in memory
    monkeypatch.setattr("skunmix.unrolled._stacks.bytes_per_network", lambda *_: 1e5)
    with SimulatedDevice():
        yield DEVICE


def fitted(kind, device, **parameters):
    parameters = {"max_epochs": 3, "random_state": 0, **parameters}
    return kind(endmembers=A, device=device, **parameters).fit(PAIRS.spectra, PAIRS.abundances)


def is_on(device, model):
    kinds = {type(tensor) for tensor in model.net_.module_.state_dict().values()}
    return kinds == {DeviceTensor if device == DEVICE else torch.Tensor}


def test_the_simulated_device_does_not_mix(device):
    x, y = torch.ones(3, device=device), torch.ones(3)
    assert (x.to("cpu") + y).tolist() == [2, 2, 2]
    assert (x + y.to(device)).numpy(force=True).tolist() == [2, 2, 2]
    with pytest.raises(RuntimeError, match="two devices"):
        x + y
    with pytest.raises(TypeError):
        x.numpy()


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        (UADMMRegressor, {"n_layers": 2, "mu": 0.1, "max_epochs": 1}),
        (UADMMRegressor.paper, {"tied": True, "sum_to_one": True, "mu": 0.1}),
        (UADMMRegressor.paper, {"norm": "l2", "early_stopping": True, "lr_schedule": "cosine"}),
        (UADMMRegressor.paper, {"noise_augmentation": True, "mu": "auto"}),
        (ISTANetRegressor, {"n_layers": 2}),
        (ISTANetRegressor.paper, {"warm_start": True}),
    ],
)
def test_fits_are_those_of_the_cpu(device, kind, parameters):
    model, expected = (fitted(kind, place, **parameters) for place in (device, "cpu"))
    assert is_on(device, model)
    assert model.loss_curve_ == expected.loss_curve_
    assert getattr(model, "choice_scores_", None) == getattr(expected, "choice_scores_", None)
    np.testing.assert_array_equal(model.predict(NEW.spectra), expected.predict(NEW.spectra))


def test_the_blind_network(device):
    model, expected = (
        UADMMBlindUnmixer(endmembers=A, device=place, max_epochs=3, random_state=0).fit(NEW.spectra)
        for place in (device, "cpu")
    )
    assert is_on(device, model)
    np.testing.assert_array_equal(model.endmembers_, expected.endmembers_)
    np.testing.assert_array_equal(model.predict(NEW.spectra), expected.predict(NEW.spectra))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_stacked_search(device, early_stopping):
    ours, expected = (
        StackedGridSearchCV(
            UADMMRegressor.paper(
                A, device=place, early_stopping=early_stopping, max_epochs=3, random_state=0
            ),
            {"learning_rate": [1e-4, 1e-3], "alpha_aid": [0, 1e-5]},
            scoring=abundance_rmse_scorer,
            cv=KFold(3),
        ).fit(PAIRS.spectra, PAIRS.abundances)
        for place in (device, "cpu")
    )
    assert is_on(device, ours.best_estimator_)
    scores = (search.cv_results_["mean_test_score"] for search in (ours, expected))
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("back", [False, True])
def test_a_model_moves(device, back):
    """In a further fit, and when it is loaded."""
    start, end = ("cpu", device)[:: -1 if back else 1]
    expected = fitted(UADMMRegressor.paper, "cpu", warm_start=True)
    model = fitted(UADMMRegressor.paper, start, warm_start=True)
    loaded = pickle.loads(pickle.dumps(model.set_params(device=end)))
    for moved in (loaded, model.fit(PAIRS.spectra, PAIRS.abundances)):
        assert is_on(end, moved)
    expected_loaded = expected.predict(NEW.spectra)
    np.testing.assert_array_equal(loaded.predict(NEW.spectra), expected_loaded)
    expected.fit(PAIRS.spectra, PAIRS.abundances)
    np.testing.assert_array_equal(model.predict(NEW.spectra), expected.predict(NEW.spectra))


def test_an_unknown_device():
    assert check_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="device='abacus' cannot be used here"):
        check_device("abacus")
