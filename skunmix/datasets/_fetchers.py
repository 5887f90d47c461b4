"""Real data. The files are downloaded once, checked against a known sha256, and kept."""

from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np
from scipy.io import loadmat
from sklearn.utils import Bunch

from ..utils import Interval, validate_params
from ._angles import prune
from ._mat_scenes import load_mat_scene
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
_URBAN_PAGE = "https://huggingface.co/datasets/danaroth/urban/resolve"
_URBAN = RemoteFile(
    name="urban_r162.mat",
    url=f"{_URBAN_PAGE}/9f48a3b23d0140ef217c718f196c10bd5930f96d/Urban_R162.mat",
    sha256="aa8fb6d46ad229dee1a77ebaffea8f1d6a88cec80ebb101cd1975fb54cda9862",
)
_URBAN_REFERENCES = {
    4: RemoteFile(
        name="urban_end4.mat",
        url=f"{_URBAN_PAGE}/9f48a3b23d0140ef217c718f196c10bd5930f96d/end4_groundTruth.mat",
        sha256="23460f3d4fd4523e2221c8f1895b0bedf0814e88a5a50b1fc6e8e4a0e6b2b2d2",
    ),
    6: RemoteFile(
        name="urban_end6.mat",
        url=f"{_URBAN_PAGE}/b7ec6bb489663cd396181afc2e58b1b264fc0059/end6_groundTruth.mat",
        sha256="46f84517c870e8beb8732b10d30218449bae24853590c23cdfb298a7044e7171",
    ),
}

# The file divides the endmembers by this number: multiplied by it, three are pixels of the image.
_JASPER_RIDGE_ENDMEMBER_SCALE = 5300

_FETCHING = {
    "data_home": [str, PathLike, None],
    "download_if_missing": ["boolean"],
    "n_retries": [Interval(Integral, 0, None, closed="left")],
    "delay": [Interval(Real, 0, None, closed="left")],
}


@validate_params({**_FETCHING, "return_X_y": ["boolean"]}, prefer_skip_nested_validation=True)
def fetch_jasper_ridge(
    *,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Any:
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
        scale : float
            What the integers of the file are divided by, 5437.
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
    scene = load_mat_scene(path)
    if return_X_y:
        return scene.spectra, scene.abundances
    scene.endmembers = scene.endmembers * (_JASPER_RIDGE_ENDMEMBER_SCALE / scene.scale)
    scene.DESCR = load_descr("jasper_ridge.rst")
    return scene


@validate_params(
    {**_FETCHING, "n_endmembers": [Integral], "return_X_y": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def fetch_urban(
    *,
    n_endmembers: int = 4,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Any:
    """Load the Urban scene with its endmembers and abundances (20 MB).

    ==============  =========================================
    Pixels          94,249, an image of 307 × 307
    Bands           162
    Endmembers      4: asphalt, grass, tree, roof; or 6
    Spectra         float64, from 0 to 1
    ==============  =========================================

    The first call downloads two files, checks their sha256 and keeps them. The source states no
    licence: see the description.

    Parameters
    ----------
    n_endmembers : {4, 6}, default=4
        Version of the reference.
    data_home : str or path-like, default=None
        Folder of the files. None takes the folder in the environment variable ``SKUNMIX_DATA``, or
        the user's cache for skunmix if the variable is not set.
    download_if_missing : bool, default=True
        Whether to download a missing file; False raises an OSError instead.
    return_X_y : bool, default=False
        Whether to return ``(spectra, abundances)`` instead of a Bunch.
    n_retries : int, default=3
        Number of further tries if the connection or the server fails, or a file is damaged.
    delay : float, default=1.0
        Seconds between tries.

    Returns
    -------
    scene : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the attributes that :func:`load_mat_scene` describes. The
        endmembers are as in the file; their scale may differ from that of the spectra.

    (spectra, abundances) : tuple if `return_X_y` is True

    Raises
    ------
    ValueError
        If there is no version of the reference with that number of endmembers.
    OSError
        If a file is missing and cannot or may not be downloaded, or if a download has another
        sha256.
    ImportError
        If pooch is not installed, and is needed to download a file or to find the user's cache.

    Warns
    -----
    UserWarning
        If the folder holds another file of such a name, which is renamed.

    See Also
    --------
    fetch_jasper_ridge : A smaller scene.

    Examples
    --------
    >>> from skunmix.datasets import fetch_urban
    >>> scene = fetch_urban()  # doctest: +SKIP
    >>> scene.spectra.shape, scene.abundances.shape, scene.shape  # doctest: +SKIP
    ((94249, 162), (94249, 4), (307, 307))
    """
    if n_endmembers not in _URBAN_REFERENCES:
        raise ValueError(
            f"Expected n_endmembers 4 or 6, the versions of the reference, got {n_endmembers}; "
            f"pass one of these."
        )
    path, reference = (
        local_file(remote, data_home, download_if_missing, n_retries=n_retries, delay=delay)
        for remote in (_URBAN, _URBAN_REFERENCES[n_endmembers])
    )
    scene = load_mat_scene(path, reference)
    if return_X_y:
        return scene.spectra, scene.abundances
    scene.DESCR = load_descr("urban.rst")
    return scene


@validate_params(
    {**_FETCHING, "min_angle": [Interval(Real, 0, 180, closed="both"), None]},
    prefer_skip_nested_validation=True,
)
def fetch_usgs_library(
    *,
    data_home: str | PathLike[str] | None = None,
    download_if_missing: bool = True,
    min_angle: float | None = None,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch:
    """Load the USGS spectral library of 1995, in the channels of AVIRIS (0.4 MB).

    ==============  =================================
    Spectra         498, or 240 for `min_angle` 4.44°
    Bands           224, from 0.383 to 2.508 µm
    Values          float64, from 0.005 to 1.018
    ==============  =================================

    The first call downloads the file, checks its sha256 and keeps it.

    Parameters
    ----------
    data_home, download_if_missing, n_retries, delay
        As for :func:`fetch_jasper_ridge`.
    min_angle : float, default=None
        Smallest angle between spectra, in degrees: in the order of the file, a spectrum is kept if
        its angle to each one kept before it is larger. 4.44 keeps the 240 spectra that the
        literature on sparse unmixing uses. None keeps all.

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
    # the first three columns, and names, describe the bands, and the others are spectra
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
