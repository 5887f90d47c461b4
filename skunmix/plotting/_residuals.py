"""Residual maps."""

from typing import Any, Self

import numpy as np

from ..utils.estimators import reconstruct_spectra
from ..utils.images import place, split_pixels, values_last
from ..utils.optional import require_pyplot
from ..utils.spectra import row_rmse
from ._common import (
    as_image,
    as_image_like,
    draw_colorbar,
    draw_image,
    value_labels,
)


class ResidualMapDisplay:
    r"""Map of the reconstruction error of each pixel.

    .. math:: \sqrt{\frac{1}{N_B} \|y - \hat y\|_2^2}

    where :math:`y` is a spectrum of :math:`N_B` bands and :math:`\hat y` its reconstruction from
    the endmembers and the estimated abundances. It needs no true abundances. If it is large, a
    material is missing from the endmembers, or mixing is not linear. If it is small, the model
    explains the spectra, but the abundances may still be wrong.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`. The parameter of the
    constructor becomes an attribute.

    Parameters
    ----------
    residuals : ndarray of shape (n_rows, n_columns)
        Root mean squared error over the bands, in the unit of the spectra. NaN marks pixels without
        spectra.

    Attributes
    ----------
    ax_ : Axes
        The axes.

    image_ : AxesImage
        The image.

    colorbar_ : Colorbar or None
        The colour bar.

    figure_ : Figure
        The figure.

    See Also
    --------
    AbundanceMapDisplay : The abundances.
    skunmix.metrics.fit_summary : The errors as numbers, and the pixels with the largest.
    skunmix.metrics.spectral_angle_scorer : Reconstruction as a score for model selection.

    Examples
    --------
    >>> from skunmix import SunSALRegressor
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.plotting import ResidualMapDisplay
    >>> scene = make_scene(snr=30, random_state=0)
    >>> model = SunSALRegressor(endmembers=scene.endmembers[:-1])  # one is missing
    >>> display = ResidualMapDisplay.from_estimator(
    ...     model.fit(scene.spectra), scene.spectra, shape=scene.shape
    ... )
    >>> display.residuals.shape
    (100, 100)
    """

    def __init__(self, residuals: Any) -> None:
        self.residuals = residuals

    @classmethod
    def from_estimator(cls, estimator: Any, X: Any, *, shape: Any = None, **plot_kw: Any) -> Self:
        """Unmix a scene, reconstruct its spectra, and draw the difference.

        Parameters
        ----------
        estimator : estimator with ``predict`` and ``inverse_transform``
            A fitted unmixer, or a pipeline or search that ends in one. If a step of the pipeline
            cannot be inverted, the spectra after this step are compared.

        X : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
            Spectra of the scene, with pixels in row-major order. Pixels with a NaN, infinite or
            masked value are left out, and drawn as missing.

        shape : (int, int), default=None
            Rows and columns of the scene. Not needed if `X` is an image.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `cmap`, `colorbar` and `im_kw`.

        Returns
        -------
        display : ResidualMapDisplay

        Raises
        ------
        ValueError
            If the shape does not fit the pixels, or no pixel is finite.
        TypeError
            If the estimator cannot reconstruct spectra.
        ImportError
            If matplotlib is not installed.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_pyplot(caller)
        pixels, _, finite = split_pixels(X, shape, estimator)
        spectra, rebuilt = reconstruct_spectra(estimator, pixels, caller)
        residuals = place(row_rmse(np.asarray(spectra), np.asarray(rebuilt)), finite)[..., 0]
        return cls(residuals).plot(**plot_kw)

    @classmethod
    def from_predictions(
        cls, spectra: Any, rebuilt: Any, *, shape: Any = None, **plot_kw: Any
    ) -> Self:
        """Draw the difference between spectra and their reconstruction.

        Parameters
        ----------
        spectra : array-like of shape (n_pixels, n_bands) or (n_rows, n_columns, n_bands)
            Spectra of the scene, with pixels in row-major order. Pixels with NaN are drawn as
            missing.

        rebuilt : array-like of the shape of `spectra`
            Their reconstruction, as ``inverse_transform`` returns it.

        shape : (int, int), default=None
            Rows and columns of the scene. Not needed if `spectra` is an image.

        **plot_kw
            Passed to :meth:`plot`: `ax`, `cmap`, `colorbar` and `im_kw`.

        Returns
        -------
        display : ResidualMapDisplay

        Raises
        ------
        ValueError
            If the shape does not fit the pixels, or the two arrays differ in shape.
        ImportError
            If matplotlib is not installed.
        """
        require_pyplot(f"{cls.__name__}.from_predictions")
        spectra = values_last(spectra, "spectra")
        labels = value_labels(spectra)
        spectra = as_image(spectra, shape, "spectra")
        rebuilt = as_image_like(rebuilt, labels, spectra.shape[:2], "rebuilt", "those of spectra")
        if spectra.shape != rebuilt.shape:
            raise ValueError(
                f"Expected rebuilt with {spectra.shape[2]} bands, as spectra have, got "
                f"{rebuilt.shape[2]}; pass the same pixels and bands in both."
            )
        return cls(row_rmse(spectra, rebuilt)).plot(**plot_kw)

    def plot(
        self, ax: Any = None, *, cmap: Any = "magma", colorbar: Any = True, im_kw: Any = None
    ) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : Axes, default=None
            Axes to draw into. None makes a figure.

        cmap : str or Colormap, default="magma"
            Colour map.

        colorbar : bool, default=True
            Whether to draw a colour bar.

        im_kw : dict, default=None
            Passed to `matplotlib.axes.Axes.imshow`. The scale is from 0 to the largest residual
            unless set here, for example by ``{"vmax": 0.05}``.

        Returns
        -------
        display : ResidualMapDisplay

        Raises
        ------
        ValueError
            If the residuals are not a single map.
        ImportError
            If matplotlib is not installed.
        """
        plt = require_pyplot(f"{type(self).__name__}.plot")
        residuals = np.asarray(values_last(self.residuals, "residuals"), dtype=np.float64)
        if residuals.ndim == 3 and residuals.shape[2] == 1:
            residuals = residuals[..., 0]
        if residuals.ndim != 2:
            raise ValueError(
                f"Expected residuals of shape (n_rows, n_columns), one error for each pixel, got "
                f"{residuals.shape}; pass one map."
            )
        if ax is None:
            n_rows, n_columns = residuals.shape
            height = 4.0 * np.clip(n_rows / n_columns, 0.4, 1.5)
            _, ax = plt.subplots(figsize=(5.0, height + 0.3), layout="compressed")
        self.image_ = draw_image(ax, residuals, **{"vmin": 0.0, "cmap": cmap, **(im_kw or {})})
        ax.set_title("reconstruction RMSE", fontsize="medium")
        self.ax_, self.figure_, self.colorbar_ = ax, ax.figure, None
        if colorbar:
            self.colorbar_ = draw_colorbar(ax, self.image_, residuals, "RMSE")
        return self
