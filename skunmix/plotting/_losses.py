"""Loss curves."""

from typing import Any, Self

import numpy as np

from ..utils.estimators import last_step
from ..utils.optional import require_pyplot

_TRAINING, _VALIDATION = "#0072B2", "#D55E00"  # blue and vermilion of Okabe and Ito


class LossCurveDisplay:
    """Training loss and validation loss against epochs.

    Create it with :meth:`from_estimator`. The parameters of the constructor become attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Validation loss after each epoch. A marker shows its minimum: early stopping restores the
        parameters of this epoch.

    name : str, default=None
        Prefix of the labels in the legend, to distinguish several models in the same axes.

    Attributes
    ----------
    ax_ : Axes
        The axes.

    lines_ : list of Line2D
        Line of the training loss, and of the validation loss if there is one.

    figure_ : Figure
        The figure.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Score against the number of pixels.

    Examples
    --------
    >>> from skunmix import UADMMRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import LossCurveDisplay
    >>> scene = make_scene(random_state=0)
    >>> model = UADMMRegressor(endmembers=scene.endmembers, max_epochs=5, random_state=0)
    >>> display = LossCurveDisplay.from_estimator(
    ...     model.fit(scene.spectra[:500], scene.abundances[:500])
    ... )
    >>> display.lines_
    [<matplotlib.lines.Line2D object at ...>]
    """

    def __init__(
        self, loss_curve: Any, *, validation_loss_curve: Any = None, name: Any = None
    ) -> None:
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.name = name

    @classmethod
    def from_estimator(cls, estimator: Any, *, name: Any = None, **plot_kw: Any) -> Self:
        """Draw the losses of a fitted network.

        Parameters
        ----------
        estimator : estimator with ``loss_curve_``
            A fitted network, or a fitted pipeline or search that ends in one.

        name : str, default=None
            Prefix of the labels in the legend.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `log_scale` and `line_kw`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If the estimator has no loss curve, or its training had no epoch.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_estimator")
        estimator = last_step(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise ValueError(
                f"Expected a fitted network, got {type(estimator).__name__} without loss_curve_; "
                f"call `fit` first, or pass an estimator that trains in epochs."
            )
        return cls(
            estimator.loss_curve_,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            name=name,
        ).plot(**plot_kw)

    def plot(self, ax: Any = None, *, log_scale: Any = True, line_kw: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw into. None makes a figure.

        log_scale : bool, default=True
            Whether the axis of the loss is logarithmic.

        line_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If there is no epoch, or the two curves differ in length.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        from matplotlib.ticker import LogFormatterSciNotation

        training = np.asarray(self.loss_curve, dtype=np.float64)
        if training.ndim != 1 or not len(training):
            raise ValueError(
                f"Expected loss_curve of shape (n_epochs,) with at least one epoch, got shape "
                f"{training.shape}; train with max_epochs above 0."
            )
        curves = {"training": training}
        if self.validation_loss_curve is not None:
            validation = np.asarray(self.validation_loss_curve, dtype=np.float64)
            if len(validation) != len(training):
                raise ValueError(
                    f"Expected validation_loss_curve with {len(training)} epochs, as loss_curve "
                    f"has, got {len(validation)}; pass one value for each epoch in both."
                )
            curves["validation"] = validation
        own = ax is None
        if own:
            _, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
        # several models in the same axes use the colour cycle of the axes
        colors = dict(zip(curves, (_TRAINING, _VALIDATION))) if own and not self.name else {}
        epochs = np.arange(1, len(training) + 1)
        self.lines_ = []
        for part, losses in curves.items():
            label = f"{self.name}, {part}" if self.name else part
            style = {"label": label, "linestyle": "-" if part == "training" else "--"}
            if part in colors:
                style["color"] = colors[part]
            elif self.lines_:
                style["color"] = self.lines_[0].get_color()
            if len(losses) == 1:
                style["marker"] = "o"
            (line,) = ax.plot(epochs, losses, **{**style, **(line_kw or {})})
            self.lines_.append(line)
        if "validation" in curves and np.isfinite(validation).any():
            lowest = int(np.nanargmin(validation))
            ax.plot(
                epochs[lowest],
                validation[lowest],
                marker="o",
                color=self.lines_[-1].get_color(),
                linestyle="none",
                label=f"lowest, epoch {epochs[lowest]}",
            )
        if log_scale:
            ax.set_yscale("log")
            # by default, matplotlib has at most one label for less than a decade
            ax.yaxis.set_minor_formatter(LogFormatterSciNotation(minor_thresholds=(2, 0.6)))
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
