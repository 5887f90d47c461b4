"""Compiled core of MESMA: all models of a tile of pixels, on the Gram matrix.

A model is one spectrum from each of some groups. The models are the nodes of a tree: the children
of a model have one more spectrum, from a later group. The tree is walked depth first, so that
models are not stored. With the model's spectra A (rows), A Aᵀ = L Lᵀ and z = L⁻¹ A y, the residual
of the model is

    ‖y − Aᵀx‖² = ‖y‖² − ‖z‖²,    Lᵀ x = z.

A child adds one row to L and one entry to z. Its row of L does not depend on the pixel, and is
computed once for a tile. Its entry of z is the correlation of the new spectrum with the residual of
its parent, which the parent has reduced for all its children. A model thus costs a pixel a few
multiplications, whatever its depth. Its fractions are computed, and bounds checked, only if its
residual is the smallest so far among models of the same size. This leaves out no model that would
be chosen.

A tile always has the same width, so that the result of a pixel does not depend on the others.
"""

import numpy as np
from numba import njit, types

TILE = 64
# A spectrum is left out of a model if its squared sine to the model's other spectra is smaller:
# their fractions are then undetermined.
PIVOT = 1e-10
# A smaller decrease of the RMSE, relative to that of the spectrum, is rounding.
ROUNDING = 1e-12
# Positions in the array of bounds.
MIN_FRACTION, MAX_FRACTION, MIN_SHADE, MAX_SHADE, MAX_SQUARES, MAX_RESIDUAL = range(6)

_options = {"nogil": True, "cache": True, "error_model": "numpy"}
_compiled = njit(**_options)
_matrix = types.float64[:, ::1]
_matrix_in = types.Array(types.float64, 2, "C", readonly=True)
_vector_in = types.Array(types.float64, 1, "C", readonly=True)
_integers_in = types.Array(types.int64, 1, "C", readonly=True)


@_compiled
def _has_long_run(row, atoms, size, model, x, limit, n_run):
    """Return whether n_run consecutive bands have a residual of at least the limit."""
    run = 0
    for k in range(len(row)):
        residual = row[k]
        for q in range(size):
            residual -= x[q] * atoms[model[q], k]
        run = run + 1 if abs(residual) >= limit else 0
        if run >= n_run:
            return True
    return False


@_compiled
def _solve(size, factor, model, z, x):
    """Fill x with L⁻ᵀ z; factor[q, t] is the entry of L of spectrum t in column q."""
    for q in range(size - 1, -1, -1):
        value = z[q]
        for r in range(q + 1, size):
            value -= factor[q, model[r]] * x[r]
        x[q] = value / factor[q, model[q]]


@_compiled
def _within_bounds(size, x, bounds):
    total = 0.0
    for q in range(size):
        if not bounds[MIN_FRACTION] <= x[q] <= bounds[MAX_FRACTION]:
            return False
        total += x[q]
    return bounds[MIN_SHADE] <= 1.0 - total <= bounds[MAX_SHADE]


@_compiled
def _expand(depth, first, leaf, factor, pivots, gram, model, reduced, z, squares, best, found,
            rows, n_rows, atoms, bounds, n_run, x, entries):  # fmt: skip
    """Compute the children of the model of `depth` spectra, and keep those that are the best."""
    n = len(gram)
    tried = np.empty(TILE)
    low, high = bounds[MIN_FRACTION], bounds[MAX_FRACTION]
    for t in range(first, n):
        # the last entry of its row of L, and its squared distance to the model's spectra
        pivot, last = gram[t, t], 0.0
        if depth > 0:
            pivot, s = pivots[depth - 1, t], model[depth - 1]
            last = gram[t, s]
            for q in range(depth - 1):
                last -= factor[q, t] * factor[q, s]
            last /= factor[depth - 1, s]
            factor[depth - 1, t] = last
            pivot -= last * last
        if not pivot > PIVOT * gram[t, t]:
            pivots[depth, t] = -1.0
            continue
        pivots[depth, t] = pivot
        inverse = 1.0 / pivot
        n_better = 0
        if depth == 0:
            for i in range(TILE):
                c = reduced[0, t, i]
                fraction = c * inverse
                value = squares[0, i] - c * fraction
                tried[i] = value if low <= fraction <= high else np.inf
                n_better += tried[i] < best[0, i]
        elif leaf:
            for i in range(TILE):
                c = reduced[depth - 1, t, i] - last * z[depth - 1, i]
                fraction = c * inverse
                value = squares[depth, i] - c * fraction
                tried[i] = value if low <= fraction <= high else np.inf
                n_better += tried[i] < best[depth, i]
        else:
            for i in range(TILE):
                c = reduced[depth - 1, t, i] - last * z[depth - 1, i]
                reduced[depth, t, i] = c
                fraction = c * inverse
                value = squares[depth, i] - c * fraction
                tried[i] = value if low <= fraction <= high else np.inf
                n_better += tried[i] < best[depth, i]
        if not n_better:
            continue
        root = np.sqrt(pivot)
        factor[depth, t] = root
        model[depth] = t
        for i in range(n_rows):
            if not tried[i] < best[depth, i]:
                continue
            for q in range(depth):
                entries[q] = z[q, i]
            c = reduced[0, t, i]
            if depth > 0:
                c = reduced[depth - 1, t, i] - last * z[depth - 1, i]
            entries[depth] = c / root
            _solve(depth + 1, factor, model, entries, x)
            if not _within_bounds(depth + 1, x, bounds):
                continue
            limit = bounds[MAX_RESIDUAL]
            if limit < np.inf and _has_long_run(rows[i], atoms, depth + 1, model, x, limit, n_run):
                continue
            best[depth, i] = tried[i]
            for q in range(depth + 1):
                found[depth, i, q] = model[q]


@njit(
    types.void(
        *(_matrix_in, _matrix_in, _matrix_in, _vector_in, _matrix_in, _integers_in, _vector_in),
        *(types.int64, types.int64[:, :, ::1]),
    ),
    **_options,
)
def search(rows, atoms, correlations, norms, gram, next_group, bounds, n_run, found):
    """Fill found with the best model of each size.

    Parameters
    ----------
    rows : array of shape (n_pixels, n_bands)
    atoms : array of shape (n_spectra, n_bands)
        Sorted by group.
    correlations : array of shape (n_pixels, n_spectra)
    norms : array of shape (n_pixels,)
    gram : array of shape (n_spectra, n_spectra)
    next_group : array of shape (n_spectra,), int
        Position of the first spectrum of the next group.
    bounds : array of shape (6,)
        Smallest and largest fraction, smallest and largest shade, largest sum of squared
        residuals, and the limit on residuals.
    n_run : int
        Number of consecutive bands with residuals of at least the limit that excludes a model.
    found : array of shape (max_endmembers, n_pixels, max_endmembers), int
        The spectra of the model, or -1 if there is none.
    """
    size, n = len(found), len(gram)
    factor, pivots = np.empty((size, n)), np.empty((size, n))
    reduced = np.empty((max(size - 1, 1), n, TILE))
    z, squares = np.empty((size, TILE)), np.empty((size, TILE))
    best, tile_found = np.empty((size, TILE)), np.empty((size, TILE, size), np.int64)
    model, following = np.empty(size, np.int64), np.empty(size, np.int64)
    x, entries = np.empty(size), np.empty(size)
    for start in range(0, len(rows), TILE):
        n_rows = min(TILE, len(rows) - start)
        reduced[0] = 0.0
        squares[0] = 0.0
        best[:] = bounds[MAX_SQUARES]
        tile_found[:] = -1
        for i in range(n_rows):
            squares[0, i] = norms[start + i] * norms[start + i]
            for t in range(n):
                reduced[0, t, i] = correlations[start + i, t]
        tile = rows[start : start + n_rows]

        depth = 0  # number of spectra of the model whose children are visited
        following[0] = 0
        _expand(0, 0, size == 1, factor, pivots, gram, model, reduced, z, squares, best,
                tile_found, tile, n_rows, atoms, bounds, n_run, x, entries)  # fmt: skip
        while depth >= 0 and size > 1:
            t = following[depth]
            if t >= n:
                depth -= 1
                continue
            following[depth] = t + 1
            if pivots[depth, t] < 0.0 or next_group[t] >= n:
                continue
            root = np.sqrt(pivots[depth, t])
            factor[depth, t] = root
            model[depth] = t
            for i in range(TILE):
                z[depth, i] = reduced[depth, t, i] / root
                squares[depth + 1, i] = squares[depth, i] - z[depth, i] * z[depth, i]
            leaf = depth + 2 == size
            _expand(depth + 1, next_group[t], leaf, factor, pivots, gram, model, reduced, z,
                    squares, best, tile_found, tile, n_rows, atoms, bounds, n_run, x,
                    entries)  # fmt: skip
            if not leaf:
                depth += 1
                following[depth] = next_group[t]
        for p in range(size):
            for i in range(n_rows):
                for q in range(size):
                    found[p, start + i, q] = tile_found[p, i, q]


@njit(
    types.void(
        *(_matrix_in, _matrix_in, _matrix_in, _vector_in, _matrix_in, types.float64),
        *(types.Array(types.int64, 3, "C", readonly=True), types.int64[:, ::1]),
        *(_matrix, types.float64[::1]),
    ),
    **_options,
)
def choose(rows, atoms, correlations, norms, gram, min_decrease, found, models, fractions, rmse):
    """Choose the size of each pixel's model, and fill its spectra, fractions and RMSE.

    A model is taken if its RMSE is smaller by `min_decrease` than that of the best model with one
    spectrum less, or if there is none, and is the smallest of those taken. Fractions are refined by
    the correlations with the residual in all bands.
    """
    size, n_pixels, n_bands = len(found), len(rows), rows.shape[1]
    factor, z, x, step = np.empty((size, len(gram))), np.empty(size), np.empty(size), np.empty(size)
    residual = np.empty(n_bands)
    for i in range(n_pixels):
        row = rows[i]
        rounding = ROUNDING * norms[i] / np.sqrt(n_bands)
        before, least = np.inf, np.inf
        for p in range(size):
            model = found[p, i]
            if model[0] < 0:
                before = np.inf
                continue
            for q in range(p + 1):
                for r in range(q + 1):
                    value = gram[model[q], model[r]]
                    for k in range(r):
                        value -= factor[k, model[q]] * factor[k, model[r]]
                    root = factor[r, model[r]] if r < q else 1.0
                    factor[r, model[q]] = value / root if r < q else np.sqrt(value)
                x[q] = 0.0
            for attempt in range(2):
                for q in range(p + 1):
                    value = 0.0
                    if attempt == 0:
                        value = correlations[i, model[q]]
                    else:
                        for k in range(n_bands):
                            value += residual[k] * atoms[model[q], k]
                    for r in range(q):
                        value -= factor[r, model[q]] * z[r]
                    z[q] = value / factor[q, model[q]]
                _solve(p + 1, factor, model, z, step)
                for q in range(p + 1):
                    x[q] += step[q]
                total = 0.0
                for k in range(n_bands):
                    value = row[k]
                    for q in range(p + 1):
                        value -= x[q] * atoms[model[q], k]
                    residual[k] = value
                    total += value * value
            now = np.sqrt(total / n_bands)
            decrease = before - now
            if decrease >= min_decrease and decrease > rounding and now < least:
                least = now
                rmse[i] = now
                for q in range(size):
                    models[i, q] = model[q]
                    fractions[i, q] = x[q] if q <= p else 0.0
            before = now
