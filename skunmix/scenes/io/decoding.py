"""Decoding of stored values into spectra: no-data values, scale and offset."""

import warnings
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...utils.magnitudes import LARGEST, largest_bound

# Attributes of CF, which xarray and rioxarray use.
_FILL_ATTRIBUTES = ("_FillValue", "missing_value", "nodata")
# Values of netCDF variables where nothing was written, if there is no `_FillValue`. Bytes have
# none, because all their values may be measurements.
_NETCDF_FILLS = {
    "i2": -32767,
    "u2": 65535,
    "i4": -2147483647,
    "u4": 4294967295,
    "i8": -9223372036854775806,
    "u8": 18446744073709551614,
    "f4": 9.969209968386869e36,
    "f8": 9.969209968386869e36,
}


@dataclass(frozen=True)
class Decoding:
    """How the stored values of a scene become spectra.

    Parameters
    ----------
    dtype : dtype
        Type of the stored values. Integers of the other signedness are reinterpreted.
    nodata : tuple of float
        Stored values that mean no data.
    scale, offset : float or tuple of float, one per band
        A spectrum is stored · scale + offset.
    valid_range : (float, float)
        The smallest and the largest valid stored value.
    """

    dtype: np.dtype
    nodata: tuple = ()
    scale: float | tuple = 1.0
    offset: float | tuple = 0.0
    valid_range: tuple = (-np.inf, np.inf)
    _fill: tuple = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "_fill", tuple(stored_nodata(self.dtype, self.nodata)))

    def __str__(self):
        parts = [f"{self.dtype} values"]
        if self.scaled:
            parts.append(f"spectra = stored · {_range(self.scale)} + {_range(self.offset)}")
        if self.nodata:
            parts.append(f"no data: {', '.join(f'{value:g}' for value in self.nodata)}")
        if np.isfinite(self.valid_range).any():
            parts.append("valid from {:g} to {:g}".format(*self.valid_range))
        return ", ".join(parts)

    @cached_property
    def scaled(self):
        """Whether stored values differ from the spectra by scale or offset."""
        return bool(np.any(np.asarray(self.scale) != 1) or np.any(np.asarray(self.offset) != 0))

    @property
    def spectra_dtype(self):
        """The type of the spectra, which is that of the stored values unless they are scaled."""
        if not self.scaled:
            return self.dtype.newbyteorder("=")
        # float32 is precise enough for 16 bits and a scale
        return np.result_type(self.dtype.newbyteorder("="), np.float32)

    def decode(self, block, used=None):
        """Return the spectra of a block of pixels, and which of them are valid.

        Parameters
        ----------
        block : ndarray of shape (…, n_bands)
            Stored values, in any layout.
        used : ndarray of shape (n_bands,), of bool, default=None
            The bands that decide whether a pixel is valid. None uses all bands.

        Returns
        -------
        spectra : ndarray of shape (n_pixels, n_bands)
            Finite for valid pixels.
        valid : ndarray of shape (n_pixels,), of bool, or None for all
        n_too_large : int
            Number of pixels that are not valid because of a finite value that is too large.
        bound : float
            A number that no magnitude in the spectra exceeds, or NaN if there is a NaN.
        """
        n_bands = block.shape[-1]
        stored = self.stored_rows(block)
        spectra = stored
        if self.scaled:
            dtype = self.spectra_dtype
            spectra = np.multiply(stored, np.asarray(self.scale, dtype), dtype=dtype)
            spectra += np.asarray(self.offset, dtype)
        bound = largest_bound(stored)
        void, too_large = self._void(stored, bound)
        if self.scaled:
            bound = bound * np.abs(self.scale).max() + np.abs(self.offset).max()
        if void is None:
            return spectra, None, 0, bound
        if used is None:
            used = np.ones(n_bands, dtype=bool)
        n_too_large = 0 if too_large is None else too_large[:, used].any(axis=1).sum()
        if used.all():
            return spectra, ~void.any(axis=1), int(n_too_large), bound
        # values in unused bands are ignored
        spectra = np.where(void, np.zeros((), spectra.dtype), spectra)
        return spectra, ~void[:, used].any(axis=1), int(n_too_large), bound

    def stored_rows(self, block):
        """Return the stored values of a block of pixels, (n_pixels, n_bands), of native type."""
        stored = _native(block).reshape(-1, block.shape[-1])
        if {stored.dtype.kind, self.dtype.kind} == {"i", "u"}:
            stored = stored.view(self.dtype.newbyteorder("="))
        return stored

    def stored_values(self, block, rows, bands):
        """Return the stored values of some pixels of a block, in one band each."""
        values = block[(*np.unravel_index(rows, block.shape[:-1]), bands)]
        return self.stored_rows(values[:, np.newaxis])[:, 0]

    def _void(self, stored, bound):
        """Return masks of values without data, and of those that are too large, or None."""
        void = too_large = None
        if not bound <= LARGEST:
            usable = np.abs(stored, dtype=None if stored.dtype.kind == "f" else float) <= LARGEST
            if not usable.all():
                void = ~usable
                too_large = void & np.isfinite(stored)
        low, high = self.valid_range
        found = [lambda value=value: stored == value for value in self._fill]
        if low > -np.inf:
            found.append(lambda: stored < low)
        if high < np.inf:
            found.append(lambda: stored > high)
        for is_none in found:
            none = is_none()
            if none.any():
                void = none if void is None else np.logical_or(void, none, out=void)
                if too_large is not None:
                    too_large &= ~none
        return void, too_large


def _native(block):
    if block.dtype.isnative:
        return block
    return block.astype(block.dtype.newbyteorder("="))


def _range(value):
    values = np.atleast_1d(value)
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"({low:g} to {high:g}, by band)"


def stored_nodata(dtype, nodata):
    """Yield the no-data values that the type of the stored values can hold, in this type."""
    for value in nodata:
        if dtype.kind in "iu":
            if not np.isfinite(value) or value != int(value):
                continue
            limits = np.iinfo(dtype)
            if not limits.min <= value <= limits.max:
                continue
            yield dtype.newbyteorder("=").type(int(value))
        elif not np.isnan(value):  # NaN is always no data
            with np.errstate(over="ignore"):  # an overflow is infinite, which is always no data
                yield dtype.newbyteorder("=").type(value)


def with_netcdf_fill(attributes, dtype):
    """Return the attributes of a netCDF variable with its default `_FillValue`, if it has none."""
    default = _NETCDF_FILLS.get(dtype.str[1:])
    if default is None or attributes.get("_FillValue") is not None:
        return attributes
    return {**attributes, "_FillValue": dtype.newbyteorder("=").type(default)}


def decoding_of(
    dtype,
    attributes,
    *,
    decoded,
    encoding=None,
    from_envi=False,
    nodata=None,
    scale_factor=None,
    add_offset=None,
):
    """Return the Decoding that a scene's attributes and the caller's arguments define.

    Parameters
    ----------
    dtype : dtype
        Type of the present values.
    attributes : dict
        Attributes with the names of CF, and ENVI's ``reflectance_scale_factor``.
    decoded : bool or None
        Whether scale and offset have been applied. None decides by the type.
    encoding : dict, default=None
        Attributes that xarray has applied to get the present values.
    from_envi : bool, default=False
        Whether the attributes are from an ENVI header, whose reflectance scale factor always
        applies. From other sources, it may remain although values have been divided.
    nodata, scale_factor, add_offset : float or sequence of float, default=None
        Arguments of the caller, which override the attributes. `nodata` also replaces a valid
        range.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If scale and offset are not numbers, or it is ambiguous whether they have been applied.
    """
    encoding = encoding or {}
    dtype = np.dtype(dtype)
    if dtype.kind not in "iuf":
        raise TypeError(
            f"Expected a scene of real numbers, got values of type {dtype}; convert it."
        )
    dtype = _with_sign(dtype, attributes)
    overrides = {"scale_factor": scale_factor, "add_offset": add_offset}
    overrides = {name: value for name, value in overrides.items() if value is not None}
    scaling = _scaling({**({} if decoded else attributes), **overrides})
    scaled = Decoding(dtype, (), *scaling.values()).scaled
    if decoded is None and dtype.kind == "f" and scaled and not overrides:
        first = {name: np.ravel(value)[0] for name, value in scaling.items()}
        raise ValueError(
            f"The scene has scale_factor={first['scale_factor']:g} and "
            f"add_offset={first['add_offset']:g} (in the first band), but its values are {dtype}, "
            f"so that these may have been applied already; pass scale_factor=1, add_offset=0 if "
            f"they have, otherwise pass these values."
        )
    factor = 1.0 if "scale_factor" in overrides else _reflectance_factor(attributes)
    if factor != 1:
        twice = scaling["scale_factor"] != 1 or encoding.get("scale_factor", 1) != 1
        twice = twice or ("add_offset" not in overrides and scaling["add_offset"] != 0)
        _check_one_scaling(dtype, factor, twice, from_envi)
        scaling["scale_factor"] = 1 / factor

    valid_range = (-np.inf, np.inf)
    given = nodata is not None
    if nodata is None:
        nodata = _fill_values(attributes, dtype)
        applied = bool({"scale_factor", "add_offset"} & set(encoding))
        packed = _with_sign(np.dtype(encoding.get("dtype") or dtype), {**attributes, **encoding})
        to_spectra = _scaling(encoding) if applied else scaling
        valid_range = _valid_range(attributes, packed, to_spectra, applied)
    nodata = tuple(float(v) for value in np.atleast_1d(nodata) for v in np.atleast_1d(value))
    strange = [value for value in nodata if not tuple(stored_nodata(dtype, [value]))]
    if given and strange and dtype.kind in "iu":
        warnings.warn(
            f"nodata={strange[0]:g} is ignored, because the scene's values are {dtype}, which "
            f"cannot hold it; pass the value as it is stored.",
            UserWarning,
            stacklevel=4,
        )
    return Decoding(dtype, nodata, *scaling.values(), valid_range)


def _with_sign(dtype, attributes):
    """Return the type of integers with the signedness that netCDF-3's `_Unsigned` states."""
    unsigned = str(attributes.get("_Unsigned", "")).lower()
    if dtype.kind in "iu" and unsigned in ("true", "false"):
        return np.dtype(f"{dtype.byteorder}{'u' if unsigned == 'true' else 'i'}{dtype.itemsize}")
    return dtype


def _scaling(attributes):
    """Return scale and offset from stored values to spectra."""
    scaling = {"scale_factor": 1.0, "add_offset": 0.0}
    for name, plural in (("scale_factor", "scales"), ("add_offset", "offsets")):
        value = attributes.get(name, attributes.get(plural))
        if value is not None:
            scaling[name] = _one_or_each(name, value)
    return scaling


def _reflectance_factor(attributes):
    """Return the factor by which ENVI's values are divided to get reflectances."""
    name = "reflectance_scale_factor"
    factor = _one_or_each(name, attributes.get(name, 1.0))
    if not isinstance(factor, float) or not 0 < factor < np.inf:
        raise ValueError(
            f"The scene's reflectance scale factor is {factor}, expected one positive number; "
            f"correct it, or pass scale_factor=1."
        )
    return factor


def _check_one_scaling(dtype, factor, scaled, from_envi):
    """Raise if it is ambiguous whether to divide by the reflectance scale factor."""
    if scaled:
        raise ValueError(
            f"The scene has both a reflectance scale factor of {factor:g} and a scale or offset "
            f"(data gain values and data offset values in ENVI), expected one of them; pass "
            f"scale_factor and add_offset."
        )
    if dtype.kind == "f" and not from_envi:
        raise ValueError(
            f"The scene has reflectance_scale_factor={factor:g}, but its values are {dtype}, so "
            f"that they may have been divided already; pass scale_factor=1 if they have, otherwise "
            f"scale_factor={1 / factor:g}."
        )


def _fill_values(attributes, dtype):
    """Return the values that mean no data."""
    values = [attributes[name] for name in _FILL_ATTRIBUTES if attributes.get(name) is not None]
    return [_number("_FillValue", v, dtype) for value in values for v in np.atleast_1d(value)]


def _number(name, value, dtype):
    """Return an attribute as a number; integers of the other signedness are reinterpreted."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    kind = getattr(value, "dtype", np.dtype(object)).kind
    if {kind, dtype.kind} == {"i", "u"} and value.dtype.itemsize == dtype.itemsize:
        return float(value.astype(dtype))
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(
            f"The scene's attribute {name} is {str(value)!r}, expected a number; correct it, or "
            f"pass nodata."
        ) from None


def _valid_range(attributes, packed, scaling, applied):
    """Return the smallest and the largest valid value, in the units of the present values.

    Parameters
    ----------
    attributes : dict
    packed : dtype
        Type of the values in the file. Limits of this type are in units of these values. Floats as
        limits of packed integers are in units of the spectra.
    scaling : dict
        Scale and offset from packed values to spectra.
    applied : bool
        Whether the present values are the spectra.
    """
    limits = attributes.get("valid_range")
    limits = np.ravel(limits) if np.size(limits) == 2 else (None, None)
    limits = [attributes.get(n, v) for n, v in zip(("valid_min", "valid_max"), limits)]
    scale, offset = scaling["scale_factor"], scaling["add_offset"]
    if limits == [None, None] or not isinstance(scale, float) or not isinstance(offset, float):
        return -np.inf, np.inf  # undefined if scales differ between bands
    integers = packed.kind in "iu"
    in_spectra = integers and any(np.asarray(limit).dtype.kind == "f" for limit in limits)
    low, high = (
        open_end if limit is None else _number("valid_range", limit, packed)
        for limit, open_end in zip(limits, (-np.inf, np.inf))
    )
    if in_spectra:
        low, high = sorted(((low - offset) / scale, (high - offset) / scale))
    if integers:  # half a step is larger than any rounding error
        low, high = low - 0.5, high + 0.5
    if applied:
        low, high = sorted((low * scale + offset, high * scale + offset))
    return low, high


def _one_or_each(name, value):
    """Return a number, or a tuple with one number per band."""
    try:
        values = np.ravel(np.asarray(value, dtype=float))
    except (TypeError, ValueError):
        values = np.array([np.nan])
    zero_or_none = not values.size or (name != "add_offset" and not values.all())
    if zero_or_none or not np.isfinite(values).all():
        raise ValueError(
            f"{name} is {value!r}, expected a finite number"
            f"{'' if name == 'add_offset' else ' other than 0'}, or one per band; correct it, or "
            f"pass scale_factor and add_offset."
        )
    if (values == values[0]).all():
        return float(values[0])
    return tuple(values.tolist())
