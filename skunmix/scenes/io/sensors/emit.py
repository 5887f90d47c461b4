"""EMIT Level 2A in netCDF: in the geometry of the sensor, or orthorectified by its lookup table."""

import numpy as np

from ....utils.optional import require
from ..groups import open_group, open_variable
from ..options import take_flag
from .cubes import SwathSource, choose_cube

_WAVELENGTHS = "sensor_band_parameters/wavelengths"
_CUBES = ("reflectance", "radiance")
_GEOLOCATION = {"lat": "location/lat", "lon": "location/lon"}
_TABLE = ("location/glt_y", "location/glt_x")
# Rows and columns of the parts that are orthorectified together.
_PART = 256


def matches(variables):
    """Return whether variables of a file are those of the product."""
    return _WAVELENGTHS in variables and any(len(v) == 3 for v in variables.values())


def open_product(path, variables, band_dim, variable, options):
    """Return the source of a product; the option `orthorectify` places the abundances on a map."""
    variable, band_dim = choose_cube(variables, band_dim, variable, _CUBES, _WAVELENGTHS)
    there = {name: v for name, v in _GEOLOCATION.items() if v in variables}
    if not take_flag(options, "orthorectify", False):
        return EmitSource(path, band_dim, variable, "EMIT", there)
    missing = [name for name in _TABLE if name not in variables]
    if missing:
        raise OSError(
            f"{path.name} has no variable {missing[0]!r}, which orthorectification needs; drop "
            f"orthorectify to unmix in the geometry of the sensor."
        )
    return OrthorectifiedSource(path, band_dim, variable, "EMIT")


class EmitSource(SwathSource):
    """A cube of EMIT in the geometry of the sensor."""

    open_options = ("orthorectify",)


class OrthorectifiedSource(EmitSource):
    """A cube of EMIT whose abundances are written to the map grid of the lookup table.

    Spectra are unmixed once each, in the geometry of the sensor. The table then says which pixel
    of the sensor is nearest to each pixel of the map.
    """

    output_dims = ("latitude", "longitude")

    def __init__(self, *args):
        super().__init__(*args)
        attributes = open_group(self.path).attrs
        missing = [n for n in ("geotransform", "spatial_ref") if n not in attributes]
        if missing:
            raise OSError(
                f"{self.path.name} has no attribute {missing[0]!r}, which places its map grid; "
                f"drop orthorectify to unmix in the geometry of the sensor."
            )
        self._geotransform = [float(value) for value in np.ravel(attributes["geotransform"])]
        self._crs = str(attributes["spatial_ref"])

    def placed(self, values):
        """Return abundances in the geometry of the sensor as abundances on the map."""
        table = [open_variable(self.path, name).values for name in _TABLE]
        rows, cols = (np.where(np.isfinite(t), np.abs(t), 0).astype(np.int32) - 1 for t in table)
        for name, found, size in zip(_TABLE, (rows, cols), self.shape):
            if found.max(initial=-1) >= size:
                raise OSError(
                    f"{name!r} of {self.path.name} points to pixel {found.max() + 1}, but the "
                    f"scene has {size}; it belongs to another scene."
                )
        return OrthorectifiedAbundances(values, rows, cols)

    def grid(self):
        """Return CRS and transform of the map."""
        rasterio = require("rasterio", f"The grid of {self.path.name}")
        return {
            "crs": rasterio.crs.CRS.from_wkt(self._crs),
            "transform": rasterio.Affine.from_gdal(*self._geotransform),
        }

    def template(self):
        """Return an unread DataArray with the coordinates of the map."""
        xr = require("xarray", f"Writing the abundances of {self.path.name}")
        require("rioxarray", f"Writing the grid of {self.path.name}")
        n_rows, n_cols = open_variable(self.path, _TABLE[0]).shape
        left, width, _, top, _, height = self._geotransform
        coords = {
            "latitude": top + height * (np.arange(n_rows) + 0.5),
            "longitude": left + width * (np.arange(n_cols) + 0.5),
        }
        shape = (n_rows, n_cols, self.shape[2])
        dims = (*self.output_dims, self.template_band_dim)
        array = xr.DataArray(np.broadcast_to(np.float32(0), shape), dims=dims, coords=coords)
        array = array.rio.set_spatial_dims(x_dim="longitude", y_dim="latitude")
        return array.rio.write_crs(self._crs).rio.write_transform(self.grid()["transform"])


class OrthorectifiedAbundances:
    """Abundances (rows, cols, n_endmembers) on a map, read from those of the sensor's pixels.

    Parameters
    ----------
    values : RawAbundances
    rows, cols : ndarray of shape (n_rows, n_cols), of int
        The sensor's pixel for each pixel of the map, negative where there is none.
    """

    ndim = 3

    def __init__(self, values, rows, cols):
        self._values, self._rows, self._cols = values, rows, cols
        self.shape = (*rows.shape, values.shape[2])
        self.dtype = values.dtype

    def read(self, window):
        """Return the abundances of a window of the map, NaN where there is no pixel."""
        rows, cols = window
        shape = (rows.stop - rows.start, cols.stop - cols.start, self.shape[2])
        out = np.full(shape, np.nan, self.dtype)
        for top in range(0, shape[0], _PART):
            for left in range(0, shape[1], _PART):
                self._place(
                    out[top : top + _PART, left : left + _PART], rows.start + top, cols.start + left
                )
        return out

    def _place(self, out, top, left):
        part = (slice(top, top + out.shape[0]), slice(left, left + out.shape[1]))
        rows, cols = self._rows[part], self._cols[part]
        there = (rows >= 0) & (cols >= 0)
        if there.any():
            rows, cols = rows[there], cols[there]
            first, leftmost = rows.min(), cols.min()
            around = (slice(first, rows.max() + 1), slice(leftmost, cols.max() + 1))
            out[there] = self._values.read(around)[rows - first, cols - leftmost]

    def __getitem__(self, key):
        """Return a slice of the abundances, for dask."""
        rows, cols, endmembers = key
        window = (slice(*rows.indices(self.shape[0])), slice(*cols.indices(self.shape[1])))
        return self.read(window)[:, :, endmembers]
