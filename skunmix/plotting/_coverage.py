"""Whether intervals hold the true abundances."""

from typing import Any, Self

import numpy as np

from ..utils.estimators import in_order_of_endmembers
from ..utils.intervals import interval_estimator, predict_interval
from ..utils.optional import require_pyplot
from ..utils.validation import check_coverage
from ._common import as_floats, check_names, estimator_names, value_labels

_COVERAGES = np.round(np.arange(0.1, 1.0, 0.1), 1)
# True abundances of mixed entries.
_MIXED = 0.02, 0.98
_MIXED_LABEL = f"mixed ({_MIXED[0]:g} to {_MIXED[1]:g})"


class CoverageDisplay:
    """Share of true abundances that intervals hold, against the nominal coverage.

    There is one line for each endmember, and one for the entries of all endmembers that are mixed:
    with a true abundance between 0.02 and 0.98. Entries of absent and pure endmembers are covered
    easily, so that the mixed ones are the harder test. Below the diagonal, intervals are too
    narrow; above, they are wider than necessary.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`, with pixels that the model
    was not fitted on. The parameters of the constructor become attributes.

    Parameters
    ----------
    coverages : ndarray of shape (n_coverages,)
        Nominal coverages.

    shares : ndarray of shape (n_coverages, n_endmembers)
        Share of the pixels whose true abundance is inside.

    mixed_shares : ndarray of shape (n_coverages,), default=None
        The same over mixed entries. NaN if there are none.

    endmember_names : sequence of str of length n_endmembers, default=None
        Labels of the lines. None uses "endmember0", "endmember1", …

    Attributes
    ----------
    ax_ : Axes
        The axes.

    lines_ : list of Line2D
        One for each endmember, and one for the mixed entries.

    figure_ : Figure
        The figure.

    See Also
    --------
    IntervalDisplay : Maps of the widths of the intervals.
    skunmix.uncertainty.ConformalUnmixer : Intervals from labelled pixels.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import CoverageDisplay
    >>> scene = make_scene(n_endmembers=3, random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True)
    >>> display = CoverageDisplay.from_estimator(
    ...     model.fit(scene.spectra), scene.spectra, scene.abundances, coverages=[0.5, 0.9]
    ... )
    >>> display.shares.shape
    (2, 3)
    """

    def __init__(
        self, coverages: Any, *, shares: Any, mixed_shares: Any = None, endmember_names: Any = None
    ) -> None:
        self.coverages = coverages
        self.shares = shares
        self.mixed_shares = mixed_shares
        self.endmember_names = endmember_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        coverages: Any = None,
        endmember_names: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Predict intervals of pixels with known abundances, and draw the share that they hold.

        Parameters
        ----------
        estimator : estimator with ``predict_interval``
            Fitted estimator, or a pipeline or search that ends in one.

        X : array-like of shape (n_pixels, n_bands)
            Spectra of pixels that the estimator was not fitted on, one per row.

        y : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            Their true abundances.

        coverages : array-like of float, default=None
            Nominal coverages, between 0 and 1. None means 0.1, 0.2, …, 0.9.

        endmember_names : sequence of str, default=None
            Labels of the lines. None takes the names of the estimator.

        **plot_kw
            Passed to :meth:`plot`: `ax` and `line_kw`.

        Returns
        -------
        display : CoverageDisplay

        Raises
        ------
        TypeError
            If the estimator has no `predict_interval`.
        ValueError
            If a coverage is not between 0 and 1, or `y` does not fit the pixels or endmembers.
        ImportError
            If matplotlib is not installed.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_pyplot(caller)
        interval_estimator(estimator, caller)
        coverages = _checked(_COVERAGES if coverages is None else coverages)
        y = in_order_of_endmembers(estimator, y, caller)
        bounds = [predict_interval(estimator, X, float(coverage)) for coverage in coverages]
        lower, upper = np.swapaxes(bounds, 0, 1)
        if endmember_names is None:
            n_endmembers = 1 if lower.ndim == 2 else lower.shape[2]
            names = estimator_names(estimator, n_endmembers)
            endmember_names = value_labels(y) if names is None else names
        return cls.from_predictions(
            np.asarray(y),
            lower=lower,
            upper=upper,
            coverages=coverages,
            endmember_names=endmember_names,
            **plot_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        *,
        lower: Any,
        upper: Any,
        coverages: Any,
        endmember_names: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw the share of abundances that given intervals hold.

        Parameters
        ----------
        y_true : array-like of shape (n_pixels, n_endmembers) or (n_pixels,)
            True abundances. Entries that are NaN or masked are left out.

        lower, upper : array-like of shape (n_coverages, n_pixels, n_endmembers) or \
                (n_coverages, n_pixels)
            Bounds of the intervals, for each coverage.

        coverages : array-like of float of shape (n_coverages,)
            Nominal coverages, between 0 and 1.

        endmember_names : sequence of str, default=None
            Labels of the lines. None takes the labels of a DataFrame or DataArray.

        **plot_kw
            Passed to :meth:`plot`: `ax` and `line_kw`.

        Returns
        -------
        display : CoverageDisplay

        Raises
        ------
        ValueError
            If the shapes do not fit each other, or a coverage is not between 0 and 1.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_predictions")
        coverages = _checked(coverages)
        if endmember_names is None:
            endmember_names = value_labels(y_true)
        true, lower, upper = (as_floats(values) for values in (y_true, lower, upper))
        for name, bound in (("lower", lower), ("upper", upper)):
            if bound.shape != (len(coverages), *true.shape):
                raise ValueError(
                    f"Expected {name} of shape {(len(coverages), *true.shape)}, the bounds of "
                    f"{len(coverages)} coverages for y_true of shape {true.shape}, got "
                    f"{bound.shape}; stack those of each coverage with np.stack."
                )
        true = true.reshape(len(true), -1)
        lower, upper = (bound.reshape(len(coverages), *true.shape) for bound in (lower, upper))
        inside = (lower <= true) & (true <= upper)
        known = np.isfinite(true) & ~np.isnan(lower + upper)
        mixed = known & (true > _MIXED[0]) & (true < _MIXED[1])
        display = cls(
            coverages,
            shares=_share(inside & known, known, axis=1),
            mixed_shares=_share(inside & mixed, mixed, axis=(1, 2)),
            endmember_names=endmember_names,
        )
        return display.plot(**plot_kw)

    def plot(self, ax: Any = None, *, line_kw: Any = None) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw into. None makes a figure.

        line_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the endmembers.

        Returns
        -------
        display : CoverageDisplay

        Raises
        ------
        ValueError
            If the number of names is not that of the endmembers.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        coverages = np.asarray(self.coverages, dtype=np.float64)
        shares = np.asarray(self.shares, dtype=np.float64).reshape(len(coverages), -1)
        names = check_names(self.endmember_names, shares.shape[1])
        if ax is None:
            _, ax = plt.subplots(figsize=(5.6, 3.8), layout="constrained")
        ax.plot([0, 1], [0, 1], color="0.6", linestyle=":", zorder=1)
        style = {"marker": ".", "linewidth": 1.0, **(line_kw or {})}
        self.lines_ = []
        for name, share in zip(names, shares.T):
            self.lines_ += ax.plot(coverages, share, **{"label": name, **style})
        if self.mixed_shares is not None:
            self.lines_ += ax.plot(
                coverages, self.mixed_shares, color="k", linewidth=2.0, label=_MIXED_LABEL
            )
        ax.set(
            xlabel="nominal coverage",
            ylabel="share of true abundances inside",
            xlim=(0, 1),
            ylim=(0, 1.02),
            aspect="equal",
        )
        ax.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _checked(coverages):
    """Return coverages as an array, after checking that they are between 0 and 1."""
    coverages = np.atleast_1d(np.asarray(coverages, dtype=np.float64))
    for coverage in coverages:
        check_coverage(float(coverage))
    return coverages


def _share(inside, known, axis):
    """Return the share of the known entries that are inside, NaN if there is none."""
    n_known = np.asarray(known.sum(axis=axis), dtype=np.float64)
    n_known[n_known == 0] = np.nan
    return inside.sum(axis=axis) / n_known
