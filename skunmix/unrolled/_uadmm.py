"""Unmixing by a network of unrolled ADMM layers."""

from typing import Any, ClassVar, Self

from ..networks import UnrolledADMM, choose_start, max_eigenvalue
from ..utils import StrOptions
from ._base import UnrolledRegressor
from ._training import POSITIVE

# UADMMRegressor.strong
_STRONG = {"n_layers": 20, "learning_rate": 2e-3, "batch_size": 256, "max_epochs": 2000}


class UADMMRegressor(UnrolledRegressor):
    """Unmixing by a network of unrolled ADMM layers (U-ADMM-AENet).

    The network has K layers ::

        x ← W_kᵀy + B_kᵀ(z + d)
        z ← max(soft(x − d, θ_k), 0)
        d ← d − η_k(x − z)

    with trainable W, B, θ and η: (n_endmembers² + n_endmembers · n_bands + 2) · K parameters. The
    untrained network is K iterations of ADMM. It is trained on pairs of spectra and abundances with
    the loss α₁·MSE + α₂·angle + α₃·divergence.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), default=None
        Endmember spectra, one per row, in the units of the spectra. (n_bands, n_endmembers) is
        transposed. The index of a DataFrame names the endmembers. None estimates them by least
        squares from the pairs given to `fit`, in the space of the network. An extractor raises an
        error, because the order of its endmembers is unknown: extract them first, and match them by
        :func:`skunmix.metrics.match_endmembers`.

    n_layers : int, default=10
        Number of layers, K.

    tied : bool, default=False
        Whether all layers share their parameters.

    lam : float, default=0.0
        λ ≥ 0 of the warm start, the weight of the sparsity term, in squared units of the spectra.

    mu : float, "auto" or "max-eigenvalue", default="auto"
        µ > 0 of the warm start, in squared units of the spectra. "auto" evaluates the untrained
        network on the training pairs for a grid, and takes the largest µ whose error is at most
        twice the smallest. "max-eigenvalue" is λ_max(AᵀA).

    sum_to_one : {"auto", False, True, "normalize"}, default="auto"
        "normalize" rescales the output to sum to one. A pixel whose output is zero then gets
        1 / n_endmembers of each endmember. True also keeps the warm-started x-update on the plane
        Σx = 1 by a bias in each layer, which helps if spectra are linear mixtures. False does
        neither. "auto" chooses between "normalize" and True together with µ; unless `mu` is "auto",
        it is "normalize", as in the paper.

    alpha_mse : float, default=1.0
        α₁ ≥ 0, the weight of the mean squared error in the loss.

    alpha_aad : float, default=0.0
        α₂ ≥ 0, the weight of the mean angle between abundances.

    alpha_aid : float, default=0.0
        α₃ ≥ 0, the weight of the mean information divergence between abundances.

    norm : {"auto", "l2"} or None, default="auto"
        "l2" rescales each spectrum and each endmember to unit length, which helps if pixels differ
        in brightness. None does not. "auto" is explained under `noise_augmentation`.

    noise_augmentation : bool or "auto", default="auto"
        Whether to train on mixtures of the endmembers, in the proportions of the given abundances
        and with new noise in each epoch, instead of the given spectra. This helps if spectra are
        linear mixtures. The noise has the second moments of the residuals of the given spectra, and
        spectra are projected on the span of the endmembers. "auto", here or as `norm`, trains each
        possible choice for 400 steps on parts of the pairs, all at once, and takes the one with the
        smallest RMSE on the other parts, by 5-fold cross-validation. With up to 128 pairs, it takes
        800 steps and 10 folds. This choice is then trained on all pairs.

    fallback : {"auto"} or None, default="auto"
        Whether a solver that needs no training, FCLS or normalised SunSAL, answers instead of the
        network, unless the error of the network in that cross-validation is smaller by more than
        one standard error. With few pairs it often is not. The network is trained all the same.

    learning_rate : float, default=1e-3
        Learning rate of Adam, for spectra whose largest magnitude is 1: the network divides spectra
        by the largest magnitude in the training spectra.

    lr_schedule : {"cosine", "one-cycle"} or None, default="one-cycle"
        None keeps the learning rate constant. "cosine" lets it fall to zero along half a cosine.
        "one-cycle" lets it first rise, and then fall.

    batch_size : int, default=64
        Number of pixels in a batch. Fewer pixels than this are one batch.

    max_epochs : int or "auto", default="auto"
        Number of passes over the training pairs. "auto" makes 1,500 steps or a few more, and at
        least 10 passes. With 0, the untrained network is K iterations of ADMM.

    early_stopping : bool, default=False
        Whether to hold out a part of the pairs, to stop when the loss on it no longer falls, and
        to restore the parameters with the lowest loss.

    validation_fraction : float, default=0.1
        Fraction of the pairs to hold out for early stopping.

    n_iter_no_change : int, default=20
        Number of epochs without a lower validation loss, after which training stops.

    warm_start : bool, default=False
        Whether `fit` continues to train the present network, for `max_epochs` more.

    device : str or torch.device, default="cpu"
        Device of torch for training and prediction. A fitted model moves to a new one in its next
        `fit` or `partial_fit`, or when it is saved and loaded.

    random_state : int, RandomState instance or None, default=None
        Draws the order of the pixels in each epoch, the noise and the validation part. Pass an int
        for reproducible results. NumPy's global generator is never used.

    callbacks : list of skorch callbacks, default=None
        Callbacks in addition to the network's own.

    verbose : int, default=0
        If above 0, skorch prints a line per epoch.

    Attributes
    ----------
    net_ : skorch.NeuralNetRegressor
        The trained net. Its input are spectra after `norm_`, `scale_` and the projection of
        `noise_augmentation`.

    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, as used.

    n_endmembers_ : int
        Number of endmembers.

    mu_ : float
        µ of the warm start, in squared units of the spectra.

    sum_to_one_ : bool or "normalize"
        The `sum_to_one` used.

    scale_ : float
        The largest magnitude in the training spectra, after `norm_`. The network divides spectra by
        it.

    norm_ : "l2" or None
        The `norm` used.

    noise_augmentation_ : bool
        The `noise_augmentation` used.

    fallback_ : SunSALRegressor or None
        The solver that `predict` uses instead of the network.

    choice_scores_ : dict
        RMSE in cross-validation of each pair of `norm` and `noise_augmentation`, and of "FCLS" and
        "SunSAL". Only set if there was a choice.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_loss_curve_ : list of float or None
        Loss on the held-out part after each epoch, or None without early stopping.

    n_iter_ : int
        Number of epochs trained.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    ISTANetRegressor : The same with ISTA.
    SunSALRegressor : Sparse regression without training.

    References
    ----------
    C. Zhou and M. R. D. Rodrigues, "An ADMM Based Network for Hyperspectral Unmixing Tasks",
    ICASSP 2021.

    Examples
    --------
    >>> from skunmix import UADMMRegressor
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> Y, X = scene.spectra[:500], scene.abundances[:500]
    >>> model = UADMMRegressor(endmembers=scene.endmembers, max_epochs=5, random_state=0)
    >>> model.fit(Y, X).predict(scene.spectra).shape
    (10000, 6)
    """

    _network = UnrolledADMM
    _paper: ClassVar[dict] = {
        **UnrolledRegressor._paper,
        "mu": "max-eigenvalue",
        "alpha_aad": 1e-7,
        "alpha_aid": 1e-5,
    }

    _parameter_constraints: ClassVar[dict] = {
        **UnrolledRegressor._parameter_constraints,
        "mu": [POSITIVE, StrOptions({"auto", "max-eigenvalue"})],
        "sum_to_one": ["boolean", StrOptions({"auto", "normalize"})],
    }

    def __init__(
        self,
        endmembers: Any = None,
        *,
        n_layers: int = 10,
        tied: bool = False,
        lam: float = 0.0,
        mu: float | str | None = "auto",
        sum_to_one: bool | str = "auto",
        alpha_mse: float = 1.0,
        alpha_aad: float = 0.0,
        alpha_aid: float = 0.0,
        norm: str | None = "auto",
        noise_augmentation: bool | str = "auto",
        fallback: str | None = "auto",
        learning_rate: float = 1e-3,
        lr_schedule: str | None = "one-cycle",
        batch_size: int = 64,
        max_epochs: int | str = "auto",
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
        self.n_layers = n_layers
        self.tied = tied
        self.lam = lam
        self.mu = mu
        self.sum_to_one = sum_to_one
        self.alpha_mse = alpha_mse
        self.alpha_aad = alpha_aad
        self.alpha_aid = alpha_aid
        self.norm = norm
        self.noise_augmentation = noise_augmentation
        self.fallback = fallback
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.callbacks = callbacks
        self.verbose = verbose

    @classmethod
    def strong(cls, endmembers: Any = None, **parameters: Any) -> Self:
        """Return an estimator with the parameters that gave the best results.

        It has 20 layers and is trained for 2,000 epochs in batches of 256 pixels. All else is as by
        default.

        Parameters
        ----------
        endmembers : array-like of shape (n_endmembers, n_bands), default=None
            Endmember spectra, as for the class.

        **parameters : dict
            Other parameters, which override these.

        Returns
        -------
        estimator : UADMMRegressor
            Not fitted.

        Raises
        ------
        TypeError
            If a parameter does not exist.

        Examples
        --------
        >>> from skunmix import UADMMRegressor
        >>> UADMMRegressor.strong(max_epochs=500).get_params()["n_layers"]
        20
        """
        return cls(endmembers, **{**_STRONG, **parameters})

    def _make_network(self, transform, spectra, abundances):
        def make(mu, sum_to_one, tied=True):
            return self._network(
                self.endmembers_,
                n_layers=self.n_layers,
                mu=mu,
                lam=self.lam / transform.scale**2,
                tied=tied,
                sum_to_one=sum_to_one,
                transform=transform,
            )

        endmembers = transform.rescale(self.endmembers_)
        sum_to_one = "normalize" if self.sum_to_one == "auto" else self.sum_to_one
        if self.mu == "auto":
            # untrained layers are alike, and one that all share is quicker
            candidates = ["normalize", True] if self.sum_to_one == "auto" else [sum_to_one]
            mu, sum_to_one = choose_start(make, candidates, spectra, abundances, endmembers)
        elif self.mu == "max-eigenvalue":
            mu = max_eigenvalue(endmembers)
        else:
            mu = self.mu / transform.scale**2
        self.mu_, self.sum_to_one_ = mu * transform.scale**2, sum_to_one
        return make(mu, sum_to_one, self.tied)

    def _chosen_start(self):
        return {"mu": self.mu_, "sum_to_one": self.sum_to_one_}
