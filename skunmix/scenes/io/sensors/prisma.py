"""PRISMA Level 2 in HDF-EOS5: two cubes, whose bands are stored by descending wavelength."""

import re

import numpy as np

from ....utils.optional import require
from ..bands import Bands
from ..groups import OPENING, open_group, open_variable
from ..options import take_flag
from ..sources import Source
from ..windows import chunk_bytes

_FIELDS = re.compile(r"(HDFEOS/SWATHS/PRS_L2[BCD]_HCO/Data Fields)/(VNIR|SWIR)_Cube")
# The range of stored values, which L2Scale…Min and L2Scale…Max are the ends of.
_LARGEST = 65535
# Codes of the error matrix: an invalid pixel of Level 1, and a saturated one. Others are
# 0 (a good pixel) and 2 (a negative reflectance, which is stored as the smallest one).
_ERRORS = (1, 3)
_PIXEL = 30.0


def matches(variables):
    """Return whether variables of a file are those of the product."""
    return any(_FIELDS.fullmatch(name) for name in variables)


def open_product(path, variables, band_dim, variable, options):
    """Return the source of a product; the option `error_matrix` masks what it marks as wrong."""
    cubes = [name for name in variables if _FIELDS.fullmatch(name)]
    if variable is not None:
        cubes = [name for name in cubes if name == variable.strip("/")]
        if not cubes:
            raise ValueError(
                f"{path.name} has no cube {variable!r}; drop variable to read VNIR and SWIR, or "
                f"pass one of {', '.join(name for name in variables if _FIELDS.fullmatch(name))}."
            )
    errors = take_flag(options, "error_matrix", True)
    return PrismaSource(path, sorted(cubes, reverse=True), variables, errors)


class PrismaSource(Source):
    """VNIR and SWIR of PRISMA as one cube, by ascending wavelength.

    Bands without a wavelength or with the flag 0 hold no measurement, and are left out.
    """

    kind = "HDF-EOS5"
    _opened = None
    open_options = ("error_matrix",)

    def __init__(self, path, cubes, variables, errors):
        super().__init__(path)
        self._level = _FIELDS.fullmatch(cubes[0])[1].split("PRS_")[1][:3]
        self.sensor = f"PRISMA {self._level}"
        self._cubes = cubes
        self._errors = {}
        if errors:
            beside = {c: c.replace("_Cube", f"_PIXEL_{self._level[:2]}_ERR_MATRIX") for c in cubes}
            self._errors = {cube: name for cube, name in beside.items() if name in variables}
        self._facts = dict(open_group(path).attrs)
        parts = [self._band_facts(_FIELDS.fullmatch(name)[2], name) for name in cubes]
        self._kept = [np.flatnonzero(present) for present, *_ in parts]
        sizes = {shape for *_, shape in parts}
        if len(sizes) != 1:
            raise OSError(f"The cubes of {path.name} have different sizes, {sorted(sizes)}.")
        wavelengths, fwhm, scale, offset = (
            np.concatenate([part[i][kept] for part, kept in zip(parts, self._kept)])
            for i in (1, 2, 3, 4)
        )
        self._order = np.argsort(wavelengths, kind="stable")
        if not len(self._order):
            raise OSError(
                f"{path.name} gives no band a wavelength, expected List_Cw_Vnir and _Swir."
            )
        self._bands = Bands(
            wavelengths[self._order], fwhm[self._order] if (fwhm > 0).all() else None
        )
        self.shape = (*next(iter(sizes)), len(self._order))
        arrays = [self._array(name) for name in cubes]
        self.dtype = np.result_type(*(a.dtype for a in arrays))
        self.attributes = {"units": "reflectance" if self._level != "L2B" else "W/(m2 sr um)"}
        self._scaled = bool(np.isfinite(scale).all())
        if self._scaled:
            scaling = scale[self._order], offset[self._order]
            self.attributes |= dict(zip(("scale_factor", "add_offset"), scaling))
        self.where = path.name
        self._chunks(arrays)

    def _band_facts(self, detector, name):
        """Return which bands are present, wavelengths, widths, scales and offsets, and the size."""
        array = self._array(name)
        n_bands = array.shape[1]
        lists = {}
        for key in ("List_Cw", "List_Fwhm", "List_Cw_Flags"):
            attribute = key.replace("List_Cw", f"List_Cw_{detector.title()}")
            attribute = attribute.replace("List_Fwhm", f"List_Fwhm_{detector.title()}")
            values = self._facts.get(attribute)
            lists[key] = None if values is None else np.ravel(values).astype(float)
            if values is not None and len(lists[key]) != n_bands:
                raise OSError(
                    f"{attribute} of {self.path.name} has {len(lists[key])} values, but "
                    f"{name.rsplit('/', 1)[1]} of shape {array.shape} has {n_bands} bands on its "
                    f"second axis; the file is not as PRISMA's specification has it."
                )
        wavelengths = lists["List_Cw"]
        if wavelengths is None:
            raise OSError(
                f"{self.path.name} lacks the attribute List_Cw_{detector.title()}, which gives the "
                f"wavelengths of its bands."
            )
        flags = lists["List_Cw_Flags"]
        present = (wavelengths > 0) & (True if flags is None else flags != 0)
        fwhm = np.zeros(n_bands) if lists["List_Fwhm"] is None else lists["List_Fwhm"]
        low, high = (
            float(self._facts.get(f"L2Scale{detector.title()}{end}", np.nan))
            for end in ("Min", "Max")
        )
        scale = np.full(n_bands, (high - low) / _LARGEST)
        size = array.shape[0], array.shape[2]
        return present, wavelengths, fwhm, scale, np.full(n_bands, low), size

    def _chunks(self, arrays):
        sizes = [a.encoding.get("preferred_chunks") or {} for a in arrays]
        self.chunk_shape = tuple(
            max(int(chunks.get(a.dims[axis], 1)) for a, chunks in zip(arrays, sizes))
            for axis in (0, 2)
        )
        self.chunk_bytes = sum(map(chunk_bytes, arrays))

    def _array(self, name):
        """Return a variable (rows, bands, cols), unread; each is opened once."""
        with OPENING:
            if self._opened is None:
                self._opened = {}
            if name not in self._opened:
                self._opened[name] = open_variable(self.path, name)
            found = self._opened[name]
        if found.ndim != 3:
            raise OSError(f"{name} has shape {found.shape}, expected rows, bands and columns.")
        return found

    def decoding(self, **overrides):
        """Return the decoding by L2Scale…Min and L2Scale…Max, or the caller's overrides."""
        if not self._scaled and overrides.get("scale_factor") is None:
            raise ValueError(
                f"{self.path.name} lacks the attributes L2ScaleVnirMin and L2ScaleVnirMax, or "
                f"those of Swir, which give its units; pass scale_factor and add_offset."
            )
        return super().decoding(**overrides)

    def _read(self, window):
        rows, cols = window
        cubes, wrong = [], None
        for name, kept in zip(self._cubes, self._kept):
            values = self._values(name, rows, cols)[:, kept]
            cubes.append(values)
            if name in self._errors:
                codes = self._values(self._errors[name], rows, cols)[:, kept]
                found = np.isin(codes, _ERRORS).any(axis=1)
                wrong = found if wrong is None else wrong | found
        stored = np.concatenate(cubes, axis=1)[:, self._order]
        outside = ~stored.any(axis=1)  # the map beyond the swath is 0 in all bands
        return np.moveaxis(stored, 1, -1), outside if wrong is None else outside | wrong

    def _values(self, name, rows, cols):
        try:
            return self._array(name).variable[rows, :, cols].values
        except RuntimeError as error:  # raised by netCDF4 if HDF5 cannot read
            raise OSError(error) from error

    def bands(self):
        """Return wavelengths and widths."""
        return self._bands

    def band_labels(self):
        """Return the wavelengths of the bands."""
        return self._bands.labels()

    def bytes_per_pixel(self):
        """Return the size of the stored values of a pixel, with the error matrix."""
        return super().bytes_per_pixel() + (self.shape[2] if self._errors else 0)

    def grid(self):
        """Return CRS and transform of Level 2D, from the corners of the product."""
        names = [
            f"Product_{corner}corner_{axis}"
            for corner, axis in (
                ("UL", "easting"),
                ("LR", "easting"),
                ("UL", "northing"),
                ("LR", "northing"),
            )
        ]
        if self._level != "L2D" or not {"Epsg_Code", *names} <= set(self._facts):
            return {}
        rasterio = require("rasterio", f"The grid of {self.path.name}")
        left, right, top, bottom = (float(np.ravel(self._facts[name])[0]) for name in names)
        # the corners are centres of pixels, unless only their edges give pixels of 30 m
        n_rows, n_cols, _ = self.shape
        steps = _step(left, right, n_cols), _step(bottom, top, n_rows)
        if None in steps:
            return {}
        (width, half_x), (height, half_y) = steps
        transform = rasterio.Affine(width, 0, left - half_x, 0, -height, top + half_y)
        crs = rasterio.crs.CRS.from_epsg(int(np.ravel(self._facts["Epsg_Code"])[0]))
        return {"crs": crs, "transform": transform}

    def template(self):
        """Return an unread DataArray with the coordinates of the grid."""
        array = super().template()
        grid = self.grid()
        if not grid:
            return array
        require("rioxarray", f"Writing the grid of {self.path.name}")
        t = grid["transform"]
        array = array.assign_coords(
            y=t.f + t.e * (np.arange(self.shape[0]) + 0.5),
            x=t.c + t.a * (np.arange(self.shape[1]) + 0.5),
        )
        return array.rio.write_crs(grid["crs"]).rio.write_transform(t)


def _step(first, last, n):
    """Return the size of a pixel, and the distance from the first corner to its pixel's edge."""
    found = [((last - first) / (n - 1), 0.5)] if n > 1 else []
    found.append(((last - first) / n, 0.0))
    size, half = min(found, key=lambda f: abs(f[0] - _PIXEL))
    return (size, half * size) if size > 0 else None
