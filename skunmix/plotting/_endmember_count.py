"""How many endmembers there are, and why."""

from typing import Any, Self

import numpy as np

from ..extraction import estimate_n_endmembers
from ..utils.optional import require_pyplot

_NAMES = {"elbow": "elbow", "hysime": "HySime", "nwhfc": "NWHFC", "hfc": "HFC"}
_COLORS = {"elbow": "C3", "hysime": "C1", "nwhfc": "C2", "hfc": "C4"}
_DASHES = {"elbow": "-", "hysime": "--", "nwhfc": ":", "hfc": "-."}
_SIGNAL, _NOISE = "C0", "0.5"
# For each panel: the methods in it, the curves of which the first draws, and its labels.
_POWER = {
    "hysime": ("mean square of the spectra", "twice that of the noise", "power"),
    "nwhfc": ("excess over the covariance's", "threshold of the test", "eigenvalue"),
    "hfc": ("excess over the covariance's", "threshold of the test", "eigenvalue"),
}
_GAIN = {
    "elbow": ("gain in held-out pixels", "smallest that counts", "gain, in units of the noise")
}
# Directions that are drawn: this many times the largest number, and this many more.
_TIMES, _MORE = 2, 8


class EndmemberCountDisplay:
    """Spectra of the signal and the noise, and the number of endmembers by each method.

    The left panel shows the mean square of the spectra along each direction of the signal, and that
    of the noise, which HySime compares. The right panel shows how much each further direction
    improves the fit of held-out pixels, on which "elbow" decides. Vertical lines mark the numbers.

    Create it with :meth:`from_spectra`. The parameter of the constructor becomes an attribute.

    Parameters
    ----------
    counts : list of EndmemberCount
        One for each method, as ``estimate_n_endmembers(..., return_spectra=True)`` returns them.

    Attributes
    ----------
    axes_ : ndarray of Axes
        The panels, one or two.

    lines_ : list of Line2D
        The curves and the vertical lines.

    figure_ : Figure
        The figure.

    See Also
    --------
    skunmix.extraction.estimate_n_endmembers : The numbers without a figure.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import EndmemberCountDisplay
    >>> scene = make_scene(n_endmembers=5, snr=30, random_state=0)
    >>> display = EndmemberCountDisplay.from_spectra(scene.spectra)
    >>> {count.method: count.n_endmembers for count in display.counts}
    {'elbow': 5, 'hysime': 5, 'nwhfc': 5}
    """

    def __init__(self, counts: Any) -> None:
        self.counts = counts

    @classmethod
    def from_spectra(
        cls,
        X: Any,
        *,
        methods: Any = ("elbow", "hysime", "nwhfc"),
        sample_weight: Any = None,
        false_alarm: Any = 1e-3,
        line_kw: Any = None,
        ax: Any = None,
    ) -> Self:
        """Estimate the number of endmembers by several methods, and draw what they decide on.

        Parameters
        ----------
        X : array-like of shape (n_pixels, n_bands)
            Spectra, one per row.

        methods : sequence of {"elbow", "hysime", "hfc", "nwhfc"}
            Methods of :func:`~skunmix.extraction.estimate_n_endmembers`. The default has no HFC,
            because NWHFC is the same for bands of any noise.

        sample_weight : array-like of shape (n_pixels,), default=None
            Weights of the pixels. A pixel of weight 0 is left out.

        false_alarm : float, default=1e-3
            Probability that noise counts as an endmember, for "hfc" and "nwhfc".

        line_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the curves.

        ax : Axes or sequence of Axes, default=None
            Axes to draw into, one for each panel. None makes a figure.

        Returns
        -------
        display : EndmemberCountDisplay

        Raises
        ------
        ValueError
            If a method is unknown, or there are no more pixels than bands.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_spectra")
        methods = [methods] if isinstance(methods, str) else list(methods)
        counts = [
            estimate_n_endmembers(
                X,
                method,
                sample_weight=sample_weight,
                false_alarm=false_alarm,
                return_spectra=True,
            )
            for method in methods
        ]
        return cls(counts).plot(ax, line_kw=line_kw)

    def plot(self, ax: Any = None, *, line_kw: Any = None) -> Self:
        """Draw the panels.

        Parameters
        ----------
        ax : Axes or sequence of Axes, default=None
            Axes to draw into, one for each panel: for the power along each direction, if there is a
            method other than "elbow", then for the gains, if there is "elbow". None makes a figure.

        line_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.plot` for the curves.

        Returns
        -------
        display : EndmemberCountDisplay

        Raises
        ------
        ValueError
            If there is no count, or the number of axes is not that of the panels.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        counts = {count.method: count for count in self.counts}
        panels = [panel for panel in (_POWER, _GAIN) if panel.keys() & counts.keys()]
        if not panels:
            raise ValueError("Expected at least one count, got none; pass one or more methods.")
        if ax is None:
            size = (4.4 * len(panels), 3.5)
            _, ax = plt.subplots(1, len(panels), figsize=size, layout="constrained")
        axes = np.asarray(ax, dtype=object).ravel()
        if len(axes) != len(panels):
            raise ValueError(
                f"Expected {len(panels)} axes, one for each panel, got {len(axes)}; pass one for "
                f"each panel."
            )
        n_shown = _MORE + _TIMES * max(count.n_endmembers for count in counts.values())
        self.lines_ = []
        for one, panel in zip(axes, panels):
            self.lines_ += _draw_panel(one, panel, counts, n_shown, line_kw or {})
        self.axes_, self.figure_ = axes, axes[0].figure
        return self


def _draw_panel(ax, panel, counts, n_shown, line_kw):
    """Draw the curves of the first method of a panel, and the numbers of all of them."""
    shown = [method for method in panel if method in counts]
    count = counts[shown[0]]
    signal_label, noise_label, axis_label = panel[shown[0]]
    directions = np.arange(1, min(n_shown, len(count.signal)) + 1)
    # what noise alone leaves may be negative, and is drawn at the bottom
    bottom = 0.0 if shown[0] == "hysime" else count.noise[: len(directions)].min() / 2
    lines = []
    for values, style in (
        (count.signal, {"color": _SIGNAL, "marker": ".", "label": signal_label}),
        (count.noise, {"color": _NOISE, "label": noise_label}),
    ):
        values = np.asarray(values, dtype=np.float64)[: len(directions)]
        values = np.maximum(values, bottom)
        values = np.where(values > 0, values, np.nan)
        lines += ax.plot(directions, values, **{**style, **line_kw})
    for method in shown:
        n_endmembers = counts[method].n_endmembers
        style = {"color": _COLORS[method], "linestyle": _DASHES[method], "zorder": 1}
        lines.append(ax.axvline(n_endmembers, label=f"{_NAMES[method]}: {n_endmembers}", **style))
    ax.set_yscale("log")
    ax.set(xlabel="direction", ylabel=axis_label, xlim=(0, directions[-1] + 1))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(fontsize="small")
    return lines
