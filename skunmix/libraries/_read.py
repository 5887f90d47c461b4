"""Reading of libraries from files and folders of any known format."""

import logging
from pathlib import Path
from typing import Any

from ._archives import is_ecostress, is_usgs, is_usgs_companion, read_ecostress, read_usgs
from ._envi import is_envi, read_envi
from ._instruments import read_asd, read_sed, read_svc
from ._library import SpectralLibrary
from ._tables import read_csv, read_numpy
from ._text import read_text

_logger = logging.getLogger("skunmix.libraries")
_BY_SUFFIX = {
    ".npy": read_numpy,
    ".npz": read_numpy,
    ".csv": read_csv,
    ".tsv": read_csv,
    ".asd": read_asd,
    ".sig": read_svc,
    ".sed": read_sed,
}
_FORMATS = (
    "ENVI (.sli or .hdr), CSV, NumPy (.npy, .npz), ECOSTRESS or USGS text, ASD (.asd), SVC (.sig) "
    "or Spectral Evolution (.sed)"
)
# In a folder, these are parts of libraries, or describe them.
_BESIDE = (".hdr", ".xml", ".html", ".pdf", ".jpg", ".jpeg", ".gif", ".png", ".md", ".md5")


def read_library(
    path: Any,
    *,
    wavelengths: Any = None,
    unit: str | None = None,
    names: Any = None,
    pattern: str = "*",
    resample: Any = None,
) -> SpectralLibrary:
    r"""Read a spectral library from a file or a folder.

    Parameters
    ----------
    path : str, path-like, or sequence of these
        One of

        - an ENVI spectral library: its data (.sli) or its header;
        - CSV or another table in text, with spectra in columns or in rows;
        - NumPy: spectra in rows (.npy), or the arrays "spectra", "wavelengths", "names", "fwhm" and
          "classes" (.npz);
        - text of ECOSTRESS or ASTER, or of splib07 of the USGS, whose wavelengths are in files of
          their own;
        - ASD (.asd), SVC (.sig) or Spectral Evolution (.sed);
        - a folder of such files, with its subfolders, or a list of files, which become one library.

    wavelengths : array-like of shape (n_bands,), default=None
        Wavelengths instead of those of the file, or for a file without any, in `unit`.

    unit : {"nm", "um", "µm", "cm-1"}, default=None
        Unit of the wavelengths, instead of that of the file. Without any unit, the magnitude
        decides between nm and µm. Wavenumbers are only converted with "cm-1".

    names : sequence of str, default=None
        Names instead of those of the file.

    pattern : str, default="*"
        Which files of a folder to read, such as "*_ASD*.txt".

    resample : object, default=None
        Bands to which each file is resampled as it is read, as `target` of
        :meth:`SpectralLibrary.resample`. Bands that a spectrum does not cover are NaN. Use it for
        folders whose files have different wavelengths.

    Returns
    -------
    library : SpectralLibrary
        Fill values are NaN, and reflectances in percent, of formats that say so, are fractions.

    Raises
    ------
    FileNotFoundError
        If the file, or a part of it such as a header, does not exist, or a folder has no library.
    OSError
        If a file is damaged.
    ValueError
        If the format is unknown, the wavelengths are missing, have no known unit or are
        wavenumbers, or the files of a folder have different wavelengths.

    See Also
    --------
    SpectralLibrary : What can be done with it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skunmix.libraries import read_library
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "library.csv")
    ...     _ = file.write_text("wavelength (um),grass,soil\n0.45,0.04,0.1\n0.55,0.1,0.2\n")
    ...     library = read_library(file)
    >>> library
    SpectralLibrary(2 spectra × 2 bands, 450 to 550 nm)
    >>> library.names
    ('grass', 'soil')
    """
    given = {"wavelengths": wavelengths, "unit": unit}
    if isinstance(path, (str, Path)):
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"There is no library at {path}; check the path.")
        files = _files_in(path, pattern) if path.is_dir() else [path]
    else:
        files = [Path(file) for file in path]
    if len(files) == 1:
        given["names"] = names
    libraries = []
    for file in files:
        library = _reader_of(file)(file, **given)
        if resample is not None:
            library = library.resample(resample, uncovered="nan")
        libraries.append(library)
    library = libraries[0] if len(files) == 1 else _joined(libraries, files, path)
    if names is not None and len(files) > 1:
        library = library.with_names(names)
    _logger.info("%s: %r", path, library)
    return library


def _files_in(folder, pattern):
    """Return the files of a folder that hold spectra."""
    files = [
        file
        for file in sorted(folder.rglob(pattern))
        if file.is_file()
        and not file.name.startswith(".")
        and file.suffix.lower() not in _BESIDE
        and ".ancillary." not in file.name.lower()
        and not is_usgs_companion(file)
        and _may_be_library(file)
    ]
    if not files:
        raise FileNotFoundError(
            f"Expected files with the pattern {pattern!r} in {folder} that are {_FORMATS}, got "
            f"none; check the path and the pattern."
        )
    return files


def _may_be_library(file):
    suffix = file.suffix.lower()
    return suffix in _BY_SUFFIX or suffix in (".txt", ".dat") or is_envi(file)


def _joined(libraries, files, path):
    """Return files as one library, which have the same wavelengths."""
    kinds = []
    for library, file in zip(libraries, files):
        kind = next((kind for kind in kinds if kind[0].has_bands_of(library)), None)
        if kind is None:
            kinds.append((library, [file]))
        else:
            kind[1].append(file)
    if len(kinds) > 1:
        shown = "; ".join(
            f"{len(of)} with {library.shape[1]} bands"
            + (
                ""
                if library.wavelengths is None
                else f" from {library.wavelengths.min():.6g} to {library.wavelengths.max():.6g} nm"
            )
            + f" such as {of[0].name}"
            for library, of in kinds[:4]
        )
        raise ValueError(
            f"Expected files of the same wavelengths in {path}, got {len(kinds)} kinds: {shown}; "
            f"read one of them with pattern='…', or all with resample=wavelengths (or a scene)."
        )
    return SpectralLibrary.concatenate(libraries)


def _reader_of(path):
    """Return what reads a file, by its suffix and its first lines."""
    suffix = path.suffix.lower()
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if is_envi(path):
        return read_envi
    with open(path, "rb") as file:
        start = file.read(4096)
    if start[:3] == b"ASD" or (start[:2] == b"as" and start[2:3] in b"2345678"):
        return read_asd
    if b"\0" in start and start[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise ValueError(
            f"Expected a library in a known format, {_FORMATS}, got binary data in {path}; "
            f"convert it to one of these."
        )
    text = read_text(path)
    if is_ecostress(text):
        return read_ecostress
    if is_usgs(text):
        return read_usgs
    return read_csv
