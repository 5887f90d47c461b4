"""Endmembers, scenes and mixtures, made from a random state."""

from numbers import Integral, Real

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter
from sklearn.utils import Bunch, check_array, check_random_state

from ..utils import Interval, axis_labels, name_labels, refuse_masked, validate_params
from ._angles import angles_between

# Where the curves of make_endmembers are defined, in µm; a little more than 0.4-2.5, so that the
# channels of AVIRIS (0.37-2.51) fit in.
_FIRST_WAVELENGTH, _LAST_WAVELENGTH = 0.35, 2.55
_MAX_DRAWS = 1000

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
    n_endmembers=6, n_bands=224, *, wavelengths=None, min_angle=5.0, random_state=None
):
    r"""Make spectra that look like those of materials: smooth, with absorption bands.

    A reflectance is a smooth continuum :math:`c` through random knots, with absorption bands cut
    into it:

    .. math:: r(\lambda) = c(\lambda) \prod_k \left(
              1 - d_k \exp\left(-\tfrac12 (\lambda - \lambda_k)^2 / s_k^2\right)\right)

    Parameters
    ----------
    n_endmembers : int, default=6
        Number of spectra.
    n_bands : int, default=224
        Number of bands, equally spaced from 0.4 to 2.5 µm. Not used if `wavelengths` are given.
    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands, in µm, from 0.35 to 2.55, in any order.
    min_angle : float, default=5.0
        Every two spectra are at a larger angle than this, in degrees, so that none of them is
        nearly a multiple of another.
    random_state : int, RandomState instance or None, default=None
        Determines the spectra. Those of the same `random_state` and bands start alike, however
        many there are. None draws from a fresh generator, and not from NumPy's global one.

    Returns
    -------
    library : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        endmembers : ndarray of shape (n_endmembers, n_bands)
            Reflectances, from 0 to 1, one spectrum a row.
        endmember_names : list of str
            "endmember0", "endmember1", …
        wavelengths : ndarray of shape (n_bands,)
            Centres of the bands, in µm.
        DESCR : str
            What this is.

    Raises
    ------
    ValueError
        If a wavelength is out of range, or so many spectra so far apart are not found: with few
        bands there is no room for them.

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
    rng = _generator(random_state)
    if wavelengths is None:
        wavelengths = np.linspace(0.4, 2.5, n_bands)
    else:
        wavelengths = _check_wavelengths(wavelengths)

    endmembers = np.empty((n_endmembers, len(wavelengths)))
    for i in range(n_endmembers):
        for _ in range(_MAX_DRAWS):
            endmembers[i] = _draw_reflectance(wavelengths, rng)
            if (angles_between(endmembers[i : i + 1], endmembers[:i]) > min_angle).all():
                break
        else:
            raise ValueError(
                f"{n_endmembers} endmembers of {len(wavelengths)} bands that are pairwise more "
                f"than {min_angle:g}° apart were asked for, but after {i} no further one was found "
                f"in {_MAX_DRAWS} draws; ask for fewer, more bands or a smaller min_angle."
            )
    return Bunch(
        endmembers=endmembers,
        endmember_names=_default_names(n_endmembers),
        wavelengths=wavelengths,
        DESCR=(
            f"{n_endmembers} synthetic reflectance spectra of {len(wavelengths)} bands, pairwise "
            f"more than {min_angle:g}° apart, made by skunmix.datasets.make_endmembers: smooth "
            f"random continua with absorption bands. They are not those of any material."
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
        "snr": [Real, None],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_scene(
    endmembers=None,
    *,
    n_endmembers=None,
    shape=(100, 100),
    patch_size=10,
    fractions=(0.8, 0.2),
    sigma=2**0.5,
    window=11,
    snr=15.0,
    random_state=None,
    return_X_y=False,
):
    r"""Make the synthetic image on which unrolled unmixing networks are compared.

    The image is laid out in square patches, each a mix of two random endmembers; the maps of
    abundances are blurred by a Gaussian filter and rescaled to sum to one, so that pixels near
    the edges of patches are mixtures of more; the spectra are mixed linearly,
    :math:`y = \sum_j x_j a_j + n`, with white noise :math:`n` of the same variance in each of the
    :math:`N_B` bands,

    .. math:: \sigma_n^2 = \frac{\mathrm{mean}_i \|y_i\|_2^2}{N_B \, 10^{\mathrm{SNR}/10}}

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), DataFrame or Bunch, default=None
        Spectra, one a row. A DataFrame's index and a library's `endmember_names` are kept (and
        its `wavelengths`). None takes :func:`make_endmembers`.
    n_endmembers : int, default=None
        How many of `endmembers`, drawn at random, the scene is made of. None takes all of them,
        or 6 if `endmembers` is None.
    shape : (int, int), default=(100, 100)
        Rows and columns of the image. One of few patches may lack some of the endmembers.
    patch_size : int, default=10
        Side of a patch, in pixels. Patches at the lower and right edges are cut where the shape
        is not a multiple.
    fractions : sequence of float, default=(0.8, 0.2)
        Abundances of the random, different endmembers of a patch before the filter; they sum
        to one.
    sigma : float, default=sqrt(2)
        Standard deviation of the Gaussian filter, in pixels. 0 leaves the patches sharp.
    window : int, default=11
        Side of the filter's window, in pixels; odd. Beyond the image there is nothing: near its
        edge the filter is rescaled to what lies inside.
    snr : float or None, default=15.0
        Signal-to-noise ratio in dB. None or infinity adds no noise.
    random_state : int, RandomState instance or None, default=None
        Determines layout, noise and, where they are not given, the endmembers. None draws from a
        fresh generator, and not from NumPy's global one.
    return_X_y : bool, default=False
        If True, return ``(spectra, abundances)`` instead of a Bunch.

    Returns
    -------
    scene : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes. Pixels are in row-major order:
        ``abundances.reshape(*shape, -1)`` is the image.

        spectra : ndarray of shape (n_pixels, n_bands)
            Noisy mixtures, in the unit of the endmembers; noise may make them negative.
        abundances : ndarray of shape (n_pixels, n_endmembers)
            At least 0; rows sum to one.
        endmembers : ndarray of shape (n_endmembers, n_bands)
            The spectra that were mixed.
        endmember_names : list of str
            Their names.
        wavelengths : ndarray of shape (n_bands,) or None
            Centres of the bands, in µm, where known.
        shape : tuple of (int, int)
            Rows and columns.
        noise_std : float
            Standard deviation of the noise, the same in each band.
        DESCR : str
            What this is.

    (spectra, abundances) : tuple if `return_X_y` is True

    Raises
    ------
    ValueError
        If the endmembers are not a finite matrix or fewer than the fractions, the fractions do
        not sum to one, `shape` is not two positive integers, or `window` is even.

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
    rng = _generator(random_state)
    shape = _check_shape(shape)
    fractions = _check_fractions(fractions)
    if window % 2 == 0:
        raise ValueError(
            f"window must be odd, so that the filter has a centre, but it is {window}; use "
            f"{window + 1}."
        )
    if endmembers is None:
        endmembers = make_endmembers(n_endmembers or 6, random_state=rng)
    endmembers, names, wavelengths = _check_library(endmembers)
    if n_endmembers is not None and n_endmembers != len(endmembers):
        if n_endmembers > len(endmembers):
            raise ValueError(
                f"n_endmembers={n_endmembers} were asked for, but `endmembers` has "
                f"{len(endmembers)}; ask for at most that many."
            )
        chosen = rng.permutation(len(endmembers))[:n_endmembers]
        endmembers, names = endmembers[chosen], [names[i] for i in chosen]
    if len(endmembers) < len(fractions):
        raise ValueError(
            f"A patch mixes {len(fractions)} different endmembers, one for each of `fractions`, "
            f"but there are {len(endmembers)}; pass more endmembers or fewer fractions."
        )

    patches = _draw_patches(shape, patch_size, fractions, len(endmembers), rng)
    abundances = _blur(patches, sigma, window).reshape(-1, len(endmembers))
    spectra, noise_std = _add_noise(abundances @ endmembers, snr, rng)
    if return_X_y:
        return spectra, abundances
    return Bunch(
        spectra=spectra,
        abundances=abundances,
        endmembers=endmembers,
        endmember_names=names,
        wavelengths=wavelengths,
        shape=shape,
        noise_std=noise_std,
        DESCR=(
            f"A synthetic image of {shape[0]} × {shape[1]} pixels and {endmembers.shape[1]} bands "
            f"with {len(endmembers)} endmembers, made by skunmix.datasets.make_scene: patches of "
            f"{patch_size} × {patch_size} pixels, each a mix of {len(fractions)} random endmembers "
            f"in the fractions {', '.join(f'{f:g}' for f in fractions)}, blurred by a Gaussian "
            f"filter (window {window} × {window}, σ = {sigma:.4g}), rescaled to sum to one and "
            f"mixed linearly, {_describe_noise(snr)}. Pixels are in row-major order."
        ),
    )


@validate_params(
    {
        "endmembers": ["array-like"],
        "n_pixels": [_POSITIVE],
        "n_active": ["array-like", _POSITIVE, None],
        "concentration": [Interval(Real, 0, None, closed="neither")],
        "snr": [Real, None],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_mixtures(
    endmembers,
    n_pixels=1000,
    *,
    n_active=None,
    concentration=1.0,
    snr=30.0,
    random_state=None,
    return_X_y=False,
):
    r"""Make random linear mixtures of a few endmembers each, from a library of any size.

    Each pixel mixes some endmembers, drawn at random without replacement, with abundances from
    a symmetric Dirichlet distribution, and white noise as in :func:`make_scene`.

    Parameters
    ----------
    endmembers : array-like of shape (n_endmembers, n_bands), DataFrame or Bunch
        Spectra, one a row. A DataFrame's index and a library's `endmember_names` are kept (and
        its `wavelengths`).
    n_pixels : int, default=1000
        Number of mixtures.
    n_active : int, (int, int) or None, default=None
        Number of endmembers that a pixel mixes: this many in every pixel, or a number drawn
        for each pixel from this range, both ends included. None mixes all of them.
    concentration : float, default=1.0
        Parameter of the Dirichlet distribution. 1 is uniform over the simplex of the active
        endmembers; less gives purer pixels, more gives more even mixtures.
    snr : float or None, default=30.0
        Signal-to-noise ratio in dB. None or infinity adds no noise.
    random_state : int, RandomState instance or None, default=None
        Determines the mixtures. None draws from a fresh generator, and not from NumPy's global
        one.
    return_X_y : bool, default=False
        If True, return ``(spectra, abundances)`` instead of a Bunch.

    Returns
    -------
    mixtures : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes.

        spectra : ndarray of shape (n_pixels, n_bands)
            Noisy mixtures, in the unit of the endmembers; noise may make them negative.
        abundances : ndarray of shape (n_pixels, n_endmembers)
            At least 0; rows sum to one.
        endmembers : ndarray of shape (n_endmembers, n_bands)
            The spectra that were mixed.
        endmember_names : list of str
            Their names.
        wavelengths : ndarray of shape (n_bands,) or None
            Centres of the bands, in µm, where known.
        noise_std : float
            Standard deviation of the noise, the same in each band.
        DESCR : str
            What this is.

    (spectra, abundances) : tuple if `return_X_y` is True

    Raises
    ------
    ValueError
        If the endmembers are not a finite matrix, or `n_active` is not from 1 to their number.

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
    rng = _generator(random_state)
    endmembers, names, wavelengths = _check_library(endmembers)
    fewest, most = _check_n_active(n_active, len(endmembers))

    abundances = _draw_sparse(n_pixels, len(endmembers), fewest, most, concentration, rng)
    spectra, noise_std = _add_noise(abundances @ endmembers, snr, rng)
    if return_X_y:
        return spectra, abundances
    active = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return Bunch(
        spectra=spectra,
        abundances=abundances,
        endmembers=endmembers,
        endmember_names=names,
        wavelengths=wavelengths,
        noise_std=noise_std,
        DESCR=(
            f"{n_pixels} synthetic linear mixtures of {active} of {len(endmembers)} endmembers, "
            f"{endmembers.shape[1]} bands, made by skunmix.datasets.make_mixtures: abundances from "
            f"a Dirichlet distribution of concentration {concentration:g}, {_describe_noise(snr)}."
        ),
    )


def _generator(random_state):
    # scikit-learn's check_random_state(None) is NumPy's global generator, which is the user's
    return np.random.RandomState() if random_state is None else check_random_state(random_state)


def _default_names(n_endmembers):
    return [f"endmember{i}" for i in range(n_endmembers)]


def _draw_reflectance(wavelengths, rng):
    knots = np.linspace(_FIRST_WAVELENGTH, _LAST_WAVELENGTH, 7)
    # monotone between knots, so that a continuum stays within their range
    reflectance = PchipInterpolator(knots, rng.uniform(0.05, 0.95, size=len(knots)))(wavelengths)
    n_absorptions = rng.randint(2, 6)
    centres = rng.uniform(_FIRST_WAVELENGTH, _LAST_WAVELENGTH, size=n_absorptions)
    widths = rng.uniform(0.02, 0.12, size=n_absorptions)
    depths = rng.uniform(0.1, 0.7, size=n_absorptions)
    for centre, width, depth in zip(centres, widths, depths):
        reflectance *= 1 - depth * np.exp(-0.5 * ((wavelengths - centre) / width) ** 2)
    return reflectance


def _draw_patches(shape, patch_size, fractions, n_endmembers, rng):
    """Return sharp maps of abundances, of shape (rows, columns, n_endmembers)."""
    rows, columns = (-(-side // patch_size) for side in shape)
    patches = np.zeros((rows * columns, n_endmembers))
    for patch in patches:
        patch[rng.permutation(n_endmembers)[: len(fractions)]] = fractions
    maps = patches.reshape(rows, columns, n_endmembers)
    maps = maps.repeat(patch_size, axis=0).repeat(patch_size, axis=1)
    return maps[: shape[0], : shape[1]]


def _blur(maps, sigma, window):
    if sigma > 0:
        radius = window // 2
        maps = gaussian_filter(maps, (sigma, sigma, 0), mode="constant", radius=(radius, radius, 0))
    return maps / maps.sum(axis=2, keepdims=True)


def _draw_sparse(n_pixels, n_endmembers, fewest, most, concentration, rng):
    """Return abundances of shape (n_pixels, n_endmembers), `fewest` to `most` of them in a row."""
    n_active = rng.randint(fewest, most + 1, size=n_pixels)
    weights = rng.gamma(concentration, size=(n_pixels, most))
    weights[np.arange(most) >= n_active[:, np.newaxis]] = 0.0
    # a tiny concentration underflows; its limit is a pure pixel
    weights[weights.sum(axis=1) == 0, 0] = 1.0
    weights /= weights.sum(axis=1, keepdims=True)
    abundances = np.zeros((n_pixels, n_endmembers))
    for row, pixel_weights in zip(abundances, weights):
        row[rng.permutation(n_endmembers)[:most]] = pixel_weights
    return abundances


def _add_noise(spectra, snr, rng):
    """Return spectra with white noise at `snr` dB, and its standard deviation."""
    if snr is None or snr == np.inf:
        return spectra, 0.0
    if not np.isfinite(snr):
        raise ValueError(f"snr must be a ratio in dB, or None for no noise, but it is {snr}.")
    power = np.mean(np.sum(spectra**2, axis=1))
    noise_std = np.sqrt(power / 10 ** (snr / 10) / spectra.shape[1])
    return spectra + noise_std * rng.standard_normal(spectra.shape), float(noise_std)


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
                f"A Bunch with the attribute `endmembers` was expected, such as make_endmembers "
                f"returns, but this one has {', '.join(sorted(endmembers)) or 'none'}."
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
            f"wavelengths must be of shape (n_bands,), but they are of shape {wavelengths.shape}."
        )
    if wavelengths.min() < _FIRST_WAVELENGTH or wavelengths.max() > _LAST_WAVELENGTH:
        raise ValueError(
            f"wavelengths must be from {_FIRST_WAVELENGTH} to {_LAST_WAVELENGTH} µm, but they run "
            f"from {wavelengths.min():g} to {wavelengths.max():g}; divide nanometres by 1000."
        )
    return wavelengths


def _check_shape(shape):
    if len(shape) != 2 or not all(isinstance(n, Integral) and n >= 1 for n in shape):
        raise ValueError(
            f"shape must be the rows and columns of an image, two integers of at least 1, but it "
            f"is {shape!r}."
        )
    return tuple(int(n) for n in shape)


def _check_fractions(fractions):
    refuse_masked(fractions, "fractions")
    fractions = check_array(fractions, ensure_2d=False, dtype=np.float64, input_name="fractions")
    if fractions.ndim != 1 or fractions.min() < 0 or not np.isclose(fractions.sum(), 1):
        raise ValueError(
            f"fractions must be at least 0 and sum to one, as (0.8, 0.2) does, but they are "
            f"{fractions.tolist()}."
        )
    return fractions


def _check_n_active(n_active, n_endmembers):
    if n_active is None:
        return n_endmembers, n_endmembers
    ends = (n_active, n_active) if isinstance(n_active, Integral) else tuple(n_active)
    if (
        len(ends) != 2
        or not all(isinstance(n, Integral) for n in ends)
        or not 1 <= ends[0] <= ends[1] <= n_endmembers
    ):
        raise ValueError(
            f"n_active must be a number from 1 to the {n_endmembers} endmembers, or a range "
            f"(fewest, most) of such, but it is {n_active!r}."
        )
    return ends
