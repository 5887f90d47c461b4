"""Abundances as a DataArray in the grid of their scene."""

import numpy as np

from ...utils.optional import require

ENDMEMBER = "endmember"
# What is said of stored values, or of bands, and not of abundances.
_OF_VALUES = {
    "_FillValue",
    "missing_value",
    "nodata",
    "scale_factor",
    "add_offset",
    "scales",
    "offsets",
    "units",
    "long_name",
    "standard_name",
    "valid_min",
    "valid_max",
    "valid_range",
    "actual_range",
    "band_names",
    "bands",
    "bbl",
    "byte_order",
    "data_gain_values",
    "data_ignore_value",
    "data_offset_values",
    "data_type",
    "default_bands",
    "file_type",
    "fwhm",
    "header_offset",
    "interleave",
    "reflectance_scale_factor",
    "wavelength",
    "wavelength_units",
}


def abundance_array(values, dims, scene, band_dim, names):
    """Return abundances as a DataArray in the grid of a scene.

    Parameters
    ----------
    values : array of shape (…, n_endmembers)
    dims : tuple of str
        Dimensions of `values` but the last.
    scene : xarray.DataArray
        Whose order of dimensions, coordinates, attributes and spatial reference are taken.
    band_dim : str
        The dimension of the scene in whose place the endmembers come.
    names : list of str
        Of the endmembers.
    """
    xr = require("xarray", "An xarray scene")
    coords = {name: c for name, c in scene.coords.items() if band_dim not in c.dims}
    coords[ENDMEMBER] = (ENDMEMBER, np.asarray(names, dtype=str))
    abundances = xr.DataArray(
        values,
        dims=(*dims, ENDMEMBER),
        coords=coords,
        name="abundance",
        attrs={
            name: value
            for name, value in scene.attrs.items()
            if name not in _OF_VALUES and not name.startswith("Band_")
        },
    )
    abundances.encoding["_FillValue"] = np.nan
    if "grid_mapping" in scene.encoding:
        abundances.encoding["grid_mapping"] = scene.encoding["grid_mapping"]
    return abundances.transpose(*(ENDMEMBER if dim == band_dim else dim for dim in scene.dims))
