"""ArchetypalAnalysis: endmembers that are mixtures of extreme pixels, as an estimator."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np

from ..solvers import csr_active_set
from ..utils import Interval, StrOptions
from ..utils.spectra import to_unit_length
from ._archetypes import choose, entropic_descent
from ._base import BaseExtractor
from ._blind import BaseBlindUnmixer
from ._purity import pixel_purity
from ._sample import distinct_pixels, sample_some
from ._subspace import check_dims, signal_subspace

# Pixels among which extreme ones are looked for, and directions.
_POOL, _N_PROJECTIONS = 20_000, 2000
# Dimensions of the subspace for each endmember.
_DIMENSIONS = 3


class ArchetypalAnalysis(BaseBlindUnmixer):
    r"""Blind unmixing of real scenes: archetypal analysis by entropic descent (EDAA).

    Endmembers are mixtures of pixels, and pixels are mixtures of endmembers,

    .. math:: \min_{A, B} \frac{1}{2} \|Y - A B C\|_F^2

    with rows of A and B that are at least 0 and sum to one. It is solved by exponentiated gradient
    steps from many random starts, of which one is chosen: among those whose L1 residual is within
    5 % of the least, the one whose endmembers correlate least [1]_. The pixels Y are a sample, and
    the candidates C are another, with the pixels that are most often extreme in random directions
    (pixel purity). Both are in the signal subspace of three dimensions for each endmember.

    It suits scenes of varying brightness, and others that do not obey the linear model. For linear
    mixtures, see :class:`MinimumVolume`.

    Parameters
    ----------
    n_endmembers : int or {"elbow", "hysime", "hfc", "nwhfc"}, default="elbow"
        Number of endmembers, or the method of :func:`estimate_n_endmembers` that estimates it.

    norm : {"l2", None}, default="l2"
        "l2" divides each pixel by its length, so that brightness has no effect: in `fit`, and in
        `predict`, where endmembers are divided by their lengths, too. `endmembers_` are in the
        units of the spectra nevertheless.

    n_init : int, default=50
        Number of random starts.

    max_samples : int, default=2000
        Number of pixels, drawn at random, that the endmembers are fitted to.

    n_candidates : int, default=1000
        Number of candidates: one half of them extreme pixels, the other half a random sample.

    max_iter : int, default=200
        Number of rounds of five steps each, for A and for B.

    random_state : int, RandomState instance or None, default=None
        Determines the samples and the starts.

    Attributes
    ----------
    endmembers_ : ndarray of shape (n_endmembers, n_bands)
        The endmembers, each as bright as the pixels that it is a mixture of.

    n_endmembers_ : int
        Number of endmembers.

    n_iter_ : int
        Number of rounds.

    n_features_in_ : int
        Number of bands.

    feature_names_in_ : ndarray of shape (n_bands,)
        Names of the bands, if the spectra were a DataFrame with string columns.

    band_labels_ : list or None
        Labels of the bands, such as names or wavelengths, if the spectra had labels.

    See Also
    --------
    MinimumVolume : For linear mixtures.

    References
    ----------
    .. [1] A. Zouaoui, G. Muhawenayo, B. Rasti, J. Chanussot and J. Mairal, "Entropic descent
       archetypal analysis for blind hyperspectral unmixing", IEEE TIP 32, 2023.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.extraction import ArchetypalAnalysis
    >>> scene = make_scene(n_endmembers=3, shape=(40, 40), snr=30, random_state=0)
    >>> unmixer = ArchetypalAnalysis(3, random_state=0).fit(scene.spectra)
    >>> unmixer.endmembers_.shape, unmixer.predict(scene.spectra).shape
    ((3, 224), (1600, 3))
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseExtractor._parameter_constraints,
        "norm": [StrOptions({"l2"}), None],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_samples": [Interval(Integral, 1, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        n_endmembers: int | str = "elbow",
        *,
        norm: str | None = "l2",
        n_init: int = 50,
        max_samples: int | None = 2000,
        n_candidates: int = 1000,
        max_iter: int = 200,
        random_state: Any = None,
    ) -> None:
        self.n_endmembers = n_endmembers
        self.norm = norm
        self.n_init = n_init
        self.max_samples = max_samples
        self.n_candidates = n_candidates
        self.max_iter = max_iter
        self.random_state = random_state

    @property
    def _norm(self):
        return self.norm

    def _extract(self, X, weight, n_endmembers, rng):
        spectra, weight = distinct_pixels(X, weight, max(_POOL, self.max_samples), rng)
        lengths = np.linalg.norm(spectra, axis=1)
        if not lengths.any():
            raise ValueError(
                f"Expected pixels that are not zero, got n_samples={len(X)} pixels of zeros; pass "
                f"spectra."
            )
        if self.norm is not None:
            # a pixel of zeros has no direction
            spectra, weight = spectra[lengths > 0], weight[lengths > 0]
            lengths = lengths[lengths > 0]
            spectra = to_unit_length(spectra)
        n_dimensions = min(_DIMENSIONS * n_endmembers, spectra.shape[1])
        subspace = signal_subspace(spectra, n_dimensions, weight=weight)
        check_dims(subspace, n_endmembers, len(spectra))
        Z = subspace.project(spectra)
        rows = sample_some(len(Z), self.max_samples, rng)
        candidates = self._candidates(Z, rng)
        Y, C, weight = Z[rows], Z[candidates], weight[rows]
        B = entropic_descent(
            Y.astype(np.float32),
            C.astype(np.float32),
            n_endmembers,
            rng,
            n_init=self.n_init,
            weight=weight,
            n_rounds=self.max_iter,
        ).astype(np.float64)
        self.n_iter_ = self.max_iter
        residuals = np.array([l1_residual(Y, E, weight) for E in B @ C])
        endmembers = [subspace.rebuild(E) for E in B @ C]
        chosen = choose(endmembers, residuals)
        if self.norm is None:
            return endmembers[chosen]
        # as bright as the pixels in them
        brightness = B[chosen] @ lengths[candidates]
        return to_unit_length(endmembers[chosen]) * brightness[:, np.newaxis]

    def _candidates(self, Z, rng):
        """Return the rows of extreme pixels and of a random sample."""
        counts = pixel_purity(Z, _N_PROJECTIONS, random_state=rng)
        extreme = np.argsort(-counts, kind="stable")[: self.n_candidates // 2]
        extreme = extreme[counts[extreme] > 0]
        return np.union1d(extreme, sample_some(len(Z), self.n_candidates - len(extreme), rng))


def l1_residual(Y, E, weight):
    """Return the L1 norm of what mixtures of endmembers leave of spectra."""
    A = csr_active_set(Y, E, sum_to_one=True).abundances
    return weight @ np.abs(Y - A @ E).sum(axis=1)
