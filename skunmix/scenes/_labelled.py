"""Training pairs from a scene on disk: spectra of the pixels whose abundances are known."""

import numpy as np

from ..utils.optional import require
from ._blocks import decode_block
from ._labels import read_labels
from ._masks import open_mask, read_masked
from ._sampling import band_columns
from .io.opening import open_source
from .io.windows import block_slices

_BLOCK_PIXELS = 2**14


def labelled_pixels(
    scene,
    labels,
    *,
    band_dim="band",
    variable=None,
    mask=None,
    nodata=None,
    scale_factor=None,
    add_offset=None,
    open_options=None,
):
    """Read the spectra of the pixels of a scene whose abundances are known.

    The result is what an estimator that learns is fitted to: ``fit(spectra, abundances)``. Only the
    parts of the scene that hold labelled pixels are read.

    Parameters
    ----------
    scene : str or path-like
        As for :func:`unmix_file`.

    labels : str or path-like
        A table (.csv), with the columns "row" and "col", counted from 0, or "x" and "y" in the CRS
        of the scene, and a column of abundances for each endmember. Or a raster on the grid of the
        scene with a band for each endmember, where pixels without a label are NaN or no data.

    band_dim, variable, mask, nodata, scale_factor, add_offset, open_options
        As for :func:`unmix_file`.

    Returns
    -------
    spectra : pandas.DataFrame of shape (n_pixels, n_bands)
        In the order of the labels. The columns are the labels of the scene's bands, without those
        that the file marks as bad.

    abundances : pandas.DataFrame of shape (n_pixels, n_endmembers)
        Its columns are the names of the endmembers.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ImportError
        If pandas, or a library that reads a file, is not installed.
    ValueError
        If a label is outside the scene or on a pixel without data, a pixel appears twice,
        abundances are negative or do not sum to one, or a raster has another grid.

    See Also
    --------
    sample_pixels : Pixels for an estimator that needs no abundances.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skunmix.datasets import make_scene
    >>> from skunmix.scenes import labelled_pixels
    >>> scene = make_scene(random_state=0)
    >>> table = ["row,col,soil,tree", "3,5,1,0", "7,2,0.4,0.6"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path, labels = Path(folder, "scene.npy"), Path(folder, "labels.csv")
    ...     np.save(path, scene.spectra.reshape(*scene.shape, -1))
    ...     with open(labels, "w") as file:
    ...         print(*table, sep=chr(10), file=file)
    ...     spectra, abundances = labelled_pixels(path, labels)
    >>> spectra.shape
    (2, 224)
    >>> abundances
       soil  tree
    0   1.0   0.0
    1   0.4   0.6
    """
    pd = require("pandas", "Reading labelled pixels")
    source = open_source(scene, band_dim=band_dim, variable=variable, options=open_options)
    decoding = source.decoding(nodata=nodata, scale_factor=scale_factor, add_offset=add_offset)
    labels = read_labels(labels, source)
    good = source.bands().good
    used = np.ones(source.shape[2], dtype=bool) if good is None else good
    spectra = spectra_at(labels.rows, labels.cols, source, decoding, used, open_mask(mask, source))
    columns = band_columns(source, np.flatnonzero(used))
    abundances = pd.DataFrame(labels.abundances, columns=labels.names)
    return pd.DataFrame(spectra[:, used], columns=columns, copy=False), abundances


def spectra_at(rows, cols, source, decoding, used, mask=None):
    """Return the spectra of some pixels of a scene on disk.

    Parameters
    ----------
    rows, cols : ndarray of shape (n_pixels,), of int
        Positions in the scene.
    source : Source
    decoding : Decoding
    used : ndarray of shape (n_bands,), of bool
        The bands that decide whether a pixel is valid.
    mask : Source, ndarray of bool or None

    Returns
    -------
    spectra : ndarray of shape (n_pixels, n_bands)

    Raises
    ------
    ValueError
        If pixels have no data.
    """
    spectra = np.empty((len(rows), source.shape[2]), decoding.spectra_dtype)
    is_valid = np.ones(len(rows), dtype=bool)
    for window in block_slices(source.shape[:2], _BLOCK_PIXELS, source.chunk_shape):
        inside = np.flatnonzero(
            (window[0].start <= rows)
            & (rows < window[0].stop)
            & (window[1].start <= cols)
            & (cols < window[1].stop)
        )
        if not len(inside):
            continue
        stored, hidden = read_masked(source, mask, window)
        at = rows[inside] - window[0].start, cols[inside] - window[1].start
        hidden = None if hidden is None else hidden[at]
        spectra[inside], valid, *_ = decode_block(stored[at], hidden, decoding, used)
        if valid is not None:
            is_valid[inside] = valid
    if not is_valid.all():
        first = np.flatnonzero(~is_valid)[0]
        raise ValueError(
            f"Expected labels on pixels with data, got {np.count_nonzero(~is_valid)} of "
            f"{len(rows)} on pixels without data, the first in row {rows[first]}, column "
            f"{cols[first]}; drop these labels."
        )
    return spectra
