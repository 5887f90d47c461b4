"""Cubes in groups of netCDF: which variable is the scene, and where its pixels lie."""

from ..groups import open_variable
from ..sources import XarraySource


def choose_cube(variables, band_dim, variable, names, wavelengths):
    """Return the variable that is the scene, or None if unknown, and the dimension of its bands.

    Parameters
    ----------
    variables : dict
        As from `variables_of`.
    band_dim, variable : str or None
        Choices of the caller, which override the product's.
    names : sequence of str
        Names of variables in the product, in order of preference.
    wavelengths : str
        Variable of the wavelengths, whose dimension is that of the bands.
    """
    dims = [name for name, _ in variables[wavelengths]]
    if variable is None:
        variable = next((name for name in names if name in variables), None)
    of_cube = [name for name, _ in variables.get((variable or "").strip("/"), ())]
    if band_dim not in of_cube and len(dims) == 1:
        band_dim = dims[0]
    return variable, band_dim


class SwathSource(XarraySource):
    """A cube in the geometry of the sensor, with the coordinates of each pixel beside it.

    Parameters
    ----------
    path : pathlib.Path
    band_dim, variable : str
    sensor : str
    geolocation : dict of {str: str}, default={}
        Names of coordinates, and the variables that hold them.
    """

    def __init__(self, path, band_dim, variable, sensor, geolocation=None):
        super().__init__(path, band_dim, variable)
        self.sensor = sensor
        self._geolocation = dict(geolocation or {})

    def template(self):
        """Return the unread variable, with the latitude and longitude of each pixel."""
        scene = super().template()
        sizes = [scene.sizes[dim] for dim in self.dims]
        for name, variable in self._geolocation.items():
            found = open_variable(self.path, variable).variable
            if list(found.shape) == sizes:
                scene = scene.assign_coords({name: (self.dims, found.data, found.attrs)})
        return scene
