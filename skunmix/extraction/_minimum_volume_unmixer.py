"""MinimumVolume: least squares with a volume term, as an estimator."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from ..utils import Interval, StrOptions
from ._base import BaseExtractor
from ._blind import BaseBlindUnmixer
from ._brightness import as_bright_as, perspective
from ._minimum_volume import make_problem, minimum_volume
from ._nfindr import NFINDR
from ._sample import distinct_pixels
from ._subspace import check_dims, signal_subspace


class MinimumVolume(BaseBlindUnmixer):
    r"""Blind unmixing of linear mixtures: least squares with a volume term.

    It finds endmembers that need not be pixels: the vertices of a small simplex near which all
    spectra lie. They minimise

    .. math:: \min_A \frac{1}{2 n} \sum_i \|y_i - a_i E\|^2
              + \frac{w}{2} \log\det(D D^T + \delta I)

    where abundances :math:`a_i` are at least 0 and sum to one, and D are the endmembers less their
    mean, so that the determinant is the squared volume of their simplex. :math:`\delta` is 30 times
    the variance of the noise. This is the family of MVC-NMF [1]_ and SISAL [2]_, here in the first
    principal components, by L-BFGS from the largest simplex of pixels (:class:`NFINDR`), with exact
    abundances in each iteration.

    It suits linear mixtures, at any noise. If materials vary or mixing is not linear, see
    :class:`ArchetypalAnalysis`.

    Parameters
    ----------
    n_endmembers : int or {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        Number of endmembers, or the method of :func:`estimate_n_endmembers` that estimates it.

    volume_weight : float or "auto", default="auto"
        w > 0, in the units of the spectra squared: larger weights give smaller simplices. "auto"
        chooses the largest weight whose residual is what noise alone leaves; the variance of the
        noise is that beyond the principal components.

    positive : bool, default=True
        Whether endmembers are at least 0.

    varying_brightness : bool, default=False
        Whether the brightness of pixels varies, as by slope and shade. If so, each pixel is divided
        by its brightness in `fit`: its length along the mean direction of the pixels (perspective
        projection). `predict` gives non-negative least squares, divided by their sum. It
        costs a little accuracy where brightness does not vary; :class:`BlindUnmixer` tests that.

    max_samples : int, default=10_000
        Number of pixels, drawn at random, that the endmembers are fitted to.

    max_iter : int, default=12
        Largest number of iterations of L-BFGS for each weight; the first and the last have twice as
        many.

    random_state : int, RandomState instance or None, default=None
        Determines the sample and the starts.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers.

    n_endmembers_ : int
        Number of endmembers.

    volume_weight_ : float
        The weight.

    noise_variance_ : float
        Variance of the noise in a band, from what is beyond the principal components.

    n_iter_ : int
        Number of iterations of L-BFGS at the last weight.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    ArchetypalAnalysis : For scenes of varying brightness.

    References
    ----------
    .. [1] L. Miao and H. Qi, "Endmember extraction from highly mixed data using minimum volume
       constrained nonnegative matrix factorization", IEEE TGRS 45(3), 2007.
    .. [2] J. M. Bioucas-Dias, "A variable splitting augmented Lagrangian approach to linear
       spectral unmixing", WHISPERS 2009.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.extraction import MinimumVolume
    >>> scene = make_scene(n_endmembers=3, shape=(40, 40), snr=30, random_state=0)
    >>> unmixer = MinimumVolume(3, random_state=0).fit(scene.spectra)
    >>> unmixer.endmembers_.shape, unmixer.predict(scene.spectra).shape
    ((3, 224), (1600, 3))
    >>> round(unmixer.score(scene.spectra), 2)
    0.96
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseExtractor._parameter_constraints,
        "volume_weight": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "positive": ["boolean"],
        "varying_brightness": ["boolean"],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_endmembers: int | str = "elbow",
        *,
        volume_weight: float | str = "auto",
        positive: bool = True,
        varying_brightness: bool = False,
        max_samples: int | None = 10_000,
        max_iter: int = 12,
        random_state: Any = None,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.volume_weight = volume_weight
        self.positive = positive
        self.varying_brightness = varying_brightness
        self.max_samples = max_samples
        self.max_iter = max_iter
        self.random_state = random_state

    @property
    def _norm(self):
        return "sum" if self.varying_brightness else None

    def _extract(self, X, weight, n_endmembers, rng):
        Y, weight = distinct_pixels(X, weight, self.max_samples, rng)
        if not self.varying_brightness:
            return self._smallest_simplex(Y, weight, n_endmembers, rng)
        subspace = signal_subspace(Y, n_endmembers, weight=weight)
        check_dims(subspace, n_endmembers, len(Y))
        beyond = subspace.energies[n_endmembers:]
        projected, shares = perspective(Y, weight, beyond.mean() if len(beyond) else 0.0)
        endmembers = self._smallest_simplex(projected, shares, n_endmembers, rng)
        return as_bright_as(Y, weight, endmembers)

    def _smallest_simplex(self, Y, weight, n_endmembers, rng):
        subspace = signal_subspace(Y, n_endmembers - 1, weight=weight, centred=True)
        check_dims(subspace, n_endmembers, len(Y))
        beyond = subspace.energies[n_endmembers - 1 :]
        self.noise_variance_ = float(beyond.mean()) if len(beyond) else 0.0
        self.volume_weight_, self.n_iter_ = 0.0, 1
        if n_endmembers == 1:
            return subspace.mean[np.newaxis]
        start = NFINDR(n_endmembers, random_state=rng).fit(Y, sample_weight=weight).endmembers_
        fit = minimum_volume(
            make_problem(Y, subspace, self.noise_variance_, weight, self.positive),
            subspace.project(start),
            volume_weight=self.volume_weight,
            max_iter=self.max_iter,
        )
        self.volume_weight_, self.n_iter_ = float(fit.weight), fit.n_iter
        endmembers = subspace.rebuild(fit.F)
        return np.maximum(endmembers, 0.0) if self.positive else endmembers
