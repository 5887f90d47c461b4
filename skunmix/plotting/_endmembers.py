"""Spectra of endmembers."""

from typing import Any, Self

import numpy as np

from ..metrics import spectral_angle_distance
from ..utils.estimators import last_step, spectra_names
from ..utils.labels import axis_labels, check_wavelength_labels, order_of
from ..utils.optional import require_pyplot
from ._common import as_floats, check_names

# Colours of Okabe and Ito, which colour-blind readers can distinguish, without yellow, which is too
# faint on white.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_REFERENCE_STYLE = {"linestyle": "--", "linewidth": 1.0}
# A missing band of a regular grid doubles the step. The steps of instruments vary by less than
# this.
_GAP = 1.75
# Units in which band labels can be compared with wavelengths.
_UNITS = {"nm", "um", "µm"}


class EndmemberDisplay:
    """Spectra of endmembers, and of a reference if there is one.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`. The parameters of the
    constructor become attributes.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra, one per row. NaN marks a band without a value.

    reference : ndarray of shape (n_endmembers, n_bands), default=None
        Reference spectra, in the order of `endmembers`.

    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands, in any order. None uses `bands` as x axis.

    bands : array-like of shape (n_bands,), default=None
        Band numbers of the instrument. None counts from 0.

    unit : str, default="µm"
        Unit of the wavelengths, for the label of the axis.

    endmember_names : sequence of str of length n_endmembers, default=None
        Names for the legend. None uses "endmember0", "endmember1", …

    Attributes
    ----------
    ax_ : Axes
        The axes.

    lines_ : list of Line2D of length n_endmembers
        Lines of the spectra, in order of wavelength, with NaN in gaps.

    reference_lines_ : list of Line2D of length n_endmembers, or None
        Dashed lines of the reference.

    angles_ : ndarray of shape (n_endmembers,), or None
        Angles between spectra and reference, in degrees.

    legend_ : Legend
        Legend with names and angles.

    figure_ : Figure
        The figure.

    See Also
    --------
    skunmix.metrics.spectral_angle_distance : The angle in the legend.

    Notes
    -----
    A line has a gap where bands are missing: where the step between neighbours is larger than 1.75
    times the median step.

    Examples
    --------
    Endmembers estimated from pairs of spectra and abundances, beside the true ones:

    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import EndmemberDisplay
    >>> scene = make_scene(n_endmembers=4, random_state=0)
    >>> model = SunSALRegressor().fit(scene.spectra, scene.abundances)
    >>> display = EndmemberDisplay.from_estimator(
    ...     model, reference=scene.endmembers, wavelengths=scene.wavelengths
    ... )
    >>> bool((display.angles_ < 1).all())
    True
    """

    def __init__(
        self,
        endmembers: Any,
        *,
        reference: Any = None,
        wavelengths: Any = None,
        bands: Any = None,
        unit: Any = "µm",
        endmember_names: Any = None,
    ) -> None:
        self.endmembers = endmembers
        self.reference = reference
        self.wavelengths = wavelengths
        self.bands = bands
        self.unit = unit
        self.endmember_names = endmember_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        reference: Any = None,
        wavelengths: Any = None,
        bands: Any = None,
        unit: Any = "µm",
        endmember_names: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw the endmembers of a fitted unmixer.

        Parameters
        ----------
        estimator : estimator with ``endmembers_``
            A fitted unmixer. For a pipeline or search, the last step is used, whose endmembers are
            transformed by the steps before.

        reference : array-like of shape (n_endmembers, n_bands), default=None
            Reference spectra, in the order of `endmembers`.

        wavelengths, bands, unit
            As for the constructor.

        endmember_names : sequence of str, default=None
            Names for the legend. None takes those of the estimator.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `line_kw` and `reference_kw`.

        Returns
        -------
        display : EndmemberDisplay

        Raises
        ------
        ValueError
            If the estimator has no endmembers, or reference, wavelengths, bands or names do not
            fit them.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_estimator")
        unmixer = last_step(estimator)
        if not hasattr(unmixer, "endmembers_"):
            raise ValueError(
                f"Expected a fitted unmixer, got {type(unmixer).__name__} without endmembers_; "
                f"call `fit` first, or use from_predictions."
            )
        names = spectra_names(unmixer) if hasattr(unmixer, "n_endmembers_") else None
        return cls(
            unmixer.endmembers_,
            reference=_aligned(reference, names, getattr(unmixer, "band_labels_", None)),
            wavelengths=wavelengths,
            bands=bands,
            unit=unit,
            endmember_names=names if endmember_names is None else endmember_names,
        ).plot(**plot_kw)

    @classmethod
    def from_predictions(
        cls,
        endmembers: Any,
        *,
        reference: Any = None,
        wavelengths: Any = None,
        bands: Any = None,
        unit: Any = "µm",
        endmember_names: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw spectra.

        Parameters
        ----------
        endmembers : array-like of shape (n_endmembers, n_bands) or (n_bands,)
            Spectra, one per row. NaN makes a gap.

        reference : array-like of the shape of `endmembers`, default=None
            Reference spectra, in the order of `endmembers`.

        wavelengths, bands, unit
            As for the constructor.

        endmember_names : sequence of str, default=None
            Names for the legend. None takes the index of a DataFrame.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `line_kw` and `reference_kw`.

        Returns
        -------
        display : EndmemberDisplay

        Raises
        ------
        ValueError
            If reference, wavelengths, bands or names do not fit the spectra.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_predictions")
        names, labels = axis_labels(endmembers)
        if wavelengths is not None and unit in _UNITS:
            with_unit = [f"{value} {unit}" for value in np.ravel(wavelengths)]
            check_wavelength_labels(endmembers, with_unit, "wavelengths")
        return cls(
            np.atleast_2d(as_floats(endmembers)),
            reference=_aligned(reference, names, labels),
            wavelengths=wavelengths,
            bands=bands,
            unit=unit,
            endmember_names=names if endmember_names is None else endmember_names,
        ).plot(**plot_kw)

    def plot(self, ax: Any = None, *, line_kw: Any = None, reference_kw: Any = None) -> Self:
        """Draw the spectra.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw into. None makes a figure.

        line_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the spectra.

        reference_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the reference.

        Returns
        -------
        display : EndmemberDisplay

        Raises
        ------
        ValueError
            If reference, wavelengths, bands or names do not fit the spectra.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        endmembers, reference = self._check()
        names = check_names(self.endmember_names, len(endmembers))
        position, label = self._positions(endmembers.shape[1])
        if ax is None:
            _, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")

        self.angles_ = None if reference is None else _angles(endmembers, reference)
        self.reference_lines_ = None if reference is None else []
        self.lines_ = []
        colors = _COLORS[: len(endmembers)]
        if len(endmembers) > len(_COLORS):
            colors = plt.get_cmap("viridis")(np.linspace(0, 0.95, len(endmembers)))
        for i, (name, color) in enumerate(zip(names, colors)):
            if reference is not None:
                name = f"{name} ({self.angles_[i]:.1f}°)"
                style = {"color": color, **_REFERENCE_STYLE, **(reference_kw or {})}
                self.reference_lines_.append(_draw_line(ax, position, reference[i], style))
            style = {"color": color, "label": name, **(line_kw or {})}
            self.lines_.append(_draw_line(ax, position, endmembers[i], style))
        self._draw_legend(ax)
        ax.set(xlabel=label, ylabel="spectrum")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check(self):
        endmembers = as_floats(self.endmembers)
        if endmembers.ndim != 2:
            raise ValueError(
                f"Expected endmembers of shape (n_endmembers, n_bands), one spectrum per row, got "
                f"{endmembers.shape}; reshape them."
            )
        if self.reference is None:
            return endmembers, None
        reference = np.atleast_2d(as_floats(self.reference))
        if reference.shape != endmembers.shape:
            raise ValueError(
                f"Expected a reference of shape {endmembers.shape}, as the endmembers have, got "
                f"{reference.shape}; pass the same materials in the same bands, one spectrum per "
                f"row."
            )
        return endmembers, reference

    def _positions(self, n_bands):
        """Return the positions of the bands on the x axis, and its label."""
        if self.wavelengths is not None:
            name, values, label = "wavelengths", self.wavelengths, f"wavelength [{self.unit}]"
        elif self.bands is not None:
            name, values, label = "bands", self.bands, "band"
        else:
            return np.arange(n_bands), "band"
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (n_bands,):
            raise ValueError(
                f"Expected {name} of shape ({n_bands},), one for each band of the spectra, got "
                f"{values.shape}; pass one for each band."
            )
        if not np.isfinite(values).all():
            raise ValueError(
                f"Expected finite {name}, got {values[~np.isfinite(values)][0]:g} for band "
                f"{np.argmin(np.isfinite(values))}; drop this band."
            )
        return values, label

    def _draw_legend(self, ax):
        handles, labels = ax.get_legend_handles_labels()
        if self.reference_lines_:
            (reference,) = ax.plot([], [], color="0.3", **_REFERENCE_STYLE)
            handles, labels = [*handles, reference], [*labels, "reference"]
        # a legend of this size inside the axes would hide spectra
        self.legend_ = ax.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            fontsize="small",
            ncols=-(-len(labels) // 18),
        )


def _aligned(reference, names, bands):
    """Return a reference with its rows and columns in the order of names and bands, if labelled."""
    rows, columns = axis_labels(reference)
    row_order = order_of(rows, names, "the rows of reference", "the endmembers")
    band_order = order_of(columns, bands, "the bands of reference", "those of the endmembers")
    if row_order is None and band_order is None:
        return reference
    values = as_floats(reference)
    values = values if row_order is None else values[row_order]
    return values if band_order is None else values[:, band_order]


def _draw_line(ax, position, spectrum, style):
    """Draw a spectrum with gaps, and single bands as points."""
    order = np.argsort(position, kind="stable")
    x, y = position[order], spectrum[order]
    gaps = _gaps(x)
    middles = (x[gaps] + x[gaps + 1]) / 2
    x, y = np.insert(x, gaps + 1, middles), np.insert(y, gaps + 1, np.nan)
    drawn = np.concatenate(([False], np.isfinite(y), [False]))
    lone = np.flatnonzero(drawn[1:-1] & ~drawn[:-2] & ~drawn[2:])
    (line,) = ax.plot(x, y, **style)
    if len(lone):
        line.set(marker="o", markersize=3, markevery=lone.tolist())
    return line


def _gaps(x):
    """Return the indices i such that bands are missing between i and i + 1 of the sorted x."""
    steps = np.diff(x)
    return np.flatnonzero(steps > _GAP * np.median(steps)) if len(steps) else np.empty(0, int)


def _angles(endmembers, reference):
    angles = np.full(len(endmembers), np.nan)
    for i, pair in enumerate(zip(endmembers, reference)):
        both = np.isfinite(pair).all(axis=0)
        if both.any():
            angles[i] = spectral_angle_distance(pair[0][both], pair[1][both], degrees=True)
    return angles
