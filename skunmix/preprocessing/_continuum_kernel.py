"""Compiled removal of the continuum, pixel by pixel."""

import numpy as np
from numba import njit, types

_matrix = types.float64[:, ::1]
_vector = types.Array(types.float64, 1, "C", readonly=True)


@njit(
    [types.void(types.Array(types.float64, 2, "C", readonly=True), _vector, _matrix)],
    nogil=True,
    cache=True,
    error_model="numpy",
)
def remove_continuum(spectra, wavelengths, out):
    """Divide each spectrum by its upper convex hull, whose wavelengths ascend.

    The hull is Andrew's monotone chain: a point leaves it if it is not above the line from the
    point before it to the next one. A concave hull is smallest at an end; a spectrum whose hull is
    not positive there becomes NaN.
    """
    n_pixels, n_bands = spectra.shape
    hull = np.empty(n_bands, np.int64)
    for i in range(n_pixels):
        y = spectra[i]
        if not (y[0] > 0 and y[n_bands - 1] > 0):
            out[i] = np.nan
            continue
        size = 0
        for k in range(n_bands):
            while size > 1:
                a, b = hull[size - 2], hull[size - 1]
                rise = (y[b] - y[a]) * (wavelengths[k] - wavelengths[a])
                if rise > (y[k] - y[a]) * (wavelengths[b] - wavelengths[a]):
                    break
                size -= 1
            hull[size] = k
            size += 1
        out[i, 0] = 1.0
        for j in range(1, size):
            a, b = hull[j - 1], hull[j]
            slope = (y[b] - y[a]) / (wavelengths[b] - wavelengths[a])
            for k in range(a + 1, b):
                # rounding may leave a point on the line above it
                out[i, k] = min(1.0, y[k] / (y[a] + slope * (wavelengths[k] - wavelengths[a])))
            out[i, b] = 1.0
