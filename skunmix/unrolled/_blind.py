"""Blind unmixing by a network of unrolled ADMM layers with a decoder."""

import warnings
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from torch.utils.data import TensorDataset

from ..base import BlindMixin
from ..endmembers import ENDMEMBERS
from ..extraction import VCA
from ..networks import (
    ConstrainParameters,
    ReconstructionLoss,
    SpectrumTransform,
    UnrolledADMMAutoencoder,
    as_tensor,
    check_device,
)
from ..solvers import csr_active_set, normalize_abundances
from ..utils import Interval, StrOptions, begin_callbacks, fit_context
from ..utils.magnitudes import check_magnitudes
from ..utils.random import generator
from ..utils.state import restored_on_error
from ._pairs import TrainingPairs
from ._training import POSITIVE, UnrolledUnmixer
from ._uadmm import UADMMRegressor

# An endmember is dead if no training pixel has this much of it in the output.
_DEAD = 0.01
# Number of pixels on which µ and the constraint of the start are chosen.
_START_PIXELS = 2000


class UADMMBlindUnmixer(BlindMixin, UnrolledUnmixer):
    """Blind unmixing by unrolled ADMM layers and a linear decoder (U-ADMM-BUNet).

    The encoder is the network of :class:`UADMMRegressor`: K layers of ::

        x ← W_kᵀy + B_kᵀ(z + d)
        z ← max(soft(x − d, θ_k), 0)
        d ← d − η_k(x − z)

    It makes abundances of a spectrum. The decoder makes the spectrum again, ŷ = Eᵀx with E ≥ 0.
    Both start from the endmembers that an extractor finds in the image: untrained, the encoder is
    K iterations of ADMM. Training minimises the loss between y and ŷ alone, with Adam and a
    projection on E ≥ 0 after each step, so that no labels are needed. Afterwards the rows of E are
    `endmembers_`.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
        Where training starts. An extractor is an estimator that has `endmembers_` after
        ``fit(X)``; a clone of it is fitted on the spectra. None extracts `n_endmembers` by VCA.
        The index of a DataFrame names the endmembers.

    n_endmembers : int or str, default="elbow"
        Number of endmembers, or the method that estimates it, for VCA. Ignored if `endmembers` is
        given.

    n_layers : int, default=5
        Number of layers, K.

    tied : bool, default=False
        Whether all layers share their parameters.

    lam : float, default=1e-3
        λ ≥ 0 of the start, the weight of the sparsity term, in the units of the spectra squared.

    mu : float, "auto" or "max-eigenvalue", default="auto"
        µ > 0 of the start, in the units of the spectra squared. "auto" takes the largest value of a
        grid with which K iterations have at most twice the error of the best value, against the
        exact abundances for the endmembers of the start. "max-eigenvalue" is λ_max(AᵀA).

    sum_to_one : {"normalize", True, False}, default="normalize"
        "normalize" rescales the output to sum to one, as in the paper. True also holds the x-update
        of the start on the plane Σx = 1, by a bias in each layer. False does neither.

    alpha_mse : float, default=1.0
        α₁ ≥ 0, the weight of the squared error in the loss. The authors' code uses this term only.

    alpha_aad : float, default=0.0
        α₂ ≥ 0, the weight of the angle between spectrum and reconstruction.

    alpha_aid : float, default=0.0
        α₃ ≥ 0, the weight of the information divergence between spectrum and reconstruction.

    learning_rate : float, default=3e-4
        Learning rate of Adam, for spectra whose largest value is one: the network divides spectra
        by the largest magnitude in the training spectra.

    lr_schedule : {"cosine", "one-cycle"} or None, default="cosine"
        None keeps the learning rate constant; "cosine" lets it fall to zero along half a cosine,
        and "one-cycle" lets it rise first and then fall.

    batch_size : int, default=256
        Pixels in a batch; fewer pixels than this make one batch.

    max_epochs : int, default=60
        Passes over the spectra. 0 leaves the network untrained. Nothing but the number of steps
        bounds how far the endmembers move, so more epochs are not always better.

    max_samples : int or None, default=10,000
        Number of pixels to train on, drawn at random from an image that has more. None trains on
        all of them, which are more steps: lower `max_epochs` in proportion.

    early_stopping : bool, default=False
        Whether to set a part of the spectra aside, to stop when the loss on it no longer falls, and
        to restore the parameters that had the lowest.

    validation_fraction : float, default=0.1
        The fraction of the spectra to set aside for early stopping.

    n_iter_no_change : int, default=20
        Epochs without a lower validation loss after which to stop.

    warm_start : bool, default=False
        Whether `fit` trains the present network further, for `max_epochs` more.

    device : str or torch.device, default="cpu"
        Device of torch for training and prediction. A fitted model moves to a new one in its next
        `fit` or `partial_fit`, or when it is saved and loaded.

    random_state : int, RandomState instance or None, default=None
        Draws the pixels to train on, their order in each epoch, those on which µ is chosen, and the
        validation part. Pass an int for reproducible results, to the extractor too. None draws from
        a new generator, not from NumPy's global one.

    callbacks : list of skorch callbacks, default=None
        Appended to the network's own.

    verbose : int, default=0
        Above 0, skorch prints a line per epoch.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The trained endmembers, E, in the units of the spectra; at least 0.

    initial_endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers that training started from.

    extractor_ : estimator
        The fitted extractor, if one was given or `endmembers` is None.

    net_ : skorch.NeuralNetRegressor
        The trained net. It sees the spectra divided by `scale_`.

    n_endmembers_ : int
        Number of endmembers.

    mu_ : float
        µ of the start, in the units of the spectra squared.

    sum_to_one_ : bool or "normalize"
        The constraint, as given.

    scale_ : float
        The largest magnitude in the training spectra, which the network divides spectra by.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_loss_curve_ : list of float or None
        Loss on the validation part after each epoch; None without early stopping.

    n_iter_ : int
        Epochs trained.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, numbers too, if the spectra had labels.

    See Also
    --------
    UADMMRegressor : The same layers, trained on spectra with known abundances.
    SunSALRegressor : Abundances for given or extracted endmembers, without training.

    Notes
    -----
    The reconstruction does not determine the endmembers: nothing but the start and the number of
    steps keeps the simplex from growing. On linear mixtures, training improves on VCA, and FCLS for
    `endmembers_` is more accurate than the network itself. On Jasper Ridge, whose pixels are no
    linear mixtures, the reconstruction gets better but the endmembers get worse. Angle to the true
    endmembers and RMSE of the abundances, means of 5 seeds with the default parameters, which were
    chosen on the USGS scenes:

    ===================== ============= ============= =============
    ..                    USGS, 15 dB   USGS, 30 dB   Jasper Ridge
    ===================== ============= ============= =============
    VCA, FCLS             4.5°, 0.074   3.6°, 0.077   17.6°, 0.164
    untrained network     4.5°, 0.095   3.6°, 0.070   17.6°, 0.161
    trained network       1.3°, 0.053   0.9°, 0.028   20.3°, 0.167
    its endmembers, FCLS  1.3°, 0.045   0.9°, 0.023   20.3°, 0.164
    ===================== ============= ============= =============

    From archetypal analysis on Jasper Ridge (3 seeds), it goes from 3.6° and 0.093 to 7.6° and
    0.101. Check the result against `initial_endmembers_`.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, "ADMM-Based Hyperspectral Unmixing Networks for Abundance and
    Endmember Estimation", IEEE Transactions on Geoscience and Remote Sensing 60, 2022.

    Examples
    --------
    >>> from skunmix import UADMMBlindUnmixer
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> start = scene.endmembers + 0.05
    >>> model = UADMMBlindUnmixer(start, max_epochs=2, random_state=0).fit(scene.spectra)
    >>> model.predict(scene.spectra).shape
    (10000, 6)
    """

    _network = UnrolledADMMAutoencoder

    _parameter_constraints: ClassVar[dict] = {
        **UnrolledUnmixer._parameter_constraints,
        "endmembers": list(ENDMEMBERS),
        "n_endmembers": VCA._parameter_constraints["n_endmembers"],
        "max_samples": [Interval(Integral, 1, None, closed="left"), None],
        "mu": [POSITIVE, StrOptions({"auto", "max-eigenvalue"})],
        "sum_to_one": ["boolean", StrOptions({"normalize"})],
    }

    def __init__(
        self,
        endmembers: Any = None,
        *,
        n_endmembers: int | str = "elbow",
        n_layers: int = 5,
        tied: bool = False,
        lam: float = 1e-3,
        mu: float | str | None = "auto",
        sum_to_one: bool | str = "normalize",
        alpha_mse: float = 1.0,
        alpha_aad: float = 0.0,
        alpha_aid: float = 0.0,
        learning_rate: float = 3e-4,
        lr_schedule: str | None = "cosine",
        batch_size: int = 256,
        max_epochs: int = 60,
        max_samples: int | None = 10_000,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        warm_start: bool = False,
        device: Any = "cpu",
        random_state: Any = None,
        callbacks: Any = None,
        verbose: Any = 0,
    ) -> None:
        self.endmembers = endmembers
        self.n_endmembers = n_endmembers
        self.n_layers = n_layers
        self.tied = tied
        self.lam = lam
        self.mu = mu
        self.sum_to_one = sum_to_one
        self.alpha_mse = alpha_mse
        self.alpha_aad = alpha_aad
        self.alpha_aid = alpha_aid
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.max_samples = max_samples
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None, *, endmembers: Any = None) -> Self:
        """Train the encoder and the decoder on spectra.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        y : None or array-like of shape (n_pixels,)
            Ignored. Pipelines pass the targets of a later step. Abundances (two-dimensional) raise
            an error.

        endmembers : array-like of shape (n_endmembers, n_bands) or extractor, default=None
            Where training starts, in place of the parameter of that name.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If `y` is two-dimensional, a value of `X` is NaN or masked, the endmembers do not fit
            the spectra, the device does not exist, or training diverges.
        """
        more = self.warm_start and hasattr(self, "net_")
        with restored_on_error(self):  # after a later error, the new net remains
            X = self._sample(self._check_spectra(X, y, endmembers, more=more))
            epochs = begin_callbacks(self, self.max_epochs)
            epochs.call_on_fit_task_begin(estimator=self, X=X, y=None)
            pairs = TrainingPairs(X, X)
            if self.early_stopping:
                pairs = self._split(pairs)
            if not more:
                self._start(pairs.X)
        self._set_schedule(pairs, epochs, X, None)
        try:
            self._train(pairs, self.max_epochs)
        finally:
            self.endmembers_ = self.net_.module_.endmembers
        epochs.call_on_fit_task_end(estimator=self, X=X, y=None, reconstruction_attributes={})
        return self

    # the same choice of µ and of the constraint, and the network of this class
    _make_network = UADMMRegressor._make_network

    def _check_spectra(self, X, y, endmembers, *, more):
        """Check the parameters and the spectra; set what does not depend on training."""
        check_device(self.device)
        self._check_loss()
        self._refuse_abundances(y, "fit", "leave y out, or train UADMMRegressor on these pairs")
        if not more:
            self._random_state = generator(self.random_state)
        X, _ = self._fit_endmembers(X, None, endmembers, reset=not more)
        check_magnitudes(X, "X")
        if not more:
            self.initial_endmembers_ = self.endmembers_
        return X

    def _given_endmembers(self, endmembers):
        given = super()._given_endmembers(endmembers)
        return VCA(self.n_endmembers, random_state=self.random_state) if given is None else given

    def _sample(self, X):
        """Return the spectra to train on."""
        if self.max_samples is None or len(X) <= self.max_samples:
            return X
        return X[np.sort(self._random_state.permutation(len(X))[: self.max_samples])]

    def _start(self, X):
        """Set the transform and the untrained net."""
        transform = SpectrumTransform.fit(X)  # the learning rate is for a largest value of one
        self.scale_ = transform.scale
        some = X[self._random_state.permutation(len(X))[:_START_PIXELS]].astype(np.float64)
        exact = csr_active_set(
            some, self.endmembers_, lam=self.lam, sum_to_one=self.sum_to_one is True
        ).abundances
        if self.sum_to_one == "normalize":
            normalize_abundances(exact)
        network = self._make_network(transform, as_tensor(transform(some)), as_tensor(exact))
        self.net_ = self._make_net(network)

    def _criterion(self, network):
        return {"criterion": ReconstructionLoss, "criterion__decode": network.decode}

    def _constraint(self):
        return ConstrainParameters()

    def _dataset(self, spectra, targets):
        spectra = as_tensor(self.net_.module_.transform(spectra), self.device)
        return TensorDataset(spectra, spectra)

    def _training_set(self, pairs):
        return self._dataset(pairs.X, pairs.y)

    def _warn_of_dead_endmembers(self, training):
        spectra = training.tensors[0]
        with torch.inference_mode():
            most = self.net_.module_.eval()(spectra).amax(dim=0)
        dead = torch.nonzero(most < _DEAD).ravel().cpu().numpy()
        if len(dead):
            warnings.warn(
                f"After training, {', '.join(self._endmember_names[dead])} is below {_DEAD} for "
                f"every training pixel, expected each endmember somewhere: lower learning_rate, "
                f"which is {self.learning_rate:g}, or use fewer endmembers than "
                f"{self.n_endmembers_}.",
                ConvergenceWarning,
                stacklevel=5,
            )
