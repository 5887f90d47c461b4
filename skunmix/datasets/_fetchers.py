"""Real data, which are downloaded once, checked against a known sha256 and kept."""

from numbers import Integral, Real
from os import PathLike

import numpy as np
from scipy.io import loadmat
from sklearn.utils import Bunch

from ..utils.compat import Interval, validate_params
from ._angles import prune
from ._remote import RemoteFile, load_descr, local_file

_JASPER_RIDGE = RemoteFile(
    name="jasper_ridge.mat",
    url=(
        "https://raw.githubusercontent.com/MeiShaohui/Spectral-Variability-Augmented-Sparse-"
        "Unmixing/9e3e2264f0b4547780d6da79f69973f93599bb45/data/jasperRidge2_R198.mat"
    ),
    sha256="7dd702f9958510f35c7fee35f7f18ecfca393c9eebd39bddf6c9b7d147754caa",
)
_USGS_LIBRARY = RemoteFile(
    name="usgs_1995_library.mat",
    url=(
        "https://raw.githubusercontent.com/ricardoborsoi/MUA_SparseUnmixing/"
        "089f5d61162807a5304759e293b132ed9d0d6ab4/USGS_1995_Library.mat"
    ),
    sha256="fe2be84e4da2abf6ab00091b36f30a1a8dd247d18a78146f61235c8b5229da63",
)

# The endmembers of the file are divided by this; times it, three of them are pixels of the image.
_JASPER_RIDGE_ENDMEMBER_SCALE = 5300

_FETCHING = {
    "data_home": [str, PathLike, None],
    "download_if_missing": ["boolean"],
    "n_retries": [Interval(Integral, 0, None, closed="left")],
    "delay": [Interval(Real, 0, None, closed="left")],
}


@validate_params({**_FETCHING, "return_X_y": ["boolean"]}, prefer_skip_nested_validation=True)
def fetch_jasper_ridge(
    *, data_home=None, download_if_missing=True, return_X_y=False, n_retries=3, delay=1.0
):
    """Load the Jasper Ridge scene with its endmembers and abundances (3 MB).

    ==============  =============================
    Pixels          10,000, an image of 100 × 100
    Bands           198
    Endmembers      4: tree, water, dirt, road
    Spectra         float64, from 0 to 1
    Abundances      float64, at least 0, sum to 1
    ==============  =============================

    The first call downloads the file, checks its sha256 and keeps it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the file. None takes the folder in the environment variable ``SKUNMIX_DATA``, or
        the user's cache for skunmix if the variable is not set.
    download_if_missing : bool, default=True
        Whether to download the file if it is missing; False raises an OSError instead.
    return_X_y : bool, default=False
        Whether to return ``(spectra, abundances)`` instead of a Bunch.
    n_retries : int, default=3
        Number of further tries if the connection or the server fails, or the file is damaged.
    delay : float, default=1.0
        Seconds between tries.

    Returns
    -------
    scene : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes. Pixels are in row-major order:
        ``abundances.reshape(*shape, -1)`` is the image.

        spectra : ndarray of shape (10000, 198)
            The integers of the file divided by their maximum, 5437.
        abundances : ndarray of shape (10000, 4)
            The reference abundances; rows sum to one.
        endmembers : ndarray of shape (4, 198)
            The reference endmembers, on the scale of the spectra.
        endmember_names : list of str
            "tree", "water", "dirt", "road".
        wavelengths : None
            The file has none.
        bands : ndarray of shape (198,)
            Numbers of the bands among the 224 channels of AVIRIS, from 1.
        shape : tuple of (int, int)
            Rows and columns, (100, 100).
        DESCR : str
            Description: scale, provenance, and the missing licence.

    (spectra, abundances) : tuple if `return_X_y` is True

    Raises
    ------
    OSError
        If the file is missing and cannot or may not be downloaded, or if the download has another
        sha256.
    ImportError
        If pooch is not installed, and is needed to download the file or to find the user's cache.

    Warns
    -----
    UserWarning
        If the folder holds another file of this name, which is renamed.

    Examples
    --------
    >>> from skunmix.datasets import fetch_jasper_ridge
    >>> scene = fetch_jasper_ridge()  # doctest: +SKIP
    >>> scene.spectra.shape, scene.abundances.shape, scene.shape  # doctest: +SKIP
    ((10000, 198), (10000, 4), (100, 100))
    >>> scene.endmember_names  # doctest: +SKIP
    ['tree', 'water', 'dirt', 'road']
    """
    path = local_file(
        _JASPER_RIDGE, data_home, download_if_missing, n_retries=n_retries, delay=delay
    )
    content = loadmat(path)
    shape = int(content["nRow"].item()), int(content["nCol"].item())
    spectra = _row_major(content["Y"], shape) / content["Y"].max()
    abundances = _row_major(content["A"], shape)
    if return_X_y:
        return spectra, abundances
    return Bunch(
        spectra=spectra,
        abundances=abundances,
        endmembers=content["M"].T * (_JASPER_RIDGE_ENDMEMBER_SCALE / content["Y"].max()),
        # "1-tree", "2-water", …
        endmember_names=[str(name.item()).split("-")[1] for name in content["cood"].ravel()],
        wavelengths=None,
        bands=content["SlectBands"].ravel().astype(np.intp),
        shape=shape,
        DESCR=load_descr("jasper_ridge.rst"),
    )


@validate_params(
    {**_FETCHING, "min_angle": [Interval(Real, 0, 180, closed="both"), None]},
    prefer_skip_nested_validation=True,
)
def fetch_usgs_library(
    *, data_home=None, download_if_missing=True, min_angle=None, n_retries=3, delay=1.0
):
    """Load the USGS spectral library of 1995, in the channels of AVIRIS (0.4 MB).

    ==============  =================================
    Spectra         498, or 240 for `min_angle` 4.44°
    Bands           224, from 0.383 to 2.508 µm
    Values          float64, from 0.005 to 1.018
    ==============  =================================

    The first call downloads the file, checks its sha256 and keeps it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the file. None takes the folder in the environment variable ``SKUNMIX_DATA``, or
        the user's cache for skunmix if the variable is not set.
    download_if_missing : bool, default=True
        Whether to download the file if it is missing; False raises an OSError instead.
    min_angle : float, default=None
        Smallest angle between spectra, in degrees: in the order of the file, a spectrum is kept if
        its angle to each one kept before it is larger. 4.44 keeps the 240 spectra that the
        literature on sparse unmixing uses. None keeps all.
    n_retries : int, default=3
        Number of further tries if the connection or the server fails, or the file is damaged.
    delay : float, default=1.0
        Seconds between tries.

    Returns
    -------
    library : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes. The bands are sorted by
        wavelength, which they are not in the file.

        endmembers : ndarray of shape (n_endmembers, 224)
            Reflectances, one spectrum per row.
        endmember_names : list of str
            Unique names, such as "Actinolite HS116.3B".
        wavelengths : ndarray of shape (224,)
            Centres of the bands, in µm, ascending.
        resolution : ndarray of shape (224,)
            Resolution of the bands, in µm.
        bands : ndarray of shape (224,)
            Numbers of the channels in the order of the file, from 1.
        DESCR : str
            Description: provenance, and the missing licence.

    Raises
    ------
    OSError
        If the file is missing and cannot or may not be downloaded, or if the download has another
        sha256.
    ImportError
        If pooch is not installed, and is needed to download the file or to find the user's cache.

    Warns
    -----
    UserWarning
        If the folder holds another file of this name, which is renamed.

    See Also
    --------
    make_scene : Simulate an image from some of these spectra.
    make_mixtures : Simulate mixtures of them.

    Examples
    --------
    >>> from skunmix.datasets import fetch_usgs_library
    >>> library = fetch_usgs_library(min_angle=4.44)  # doctest: +SKIP
    >>> library.endmembers.shape  # doctest: +SKIP
    (240, 224)
    >>> library.endmember_names[:2]  # doctest: +SKIP
    ['Acmite NMNH133746', 'Actinolite HS116.3B']
    """
    path = local_file(
        _USGS_LIBRARY, data_home, download_if_missing, n_retries=n_retries, delay=delay
    )
    content = loadmat(path)
    order = np.argsort(content["datalib"][:, 0], kind="stable")
    # three columns describe the bands, and each further column is a spectrum; so are the names
    columns = content["datalib"][order].T
    wavelengths, resolution, endmembers = columns[0], columns[1], columns[3:]
    names = [bytes(codes).decode("ascii").strip() for codes in content["names"][3:]]
    if min_angle is not None:
        kept = prune(endmembers, min_angle)
        endmembers, names = endmembers[kept], [names[i] for i in kept]
    return Bunch(
        endmembers=np.ascontiguousarray(endmembers),
        endmember_names=names,
        wavelengths=wavelengths.copy(),
        resolution=resolution.copy(),
        bands=order + 1,
        DESCR=load_descr("usgs_library.rst"),
    )


def _row_major(columns, shape):
    """Return pixels as rows, in row-major order, from columns in column-major order."""
    cube = columns.T.reshape(shape[1], shape[0], -1).swapaxes(0, 1)
    return np.ascontiguousarray(cube.reshape(shape[0] * shape[1], -1))
