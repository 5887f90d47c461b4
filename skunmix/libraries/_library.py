"""Spectra of materials with names, wavelengths and classes."""

from fnmatch import fnmatch
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ..utils.labels import axis_labels, name_labels, refuse_masked
from ..utils.optional import require
from ..utils.resampling import resample_spectra
from ..utils.validation import fill_values
from ..utils.wavelengths import check_wavelengths, to_nanometres, wavelengths_in
from ._resampling import bands_of


class SpectralLibrary:
    """Spectra of materials, one per row, with names, wavelengths and classes.

    Unmixers take a library as `endmembers`. If the spectra to be unmixed have wavelengths, it is
    resampled to them. A library does not change: its methods return new ones.

    Parameters
    ----------
    spectra : array-like of shape (n_spectra, n_bands)
        Spectra, one per row. NaN, and fill values such as -1.23e34 and -9999, mean that there is no
        measurement. They become NaN.

    names : sequence of str of length n_spectra, default=None
        Names, which may repeat. None uses "spectrum0", "spectrum1", …

    wavelengths : array-like of shape (n_bands,), default=None
        Centres of the bands in nm, in any order. None if they are unknown.

    fwhm : array-like of shape (n_bands,) or float, default=None
        Full widths of the bands at half maximum, in nm.

    classes : sequence of str of length n_spectra, default=None
        Class of each spectrum, such as "vegetation".

    metadata : dict, default=None
        Further facts, such as the fields of a file's header.

    Attributes
    ----------
    spectra : ndarray of shape (n_spectra, n_bands), float64
        Read-only.

    names : tuple of str

    wavelengths : ndarray of shape (n_bands,), or None
        In nm. Read-only.

    fwhm : ndarray of shape (n_bands,), or None
        In nm. Read-only.

    classes : tuple of str, or None

    metadata : dict

    Raises
    ------
    ValueError
        If a length does not fit the spectra, or the wavelengths are not in nm.

    See Also
    --------
    read_library : Read a library from files.

    Examples
    --------
    >>> import numpy as np
    >>> from skunmix.libraries import SpectralLibrary
    >>> library = SpectralLibrary(
    ...     [[0.1, 0.2, 0.3], [0.3, 0.3, 0.3]],
    ...     ["soil", "sand"],
    ...     [450, 550, 650],
    ...     classes=["ground", "ground"],
    ... )
    >>> library
    SpectralLibrary(2 spectra × 3 bands, 450 to 650 nm)
    >>> library.resample([500, 600]).spectra.round(2)
    array([[0.16, 0.24],
           [0.3 , 0.3 ]])
    """

    def __init__(
        self,
        spectra: ArrayLike,
        names: Any = None,
        wavelengths: Any = None,
        *,
        fwhm: Any = None,
        classes: Any = None,
        metadata: Any = None,
    ) -> None:
        refuse_masked(spectra, "spectra")
        spectra = np.array(spectra, dtype=np.float64)
        if spectra.ndim != 2 or not spectra.size:
            raise ValueError(
                f"Expected spectra of shape (n_spectra, n_bands), got {spectra.shape}; pass one "
                f"spectrum per row."
            )
        known = np.isfinite(spectra)
        spectra[~known | fill_values(np.where(known, spectra, 0.0))] = np.nan
        n_spectra, n_bands = spectra.shape
        self.spectra = _read_only(spectra)
        self.names = _one_each(names, n_spectra, "names") or tuple(
            f"spectrum{i}" for i in range(n_spectra)
        )
        self.classes = _one_each(classes, n_spectra, "classes")
        self.wavelengths = self.fwhm = None
        if wavelengths is not None:
            wavelengths = check_wavelengths(wavelengths, "nm", "wavelengths")
            if len(wavelengths) != n_bands:
                raise ValueError(
                    f"Expected {n_bands} wavelengths, one for each band of spectra of shape "
                    f"{spectra.shape}, got {len(wavelengths)}; pass spectra in rows, and one "
                    f"wavelength for each band."
                )
            self.wavelengths = _read_only(wavelengths)
        if fwhm is not None:
            fwhm = np.array(np.broadcast_to(np.asarray(fwhm, dtype=np.float64), n_bands))
            if not (np.isfinite(fwhm) & (fwhm > 0)).all():
                raise ValueError(
                    f"Expected positive and finite fwhm, got {fwhm.min():g} nm; correct it."
                )
            self.fwhm = _read_only(fwhm)
        self.metadata = dict(metadata or {})

    def __repr__(self):
        n_spectra, n_bands = self.shape
        range_ = ""
        if self.wavelengths is not None:
            range_ = f", {self.wavelengths.min():.6g} to {self.wavelengths.max():.6g} nm"
        return f"SpectralLibrary({n_spectra} spectra × {n_bands} bands{range_})"

    def __len__(self):
        return len(self.spectra)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of spectra, and number of bands."""
        return self.spectra.shape

    # What labelled tables have, so that a library is read as one.

    def __array__(self, dtype=None, copy=None):
        return np.array(self.spectra, dtype=dtype, copy=copy)

    @property
    def index(self) -> Any:
        """Labels of the rows: the names."""
        return list(self.names)

    @property
    def columns(self) -> Any:
        """Labels of the columns: the wavelengths, such as "450.0 nm", or numbers."""
        if self.wavelengths is None:
            return list(range(self.shape[1]))
        return [f"{float(value)!r} nm" for value in self.wavelengths]

    def __getitem__(self, item):
        """Return the spectra of a name, an index, a slice, a mask, or a list of these."""
        if isinstance(item, str):
            return self.select(names=item)
        if isinstance(item, (list, tuple)) and item and all(isinstance(i, str) for i in item):
            return self.select(names=item)
        return self._rows(np.atleast_1d(np.arange(len(self))[item]))

    def _rows(self, rows):
        if not len(rows):
            raise ValueError(
                "Expected at least one spectrum in the selection, got none; relax the selection."
            )
        classes = self.classes and [self.classes[i] for i in rows]
        return self._replaced(
            spectra=self.spectra[rows], names=[self.names[i] for i in rows], classes=classes
        )

    def _bands(self, bands):
        if not np.asarray(bands).any():
            raise ValueError(
                "Expected at least one band in the selection, got none; relax the selection."
            )
        return self._replaced(
            spectra=self.spectra[:, bands],
            wavelengths=None if self.wavelengths is None else self.wavelengths[bands],
            fwhm=None if self.fwhm is None else self.fwhm[bands],
        )

    def _replaced(self, **parts):
        names = ("spectra", "names", "wavelengths", "fwhm", "classes", "metadata")
        return SpectralLibrary(**{**{name: getattr(self, name) for name in names}, **parts})

    def select(self, names: Any = None, *, classes: Any = None, wavelengths: Any = None) -> Self:
        """Select spectra by name and class, and bands by wavelength.

        Parameters
        ----------
        names, classes : str or sequence of str, default=None
            Names and classes to keep. One that no spectrum has exactly may be a pattern, such as
            "*grass*", which ignores case. None keeps all.

        wavelengths : (float, float) or list of (float, float), default=None
            Ranges to keep, in nm, including their ends. None keeps all.

        Returns
        -------
        library : SpectralLibrary
            The spectra and bands that fulfil all conditions, in their order.

        Raises
        ------
        ValueError
            If nothing has a name, a class or a wavelength, or the library has none.
        """
        keep = np.ones(len(self), dtype=bool)
        for wanted, found, what in (
            (names, self.names, "names"),
            (classes, self.classes, "classes"),
        ):
            if wanted is not None:
                keep &= _matching(wanted, found, what)
        library = self._rows(np.flatnonzero(keep))
        if wavelengths is None:
            return library
        ranges = np.atleast_2d(np.asarray(wavelengths, dtype=float))
        if ranges.ndim != 2 or ranges.shape[1] != 2:
            raise ValueError(
                f"Expected wavelengths as (lowest, highest) in nm, or a list of these, got "
                f"{wavelengths!r}; pass pairs."
            )
        nm = self._known_wavelengths()
        inside = ((nm >= ranges[:, :1]) & (nm <= ranges[:, 1:])).any(axis=0)
        if not inside.any():
            raise ValueError(
                f"Expected bands in the ranges {ranges.tolist()} nm, got none, as those of the "
                f"library are from {nm.min():g} to {nm.max():g} nm; check the unit."
            )
        return library._bands(inside)

    def _known_wavelengths(self):
        if self.wavelengths is None:
            raise ValueError(
                "Expected a library with wavelengths, got one without; pass wavelengths=… in nm "
                "to SpectralLibrary or read_library."
            )
        return self.wavelengths

    def drop_missing(self, axis: str = "bands") -> Self:
        """Drop bands, or spectra, that have missing values.

        Parameters
        ----------
        axis : {"bands", "spectra"}, default="bands"
            "bands" drops bands that are missing in any spectrum, and "spectra" drops spectra that
            miss any band.

        Returns
        -------
        library : SpectralLibrary
            Without missing values.

        Raises
        ------
        ValueError
            If nothing is left.
        """
        missing = np.isnan(self.spectra)
        if axis == "bands":
            return self._bands(~missing.any(axis=0))
        if axis != "spectra":
            raise ValueError(f"Expected axis 'bands' or 'spectra', got {axis!r}; pass one of them.")
        return self._rows(np.flatnonzero(~missing.any(axis=1)))

    def scale(self, factor: Any) -> Self:
        """Return the library with spectra times a factor, such as 0.01 for percent."""
        return self._replaced(spectra=self.spectra * factor)

    def with_names(self, names: Any) -> Self:
        """Return the library with other names, one for each spectrum."""
        return self._replaced(names=names)

    def with_fwhm(self, fwhm: Any) -> Self:
        """Return the library with widths of its bands at half maximum, in nm."""
        return self._replaced(fwhm=fwhm)

    def unique_names(self) -> Self:
        """Return the library with a number behind each repeated name: "grass", "grass (2)"."""
        taken, unique = set(self.names), []
        seen = {}
        for name in self.names:
            count = seen[name] = seen.get(name, 0) + 1
            new = name
            while count > 1 and new in taken:
                new = f"{name} ({count})"
                count += 1
            taken.add(new)
            unique.append(new)
        return self._replaced(names=unique)

    def resample(
        self, target: Any, fwhm: Any = None, *, unit: str | None = "nm", uncovered: str = "raise"
    ) -> Self:
        """Resample the spectra to other bands, with Gaussian responses.

        The value of a band is the mean of the spectrum under a Gaussian response, as
        :class:`skunmix.preprocessing.SpectralResampler` computes it. Each spectrum is interpolated
        linearly between its measured bands. A band that the library itself has, with the same
        centre and at least three quarters of the width, is taken as it is.

        Parameters
        ----------
        target : array-like of shape (n_bands_out,), SpectralLibrary, object, str or path-like
            Wavelengths in `unit`, or another library, or an object with `wavelengths` and `fwhm`
            in nm such as :func:`skunmix.scenes.describe_scene` returns, or the path of a scene.

        fwhm : array-like of shape (n_bands_out,) or float, default=None
            Full widths at half maximum, in `unit`. None takes those of the target, or else the
            distances between its centres.

        unit : {"nm", "um", "µm"}, default="nm"
            Unit of wavelengths and widths that are passed as numbers.

        uncovered : {"raise", "nan", "drop"}, default="raise"
            What to do with bands that some spectra do not cover, because they are outside these
            spectra or in a gap of them: raise an error, return NaN, or drop these bands.

        Returns
        -------
        library : SpectralLibrary
            With the wavelengths and widths of the target.

        Raises
        ------
        ValueError
            If the library or the target has no wavelengths, or a band is not covered.
        """
        centres, widths = bands_of(target, fwhm, unit)
        source = self._known_wavelengths()
        spectra = resample_spectra(self.spectra, source, centres, widths, self.fwhm)
        missing = np.isnan(spectra)
        library = self._replaced(spectra=spectra, wavelengths=centres, fwhm=widths)
        if not missing.any() or uncovered == "nan":
            return library
        if uncovered == "drop":
            return library.drop_missing()
        row, band = np.argwhere(missing)[0]
        raise ValueError(
            f"Expected target bands that the library covers, from {source.min():g} to "
            f"{source.max():g} nm, got {missing.any(axis=0).sum()} of {len(centres)} bands that "
            f"{missing.any(axis=1).sum()} of {len(self)} spectra do not cover, the first of which "
            f"is {centres[band]:g} nm for {self.names[row]!r}; pass uncovered='drop' to drop these "
            f"bands, or check the units."
        )

    def to_frame(self) -> Any:
        """Return a DataFrame with names as index and wavelengths in nm as columns.

        If there are classes, the index has the levels "name" and "class".

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pd = require("pandas", "SpectralLibrary.to_frame", "pandas")
        index = pd.Index(list(self.names), name="name")
        if self.classes is not None:
            index = pd.MultiIndex.from_arrays(
                [list(self.names), list(self.classes)], names=["name", "class"]
            )
        columns = None
        if self.wavelengths is not None:
            columns = pd.Index(self.wavelengths, name="wavelength")
        return pd.DataFrame(self.spectra.copy(), index=index, columns=columns)

    @classmethod
    def from_frame(cls, frame: Any, *, unit: str | None = None) -> Self:
        """Make a library from a DataFrame with one spectrum per row.

        Parameters
        ----------
        frame : DataFrame of shape (n_spectra, n_bands)
            With names as index, and wavelengths as columns: numbers, or strings such as "450 nm". A
            second level of the index is taken as the classes.

        unit : {"nm", "um", "µm", "cm-1"}, default=None
            Unit of the columns. None takes it from their text, or else from their magnitude.

        Returns
        -------
        library : SpectralLibrary
        """
        rows, columns = axis_labels(frame)
        classes = None
        if getattr(getattr(frame, "index", None), "nlevels", 1) > 1:
            rows, classes = (frame.index.get_level_values(i) for i in (0, 1))
        wavelengths = wavelengths_in(columns)
        if unit is not None:
            wavelengths = to_nanometres(
                [float(c) for c in columns], unit, "columns", allow_wavenumbers=True
            )
        return cls(np.asarray(frame, dtype=float), name_labels(rows), wavelengths, classes=classes)

    @classmethod
    def concatenate(cls, libraries: Any) -> Self:
        """Join libraries of the same wavelengths.

        Parameters
        ----------
        libraries : sequence of SpectralLibrary
            Wavelengths may differ by rounding. `fwhm` is that of the first. `metadata` keeps what
            is equal in all, and the files.

        Returns
        -------
        library : SpectralLibrary

        Raises
        ------
        ValueError
            If there is no library, or the wavelengths differ.
        """
        libraries = list(libraries)
        if not libraries:
            raise ValueError("Expected at least one library, got none; pass one.")
        first = libraries[0]
        for other in libraries[1:]:
            if not first.has_bands_of(other):
                raise ValueError(
                    f"Expected libraries of the same wavelengths, got {first} and {other}; "
                    f"resample them to common wavelengths first."
                )
        classes = None
        if any(library.classes for library in libraries):
            classes = [c for one in libraries for c in one.classes or [""] * len(one)]
        metadata = {
            key: value
            for key, value in first.metadata.items()
            if all(library.metadata.get(key) == value for library in libraries)
        }
        files = [library.metadata["file"] for library in libraries if "file" in library.metadata]
        if files and "file" not in metadata:
            metadata["files"] = files
        return first._replaced(
            metadata=metadata,
            spectra=np.vstack([library.spectra for library in libraries]),
            names=[name for library in libraries for name in library.names],
            classes=classes,
        )

    def has_bands_of(self, other: Any) -> bool:
        """Return whether another library has the same wavelengths, up to rounding."""
        a, b = self.wavelengths, other.wavelengths
        if self.shape[1] != other.shape[1] or (a is None) != (b is None):
            return False
        return a is None or np.allclose(a, b, rtol=1e-5, atol=0)

    def plot(self, **kwargs: Any) -> Any:
        """Plot the spectra.

        Parameters
        ----------
        **kwargs
            Passed to :meth:`skunmix.plotting.EndmemberDisplay.from_predictions`.

        Returns
        -------
        display : skunmix.plotting.EndmemberDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from ..plotting import EndmemberDisplay

        given = {"endmember_names": list(self.names)}
        if self.wavelengths is not None:
            given |= {"wavelengths": self.wavelengths, "unit": "nm"}
        return EndmemberDisplay.from_predictions(self.spectra, **{**given, **kwargs})


def _read_only(array):
    array.setflags(write=False)
    return array


def _one_each(values, n_spectra, what):
    """Return one string for each spectrum, or None."""
    if values is None:
        return None
    values = (values,) if isinstance(values, str) else tuple(map(str, values))
    if len(values) != n_spectra:
        raise ValueError(
            f"Expected {n_spectra} {what}, one for each spectrum, got {len(values)}; pass spectra "
            f"in rows, and one of {what} for each."
        )
    return values


def _matching(wanted, found, what):
    """Return which spectra have one of the wanted names or classes."""
    if found is None:
        raise ValueError(f"Expected a library with {what}, got one without; pass {what} to it.")
    keep = np.zeros(len(found), dtype=bool)
    for one in [wanted] if isinstance(wanted, str) else wanted:
        same = np.array([value == one for value in found])
        if not same.any():
            same = np.array([fnmatch(value.lower(), one.lower()) for value in found])
        if not same.any():
            shown = ", ".join(map(repr, list(dict.fromkeys(found))[:5]))
            raise ValueError(
                f"Expected {what} of the library, got {one!r}, which no spectrum has; its {what} "
                f"begin with {shown}: pass one of them, or a pattern such as '*{one}*'."
            )
        keep |= same
    return keep
