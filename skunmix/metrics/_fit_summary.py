"""How well the endmembers of an unmixer explain a scene."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_scalar, gen_batches

from ..utils import safe_indexing
from ..utils.estimators import last_step, spectra_names, unmix_and_reconstruct
from ..utils.images import finite_pixels, flat_pixels, values_last
from ..utils.labels import refuse_masked
from ..utils.spectra import row_rmse

_BLOCK = 16384  # pixels that are reconstructed at once
# Abundances are at a bound if they are nearer than this, which is rounding of float32.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class FitSummary:
    """How well the endmembers of an unmixer explain a scene; :func:`fit_summary` makes it.

    ``print`` shows it as text.

    Attributes
    ----------
    rmse : ndarray of shape (n_pixels,) or (n_rows, n_columns)
        Root mean squared error of each reconstruction over the bands, in the unit of the spectra.
        NaN in pixels that are left out.

    mean_rmse, median_rmse : float
        Mean and median of `rmse` over the pixels that are not left out.

    worst : ndarray of shape (n_worst,) or (n_worst, 2), of int
        Pixels with the largest errors, the largest first: positions, or rows and columns.

    names : list of str
        Names of the endmembers.

    at_zero, at_one, below_zero, above_one : ndarray of shape (n_endmembers,)
        Share of the pixels whose abundance of each endmember is 0 or 1, below 0 or above 1, up to
        1e-6. An endmember that is often at zero may not be needed; abundances below zero are only
        possible without the constraint.

    at_bound : float
        Share of the pixels in which an abundance is 0 or less.

    n_pixels : int
        Number of pixels, with those that are left out.

    n_masked, n_missing : int
        Number of pixels that are left out by the mask, and further ones because a value is NaN,
        infinite or masked.

    n_failed : int
        Number of pixels that are left out because the estimator gave them no abundances, as
        :class:`skunmix.MESMARegressor` does if no model is within its bounds.
    """

    rmse: np.ndarray
    mean_rmse: float
    median_rmse: float
    worst: np.ndarray
    names: list
    at_zero: np.ndarray
    at_one: np.ndarray
    below_zero: np.ndarray
    above_one: np.ndarray
    at_bound: float
    n_pixels: int
    n_masked: int
    n_missing: int
    n_failed: int

    def __str__(self):
        first = self.worst[0]
        place = int(first) if np.ndim(first) == 0 else tuple(int(i) for i in first)
        width = max(9, *(len(name) for name in self.names))
        columns = ("at_zero", "at_one", "below_zero", "above_one")
        lines = [
            f"{self.n_pixels} pixels, {self.n_masked + self.n_missing + self.n_failed} left out "
            f"({self.n_masked} by the mask, {self.n_missing} with missing values, "
            f"{self.n_failed} without abundances)",
            f"RMSE: mean {self.mean_rmse:.4g}, median {self.median_rmse:.4g}, largest "
            f"{np.nanmax(self.rmse):.4g} in pixel {place}",
            f"at a bound: {self.at_bound:.1%} of pixels",
            " " * width + "".join(f"{column.replace('_', ' '):>12}" for column in columns),
        ]
        for j, name in enumerate(self.names):
            shares = "".join(f"{getattr(self, column)[j]:>12.1%}" for column in columns)
            lines.append(f"{name:<{width}}{shares}")
        return "\n".join(lines)


def fit_summary(estimator: Any, X: ArrayLike, *, mask: Any = None, n_worst: int = 10) -> FitSummary:
    r"""Summarise how well an unmixer explains a scene, without true abundances.

    The error of a pixel is that of :class:`skunmix.plotting.ResidualMapDisplay`,

    .. math:: \sqrt{\frac{1}{N_B} \|y - \hat y\|_2^2}

    with the spectrum :math:`y` and its reconstruction :math:`\hat y` from the abundances. Pixels
    with large errors hold materials that are not among the endmembers. Small errors do not show
    that the abundances are right: more endmembers always fit better.

    Parameters
    ----------
    estimator : estimator with ``predict`` and ``inverse_transform``
        A fitted unmixer, or a pipeline or search that ends in one. If a step of the pipeline cannot
        be inverted, the spectra after this step are compared.

    X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
        Spectra. Pixels with a NaN, infinite or masked value are left out.

    mask : array-like of shape (n_pixels,) or (n_rows, n_columns), default=None
        True for pixels to leave out, as in :func:`skunmix.scenes.unmix`.

    n_worst : int, default=10
        Number of pixels with the largest errors to return.

    Returns
    -------
    summary : FitSummary

    Raises
    ------
    ValueError
        If the shapes do not fit, or no pixel is left.
    TypeError
        If the estimator cannot reconstruct spectra.

    See Also
    --------
    skunmix.plotting.ResidualMapDisplay : Draw the errors as a map.
    spectral_angle_scorer : Reconstruction as a score for model selection.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.metrics import fit_summary
    >>> scene = make_scene(n_endmembers=3, snr=30, random_state=0)
    >>> cube = scene.spectra.reshape(*scene.shape, -1)
    >>> cube[0, :5] = float("nan")
    >>> model = SunSALRegressor(endmembers=scene.endmembers, lam=0).fit(scene.spectra[5:])
    >>> summary = fit_summary(model, cube)
    >>> summary.rmse.shape, summary.n_missing, summary.worst.shape
    ((100, 100), 5, (10, 2))
    """
    check_scalar(n_worst, "n_worst", Integral, min_val=1)
    pixels, shape = flat_pixels(X, estimator)
    n_pixels = len(pixels)
    shape = (n_pixels,) if shape is None else shape
    masked = _check_mask(mask, shape).ravel()
    finite = finite_pixels(pixels)
    used = np.flatnonzero(finite & ~masked)
    if not len(used):
        raise ValueError(
            f"Expected pixels to summarise, got none, as the mask leaves out {masked.sum()} of "
            f"{n_pixels}, and the others have missing values; pass another mask."
        )

    rmse = np.full(n_pixels, np.nan)
    counts, n_at_bound = 0, 0
    for batch in gen_batches(len(used), _BLOCK):
        block = used[batch]
        abundances, spectra, rebuilt = unmix_and_reconstruct(
            estimator, safe_indexing(pixels, block), "fit_summary"
        )
        rmse[block] = row_rmse(np.asarray(spectra, np.float64), np.asarray(rebuilt))
        abundances = np.asarray(abundances).reshape(len(block), -1)
        abundances = abundances[np.isfinite(abundances).all(axis=1)]
        conditions = (
            np.abs(abundances) <= _ROUNDING,
            np.abs(abundances - 1) <= _ROUNDING,
            abundances < -_ROUNDING,
            abundances > 1 + _ROUNDING,
        )
        counts = counts + np.array([condition.sum(axis=0) for condition in conditions])
        n_at_bound += np.count_nonzero((abundances <= _ROUNDING).any(axis=1))

    n_failed = np.count_nonzero(np.isnan(rmse[used]))
    used = used[np.isfinite(rmse[used])]
    if not len(used):
        raise ValueError(
            f"Expected abundances to summarise, got none for all {n_failed} pixels from "
            f"{type(last_step(estimator)).__name__}; widen its bounds, or check the units."
        )
    worst = used[np.argsort(-rmse[used], kind="stable")[:n_worst]]
    return FitSummary(
        rmse.reshape(shape),
        float(rmse[used].mean()),
        float(np.median(rmse[used])),
        worst if len(shape) == 1 else np.column_stack(np.unravel_index(worst, shape)),
        _names(estimator, counts.shape[1]),
        *(counts / len(used)),
        n_at_bound / len(used),
        n_pixels,
        int(masked.sum()),
        int((~finite & ~masked).sum()),
        n_failed,
    )


def _check_mask(mask, shape):
    """Return a mask as an array of bool of this shape."""
    if mask is None:
        return np.zeros(shape, dtype=bool)
    refuse_masked(mask, "mask")
    values = np.asarray(values_last(mask, "mask"))
    if values.ndim == len(shape) + 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.dtype.kind not in "biuf" or values.shape != shape:
        raise ValueError(
            f"Expected mask of shape {shape} with True for pixels to leave out, got "
            f"{values.dtype} of shape {values.shape}; pass one value for each pixel."
        )
    return values.astype(bool)


def _names(estimator, n_endmembers):
    unmixer = last_step(estimator)
    names = spectra_names(unmixer) if hasattr(unmixer, "endmembers_") else []
    if len(names) != n_endmembers:
        names = [f"endmember{j}" for j in range(n_endmembers)]
    return [str(name) for name in names]
