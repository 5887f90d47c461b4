"""Simulated endmembers, scenes and mixtures."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from sklearn.utils import Bunch, check_array

from ..utils import Interval, validate_params
from ..utils.labels import axis_labels, name_labels, refuse_masked
from ..utils.random import generator
from ._angles import angles_between
from ._mixing import (
    MAX_DRAWS,
    add_noise,
    blur,
    bound,
    draw_patches,
    draw_sparse,
    vary_brightness,
)

# Range of the curves of make_endmembers, in µm. It is a little more than 0.4-2.5, to include the
# channels of AVIRIS (0.37-2.51).
_FIRST_WAVELENGTH, _LAST_WAVELENGTH = 0.35, 2.55

_POSITIVE = Interval(Integral, 1, None, closed="left")


@validate_params(
    {
        "n_endmembers": [_POSITIVE],
        "n_bands": [_POSITIVE],
        "wavelengths": ["array-like", None],
        "min_angle": [Interval(Real, 0, 90, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_endmembers(
    n_endmembers: int = 6,
    n_bands: int = 224,
    *,
    wavelengths: ArrayLike | None = None,
    min_angle: float = 5.0,
    random_state: Any = None,
) -> Bunch:
    r"""Simulate spectra that resemble those of materials: smooth, with absorption bands.

    A reflectance is a smooth continuum :math:`c` through random knots, multiplied by absorption
    bands:

    .. math:: r(\lambda) = c(\lambda) \prod_k \left(
              1 - d_k \exp\left(-\tfrac12 (\lambda - \lambda_k)^2 / s_k^2\right)\right)

    Parameters
    ----------
    n_endmembers : int, default=6
        Number of spectra.
    n_bands : int, default=224
        Number of bands, equally spaced from 0.4 to 2.5 µm. Ignored if `wavelengths` are given.
    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands, in µm, from 0.35 to 2.55, in any order.
    min_angle : float, default=5.0
        The angle between any two spectra is larger than this, in degrees, so that no spectrum is
        nearly a multiple of another.
    random_state : int, RandomState instance or None, default=None
        Determines the spectra. For the same `random_state` and bands, a larger number adds spectra
        to those of a smaller number. None draws from a new generator, not from NumPy's global one.

    Returns
    -------
    library : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        endmembers : ndarray of shape (n_endmembers, n_bands)
            Reflectances, from 0 to 1, one spectrum per row.
        endmember_names : list of str
            "endmember0", "endmember1", …
        wavelengths : ndarray of shape (n_bands,)
            Centres of the bands, in µm.
        DESCR : str
            Description.

    Raises
    ------
    ValueError
        If a wavelength is out of range, or if random draws find fewer than `n_endmembers` spectra
        at these angles, as with few bands.

    See Also
    --------
    fetch_usgs_library : Measured spectra of minerals and plants.

    Examples
    --------
    >>> from skunmix.datasets import make_endmembers
    >>> library = make_endmembers(4, n_bands=100, random_state=0)
    >>> library.endmembers.shape
    (4, 100)
    >>> bool(library.endmembers.min() >= 0 and library.endmembers.max() <= 1)
    True
    >>> print(library.wavelengths[[0, -1]])
    [0.4 2.5]
    """
    rng = generator(random_state)
    if wavelengths is None:
        wavelengths = np.linspace(0.4, 2.5, n_bands)
    else:
        wavelengths = _check_wavelengths(wavelengths)

    endmembers = np.empty((n_endmembers, len(wavelengths)))
    for i in range(n_endmembers):
        for _ in range(MAX_DRAWS):
            endmembers[i] = _draw_reflectance(wavelengths, rng)
            if (angles_between(endmembers[i : i + 1], endmembers[:i]) > min_angle).all():
                break
        else:
            raise ValueError(
                f"Expected {n_endmembers} endmembers of {len(wavelengths)} bands that are pairwise "
                f"more than {min_angle:g}° apart, got {i}, and no further one in {MAX_DRAWS} "
                f"draws; pass a smaller n_endmembers or min_angle, or more bands."
            )
    return Bunch(
        endmembers=endmembers,
        endmember_names=_default_names(n_endmembers),
        wavelengths=wavelengths,
        DESCR=(
            f"{n_endmembers} synthetic reflectance spectra of {len(wavelengths)} bands, pairwise "
            f"more than {min_angle:g}° apart, by skunmix.datasets.make_endmembers: smooth random "
            f"continua with absorption bands. They belong to no real material."
        ),
    )


@validate_params(
    {
        "endmembers": ["array-like", None],
        "n_endmembers": [Interval(Integral, 2, None, closed="left"), None],
        "shape": ["array-like"],
        "patch_size": [_POSITIVE],
        "fractions": ["array-like"],
        "sigma": [Interval(Real, 0, None, closed="left")],
        "window": [_POSITIVE],
        "max_abundance": [Interval(Real, 0, 1, closed="right"), None],
        "brightness_variation": [Interval(Real, 0, None, closed="left")],
        "snr": [Real, None],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_scene(
    endmembers: Any = None,
    *,
    n_endmembers: int | None = None,
    shape: tuple[int, int] = (100, 100),
    patch_size: int = 10,
    fractions: Any = (0.8, 0.2),
    sigma: float = 2**0.5,
    window: int = 11,
    max_abundance: float | None = None,
    brightness_variation: float = 0.0,
    snr: float | None = 15.0,
    random_state: Any = None,
    return_X_y: bool = False,
) -> Any:
    r"""Simulate the synthetic image on which unrolled unmixing networks are compared.

    The image consists of square patches, each a mixture of two random endmembers. A Gaussian filter
    blurs the abundance maps, which are then rescaled to sum to one, so that pixels near the edges
    of patches contain more endmembers. The spectra are linear mixtures,
    :math:`y = b \sum_j x_j a_j + n`, with a brightness :math:`b` of the pixel, which is 1 by
    default, and white noise :math:`n` of the same variance in each of the :math:`N_B` bands,

    .. math:: \sigma_n^2 = \frac{\mathrm{mean}_i \|y_i - n_i\|_2^2}{N_B \, 10^{\mathrm{SNR}/10}}

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), DataFrame or Bunch, default=None
        Spectra, one per row. The index of a DataFrame, and `endmember_names` and `wavelengths` of a
        library, are kept. None takes the result of :func:`make_endmembers`.
    n_endmembers : int, default=None
        Number of endmembers in the scene, drawn at random from `endmembers`. None takes all of
        them, or 6 if `endmembers` is None.
    shape : (int, int), default=(100, 100)
        Rows and columns of the image. An image with few patches may lack some of the endmembers.
    patch_size : int, default=10
        Side of a patch, in pixels. If the shape is not a multiple of it, patches at the lower and
        right edges are smaller.
    fractions : sequence of float, default=(0.8, 0.2)
        Abundances of the random, distinct endmembers of a patch before the filter. They sum to one.
    sigma : float, default=sqrt(2)
        Standard deviation of the Gaussian filter, in pixels. 0 leaves the patches sharp.
    window : int, default=11
        Side of the window of the filter, in pixels, an odd number. Near the edge of the image, the
        filter is rescaled to the part inside.
    max_abundance : float, default=None
        Largest abundance of an endmember in a pixel, above 1 / n_endmembers. A pixel with a larger
        one moves straight towards the even mixture of all endmembers, as far as needed. With the
        default `fractions`, no abundance is above 0.8 anyway; ``fractions=(1.0,)`` gives pure
        pixels. None sets no bound.
    brightness_variation : float, default=0.0
        Standard deviation of the brightness of the pixels, as by slope and shade: each spectrum is
        multiplied by a factor from a log-normal distribution of mean 1. 0 leaves it out.
    snr : float or None, default=15.0
        Signal-to-noise ratio in dB. None or infinity adds no noise.
    random_state : int, RandomState instance or None, default=None
        Determines the layout, the noise and, if they are not given, the endmembers. None draws from
        a new generator, not from NumPy's global one.
    return_X_y : bool, default=False
        Whether to return ``(spectra, abundances)`` instead of a Bunch.

    Returns
    -------
    scene : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes. Pixels are in row-major order:
        ``abundances.reshape(*shape, -1)`` is the image.

        spectra : ndarray of shape (n_pixels, n_bands)
            Noisy mixtures, in the unit of the endmembers. Noise may make them negative.
        abundances : ndarray of shape (n_pixels, n_endmembers)
            At least 0; rows sum to one.
        brightness : ndarray of shape (n_pixels,)
            Factor of each noiseless mixture.
        endmembers : ndarray of shape (n_endmembers, n_bands)
            The spectra in the mixtures.
        endmember_names : list of str
            Their names.
        wavelengths : ndarray of shape (n_bands,) or None
            Centres of the bands, in µm, if known.
        shape : tuple of (int, int)
            Rows and columns.
        noise_std : float
            Standard deviation of the noise, the same in each band.
        DESCR : str
            Description.

    (spectra, abundances) : tuple if `return_X_y` is True

    Raises
    ------
    ValueError
        If the endmembers are not a finite matrix or fewer than the fractions, the fractions do
        not sum to one, `shape` is not two positive integers, `window` is even, or `max_abundance`
        is too small for abundances that sum to one.

    See Also
    --------
    make_mixtures : Mixtures without an image.

    Examples
    --------
    >>> from skunmix.datasets import make_scene
    >>> scene = make_scene(random_state=0)
    >>> scene.spectra.shape, scene.abundances.shape, scene.shape
    ((10000, 224), (10000, 6), (100, 100))
    >>> maps = scene.abundances.reshape(*scene.shape, -1)
    >>> maps[5, 5].round(2)
    array([0. , 0. , 0.8, 0. , 0. , 0.2])

    With six measured spectra of the library that the literature prunes at 4.44°:

    >>> from skunmix.datasets import fetch_usgs_library
    >>> library = fetch_usgs_library(min_angle=4.44)  # doctest: +SKIP
    >>> scene = make_scene(library, n_endmembers=6, random_state=0)  # doctest: +SKIP
    >>> scene.endmember_names[:2]  # doctest: +SKIP
    ['Gypsum HS333.3B', 'Copiapite GDS21']
    """
    rng = generator(random_state)
    shape = _check_shape(shape)
    fractions = _check_fractions(fractions)
    if window % 2 == 0:
        raise ValueError(
            f"Expected an odd window, so that the filter has a centre, got {window}; pass "
            f"{window + 1}."
        )
    if endmembers is None:
        endmembers = make_endmembers(n_endmembers or 6, random_state=rng)
    endmembers, names, wavelengths = _check_library(endmembers)
    if n_endmembers is not None and n_endmembers != len(endmembers):
        if n_endmembers > len(endmembers):
            raise ValueError(
                f"Expected n_endmembers of at most {len(endmembers)}, the number of `endmembers`, "
                f"got {n_endmembers}; pass fewer, or more endmembers."
            )
        chosen = rng.permutation(len(endmembers))[:n_endmembers]
        endmembers, names = endmembers[chosen], [names[i] for i in chosen]
    if len(endmembers) < len(fractions):
        raise ValueError(
            f"Expected at least {len(fractions)} endmembers, one for each of `fractions`, got "
            f"{len(endmembers)}; pass more endmembers or fewer fractions."
        )

    _check_max_abundance(max_abundance, len(endmembers), "endmembers")

    patches = draw_patches(shape, patch_size, fractions, len(endmembers), rng)
    abundances = blur(patches, sigma, window).reshape(-1, len(endmembers))
    if max_abundance is not None:
        abundances = bound(abundances, max_abundance)
    mixtures, brightness = vary_brightness(abundances @ endmembers, brightness_variation, rng)
    spectra, noise_std = add_noise(mixtures, snr, rng)
    if return_X_y:
        return spectra, abundances
    return Bunch(
        spectra=spectra,
        abundances=abundances,
        brightness=brightness,
        endmembers=endmembers,
        endmember_names=names,
        wavelengths=wavelengths,
        shape=shape,
        noise_std=noise_std,
        DESCR=(
            f"A synthetic image of {shape[0]} × {shape[1]} pixels and {endmembers.shape[1]} bands "
            f"with {len(endmembers)} endmembers, by skunmix.datasets.make_scene: patches of "
            f"{patch_size} × {patch_size} pixels, each a mixture of {len(fractions)} random "
            f"endmembers in the fractions {', '.join(f'{f:g}' for f in fractions)}, blurred by a "
            f"Gaussian filter (window {window} × {window}, σ = {sigma:.4g}), rescaled to sum to "
            f"one{_describe_bound(max_abundance)} and mixed linearly, "
            f"{_describe_brightness(brightness_variation)}{_describe_noise(snr)}. Pixels are in "
            f"row-major order."
        ),
    )


@validate_params(
    {
        "endmembers": ["array-like"],
        "n_pixels": [_POSITIVE],
        "n_active": ["array-like", _POSITIVE, None],
        "concentration": [Interval(Real, 0, None, closed="neither")],
        "max_abundance": [Interval(Real, 0, 1, closed="right"), None],
        "brightness_variation": [Interval(Real, 0, None, closed="left")],
        "snr": [Real, None],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_mixtures(
    endmembers: ArrayLike,
    n_pixels: int = 1000,
    *,
    n_active: Any = None,
    concentration: float = 1.0,
    max_abundance: float | None = None,
    brightness_variation: float = 0.0,
    snr: float | None = 30.0,
    random_state: Any = None,
    return_X_y: bool = False,
) -> Any:
    r"""Simulate random linear mixtures of a few endmembers each, from a library of any size.

    Each pixel mixes some endmembers, drawn at random without replacement, with abundances from
    a symmetric Dirichlet distribution, and white noise as in :func:`make_scene`.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), DataFrame or Bunch
        Spectra, one per row. The index of a DataFrame, and `endmember_names` and `wavelengths` of a
        library, are kept.
    n_pixels : int, default=1000
        Number of mixtures.
    n_active : int, (int, int) or None, default=None
        Number of endmembers in a pixel: this number in every pixel, or a number drawn for each
        pixel from this range, including both ends. None mixes all endmembers.
    concentration : float, default=1.0
        Parameter of the Dirichlet distribution. 1 is uniform over the simplex of the active
        endmembers. Smaller values give purer pixels, larger values more even mixtures.
    max_abundance : float, default=None
        Largest abundance of an endmember in a pixel, above 1 / n_active: abundances are drawn again
        until it holds, which is the Dirichlet distribution on the condition that it does. Below 1,
        there are no pure pixels. None sets no bound.
    brightness_variation : float, default=0.0
        Standard deviation of the brightness of the pixels, as by slope and shade: each spectrum is
        multiplied by a factor from a log-normal distribution of mean 1. 0 leaves it out.
    snr : float or None, default=30.0
        Signal-to-noise ratio in dB. None or infinity adds no noise.
    random_state : int, RandomState instance or None, default=None
        Determines the mixtures. None draws from a new generator, not from NumPy's global one.
    return_X_y : bool, default=False
        Whether to return ``(spectra, abundances)`` instead of a Bunch.

    Returns
    -------
    mixtures : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the attributes `spectra`, `abundances`, `brightness`,
        `endmembers`, `endmember_names`, `wavelengths`, `noise_std` and `DESCR`, as from
        :func:`make_scene`.

    (spectra, abundances) : tuple if `return_X_y` is True

    Raises
    ------
    ValueError
        If the endmembers are not a finite matrix, `n_active` is not from 1 to their number, or
        `max_abundance` is too small: abundances could not sum to one, or random draws do not find
        any within it.

    Examples
    --------
    >>> from skunmix.datasets import make_endmembers, make_mixtures
    >>> library = make_endmembers(60, random_state=0)
    >>> mixtures = make_mixtures(library, 2500, n_active=9, snr=30, random_state=0)
    >>> mixtures.spectra.shape
    (2500, 224)
    >>> bool(((mixtures.abundances > 0).sum(axis=1) == 9).all())
    True
    """
    rng = generator(random_state)
    endmembers, names, wavelengths = _check_library(endmembers)
    fewest, most = _check_n_active(n_active, len(endmembers))
    _check_max_abundance(max_abundance, fewest, "active endmembers")

    abundances = draw_sparse(
        n_pixels, len(endmembers), fewest, most, concentration, max_abundance, rng
    )
    mixtures, brightness = vary_brightness(abundances @ endmembers, brightness_variation, rng)
    spectra, noise_std = add_noise(mixtures, snr, rng)
    if return_X_y:
        return spectra, abundances
    active = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return Bunch(
        spectra=spectra,
        abundances=abundances,
        brightness=brightness,
        endmembers=endmembers,
        endmember_names=names,
        wavelengths=wavelengths,
        noise_std=noise_std,
        DESCR=(
            f"{n_pixels} synthetic linear mixtures of {active} of {len(endmembers)} endmembers, "
            f"{endmembers.shape[1]} bands, by skunmix.datasets.make_mixtures: abundances from "
            f"a Dirichlet distribution of concentration {concentration:g}"
            f"{_describe_bound(max_abundance)}, {_describe_brightness(brightness_variation)}"
            f"{_describe_noise(snr)}."
        ),
    )


def _default_names(n_endmembers):
    return [f"endmember{i}" for i in range(n_endmembers)]


def _draw_reflectance(wavelengths, rng):
    knots = np.linspace(_FIRST_WAVELENGTH, _LAST_WAVELENGTH, 7)
    # monotone between knots, so that the continuum stays within their range
    reflectance = PchipInterpolator(knots, rng.uniform(0.05, 0.95, size=len(knots)))(wavelengths)
    n_absorptions = rng.randint(2, 6)
    centres = rng.uniform(_FIRST_WAVELENGTH, _LAST_WAVELENGTH, size=n_absorptions)
    widths = rng.uniform(0.02, 0.12, size=n_absorptions)
    depths = rng.uniform(0.1, 0.7, size=n_absorptions)
    for centre, width, depth in zip(centres, widths, depths):
        reflectance *= 1 - depth * np.exp(-0.5 * ((wavelengths - centre) / width) ** 2)
    return reflectance


def _describe_bound(max_abundance):
    return "" if max_abundance is None else f", bounded by {max_abundance:g}"


def _describe_brightness(variation):
    return "" if variation == 0 else f"with a brightness of 1 ± {variation:g}, "


def _describe_noise(snr):
    if snr is None or snr == np.inf:
        return "without noise"
    return f"with white noise at a signal-to-noise ratio of {snr:g} dB"


def _check_library(endmembers):
    """Return endmembers as rows (a copy), their names, and wavelengths or None."""
    names = wavelengths = None
    if isinstance(endmembers, Bunch):
        if "endmembers" not in endmembers:
            raise ValueError(
                f"Expected a Bunch with the attribute `endmembers`, as make_endmembers returns, "
                f"got one with {', '.join(sorted(endmembers)) or 'no attributes'}; pass the "
                f"spectra as `endmembers`."
            )
        names, wavelengths = endmembers.get("endmember_names"), endmembers.get("wavelengths")
        endmembers = endmembers["endmembers"]
    elif hasattr(endmembers, "iloc"):  # a pandas DataFrame
        names = [str(label) for label in endmembers.index]
    else:
        names = name_labels(axis_labels(endmembers)[0])
    refuse_masked(endmembers, "endmembers")
    endmembers = check_array(endmembers, dtype=np.float64, copy=True, input_name="endmembers")
    names = _default_names(len(endmembers)) if names is None else list(names)
    return endmembers, names, None if wavelengths is None else np.array(wavelengths)


def _check_wavelengths(wavelengths):
    wavelengths = check_array(
        wavelengths, ensure_2d=False, dtype=np.float64, copy=True, input_name="wavelengths"
    )
    if wavelengths.ndim != 1:
        raise ValueError(
            f"Expected wavelengths of shape (n_bands,), got {wavelengths.shape}; flatten them."
        )
    if wavelengths.min() < _FIRST_WAVELENGTH or wavelengths.max() > _LAST_WAVELENGTH:
        raise ValueError(
            f"Expected wavelengths from {_FIRST_WAVELENGTH} to {_LAST_WAVELENGTH} µm, got "
            f"{wavelengths.min():g} to {wavelengths.max():g}; divide nanometres by 1000."
        )
    return wavelengths


def _check_shape(shape):
    if len(shape) != 2 or not all(isinstance(n, Integral) and n >= 1 for n in shape):
        raise ValueError(
            f"Expected shape as two integers of at least 1, got {shape!r}; pass the rows and "
            f"columns of the image."
        )
    return tuple(int(n) for n in shape)


def _check_fractions(fractions):
    refuse_masked(fractions, "fractions")
    fractions = check_array(fractions, ensure_2d=False, dtype=np.float64, input_name="fractions")
    if fractions.ndim != 1 or fractions.min() < 0 or not np.isclose(fractions.sum(), 1):
        raise ValueError(
            f"Expected fractions of at least 0 that sum to one, got {fractions.tolist()}; pass, "
            f"for example, (0.8, 0.2)."
        )
    return fractions


def _check_n_active(n_active, n_endmembers):
    if n_active is None:
        return n_endmembers, n_endmembers
    ends = (n_active, n_active) if isinstance(n_active, Integral) else tuple(n_active)
    are_whole = len(ends) == 2 and all(isinstance(n, Integral) for n in ends)
    if not (are_whole and 1 <= ends[0] <= ends[1] <= n_endmembers):
        raise ValueError(
            f"Expected n_active as a number from 1 to the {n_endmembers} endmembers, or a range "
            f"(fewest, most) of such numbers, got {n_active!r}; pass one of these."
        )
    return ends


def _check_max_abundance(max_abundance, n_mixed, mixed):
    if max_abundance is not None and max_abundance < 1 and max_abundance * n_mixed <= 1:
        raise ValueError(
            f"Expected max_abundance above 1 / {n_mixed}, as the abundances of {n_mixed} {mixed} "
            f"sum to one, got {max_abundance:g}; pass a larger one, or None for no bound."
        )
