"""Abundance maps."""

from typing import Any, Self

from ..utils.estimators import last_step
from ..utils.images import place, split_pixels, values_last
from ..utils.intervals import count_without_bounds
from ..utils.optional import require_pyplot
from ._common import (
    as_image,
    as_image_like,
    check_endmembers_last,
    check_names,
    estimator_names,
    read_maps,
    value_labels,
)
from ._panels import MapRow, draw_rows


class AbundanceMapDisplay:
    """Abundance maps: one panel for each endmember, with a common scale.

    Create it with :meth:`from_estimator`, :meth:`from_predictions` or :meth:`from_file`. The
    parameters of the constructor become attributes.

    Parameters
    ----------
    abundances : ndarray of shape (n_rows, n_columns, n_endmembers)
        Estimated abundances. NaN marks pixels without abundances.

    reference : ndarray of shape (n_rows, n_columns, n_endmembers), default=None
        True abundances, drawn in a row above the estimated ones.

    endmember_names : sequence of str of length n_endmembers, default=None
        Titles of the panels. None uses "endmember0", "endmember1", …

    name : str, default=None
        Label of the row of estimated abundances. None is "estimate" if there is more than one row,
        and no label otherwise.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_kinds, n_endmembers)
        The panels. The rows are reference, estimate and error, as requested.

    images_ : ndarray of AxesImage of shape (n_kinds, n_endmembers)
        The images in the panels.

    colorbar_ : Colorbar or None
        Colour bar of the abundances.

    error_colorbar_ : Colorbar or None
        Colour bar of the error.

    figure_ : Figure
        The figure.

    See Also
    --------
    ResidualMapDisplay : How well the abundances explain the spectra, without a reference.
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

    def __init__(
        self,
        abundances: Any,
        *,
        reference: Any = None,
        endmember_names: Any = None,
        name: Any = None,
    ) -> None:
        self.abundances = abundances
        self.reference = reference
        self.endmember_names = endmember_names
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        shape: Any = None,
        endmember_names: Any = None,
        name: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Unmix a scene with a fitted estimator, and draw the abundances.

        Parameters
        ----------
        estimator : estimator with ``predict``
            Fitted estimator, pipeline or search.

        X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
            Spectra of the scene, with pixels in row-major order. Pixels with a NaN, infinite or
            masked value are left out, and drawn as missing.

        y : array-like of shape (n_pixels, n_endmembers) or (n_rows, n_columns, n_endmembers), \
                default=None
            True abundances, drawn above the estimated ones.

        shape : (int, int), default=None
            Rows and columns of the scene. Not needed if `X` is an image.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the names of the estimator.

        name : str, default=None
            Label of the row of estimated abundances. None uses the class name of the estimator if
            there is more than one row.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `error`, `n_cols`, `cmap`, `colorbar`, `im_kw` and
            `error_kw`.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        ValueError
            As in :meth:`plot`, or if the shape does not fit the pixels, or no pixel is finite.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_estimator")
        pixels, shape, finite = split_pixels(X, shape, estimator)
        abundances = place(estimator.predict(pixels), finite)
        names = estimator_names(estimator, abundances.shape[2])
        if endmember_names is None:
            endmember_names = check_names(names, abundances.shape[2])
        reference = None
        if y is not None:
            reference = as_image_like(y, names, shape, "y", "the endmembers")
            name = type(last_step(estimator)).__name__ if name is None else name
        display = cls(abundances, reference=reference, endmember_names=endmember_names, name=name)
        return display.plot(**plot_kw)

    @classmethod
    def from_predictions(
        cls,
        y_pred: Any,
        *,
        y_true: Any = None,
        shape: Any = None,
        endmember_names: Any = None,
        name: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw abundances.

        Parameters
        ----------
        y_pred : array-like of shape (n_pixels, n_endmembers), (n_pixels,) or \
                (n_rows, n_columns, n_endmembers)
            Abundances, with pixels in row-major order. Those of a single endmember may be
            one-dimensional. NaN and masked values are drawn as missing. A DataArray may have its
            dimensions in any order.

        y_true : array-like of the shape of `y_pred`, default=None
            True abundances, drawn above `y_pred`.

        shape : (int, int), default=None
            Rows and columns of the scene. Not needed if `y_pred` is an image.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the labels of a DataFrame or DataArray.

        name : str, default=None
            Label of the row of `y_pred`.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `error`, `n_cols`, `cmap`, `colorbar`, `im_kw` and
            `error_kw`.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        ValueError
            As in :meth:`plot`, or if the shape does not fit the pixels.
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
        reference = None
        if y_true is not None:
            shape = abundances.shape[:2]
            reference = as_image_like(y_true, labels, shape, "y_true", "those of y_pred")
        display = cls(abundances, reference=reference, endmember_names=endmember_names, name=name)
        return display.plot(**plot_kw)

    @classmethod
    def from_file(cls, path, *, max_side=600, endmember_names=None, name=None, **plot_kw):
        """Draw a file of abundances, such as :func:`skunmix.scenes.unmix_file` writes.

        The file is read block by block, and a large one is thinned, so that it need not fit into
        memory.

        Parameters
        ----------
        path : str or path-like
            GeoTIFF, ENVI, netCDF, Zarr or NumPy file, with a band or an entry of the dimension
            "endmember" for each endmember. The bounds of intervals are left out.

        max_side : int, default=600
            Rows and columns to draw, at most. Of a larger file, every second, third, … row and
            column is drawn.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the names in the file.

        name : str, default=None
            Label of the row of maps.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `n_cols`, `cmap`, `colorbar` and `im_kw`.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        OSError
            If the file does not exist, or cannot be read.
        ValueError
            As in :meth:`plot`.
        ImportError
            If matplotlib, or a library that reads the file, is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_file")
        abundances, names = read_maps(path, max_side)
        n_endmembers = count_without_bounds(names)
        abundances = abundances[..., :n_endmembers]
        if endmember_names is None:
            endmember_names = names[:n_endmembers]
        return cls(abundances, endmember_names=endmember_names, name=name).plot(**plot_kw)

    def plot(
        self,
        ax: Any = None,
        *,
        error: Any = False,
        n_cols: Any = 6,
        cmap: Any = "viridis",
        colorbar: Any = True,
        im_kw: Any = None,
        error_kw: Any = None,
    ) -> Self:
        """Draw the maps.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to draw into: one, which is divided if there are several panels, or one for each
            panel, row by row. None makes a figure.

        error : bool, default=False
            Whether to draw the absolute error in another row. Needs a reference.

        n_cols : int, default=6
            Largest number of panels side by side. Further endmembers continue below, with all their
            rows. Ignored if `ax` is an array.

        cmap : str or Colormap, default="viridis"
            Colour map of the abundances.

        colorbar : bool, default=True
            Whether to draw a colour bar.

        im_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.imshow` for abundances. The scale is from 0 to 1 unless
            set here, for example by ``{"vmax": 0.5}``.

        error_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.imshow` for errors.

        Returns
        -------
        display : AbundanceMapDisplay

        Raises
        ------
        ValueError
            If abundances, reference and names do not fit each other, or the number of axes does
            not fit that of the panels.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        abundances, reference, names = self._check(error)
        scale = {"vmin": 0.0, "vmax": 1.0, "cmap": cmap, **(im_kw or {})}
        rows = [MapRow(self.name or "estimate", abundances, scale, "abundance")]
        if reference is not None:
            rows.insert(0, MapRow("reference", reference, scale, "abundance"))
        if error:
            error_scale = {"vmin": 0.0, "cmap": "magma", **(error_kw or {})}
            errors = abs(abundances - reference)
            rows.append(MapRow("error", errors, error_scale, "absolute error"))
        self.axes_, self.images_, colorbars = draw_rows(
            plt,
            ax,
            rows,
            names,
            n_cols=n_cols,
            labelled=len(rows) > 1 or bool(self.name),
            colorbar=colorbar,
        )
        self.figure_ = self.axes_[0, 0].figure
        self.colorbar_ = colorbars.get("abundance")
        self.error_colorbar_ = colorbars.get("absolute error")
        return self

    def _check(self, error):
        """Return abundances, reference and names, after checking that they fit each other."""
        abundances = as_image(self.abundances, None, "abundances")
        if self.endmember_names is None and not hasattr(self.abundances, "coords"):
            check_endmembers_last(abundances, "abundances")
        names = check_names(self.endmember_names, abundances.shape[2])
        if self.reference is None:
            if error:
                raise ValueError(
                    "Expected true abundances for error=True, got none; pass them, or set "
                    "error=False."
                )
            return abundances, None, names
        reference = as_image(self.reference, None, "reference")
        if reference.shape != abundances.shape:
            raise ValueError(
                f"Expected true abundances as an image of shape {abundances.shape}, as the "
                f"estimated ones have, got {reference.shape}; pass both with the same pixels and "
                f"endmembers."
            )
        return abundances, reference, names
