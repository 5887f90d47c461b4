"""Compiled correlations of spectra with endmembers, in the two layouts that spectra come in.

Spectra of float32 are converted value by value, because a copy in float64 takes as long as the
products. Each pixel is summed by the same instructions, so that its correlations do not depend on
its neighbours, bit for bit. The results of the two layouts differ by rounding.
"""

import numpy as np
from numba import from_dtype, types

from ._compilation import compiled_on_call

# Number of pixels whose sums fit into the first-level cache during the loop over bands.
TILE = 256

_options = {"nogil": True, "error_model": "numpy"}
_out, _norms_out = types.float64[:, ::1], types.float64[::1]


def _matrix_in(dtype):
    return types.Array(from_dtype(dtype), 2, "C", readonly=True)


_atoms = _matrix_in(np.dtype(np.float64))


@compiled_on_call(
    lambda dtype: types.void(_matrix_in(dtype), _atoms, _out, _norms_out),
    fastmath={"contract", "reassoc"},
    **_options,
)
def correlate(spectra, atoms, correlations, norms):
    """Fill correlations = spectra atomsᵀ and the norms of the spectra, which are rows.

    Blocks of two pixels by four atoms use all multipliers of a core. The last pixel and atoms are
    repeated to fill a block, so that all pixels use the same instructions.
    """
    n_pixels, n_bands = spectra.shape
    n_atoms = len(atoms)
    for j in range(0, n_atoms, 4):
        j1, j2, j3 = min(j + 1, n_atoms - 1), min(j + 2, n_atoms - 1), min(j + 3, n_atoms - 1)
        a0, a1, a2, a3 = atoms[j], atoms[j1], atoms[j2], atoms[j3]
        for i in range(0, n_pixels, 2):
            i1 = min(i + 1, n_pixels - 1)
            y0, y1 = spectra[i], spectra[i1]
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = 0.0
            for k in range(n_bands):
                v0, v1 = np.float64(y0[k]), np.float64(y1[k])
                s00 += v0 * a0[k]
                s01 += v0 * a1[k]
                s02 += v0 * a2[k]
                s03 += v0 * a3[k]
                s10 += v1 * a0[k]
                s11 += v1 * a1[k]
                s12 += v1 * a2[k]
                s13 += v1 * a3[k]
            correlations[i, j], correlations[i, j1] = s00, s01
            correlations[i, j2], correlations[i, j3] = s02, s03
            correlations[i1, j], correlations[i1, j1] = s10, s11
            correlations[i1, j2], correlations[i1, j3] = s12, s13
            if j == 0:  # while the two spectra are in the cache
                square0 = square1 = 0.0
                for k in range(n_bands):
                    v0, v1 = np.float64(y0[k]), np.float64(y1[k])
                    square0 += v0 * v0
                    square1 += v1 * v1
                norms[i], norms[i1] = np.sqrt(square0), np.sqrt(square1)


@compiled_on_call(
    lambda dtype: types.void(_matrix_in(dtype), types.int64, types.int64, _atoms, _out, _norms_out),
    fastmath={"contract"},
    **_options,
)
def correlate_bands(bands, start, stop, atoms, correlations, norms):
    """Fill correlations and norms of the pixels from start to stop, which are columns of `bands`.

    In blocks of four bands by four atoms, a sum is stored once for four products. The last atoms
    are repeated to fill a block, and the last bands are added one by one, for all pixels.
    """
    n_bands, n_atoms = len(bands), len(atoms)
    s0, s1, s2, s3 = np.empty(TILE), np.empty(TILE), np.empty(TILE), np.empty(TILE)
    squares = np.empty(TILE)
    for first in range(start, stop, TILE):
        width = min(TILE, stop - first)
        for j in range(0, n_atoms, 4):
            j1, j2, j3 = min(j + 1, n_atoms - 1), min(j + 2, n_atoms - 1), min(j + 3, n_atoms - 1)
            a0, a1, a2, a3 = atoms[j], atoms[j1], atoms[j2], atoms[j3]
            for i in range(width):
                s0[i] = s1[i] = s2[i] = s3[i] = squares[i] = 0.0
            k = 0
            while k + 4 <= n_bands:
                b0, b1 = bands[k, first : first + width], bands[k + 1, first : first + width]
                b2, b3 = bands[k + 2, first : first + width], bands[k + 3, first : first + width]
                a00, a01, a02, a03 = a0[k], a0[k + 1], a0[k + 2], a0[k + 3]
                a10, a11, a12, a13 = a1[k], a1[k + 1], a1[k + 2], a1[k + 3]
                a20, a21, a22, a23 = a2[k], a2[k + 1], a2[k + 2], a2[k + 3]
                a30, a31, a32, a33 = a3[k], a3[k + 1], a3[k + 2], a3[k + 3]
                for i in range(width):
                    y0, y1 = np.float64(b0[i]), np.float64(b1[i])
                    y2, y3 = np.float64(b2[i]), np.float64(b3[i])
                    s0[i] = s0[i] + y0 * a00 + y1 * a01 + y2 * a02 + y3 * a03
                    s1[i] = s1[i] + y0 * a10 + y1 * a11 + y2 * a12 + y3 * a13
                    s2[i] = s2[i] + y0 * a20 + y1 * a21 + y2 * a22 + y3 * a23
                    s3[i] = s3[i] + y0 * a30 + y1 * a31 + y2 * a32 + y3 * a33
                    squares[i] = squares[i] + y0 * y0 + y1 * y1 + y2 * y2 + y3 * y3
                k += 4
            while k < n_bands:
                b0 = bands[k, first : first + width]
                a00, a10, a20, a30 = a0[k], a1[k], a2[k], a3[k]
                for i in range(width):
                    y0 = np.float64(b0[i])
                    s0[i] += y0 * a00
                    s1[i] += y0 * a10
                    s2[i] += y0 * a20
                    s3[i] += y0 * a30
                    squares[i] += y0 * y0
                k += 1
            for i in range(width):
                pixel = first - start + i
                correlations[pixel, j], correlations[pixel, j1] = s0[i], s1[i]
                correlations[pixel, j2], correlations[pixel, j3] = s2[i], s3[i]
                norms[pixel] = np.sqrt(squares[i])
