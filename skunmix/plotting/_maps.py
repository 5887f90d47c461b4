"""Maps of abundances."""

from textwrap import fill

import numpy as np

from ..utils import last_step, require_pyplot
from ._common import (
    as_image,
    as_image_like,
    check_endmembers_last,
    check_names,
    draw_colorbar,
    draw_image,
    estimator_names,
    is_flat,
    place,
    split_pixels,
    value_labels,
    values_last,
)
from ._panels import make_panels

# Letters in a line of a title over a panel of a figure of six columns.
_TITLE_WIDTH = 14


class AbundanceMapDisplay:
    """Maps of abundances: one panel an endmember, on one scale.

    Make it with :meth:`from_estimator` or :meth:`from_predictions`; the parameters of the
    constructor become attributes.

    Parameters
    ----------
    abundances : ndarray of shape (n_rows, n_columns, n_endmembers)
        Estimated abundances; NaN where there are none.

    reference : ndarray of shape (n_rows, n_columns, n_endmembers), default=None
        True abundances, drawn in a row of their own above the estimated ones.

    endmember_names : sequence of str of length n_endmembers, default=None
        Titles of the panels; None calls them "endmember0", "endmember1", …

    name : str, default=None
        Label of the row of estimated abundances. None is "estimate" where there is more than one
        row, else nothing.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_kinds, n_endmembers)
        The panels. The rows are, as far as they were asked for, reference, estimate and error.

    images_ : ndarray of AxesImage of shape (n_kinds, n_endmembers)
        What is drawn in them.

    colorbar_ : Colorbar or None
        The scale of the abundances.

    error_colorbar_ : Colorbar or None
        The scale of the error.

    figure_ : Figure
        The figure that holds them.

    See Also
    --------
    ResidualMapDisplay : How well the abundances explain the spectra; needs no reference.
    skunmix.metrics.abundance_rmse : The error as a number, or for each pixel.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import AbundanceMapDisplay
    >>> scene = make_scene(random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True)
    >>> AbundanceMapDisplay.from_estimator(
    ...     model.fit(scene.spectra), scene.spectra, scene.abundances, shape=scene.shape, error=True
    ... )
    <skunmix.plotting...AbundanceMapDisplay object at ...>
    """

    def __init__(self, abundances, *, reference=None, endmember_names=None, name=None):
        self.abundances = abundances
        self.reference = reference
        self.endmember_names = endmember_names
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        shape=None,
        endmember_names=None,
        name=None,
        error=False,
        n_cols=6,
        cmap="viridis",
        colorbar=True,
        im_kw=None,
        error_kw=None,
        ax=None,
    ):
        """Unmix a scene with a fitted estimator and draw the abundances.

        Parameters
        ----------
        estimator : estimator with ``predict``
            Fitted; a pipeline or a search as well.

        X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
            Spectra of the scene, pixels in row-major order. Pixels with a value that is NaN,
            infinite or masked are left out, and drawn as missing.

        y : array-like of shape (n_pixels, n_endmembers) or (n_rows, n_columns, n_endmembers), \
                default=None
            True abundances, to draw above the estimated ones.

        shape : (int, int), default=None
            Rows and columns of the scene; not needed where `X` is an image.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the names that the estimator has.

        name : str, default=None
            Label of the row of estimated abundances. None takes the class of the estimator where
            there is more than one row.

        error : bool, default=False
            Whether to draw the absolute error in a further row; needs `y`.

        n_cols : int, default=6
            The most panels beside each other. More endmembers go on below, rows and all. Not used
            where `ax` is an array.

        cmap : str or Colormap, default="viridis"
            Colours of the abundances.

        colorbar : bool, default=True
            Whether to draw the scale.

        im_kw : dict, default=None
            For `matplotlib.axes.Axes.imshow` of abundances: ``{"vmax": 0.5}``, say, in place of
            the scale from 0 to 1.

        error_kw : dict, default=None
            For `matplotlib.axes.Axes.imshow` of errors.

        ax : Axes or array-like of Axes, default=None
            Where to draw: one Axes, which is divided if there is more than one panel, or as many
            as there are panels, row by row. None makes a figure.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        ValueError
            If the shape does not match the pixels, the number of names not the endmembers, or the
            number of axes not the panels; if there is no finite pixel.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_estimator")
        pixels, shape, finite = split_pixels(X, shape, estimator)
        abundances = place(estimator.predict(pixels), finite)
        names = estimator_names(estimator, abundances.shape[2])
        if endmember_names is None:
            endmember_names = check_names(names, abundances.shape[2])
        if name is None and y is not None:
            name = type(last_step(estimator)).__name__
        return cls(
            abundances,
            reference=None if y is None else as_image_like(y, names, shape, "y", "the endmembers"),
            endmember_names=endmember_names,
            name=name,
        ).plot(
            ax,
            error=error,
            n_cols=n_cols,
            cmap=cmap,
            colorbar=colorbar,
            im_kw=im_kw,
            error_kw=error_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        y_pred,
        *,
        y_true=None,
        shape=None,
        endmember_names=None,
        name=None,
        error=False,
        n_cols=6,
        cmap="viridis",
        colorbar=True,
        im_kw=None,
        error_kw=None,
        ax=None,
    ):
        """Draw abundances.

        Parameters
        ----------
        y_pred : array-like of shape (n_pixels, n_endmembers), (n_pixels,) or \
                (n_rows, n_columns, n_endmembers)
            Abundances, pixels in row-major order; those of a single endmember may be
            one-dimensional. NaN and masked values are drawn as missing. A DataArray may have its
            dimensions in any order.

        y_true : array-like of the shape of `y_pred`, default=None
            True abundances, to draw above.

        shape : (int, int), default=None
            Rows and columns of the scene; not needed where `y_pred` is an image.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the labels of a DataFrame or
            DataArray.

        name : str, default=None
            Label of the row of `y_pred`.

        error : bool, default=False
            Whether to draw the absolute error in a further row; needs `y_true`.

        n_cols : int, default=6
            The most panels beside each other. More endmembers go on below, rows and all. Not used
            where `ax` is an array.

        cmap : str or Colormap, default="viridis"
            Colours of the abundances.

        colorbar : bool, default=True
            Whether to draw the scale.

        im_kw : dict, default=None
            For `matplotlib.axes.Axes.imshow` of abundances.

        error_kw : dict, default=None
            For `matplotlib.axes.Axes.imshow` of errors.

        ax : Axes or array-like of Axes, default=None
            Where to draw: one Axes, which is divided if there is more than one panel, or as many
            as there are panels, row by row. None makes a figure.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        ValueError
            If the shape does not match the pixels, the number of names not the endmembers, or the
            number of axes not the panels.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_predictions")
        y_pred = values_last(y_pred, "y_pred")
        labels = value_labels(y_pred)
        abundances = as_image(y_pred, shape, "y_pred")
        if endmember_names is None:
            endmember_names = labels
            if labels is None and (shape is not None or hasattr(y_pred, "coords")):
                endmember_names = check_names(None, abundances.shape[2])
            elif labels is None:
                check_endmembers_last(abundances, "y_pred")
        return cls(
            abundances,
            reference=None
            if y_true is None
            else as_image_like(y_true, labels, abundances.shape[:2], "y_true", "those of y_pred"),
            endmember_names=endmember_names,
            name=name,
        ).plot(
            ax,
            error=error,
            n_cols=n_cols,
            cmap=cmap,
            colorbar=colorbar,
            im_kw=im_kw,
            error_kw=error_kw,
        )

    def plot(
        self,
        ax=None,
        *,
        error=False,
        n_cols=6,
        cmap="viridis",
        colorbar=True,
        im_kw=None,
        error_kw=None,
    ):
        """Draw the maps.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Where to draw: one Axes, which is divided if there is more than one panel, or as many
            as there are panels, row by row. None makes a figure.

        error : bool, default=False
            Whether to draw the absolute error in a further row; needs a reference.

        n_cols : int, default=6
            The most panels beside each other. More endmembers go on below, rows and all. Not used
            where `ax` is an array.

        cmap : str or Colormap, default="viridis"
            Colours of the abundances.

        colorbar : bool, default=True
            Whether to draw the scale.

        im_kw : dict, default=None
            For `matplotlib.axes.Axes.imshow` of abundances.

        error_kw : dict, default=None
            For `matplotlib.axes.Axes.imshow` of errors.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        ValueError
            If abundances, reference and names do not fit each other, or the number of axes does
            not fit the panels.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        abundances, reference, names = self._check(error)
        rows = [("reference", reference), (self.name or "estimate", abundances)]
        if error:
            rows.append(("error", abs(abundances - reference)))
        rows = [(label, maps) for label, maps in rows if maps is not None]
        axes, n_beside = make_panels(plt, ax, len(rows), abundances.shape, n_cols)

        scale = {"vmin": 0.0, "vmax": 1.0, "cmap": cmap, **(im_kw or {})}
        scales = [scale] * len(rows)
        if error:
            scales[-1] = {"vmin": 0.0, "cmap": "magma", **(error_kw or {})}
            scales[-1].setdefault("vmax", _largest(rows[-1][1]))
        images = np.empty(axes.shape, dtype=object)
        for row, ((label, maps), style) in enumerate(zip(rows, scales)):
            for column in range(len(names)):
                images[row, column] = draw_image(axes[row, column], maps[..., column], **style)
            if len(rows) > 1 or self.name:
                for panel in axes[row, ::n_beside]:
                    panel.set_ylabel(label, fontsize="small", **_label_place(abundances.shape))
        for panel, name in zip(axes[0], names):
            panel.set_title(fill(name, _TITLE_WIDTH), fontsize="medium")

        self.axes_, self.images_, self.figure_ = axes, images, axes[0, 0].figure
        self.colorbar_ = self.error_colorbar_ = None
        if colorbar:
            self._draw_colorbars([maps for _, maps in rows], error, n_beside)
        return self

    def _check(self, error):
        """Return abundances, reference and names, all of which fit each other."""
        abundances = as_image(self.abundances, None, "abundances")
        if self.endmember_names is None and not hasattr(self.abundances, "coords"):
            check_endmembers_last(abundances, "abundances")
        names = check_names(self.endmember_names, abundances.shape[2])
        if self.reference is None:
            if error:
                raise ValueError(
                    "error=True needs the true abundances to compare with, but there are none; "
                    "pass them or leave error=False."
                )
            return abundances, None, names
        reference = as_image(self.reference, None, "reference")
        if reference.shape != abundances.shape:
            raise ValueError(
                f"The true abundances are an image of shape {reference.shape}, but the estimated "
                f"ones are of shape {abundances.shape}; both must be alike, "
                f"(n_rows, n_columns, n_endmembers)."
            )
        return abundances, reference, names

    def _draw_colorbars(self, maps, error, n_beside):
        """Draw a scale beside the maps of abundances and one beside the errors."""
        n_kinds, n_endmembers = self.axes_.shape
        n_scaled = n_kinds - error
        if n_beside == n_endmembers:
            beside, beside_error = self.axes_[:n_scaled], self.axes_[n_scaled:]
        elif error:  # beside the first block, and the last
            beside = self.axes_[:, :n_beside]
            beside_error = self.axes_[:, (n_endmembers - 1) // n_beside * n_beside :]
        else:
            beside = self.axes_
        self.colorbar_ = draw_colorbar(
            beside, self.images_[0, 0], np.stack(maps[:n_scaled]), "abundance"
        )
        if error:
            self.error_colorbar_ = draw_colorbar(
                beside_error, self.images_[-1, 0], maps[-1], "absolute error"
            )


def _label_place(shape):
    """Return where a row's label stands: upright beside flat images, which are too low for it."""
    return {"rotation": 0, "ha": "right", "va": "center"} if is_flat(shape) else {}


def _largest(values):
    """Return the upper end of a scale for values that are at least 0, some of them NaN."""
    finite = values[np.isfinite(values)]
    return finite.max() if finite.any() else 1.0
