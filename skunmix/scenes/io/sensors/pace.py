"""PACE OCI Level 2: surface reflectance in netCDF, in the geometry of the sensor."""

from .cubes import SwathSource, choose_cube

_WAVELENGTHS = ("sensor_band_parameters/wavelength_3d", "sensor_band_parameters/wavelength")
_CUBES = ("geophysical_data/rhos", "geophysical_data/Rrs")
_GEOLOCATION = {"latitude": "navigation_data/latitude", "longitude": "navigation_data/longitude"}


def matches(variables):
    """Return whether variables of a file are those of the product."""
    cube = any(
        name.startswith("geophysical_data/") and len(variables[name]) == 3 for name in variables
    )
    return cube and any(name in variables for name in _WAVELENGTHS)


def open_product(path, variables, band_dim, variable, options):
    """Return the source of a product."""
    wavelengths = next(name for name in _WAVELENGTHS if name in variables)
    variable, band_dim = choose_cube(variables, band_dim, variable, _CUBES, wavelengths)
    there = {name: v for name, v in _GEOLOCATION.items() if v in variables}
    return SwathSource(path, band_dim, variable, "PACE OCI", there)
