"""Scenes in the .mat files of the unmixing literature: Samson, Jasper Ridge, Urban and Cuprite."""

import re
from os import PathLike

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError
from sklearn.utils import Bunch

from ..utils import validate_params

_SPECTRA = ("Y", "V")  # Samson has V


@validate_params(
    {"path": [str, PathLike], "reference": [str, PathLike, None]},
    prefer_skip_nested_validation=True,
)
def load_mat_scene(
    path: str | PathLike[str], reference: str | PathLike[str] | None = None
) -> Bunch:
    """Load a scene from .mat files in the format of the unmixing literature.

    This is the format of F. Zhu's collection (Samson, Jasper Ridge, Urban, Cuprite), which most
    papers use: ``samson_1.mat``, ``jasperRidge2_R198.mat``, ``Urban_R162.mat`` and
    ``CupriteS1_R188.mat`` hold the spectra, and files such as ``end3.mat`` or
    ``end4_groundTruth.mat`` the reference.

    Parameters
    ----------
    path : str or path-like
        File with the spectra ``Y`` (or ``V``), of shape (n_bands, n_pixels) in column-major order,
        and the numbers of rows and columns, ``nRow`` and ``nCol``.
    reference : str or path-like, default=None
        File with the reference endmembers ``M``, of shape (n_bands, n_endmembers), and abundances
        ``A``, of shape (n_endmembers, n_pixels). None looks for them in `path`.

    Returns
    -------
    scene : :class:`~sklearn.utils.Bunch`
        Dictionary-like object, with the following attributes. Pixels are in row-major order:
        ``abundances.reshape(*shape, -1)`` is the image.

        spectra : ndarray of shape (n_pixels, n_bands)
            Integers are divided by their maximum; other numbers are as in the file.
        abundances : ndarray of shape (n_pixels, n_endmembers), or None
            The reference abundances, as in the file.
        endmembers : ndarray of shape (n_endmembers, n_bands), or None
            The reference endmembers, as in the file. Their scale often differs from that of the
            spectra; angles do not depend on it.
        endmember_names : list of str, or None
            Names from ``cood``, or "endmember0", … if the file has none.
        wavelengths : None
            These files have none.
        bands : ndarray of shape (n_bands,), or None
            Numbers of the bands among the channels of the sensor, from 1, if the file has them.
        shape : tuple of (int, int)
            Rows and columns.
        scale : float
            What the numbers of the file are divided by: the maximum of integers, or 1.
        DESCR : str
            The names of the files.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If a file is in another format, or the shapes of the arrays do not match.

    See Also
    --------
    fetch_jasper_ridge : Download such a scene.
    fetch_urban : Download another one.

    Examples
    --------
    >>> from skunmix.datasets import load_mat_scene
    >>> scene = load_mat_scene("samson_1.mat", "end3.mat")  # doctest: +SKIP
    >>> scene.spectra.shape, scene.abundances.shape, scene.shape  # doctest: +SKIP
    ((9025, 156), (9025, 3), (95, 95))
    """
    content = _load(path)
    found = next((name for name in _SPECTRA if name in content), None)
    missing = [name for name in ("nRow", "nCol") if name not in content]
    if found is None or missing:
        raise ValueError(
            f"Expected {path} with the arrays Y or V, nRow and nCol, got "
            f"{_described(content)}; pass a file in the format of load_mat_scene."
        )
    shape = int(content["nRow"].item()), int(content["nCol"].item())
    columns = content[found]
    if columns.ndim != 2 or columns.shape[1] != shape[0] * shape[1]:
        raise ValueError(
            f"Expected {found} of shape (n_bands, {shape[0] * shape[1]}), as nRow × nCol is "
            f"{shape[0]} × {shape[1]}, got {columns.shape}; pass one column per pixel."
        )
    scale = float(columns.max()) if np.issubdtype(columns.dtype, np.integer) else 1.0
    spectra = _row_major(columns, shape) / scale

    source = content if reference is None else _load(reference)
    abundances, endmembers, names = _read_reference(source, reference, columns.shape, shape)
    bands = content.get("SlectBands")  # as in the files
    return Bunch(
        spectra=spectra,
        abundances=abundances,
        endmembers=endmembers,
        endmember_names=names,
        wavelengths=None,
        bands=None if bands is None else bands.ravel().astype(np.intp),
        shape=shape,
        scale=scale,
        DESCR=f"A scene from {path}" + ("." if reference is None else f" and {reference}."),
    )


def _row_major(columns, shape):
    """Return pixels as rows, in row-major order, from columns in column-major order."""
    cube = columns.T.reshape(shape[1], shape[0], -1).swapaxes(0, 1)
    return np.ascontiguousarray(cube.reshape(shape[0] * shape[1], -1))


def _load(path):
    with open(path, "rb") as file:  # loadmat's own error does not name a missing file
        try:
            return loadmat(file)
        except NotImplementedError as error:
            raise ValueError(
                f"Expected {path} in a format before MATLAB's 7.3, got a file of version 7.3, "
                f"which scipy cannot read; save it with `save -v7` in MATLAB or Octave."
            ) from error
        except (ValueError, MatReadError) as error:
            raise ValueError(
                f"Expected {path} as a .mat file, got another format or a damaged file "
                f"({error}); download it again."
            ) from error


def _read_reference(source, path, expected, shape):
    """Return abundances, endmembers and names, each None if the spectra's own file has none."""
    if "A" not in source or "M" not in source:
        if path is None:
            return None, None, None
        raise ValueError(
            f"Expected {path} with the arrays A and M, got {_described(source)}; pass the file of "
            f"the reference."
        )
    A, M = source["A"], source["M"]
    n_bands, n_pixels = expected
    if A.ndim != 2 or M.ndim != 2 or A.shape != (M.shape[1], n_pixels) or len(M) != n_bands:
        raise ValueError(
            f"Expected M of shape ({n_bands}, n_endmembers) and A of shape (n_endmembers, "
            f"{n_pixels}), got {M.shape} and {A.shape}; pass the reference of this scene."
        )
    names = [f"endmember{i}" for i in range(len(A))]
    if "cood" in source and source["cood"].size == len(A):
        # "1-tree", "#1 Soil", …
        labels = [str(np.ravel(label)[0]) for label in source["cood"].ravel()]
        names = [re.sub(r"^#?\d+\s*[-.]?\s*", "", label) or label for label in labels]
    return _row_major(A, shape), np.ascontiguousarray(M.T), names


def _described(content):
    return ", ".join(name for name in content if not name.startswith("__")) or "no arrays"
