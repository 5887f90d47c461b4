"""Maps of abundances and of the width of their intervals."""

from pathlib import Path
from typing import Any, Self

import numpy as np

from ..utils.images import place, split_pixels, values_last
from ..utils.intervals import count_without_bounds, interval_estimator, predict_interval
from ..utils.optional import require_pyplot
from ._common import (
    as_image,
    as_image_like,
    check_names,
    estimator_names,
    read_maps,
    value_labels,
)
from ._panels import MapRow, draw_rows


class IntervalDisplay:
    """Abundance maps, and below each the width of the intervals of its endmember.

    Where intervals are wide, the abundance is known poorly.

    Create it with :meth:`from_estimator`, :meth:`from_predictions` or :meth:`from_file`. The
    parameters of the constructor become attributes.

    Parameters
    ----------
    abundances : ndarray of shape (n_rows, n_columns, n_endmembers)
        Estimated abundances. NaN marks pixels without abundances.

    lower, upper : ndarray of shape (n_rows, n_columns, n_endmembers)
        Bounds of the intervals.

    endmember_names : sequence of str of length n_endmembers, default=None
        Titles of the panels. None uses "endmember0", "endmember1", …

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, n_endmembers)
        The panels: abundances and widths.

    images_ : ndarray of AxesImage of shape (2, n_endmembers)
        The images in the panels.

    colorbar_, width_colorbar_ : Colorbar or None
        Colour bars of the abundances and of the widths.

    figure_ : Figure
        The figure.

    See Also
    --------
    CoverageDisplay : Whether the intervals hold the true abundances.
    AbundanceMapDisplay : The abundances alone, or beside a reference.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import IntervalDisplay
    >>> scene = make_scene(n_endmembers=3, random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers, lam=0, sum_to_one=True)
    >>> IntervalDisplay.from_estimator(model.fit(scene.spectra), scene.spectra, shape=scene.shape)
    <skunmix.plotting...IntervalDisplay object at ...>
    """

    def __init__(
        self, abundances: Any, *, lower: Any, upper: Any, endmember_names: Any = None
    ) -> None:
        self.abundances = abundances
        self.lower = lower
        self.upper = upper
        self.endmember_names = endmember_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        coverage: Any = 0.9,
        shape: Any = None,
        endmember_names: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Unmix a scene with a fitted estimator, and draw abundances and widths.

        Parameters
        ----------
        estimator : estimator with ``predict_interval``
            Fitted estimator, or a pipeline or search that ends in one.

        X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
            Spectra of the scene, with pixels in row-major order. Pixels with a NaN, infinite or
            masked value are left out, and drawn as missing.

        coverage : float, default=0.9
            Share of the pixels whose true abundance the intervals hold, between 0 and 1.

        shape : (int, int), default=None
            Rows and columns of the scene. Not needed if `X` is an image.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the names of the estimator.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `n_cols`, `cmap`, `colorbar`, `im_kw` and `width_kw`.

        Returns
        -------
        display : IntervalDisplay

        Raises
        ------
        TypeError
            If the estimator has no `predict_interval`.
        ValueError
            As in :meth:`plot`, or if the coverage is not between 0 and 1, the shape does not fit
            the pixels, or no pixel is finite.
        ImportError
            If matplotlib is not installed.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_pyplot(caller)
        interval_estimator(estimator, caller)
        pixels, shape, finite = split_pixels(X, shape, estimator)
        found = estimator.predict(pixels), *predict_interval(estimator, pixels, coverage)
        abundances, lower, upper = (place(values, finite) for values in found)
        if endmember_names is None:
            n_endmembers = abundances.shape[2]
            endmember_names = check_names(estimator_names(estimator, n_endmembers), n_endmembers)
        display = cls(abundances, lower=lower, upper=upper, endmember_names=endmember_names)
        return display.plot(**plot_kw)

    @classmethod
    def from_predictions(
        cls,
        y_pred: Any,
        *,
        lower: Any,
        upper: Any,
        shape: Any = None,
        endmember_names: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw abundances and the widths of their intervals.

        Parameters
        ----------
        y_pred : array-like of shape (n_pixels, n_endmembers), (n_pixels,) or \
                (n_rows, n_columns, n_endmembers)
            Abundances, with pixels in row-major order. NaN and masked values are drawn as missing.

        lower, upper : array-like of the shape of `y_pred`
            Bounds of the intervals, as `predict_interval` returns them.

        shape : (int, int), default=None
            Rows and columns of the scene. Not needed if `y_pred` is an image.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the labels of a DataFrame or DataArray.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `n_cols`, `cmap`, `colorbar`, `im_kw` and `width_kw`.

        Returns
        -------
        display : IntervalDisplay

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
        shape = abundances.shape[:2]
        lower, upper = (
            as_image_like(bound, labels, shape, name, "those of y_pred")
            for bound, name in ((lower, "lower"), (upper, "upper"))
        )
        names = labels if endmember_names is None else endmember_names
        return cls(abundances, lower=lower, upper=upper, endmember_names=names).plot(**plot_kw)

    @classmethod
    def from_file(
        cls, path: Any, *, max_side: Any = 600, endmember_names: Any = None, **plot_kw: Any
    ) -> Self:
        """Draw a file that :func:`skunmix.scenes.unmix_file` writes with a `coverage`.

        The file is read block by block, and a large one is thinned, so that it need not fit into
        memory.

        Parameters
        ----------
        path : str or path-like
            GeoTIFF, ENVI, netCDF, Zarr or NumPy file.

        max_side : int, default=600
            Rows and columns to draw, at most. Of a larger file, every second, third, … row and
            column is drawn.

        endmember_names : sequence of str, default=None
            Titles of the panels. None takes the names in the file.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `n_cols`, `cmap`, `colorbar`, `im_kw` and `width_kw`.

        Returns
        -------
        display : IntervalDisplay

        Raises
        ------
        OSError
            If the file does not exist, or cannot be read.
        ValueError
            As in :meth:`plot`, or if the file has no bounds of intervals.
        ImportError
            If matplotlib, or a library that reads the file, is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_file")
        maps, names = read_maps(path, max_side)
        n_endmembers = count_without_bounds(names)
        if Path(path).suffix == ".npy" and len(names) % 3 == 0:  # which has no names
            n_endmembers = len(names) // 3
        if 3 * n_endmembers != len(names):
            raise ValueError(
                f"Expected maps of abundances and of their lower and upper bounds in {path}, got "
                f"{len(names)} maps without such bounds; pass a coverage to unmix_file, or draw "
                f"the file with AbundanceMapDisplay."
            )
        if endmember_names is None:
            endmember_names = names[:n_endmembers]
        abundances, lower, upper = np.split(maps, 3, axis=2)
        display = cls(abundances, lower=lower, upper=upper, endmember_names=endmember_names)
        return display.plot(**plot_kw)

    def plot(
        self,
        ax: Any = None,
        *,
        n_cols: Any = 6,
        cmap: Any = "viridis",
        colorbar: Any = True,
        im_kw: Any = None,
        width_kw: Any = None,
    ) -> Self:
        """Draw the maps.

        Parameters
        ----------
        ax : Axes or array-like of Axes, default=None
            Axes to draw into: one, which is divided, or one for each panel, row by row. None makes
            a figure.

        n_cols : int, default=6
            Largest number of panels side by side. Further endmembers continue below. Ignored if
            `ax` is an array.

        cmap : str or Colormap, default="viridis"
            Colour map of the abundances.

        colorbar : bool, default=True
            Whether to draw colour bars.

        im_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.imshow` for abundances. The scale is from 0 to 1 unless
            set here.

        width_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.imshow` for widths. The scale is from 0 to the largest
            unless set here.

        Returns
        -------
        display : IntervalDisplay

        Raises
        ------
        ValueError
            If abundances, bounds and names do not fit each other, or the number of axes does not
            fit that of the panels.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        abundances = as_image(self.abundances, None, "abundances")
        bounds = [as_image(getattr(self, name), None, name) for name in ("lower", "upper")]
        for name, bound in zip(("lower", "upper"), bounds):
            if bound.shape != abundances.shape:
                raise ValueError(
                    f"Expected {name} as an image of shape {abundances.shape}, as the abundances "
                    f"have, got {bound.shape}; pass the same pixels and endmembers."
                )
        names = check_names(self.endmember_names, abundances.shape[2])
        lower, upper = bounds
        scale = {"vmin": 0.0, "vmax": 1.0, "cmap": cmap, **(im_kw or {})}
        width_scale = {"vmin": 0.0, "cmap": "magma", **(width_kw or {})}
        rows = [
            MapRow("estimate", abundances, scale, "abundance"),
            MapRow("width", upper - lower, width_scale, "width of interval"),
        ]
        self.axes_, self.images_, colorbars = draw_rows(
            plt, ax, rows, names, n_cols=n_cols, labelled=True, colorbar=colorbar
        )
        self.figure_ = self.axes_[0, 0].figure
        self.colorbar_ = colorbars.get("abundance")
        self.width_colorbar_ = colorbars.get("width of interval")
        return self
