"""Compiled core of the active-set solver for pixels that the Gram matrix does not resolve.

It follows the method and notation of `_active_set_kernel`, but on the atoms themselves: A_P = L Q,
where Q has orthonormal rows. This does not square the condition number. Other differences are:

- The atom that enters. Let a = Qᵀw + a⊥, where a⊥ is orthogonal to the support. If atom a enters,
  the reconstruction moves by the gain (a⊥ᵀ(y − Aᵀx) − κ(c − wᵀu)) / ‖a⊥‖. For an atom that nearly
  depends on the support, rounding hides the correlation with the residual, but not this gain.
- Atoms that depend on the support. They are exchanged for the atoms that they depend on.
- Units. Each spectrum is divided by a power of two, so that no square of its values vanishes.

Few pixels need this kernel. Its functions are therefore not inlined, which would double the time to
compile them.
"""

import numpy as np
from numba import njit

from ._active_set_kernel import (
    SOLVED,
    STATIONARY_TOLERANCE,
    UNSOLVED,
    _aim,
    _arrive,
    _first_to_vanish,
    _magnitude,
    _move,
    _remove,
    _solve_transposed,
    _store,
)

# For unit-norm atoms, and relative to the norm of the spectrum and of the abundances.
QR_TOLERANCE = 1e-14  # a dependent atom with a smaller reduced correlation stays out
CLEAR = 1e-9  # an atom with a larger reduced correlation enters without a check of its gain
ROUNDING = 1e-15  # rounding error of a residual, and so of a gain
QR_PIVOT = 1e-13  # an atom with a smaller sine to the support counts as linearly dependent

_options = {"nogil": True, "error_model": "numpy"}
_called = {**_options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_compiled = njit(fastmath={"contract"}, **_called)
_inlined = njit(fastmath={"contract"}, inline="always", **_called)


@njit(fastmath={"contract", "reassoc"}, **_called)
def _dot(a, b):
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@_compiled
def _orthogonalise(size, j, library, basis, factor):
    """Split atom j into Qᵀw + a⊥, store w in row `size` of L and a⊥ in that of Q; return ‖a⊥‖."""
    row = size * (size + 1) // 2
    rest = basis[size]
    for k in range(len(rest)):
        rest[k] = library[j, k]
    for i in range(size):
        factor[row + i] = 0.0
    for _ in range(2):  # Gram-Schmidt twice is orthogonal to working precision
        for i in range(size):
            value = _dot(basis[i], rest)
            factor[row + i] += value
            for k in range(len(rest)):
                rest[k] -= value * basis[i, k]
    return np.sqrt(_dot(rest, rest))


@_compiled
def _enter_qr(size, j, spectrum, library, weights, atoms, x, factor, z, u, basis):
    """Append atom j to the support, L, Q, z and u; return False if it depends on the support.

    If so, row `size` of L holds the w with a = Qᵀw.
    """
    row = size * (size + 1) // 2
    sine = _orthogonalise(size, j, library, basis, factor)
    if sine <= QR_PIVOT or size == len(z) - 1:
        return False
    rest = basis[size]
    for k in range(len(rest)):
        rest[k] /= sine
    new_u = weights[j]
    for i in range(size):
        new_u -= factor[row + i] * u[i]
    factor[row + size] = 1.0 / sine
    z[size] = _dot(rest, spectrum)
    u[size] = new_u / sine
    atoms[size] = j
    x[size] = 0.0
    return True


@_compiled
def _remove_qr(size, gone, atoms, x, factor, z, u, cosines, sines, basis):
    _remove(size, gone, atoms, x, factor, z, u, cosines, sines)
    for k in range(gone, size - 1):
        for band in range(basis.shape[1]):
            first, second = basis[k, band], basis[k + 1, band]
            basis[k, band] = cosines[k] * first + sines[k] * second
            basis[k + 1, band] = cosines[k] * second - sines[k] * first


@_compiled
def _exchange(size, x, factor, target):
    """Replace atoms by one that depends on them, a = Σ vᵢaᵢ, until an abundance is zero.

    This does not change the reconstruction. Return the index of that abundance (or -1), and the
    abundance of the new atom.
    """
    row = size * (size + 1) // 2
    for i in range(size):
        target[i] = factor[row + i]
    _solve_transposed(size, factor, target)
    gone, length = -1, np.inf
    for i in range(size):
        if target[i] > 0.0 and x[i] < length * target[i]:
            gone, length = i, x[i] / target[i]
    if gone >= 0:
        for i in range(size):
            x[i] = max(x[i] - length * target[i], 0.0)
    return gone, length


@_compiled
def _residual_of_minimiser(size, kappa, spectrum, z, u, basis, residual):
    """Fill y − A_Pᵀx as y − Qᵀ(z − κu), which is accurate even if large abundances cancel."""
    for k in range(len(residual)):
        residual[k] = spectrum[k]
    for i in range(size):
        value = z[i] - kappa * u[i]
        for k in range(len(residual)):
            residual[k] -= value * basis[i, k]


@_compiled
def _residual_of_abundances(size, spectrum, library, atoms, x, residual):
    for k in range(len(residual)):
        residual[k] = spectrum[k]
    for i in range(size):
        for k in range(len(residual)):
            residual[k] -= x[i] * library[atoms[i], k]


@_compiled
def _price_qr(size, kappa, library, weights, atoms, banned, residual, dual):
    """Fill dual = A(y − Aᵀx) − κc; return the best atom outside, its value, and the worst."""
    for j in range(len(dual)):
        dual[j] = _dot(library[j], residual) - kappa * weights[j]
    worst = 0.0
    for i in range(size):
        worst = max(worst, abs(dual[atoms[i]]))
        dual[atoms[i]] = -np.inf
    best, value = -1, -np.inf
    for j in range(len(dual)):
        worst = max(worst, dual[j])
        if dual[j] > value and not banned[j]:
            best, value = j, dual[j]
    return best, value, worst


@_compiled
def _best_gain(
    size, kappa, scale, distance, library, weights, banned, residual, dual, factor, u, basis
):
    """Return the atom outside whose gain exceeds its rounding error most, or -1."""
    row = size * (size + 1) // 2
    best, highest = -1, 0.0
    for j in range(len(dual)):
        if banned[j] or dual[j] <= -QR_TOLERANCE * scale:  # -inf on the support
            continue
        sine = _orthogonalise(size, j, library, basis, factor)
        if sine <= QR_PIVOT:
            continue
        value = _dot(basis[size], residual) - kappa * weights[j]
        for i in range(size):
            value += kappa * factor[row + i] * u[i]
        gain = value / sine - ROUNDING * (scale + distance / sine)
        if gain > highest:
            best, highest = j, gain
    return best


@_compiled
def _lift(banned):
    for j in range(len(banned)):
        banned[j] = False


@_inlined
def _descend_qr(
    size,
    penalty,
    constrained,
    norm,
    outside,
    max_iter,
    spectrum,
    library,
    weights,
    banned,
    dual,
    residual,
    atoms,
    x,
    target,
    factor,
    z,
    u,
    cosines,
    sines,
    basis,
):
    """Exchange atoms up to the minimiser; return its support's size, the exchanges, the status."""
    n_iter = 0
    _lift(banned)
    while True:
        kappa = penalty
        while size > 0:
            kappa = _aim(size, penalty, constrained, factor, z, u, target)
            gone, step = _first_to_vanish(size, x, target)
            if gone == size - 1 and x[gone] == 0.0:
                # It entered because of rounding. It stays out until another abundance changes.
                banned[atoms[gone]] = True
            elif step > 0.0:
                _lift(banned)
            if gone < 0:
                _arrive(size, x, target)
                break
            _move(size, step, x, target)
            _remove_qr(size, gone, atoms, x, factor, z, u, cosines, sines, basis)
            size -= 1
            n_iter += 1
        scale = _magnitude(size, norm, x)
        _residual_of_minimiser(size, kappa, spectrum, z, u, basis, residual)
        best, value, _ = _price_qr(size, kappa, library, weights, atoms, banned, residual, dual)
        distance = np.sqrt(_dot(residual, residual))
        exact = (constrained or penalty == 0.0) and distance <= ROUNDING * scale
        if value <= CLEAR * scale and not exact:
            gaining = _best_gain(
                size,
                kappa,
                scale,
                np.hypot(distance, outside),
                library,
                weights,
                banned,
                residual,
                dual,
                factor,
                u,
                basis,
            )
            if gaining >= 0:
                best, value = gaining, np.inf
        if exact or value <= QR_TOLERANCE * norm or n_iter >= max_iter:
            _residual_of_abundances(size, spectrum, library, atoms, x, residual)
            worst = _price_qr(size, kappa, library, weights, atoms, banned, residual, dual)[2]
            return size, n_iter, SOLVED if worst <= STATIONARY_TOLERANCE * scale else UNSOLVED
        amount = 0.0
        while not _enter_qr(size, best, spectrum, library, weights, atoms, x, factor, z, u, basis):
            gone, length = _exchange(size, x, factor, target)
            if gone < 0:
                return size, n_iter, UNSOLVED
            amount += length
            _remove_qr(size, gone, atoms, x, factor, z, u, cosines, sines, basis)
            size -= 1
            n_iter += 1
        x[size] = amount
        size += 1
        n_iter += 1


@_compiled
def _pose(spectrum, frame, directions, norms, constrained, band, coordinates, library, weights):
    """Fill the spectrum and the atoms in the frame, and the weights, of a pixel; return its unit.

    With the constraint, there is one more band of constant value.
    """
    n_coordinates = directions.shape[1]
    largest = 0.0
    for k in range(len(spectrum)):
        largest = max(largest, abs(spectrum[k]))
    unit = 2.0 ** np.floor(np.log2(largest)) if largest > 0.0 else 1.0
    for k in range(len(spectrum)):
        spectrum[k] /= unit
    if len(frame):
        for k in range(n_coordinates):
            coordinates[k] = _dot(frame[k], spectrum)
    else:
        for k in range(n_coordinates):
            coordinates[k] = spectrum[k]
    if constrained:
        # for a small spectrum, such as shade, the band has the size of the spectrum
        band = max(min(band, unit * np.sqrt(_dot(spectrum, spectrum))), norms.min())
        if band == 0.0:
            band = norms.max() if norms.max() > 0.0 else 1.0
        if largest == 0.0:
            unit = band
        coordinates[n_coordinates] = band / unit
        for j in range(len(norms)):
            length = np.hypot(norms[j], band)
            weights[j] = unit / length
            for k in range(n_coordinates):
                library[j, k] = directions[j, k] * (norms[j] / length)
            library[j, n_coordinates] = band / length
    else:
        for j in range(len(norms)):
            weights[j] = unit / norms[j] if norms[j] > 0.0 else 1.0
            for k in range(n_coordinates):
                library[j, k] = directions[j, k]
    return unit


# It has no signature, and is compiled only if a pixel needs it.
@njit(fastmath={"contract"}, cache=True, **_options)
def solve_with_qr(
    spectra,
    frame,
    directions,
    norms,
    penalties,
    constrained,
    band,
    capacity,
    max_iter,
    abundances,
    n_iter,
    status,
):
    """Solve the pixels marked as unsolved, each from its abundances, which must be feasible.

    The directions (n_endmembers, n_coordinates) of the endmembers are in the orthonormal frame
    (n_coordinates, n_bands), which has no rows if the coordinates are the bands. `band` is the
    value of the band for the constraint, which is smaller for a small spectrum. The spectra are
    overwritten. Exchanges are added to `n_iter`, whose limit is `max_iter`.
    """
    capacity += 1  # for the row of an atom that depends on the support
    n_atoms = len(norms)
    n_coordinates = directions.shape[1] + (1 if constrained else 0)
    coordinates, residual = np.empty(n_coordinates), np.empty(n_coordinates)
    library, basis = np.empty((n_atoms, n_coordinates)), np.empty((capacity, n_coordinates))
    weights, dual = np.empty(n_atoms), np.empty(n_atoms)
    banned = np.zeros(n_atoms, np.bool_)
    atoms = np.empty(capacity, np.int64)
    x, target = np.empty(capacity), np.empty(capacity)
    z, u = np.empty(capacity), np.empty(capacity)
    cosines, sines = np.empty(capacity), np.empty(capacity)
    factor = np.empty(capacity * (capacity + 1) // 2)
    for i in range(len(spectra)):
        unit = _pose(
            spectra[i], frame, directions, norms, constrained, band, coordinates, library, weights
        )
        norm = np.sqrt(_dot(spectra[i], spectra[i]))
        if constrained:
            norm = np.hypot(norm, coordinates[n_coordinates - 1])
        # the part of the spectrum outside the span of the atoms, which only tolerances use
        outside = np.sqrt(max(norm * norm - _dot(coordinates, coordinates), 0.0))
        for k in range(len(penalties)):
            if status[k, i] != UNSOLVED:
                continue
            size = 0
            for j in range(n_atoms):
                value = abundances[k, i, j] / weights[j]
                abundances[k, i, j] = 0.0
                if value > 0.0 and _enter_qr(
                    size, j, coordinates, library, weights, atoms, x, factor, z, u, basis
                ):
                    x[size] = value
                    size += 1
            size, exchanges, status[k, i] = _descend_qr(
                size,
                penalties[k] / unit / unit,
                constrained,
                norm,
                outside,
                max_iter - n_iter[k, i],
                coordinates,
                library,
                weights,
                banned,
                dual,
                residual,
                atoms,
                x,
                target,
                factor,
                z,
                u,
                cosines,
                sines,
                basis,
            )
            n_iter[k, i] += exchanges
            _store(size, constrained, weights, atoms, x, k, i, abundances)
