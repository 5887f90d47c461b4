"""Estimators that learn abundances from pairs: those of skunmix, and alternatives in scikit-learn.

Each is a function of (endmembers, seed) that returns an estimator with `fit` and `predict`. The
hyperparameters of the alternatives are chosen by cross-validation on the training pairs, or have
common values. Their output is clipped to be non-negative and rescaled to sum to one.
"""

import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.svm import SVR
from skorch import NeuralNetRegressor
from torch import nn

from skunmix import ISTANetRegressor, SunSALRegressor, UADMMRegressor
from skunmix.solvers import normalize_abundances


class AsAbundances(BaseEstimator):
    """A regressor whose predictions are clipped and rescaled to sum to one."""

    def __init__(self, regressor):
        self.regressor = regressor

    def fit(self, X, y):
        """Fit the regressor, without convergence warnings."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.regressor_ = clone(self.regressor).fit(X, y)
        return self

    def predict(self, X):
        """Predict abundances."""
        return normalize_abundances(np.maximum(self.regressor_.predict(X), 0.0))


class PixelCNN(nn.Module):
    """Convolutions along the bands of one pixel, as in Zhang et al. (2018).

    It has four convolutions with 3, 6, 12 and 24 maps and kernels of 5, 4, 5 and 4 bands. Each is
    followed by a maximum over two. A hidden layer of 150 units comes last.
    """

    def __init__(self, n_bands, n_endmembers):
        super().__init__()
        layers, n_maps = [], 1
        for n_next, width in ((3, 5), (6, 4), (12, 5), (24, 4)):
            layers += [nn.Conv1d(n_maps, n_next, width), nn.ReLU(), nn.MaxPool1d(2)]
            n_maps, n_bands = n_next, (n_bands - width + 1) // 2
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(n_maps * n_bands, 150),
            nn.ReLU(),
            nn.Linear(150, n_endmembers),
            nn.Softmax(dim=1),
        )

    def forward(self, spectra):
        """Return abundances of spectra (n_pixels, n_bands)."""
        return self.head(self.features(spectra[:, None]))


class CNNRegressor(BaseEstimator):
    """`PixelCNN` trained by skorch, on spectra divided by their maximum; `fit` sets its size."""

    def __init__(self, seed=0, max_epochs=300):
        self.seed = seed
        self.max_epochs = max_epochs

    def fit(self, X, y):
        """Train with Adam on the squared error."""
        self.scale_ = X.max()
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.net_ = NeuralNetRegressor(
                PixelCNN,
                module__n_bands=X.shape[1],
                module__n_endmembers=y.shape[1],
                optimizer=torch.optim.Adam,
                lr=1e-3,
                batch_size=64,
                max_epochs=self.max_epochs,
                iterator_train__shuffle=True,
                train_split=None,
                verbose=0,
            ).fit((X / self.scale_).astype(np.float32), y.astype(np.float32))
        return self

    def predict(self, X):
        """Predict abundances."""
        return self.net_.predict((X / self.scale_).astype(np.float32))


def _gaussian_process(endmembers, seed):
    # amplitude and length scale are the start of the maximum-likelihood search
    kernel = ConstantKernel(1.0) * RBF(0.3) + WhiteKernel(1e-3, noise_level_bounds=(1e-8, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)
    return AsAbundances(make_pipeline(Normalizer(), process))


def _support_vectors(endmembers, seed):
    search = GridSearchCV(
        MultiOutputRegressor(SVR(epsilon=0.01)),
        {"estimator__C": [1.0, 10.0, 100.0], "estimator__gamma": ["scale", 0.1, 1.0]},
        cv=3,
        scoring="neg_root_mean_squared_error",
    )
    return AsAbundances(search)


def _perceptron(endmembers, seed):
    return AsAbundances(
        make_pipeline(
            StandardScaler(),
            PCA(n_components=2 * len(endmembers), whiten=True),
            MLPRegressor(
                hidden_layer_sizes=(100, 100), alpha=1e-3, max_iter=2000, random_state=seed
            ),
        )
    )


def _kernel_ridge(endmembers, seed):
    search = GridSearchCV(
        KernelRidge(kernel="rbf"),
        {"alpha": np.geomspace(1e-6, 1, 7), "gamma": np.geomspace(0.1, 100, 7)},
        cv=5,
        scoring="neg_mean_squared_error",
    )
    return AsAbundances(make_pipeline(Normalizer(), search))


FCLS = "FCLS"
SUNSAL = "SunSAL, normalised"
MNN = "MNN-AE-2, the paper's"
PAPER = "U-ADMM, the paper's"
CHOSEN_START = "U-ADMM, the paper's, µ chosen"
DEFAULT = "UADMMRegressor()"
STRONG = "UADMMRegressor.strong()"
# regressors of scikit-learn
SKLEARN = (
    "ridge",
    "SVR (RBF), grid search",
    "PCA + MLP",
    "Gaussian process, unit length",
    "kernel ridge, unit length, grid search",
)

LEARNERS = {
    FCLS: lambda A, seed: SunSALRegressor(A, lam=0.0, sum_to_one=True),
    SUNSAL: lambda A, seed: SunSALRegressor(A, sum_to_one="normalize"),
    "NNLS, normalised": lambda A, seed: SunSALRegressor(A, lam=0.0, sum_to_one="normalize"),
    "ridge": lambda A, seed: AsAbundances(RidgeCV(np.geomspace(1e-6, 10, 15))),
    "SVR (RBF), grid search": _support_vectors,
    "PCA + MLP": _perceptron,
    "Gaussian process, unit length": _gaussian_process,
    "kernel ridge, unit length, grid search": _kernel_ridge,
    "pixel CNN, skorch": lambda A, seed: CNNRegressor(seed),
    MNN: lambda A, seed: ISTANetRegressor.paper(A, random_state=seed),
    PAPER: lambda A, seed: UADMMRegressor.paper(A, random_state=seed),
    CHOSEN_START: lambda A, seed: UADMMRegressor.paper(A, mu="auto", random_state=seed),
    "ISTANetRegressor()": lambda A, seed: ISTANetRegressor(A, random_state=seed),
    DEFAULT: lambda A, seed: UADMMRegressor(A, random_state=seed),
    STRONG: lambda A, seed: UADMMRegressor.strong(A, random_state=seed),
}
