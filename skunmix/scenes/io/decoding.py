"""From what a scene stores to spectra: no-data left out, scale and offset applied."""

from dataclasses import dataclass, field

import numpy as np

from ...utils import LARGEST

# As CF has them, which xarray and rioxarray follow.
_FILL_ATTRIBUTES = ("_FillValue", "missing_value", "nodata")


@dataclass(frozen=True)
class Decoding:
    """How the stored values of a scene become spectra.

    Parameters
    ----------
    dtype : dtype
        Of the stored values.
    nodata : tuple of float
        Stored values that stand for none.
    scale, offset : float or tuple of float, one a band
        A spectrum is stored · scale + offset.
    """

    dtype: np.dtype
    nodata: tuple = ()
    scale: float | tuple = 1.0
    offset: float | tuple = 0.0
    _fill: tuple = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "_fill", tuple(stored_nodata(self.dtype, self.nodata)))

    @property
    def scaled(self):
        """Whether stored values are not the spectra themselves."""
        return bool(np.any(np.asarray(self.scale) != 1) or np.any(np.asarray(self.offset) != 0))

    @property
    def spectra_dtype(self):
        """The type of the spectra: that of the stored values unless these are scaled."""
        if not self.scaled:
            return self.dtype.newbyteorder("=")
        # 16 bits and a scale fit into float32
        return np.result_type(self.dtype.newbyteorder("="), np.float32)

    def decode(self, block, used=None):
        """Return the spectra of a block of pixels, and which of them can be computed on.

        Parameters
        ----------
        block : ndarray of shape (…, n_bands)
            Stored values, in any layout.
        used : ndarray of shape (n_bands,), of bool, default=None
            The bands that have a say in whether a pixel is valid; None is all of them.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
            Of valid pixels they are finite, where finite values were stored in the used bands.
        valid : ndarray of shape (n_pixels,), of bool, or None for all
        n_too_large : int
            Of the pixels that are not valid, those with a finite value that no spectrum has.
        """
        n_bands = block.shape[-1]
        stored = _native(block).reshape(-1, n_bands)
        spectra = stored
        if self.scaled:
            dtype = self.spectra_dtype
            spectra = np.multiply(stored, np.asarray(self.scale, dtype), dtype=dtype)
            spectra += np.asarray(self.offset, dtype)
        void, too_large = self._void(stored)
        if void is None:
            return spectra, None, 0
        if used is None:
            used = np.ones(n_bands, dtype=bool)
        n_too_large = 0 if too_large is None else too_large[:, used].any(axis=1).sum()
        if used.all():
            return spectra, ~void.any(axis=1), int(n_too_large)
        # in bands that nobody uses, any number will do
        spectra = np.where(void, np.zeros((), spectra.dtype), spectra)
        return spectra, ~void[:, used].any(axis=1), int(n_too_large)

    def _void(self, stored):
        """Return which stored values are none, and which of them for their size; or None."""
        void = too_large = None
        if stored.dtype.kind == "f":
            flat = stored.ravel(order="K")
            # what holds a NaN, an infinity or a value that is too large shows in the sum of
            # squares, and that is all to do for most blocks
            with np.errstate(over="ignore", invalid="ignore"):
                squares = np.dot(flat, flat)
            if not squares <= LARGEST:
                usable = np.abs(stored) <= LARGEST
                if not usable.all():
                    void = ~usable
                    too_large = void & np.isfinite(stored)
        for value in self._fill:
            equal = stored == value
            if equal.any():
                void = equal if void is None else np.logical_or(void, equal, out=void)
                if too_large is not None:
                    too_large &= ~equal
        return void, too_large


def _native(block):
    if block.dtype.isnative:
        return block
    return block.astype(block.dtype.newbyteorder("="))


def stored_nodata(dtype, nodata):
    """Yield the no-data values that can occur in stored values, in their type."""
    for value in nodata:
        if dtype.kind in "iu":
            if not np.isfinite(value) or value != int(value):
                continue
            limits = np.iinfo(dtype)
            if not limits.min <= value <= limits.max:
                continue
            yield dtype.newbyteorder("=").type(int(value))
        elif not np.isnan(value):  # NaN is seen without
            yield dtype.newbyteorder("=").type(value)


def decoding_of(dtype, attributes, *, decoded, nodata=None, scale_factor=None, add_offset=None):
    """Read a scene's attributes into a Decoding.

    Parameters
    ----------
    dtype : dtype
        Of the values at hand.
    attributes : dict
        Those of the values, as CF names them.
    decoded : bool or None
        Whether scale and offset have been applied; None where that can only be told from the
        type.
    nodata, scale_factor, add_offset : float or sequence of float, default=None
        What the caller says, which goes first.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If it cannot be told whether scale and offset have been applied.
    """
    dtype = np.dtype(dtype)
    if dtype.kind not in "biuf":
        raise TypeError(
            f"The scene holds values of type {dtype}, but spectra are real numbers; convert it."
        )
    if nodata is None:
        nodata = [attributes[name] for name in _FILL_ATTRIBUTES if attributes.get(name) is not None]
    nodata = tuple(float(v) for value in np.atleast_1d(nodata) for v in np.atleast_1d(value))
    found = {"scale_factor": 1.0, "add_offset": 0.0}
    for name, plural in (("scale_factor", "scales"), ("add_offset", "offsets")):
        value = attributes.get(name, attributes.get(plural))
        if value is not None and not decoded:
            found[name] = _one_or_each(value)
    stated = Decoding(dtype, (), found["scale_factor"], found["add_offset"])
    nothing_said = scale_factor is None and add_offset is None
    if decoded is None and dtype.kind == "f" and nothing_said and stated.scaled:
        first = {name: np.ravel(value)[0] for name, value in found.items()}
        raise ValueError(
            f"The scene's attributes give scale_factor={first['scale_factor']:g} and "
            f"add_offset={first['add_offset']:g} (in the first band), but its values are "
            f"{dtype}, so that it cannot be told whether these have been applied; pass "
            f"scale_factor=1, add_offset=0 if they have, or pass theirs."
        )
    if scale_factor is not None:
        found["scale_factor"] = _one_or_each(scale_factor)
    if add_offset is not None:
        found["add_offset"] = _one_or_each(add_offset)
    return Decoding(dtype, nodata, found["scale_factor"], found["add_offset"])


def _one_or_each(value):
    values = np.atleast_1d(np.asarray(value, dtype=float))
    if (values == values[0]).all():
        return float(values[0])
    return tuple(values.tolist())
