"""Compiled core of the active-set solver for what the Gram matrix does not resolve.

It walks the path of `_active_set_kernel` in the notation of there, on the atoms themselves: with
A_P = L Q, Q with orthonormal rows, the condition number is not squared. It differs in

- which atom comes in. With a⊥ for what of an atom is orthogonal to the support, taking it in moves
  the reconstruction by (a⊥ᵀ(y − Aᵀx) − κ(c − wᵀu)) / ‖a⊥‖, where a = Qᵀw + a⊥. An atom that is
  nearly in the support has a correlation with the residual which is lost in rounding, while this
  gain is not;
- atoms that depend on the support. They are exchanged for those that they depend on;
- units. Each spectrum is divided by a power of two, so that no square of its values vanishes.

It is for the few pixels that the Gram matrix leaves, so its functions are not inlined, which would
double the time they take to compile.
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
QR_TOLERANCE = 1e-14  # a dependent atom stays out whose reduced correlation is below
CLEAR = 1e-9  # an atom comes in at once whose reduced correlation is above
ROUNDING = 1e-15  # of a residual, and so of a gain
QR_PIVOT = 1e-13  # an atom whose sine to the support is below counts as linearly dependent

_options = {"nogil": True, "cache": True, "error_model": "numpy"}
_compiled = njit(fastmath={"contract"}, **_options)
_inlined = njit(fastmath={"contract"}, inline="always", **_options)


@njit(fastmath={"contract", "reassoc"}, **_options)
def _dot(a, b):
    total = 0.0
    for k in range(len(a)):
        total += a[k] * b[k]
    return total


@_compiled
def _orthogonalise(size, j, library, basis, factor):
    """Split atom j into Qᵀw + a⊥: row `size` of L takes w, and of Q a⊥; return the norm of a⊥."""
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
    """Append atom j to the support, L, Q, z and u; False if it is dependent on the support.

    Then row `size` of L holds the w with a = Qᵀw.
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
    """Trade the support for an atom that depends on it, a = Σ vᵢaᵢ, until an abundance is zero.

    The reconstruction stays as it is. Return which abundance it is (or -1) and how much of the
    new atom came in.
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
    """Fill y − A_Pᵀx, as y − Qᵀ(z − κu): accurate even where huge abundances all but cancel."""
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
    """Fill dual = A(y − Aᵀx) − κc; return the best atom outside, its value, the worst of all."""
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
    """Return the atom outside whose gain most exceeds what rounding may make of it, or -1."""
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
    """Walk from x to the minimiser; return the size of its support, the exchanges, the status."""
    n_iter = 0
    _lift(banned)
    while True:
        kappa = penalty
        while size > 0:
            kappa = _aim(size, penalty, constrained, factor, z, u, target)
            gone, step = _first_to_vanish(size, x, target)
            if gone == size - 1 and x[gone] == 0.0:
                # It came in on rounding alone: it stays out until something else has moved.
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
    """Fill a pixel's problem: spectrum and atoms in the frame, and weights; return the unit.

    With the constraint there is one more band, of a constant value.
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
        # of the size of the spectrum, where that is small, as for shade with a trace of something
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


# Without a signature, so that it is compiled only once a pixel needs it.
@njit(fastmath={"contract"}, **_options)
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
    """Solve what is marked unsolved, each from its abundances, which must be feasible.

    The endmembers have norms, and directions (n_endmembers, n_coordinates) in the orthonormal frame
    (n_coordinates, n_bands), which has no rows if it is that of the bands. `band` is that of the
    constraint; a small spectrum gets a smaller one. The spectra are overwritten. Exchanges are
    added to `n_iter`, and `max_iter` is to the sum.
    """
    capacity += 1  # for the row of an atom that turns out to be dependent
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
        # what no atom reaches, a difference of squares, is only for tolerances
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
