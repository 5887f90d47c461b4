"""AVIRIS-NG and AVIRIS-3 in netCDF: a group with the cube and its wavelengths.

Their ENVI scenes need no reader of their own, because the header says all.
"""

from .cubes import SwathSource, choose_cube

_GROUPS = ("reflectance", "radiance")


def matches(variables):
    """Return whether variables of a file are those of the product."""
    return _group(variables) is not None


def open_product(path, variables, band_dim, variable, options):
    """Return the source of a product, whose grid is that of its coordinates."""
    group = _group(variables)
    variable, band_dim = choose_cube(
        variables, band_dim, variable, [f"{group}/{group}"], f"{group}/wavelength"
    )
    return SwathSource(path, band_dim, variable, "AVIRIS")


def _group(variables):
    wanted = (g for g in _GROUPS if {f"{g}/{g}", f"{g}/wavelength"} <= set(variables))
    return next(wanted, None)
