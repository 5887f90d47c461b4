"""Curves of the loss."""

import numpy as np

from ..utils import last_step, require_pyplot

_TRAINING, _VALIDATION = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion


class LossCurveDisplay:
    """Loss on the training part, and on the validation part, against epochs.

    Make it with :meth:`from_estimator`; the parameters of the constructor become attributes.

    Parameters
    ----------
    loss_curve : array-like of shape (n_epochs,)
        Training loss of each epoch.

    validation_loss_curve : array-like of shape (n_epochs,), default=None
        Validation loss after each epoch. Its lowest point is marked: early stopping restores the
        parameters of that epoch.

    name : str, default=None
        Begins the labels in the legend, to tell several models in one Axes apart.

    Attributes
    ----------
    ax_ : Axes
        Where it is drawn.

    lines_ : list of Line2D
        Training loss, then validation loss if there is one.

    figure_ : Figure
        The figure that holds them.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : A score against the number of pixels.

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

    def __init__(self, loss_curve, *, validation_loss_curve=None, name=None):
        self.loss_curve = loss_curve
        self.validation_loss_curve = validation_loss_curve
        self.name = name

    @classmethod
    def from_estimator(cls, estimator, *, name=None, log_scale=True, line_kw=None, ax=None):
        """Draw the losses of a fitted network.

        Parameters
        ----------
        estimator : estimator with ``loss_curve_``
            Fitted; or a pipeline or search that ends in one.

        name : str, default=None
            Begins the labels in the legend.

        log_scale : bool, default=True
            Whether the loss is on a logarithmic scale.

        line_kw : dict, default=None
            For `matplotlib.axes.Axes.plot`.

        ax : Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        ValueError
            If the estimator has no loss curve, or was trained for no epoch.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_estimator")
        estimator = last_step(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise ValueError(
                f"{type(estimator).__name__} has no loss_curve_, expected a fitted network; call "
                f"`fit` first, or use an estimator that is trained in epochs."
            )
        return cls(
            estimator.loss_curve_,
            validation_loss_curve=getattr(estimator, "validation_loss_curve_", None),
            name=name,
        ).plot(ax, log_scale=log_scale, line_kw=line_kw)

    def plot(self, ax=None, *, log_scale=True, line_kw=None):
        """Draw the curves.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None makes a figure.

        log_scale : bool, default=True
            Whether the loss is on a logarithmic scale.

        line_kw : dict, default=None
            For `matplotlib.axes.Axes.plot`.

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

        curves = {"training": np.asarray(self.loss_curve, dtype=np.float64)}
        if curves["training"].ndim != 1 or not len(curves["training"]):
            raise ValueError(
                f"loss_curve has shape {curves['training'].shape}, expected (n_epochs,) with at "
                f"least one epoch; train with max_epochs above 0."
            )
        if self.validation_loss_curve is not None:
            curves["validation"] = np.asarray(self.validation_loss_curve, dtype=np.float64)
            if len(curves["validation"]) != len(curves["training"]):
                raise ValueError(
                    f"validation_loss_curve has {len(curves['validation'])} epochs, but "
                    f"loss_curve has {len(curves['training'])}; expected one value an epoch in "
                    f"both."
                )
        own = ax is None
        if own:
            _, ax = plt.subplots(figsize=(5, 3.5), layout="constrained")
        # several models in one Axes take the Axes' own colours
        colors = dict(zip(curves, (_TRAINING, _VALIDATION))) if own and not self.name else {}
        epochs = np.arange(1, len(curves["training"]) + 1)
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
        if "validation" in curves and np.isfinite(curves["validation"]).any():
            lowest = int(np.nanargmin(curves["validation"]))
            ax.plot(
                epochs[lowest],
                curves["validation"][lowest],
                marker="o",
                color=self.lines_[-1].get_color(),
                linestyle="none",
                label=f"lowest, epoch {epochs[lowest]}",
            )
        if log_scale:
            ax.set_yscale("log")
            # a loss seldom spans a decade; matplotlib's default may leave one label or none
            formatter = LogFormatterSciNotation(minor_thresholds=(2, 0.6))
            ax.yaxis.set_minor_formatter(formatter)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
