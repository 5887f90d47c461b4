"""Compiled core of the active-set solver: one pixel at a time, on the Gram matrix.

The kernel uses the method of Lawson and Hanson. With unit-norm atoms A (rows), weights c and a
support P, the minimiser of ½‖y − Aᵀx‖² + κ cᵀx over the atoms in P solves

    A_P A_Pᵀ x_P = A_P y − κ c_P,

where κ is the penalty λ or, with the constraint cᵀx = 1, its multiplier. With A_P A_Pᵀ = L Lᵀ,
z = L⁻¹ A_P y and u = L⁻¹ c_P, this is

    Lᵀ x_P = z − κ u,    κ = λ    or    κ = (uᵀz − 1) / uᵀu.

Penalty and constraint therefore differ in one line, and another λ costs one triangular solve.

`solve_with_gram` updates L from the Gram matrix A Aᵀ. It is fast, and accurate if no support is
nearly collinear. It marks pixels that the Gram matrix does not resolve, and `_careful_kernel`
solves them. For a few atoms, `guess_with_gram` first guesses the support: all atoms, then those
that the signs of this solution leave, and so on (block pivoting). L is then the same for every
pixel, and most pixels need no exchange. It leaves the other pixels to `solve_with_gram`.

A pixel is computed from that pixel alone, by the same instructions at every position, so that its
result does not depend on blocks, order or threads, bit for bit.

Both kernels stay in one file, although the guesses could have their own: numba's cache on disk
looks at the file of the compiled function only, so that after a change of what they share it would
go on with the old code.

The functions are inlined, take plain arrays, and index a matrix instead of a view of a row. A tuple
or a view costs numba two atomic operations, and an array argument six words on the stack. With few
endmembers, a pixel takes half a microsecond, and this was two thirds of it. LLVM inlines them, as
numba takes twice as long to compile a function in which it inlines others itself. A size starts
from np.int64(0), because numba compiles the functions again for a literal 0. The arrays are:

    atoms, x          the support and its abundances
    factor            L by rows, packed (row i starts at i(i + 1)/2), with an inverted diagonal; it
                      fits into the first-level cache for every size of the library
    target            the minimiser over the support, towards which x moves
    cosines, sines    the Givens rotations of the last removal
"""

import numpy as np
from numba import njit, types

from ._compilation import compiled_on_call

# All for unit-norm atoms, and relative to the norm of the spectrum.
GRAM_TOLERANCE = 1e-13  # an atom with a smaller reduced correlation A(y − Aᵀx) − κc stays out
STATIONARY_TOLERANCE = 1e-10  # largest gradient of a solved pixel
# Smallest squared sine of an atom's angle to the support: below, the Gram matrix has lost too many
# digits.
GRAM_PIVOT = 1e-9
# The Gram matrix resolves a pixel whose distance to the reconstruction is large enough. Rounding
# leaves a gradient of about 1e-15, and so an error of the reconstruction of 1e-15 over the smallest
# singular value of A_P. If the distance is 1e5 times that, it changes by 1e-10 of itself. As a
# difference of squares, the squared distance has an error of 1e-15 of their size.
LEAST_DISTANCE = 1e-10  # divided by the smallest singular value
LEAST_SQUARE = 1e-13
LEAST_NORM_SQUARED = 1e-280  # for a spectrum: below, squares begin to vanish

# With a large library, pricing all atoms at every step would be most of the work. Between two such
# steps, only the best atoms of the last one are priced, until none exceeds this factor of its best.
SHORTLIST = 16
SHORTLIST_FACTOR = 0.3

# Largest number of atoms for which supports are guessed, and of guesses for a pixel. Above, the
# factors fill the cache, and guesses are rarely right.
MOST_GUESSED_ATOMS = 8
MOST_GUESSES = 4

SOLVED, UNSOLVED, NOT_FINITE, OPEN = 0, 1, 2, 4  # pixels
UNRESOLVED = 3  # a pixel that seems solved, but is not resolved by the Gram matrix
UNKNOWN, USABLE, TOO_COLLINEAR = 0, 1, 2  # supports

_options = {"fastmath": {"contract"}, "nogil": True, "error_model": "numpy"}
_called = {**_options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_compiled = njit(**_called)
_inlined = njit(forceinline=True, **_called)
_merged = njit(inline="always", **_called)

_matrix_in = types.Array(types.float64, 2, "C", readonly=True)
_vector_in = types.Array(types.float64, 1, "C", readonly=True)
_inputs = (
    _matrix_in,  # gram
    _vector_in,  # weights
    types.float64[:, ::1],  # correlations
    types.float64[::1],  # norms
)
_outputs = (
    types.Array(types.float64, 3, "A"),  # abundances
    types.Array(types.int64, 2, "A"),  # n_iter
    types.Array(types.uint8, 2, "A"),  # status
)


# Functions that the careful kernel also uses: the steps to the minimiser over a support.


@_inlined
def _solve_transposed(size, factor, vector):
    """Overwrite vector with L⁻ᵀ vector."""
    for i in range(size - 1, -1, -1):
        row = i * (i + 1) // 2
        value = vector[i] * factor[row + i]
        vector[i] = value
        for k in range(i):
            vector[k] -= value * factor[row + k]


@_inlined
def _multiplier(size, penalty, constrained, z, u):
    """Return κ."""
    if not constrained:
        return penalty
    uz, uu = 0.0, 0.0
    for i in range(size):
        uz += u[i] * z[i]
        uu += u[i] * u[i]
    return (uz - 1.0) / uu


@_inlined
def _aim(size, penalty, constrained, factor, z, u, target):
    """Fill target with the minimiser over the support, L⁻ᵀ(z − κu); return κ."""
    kappa = _multiplier(size, penalty, constrained, z, u)
    for i in range(size):
        target[i] = z[i] - kappa * u[i]
    _solve_transposed(size, factor, target)
    return kappa


@_inlined
def _first_to_vanish(size, x, target):
    """Return which abundance first reaches zero between x and target (or -1), and the step."""
    first, step = -1, 2.0
    for i in range(size):
        if target[i] <= 0.0:
            ratio = x[i] / (x[i] - target[i]) if x[i] > 0.0 else 0.0
            if ratio < step:
                first, step = i, ratio
    return first, step


@_inlined
def _move(size, step, x, target):
    for i in range(size):
        x[i] = max(x[i] + step * (target[i] - x[i]), 0.0)


@_inlined
def _arrive(size, x, target):
    for i in range(size):
        x[i] = target[i]


@_inlined
def _remove(size, gone, atoms, x, factor, z, u, cosines, sines):
    """Remove an atom. Rotations in the planes (k, k + 1), k ≥ gone, make L triangular again."""
    for r in range(gone + 1, size):
        old = r * (r + 1) // 2
        new = old - r  # where row r - 1 starts
        for k in range(gone):
            factor[new + k] = factor[old + k]
        carried = factor[old + gone]
        for k in range(gone, r - 1):
            following = factor[old + k + 1]
            factor[new + k] = cosines[k] * carried + sines[k] * following
            carried = cosines[k] * following - sines[k] * carried
        last = 1.0 / factor[old + r]
        pivot = 1.0 / np.sqrt(carried * carried + last * last)
        cosine, sine = carried * pivot, last * pivot
        cosines[r - 1], sines[r - 1] = cosine, sine
        factor[new + r - 1] = pivot
        z[r - 1], z[r] = cosine * z[r - 1] + sine * z[r], cosine * z[r] - sine * z[r - 1]
        u[r - 1], u[r] = cosine * u[r - 1] + sine * u[r], cosine * u[r] - sine * u[r - 1]
        atoms[r - 1] = atoms[r]
        x[r - 1] = x[r]


@_inlined
def _store(size, constrained, weights, atoms, x, k, pixel, abundances):
    """Write the abundances in the units of the endmembers, rescaled to the sum of a constraint."""
    total = 1.0
    if constrained:
        total = 0.0
        for i in range(size):
            total += x[i] * weights[atoms[i]]
    for i in range(size):
        abundances[k, pixel, atoms[i]] = x[i] * weights[atoms[i]] / total


# Functions on the Gram matrix.


@_inlined
def _magnitude(size, norm, x):
    """Return the scale of the rounding error of a gradient."""
    total = norm
    for i in range(size):
        total += x[i]
    return total


@_inlined
def _is_resolved(kappa, constrained, norm, magnitude, explained, sharpness):
    """Return whether the Gram matrix resolves the minimiser over a support.

    It must resolve twice the objective, ‖y − Aᵀx‖² + 2κcᵀx = ‖y‖² − ‖z − κu‖², where the last term
    is `explained`. `sharpness` is about one over the smallest singular value of A_P.
    """
    left = norm * norm - explained
    if constrained:
        left -= 2.0 * kappa
    distance = LEAST_DISTANCE * magnitude * sharpness
    least = LEAST_SQUARE * (norm * norm) + distance * distance
    return left >= max(least, LEAST_NORM_SQUARED) or magnitude == 0.0


@_inlined
def _explained(size, kappa, z, u):
    explained = 0.0
    for i in range(size):
        value = z[i] - kappa * u[i]
        explained += value * value
    return explained


@_inlined
def _sharpness(size, factor, scratch):
    """Estimate ‖L⁻¹‖, which is about one over the smallest singular value of A_P.

    L⁻¹ is applied to a vector of ±1, whose signs give each value its largest magnitude.
    """
    total = 0.0
    for i in range(size):
        row = i * (i + 1) // 2
        value = 0.0
        for k in range(i):
            value += factor[row + k] * scratch[k]
        scratch[i] = -(value + 1.0 if value > 0.0 else value - 1.0) * factor[row + i]
        total += scratch[i] * scratch[i]
    return np.sqrt(total)


@_inlined
def _best_vertex(pixel, correlations, weights):
    """Return the atom that is nearest to the spectrum at cᵀx = 1: the smallest ½/c² − b/c."""
    best, lowest = 0, np.inf
    for j in range(len(weights)):
        x = 1.0 / weights[j]
        value = (0.5 * x - correlations[pixel, j]) * x
        if value < lowest:
            best, lowest = j, value
    return best


@_inlined
def _enter_gram(size, j, pixel, gram, correlations, weights, atoms, x, factor, z, u):
    """Append atom j to the support, L, z and u; return False if it is too collinear with it."""
    row = size * (size + 1) // 2
    square, new_z, new_u = gram[j, j], correlations[pixel, j], weights[j]
    for i in range(size):
        other = i * (i + 1) // 2
        value = gram[j, atoms[i]]
        for k in range(i):
            value -= factor[other + k] * factor[row + k]
        value *= factor[other + i]
        factor[row + i] = value
        square -= value * value
        new_z -= value * z[i]
        new_u -= value * u[i]
    if square <= GRAM_PIVOT:
        return False
    pivot = 1.0 / np.sqrt(square)
    factor[row + size] = pivot
    z[size] = new_z * pivot
    u[size] = new_u * pivot
    atoms[size] = j
    x[size] = 0.0
    return True


@_inlined
def _price_gram(size, kappa, pixel, gram, correlations, weights, atoms, x, dual):
    """Fill dual = b − Gx − κc; return the best atom outside, its value, and the worst inside."""
    n_atoms = len(dual)
    for j in range(n_atoms):
        dual[j] = correlations[pixel, j] - kappa * weights[j]
    i = 0
    while i + 4 <= size:  # each pass over dual uses four rows of G
        x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
        g0, g1, g2, g3 = atoms[i], atoms[i + 1], atoms[i + 2], atoms[i + 3]
        for j in range(n_atoms):
            dual[j] -= x0 * gram[g0, j] + x1 * gram[g1, j] + x2 * gram[g2, j] + x3 * gram[g3, j]
        i += 4
    while i < size:
        x0, g0 = x[i], atoms[i]
        for j in range(n_atoms):
            dual[j] -= x0 * gram[g0, j]
        i += 1
    worst = 0.0
    for i in range(size):
        worst = max(worst, abs(dual[atoms[i]]))
        dual[atoms[i]] = -np.inf
    best, value = -1, -np.inf
    for j in range(n_atoms):
        if dual[j] > value:
            best, value = j, dual[j]
    return best, value, worst


@_inlined
def _make_shortlist(dual, floor, shortlist):
    n_listed = 0
    for j in range(len(dual)):
        if dual[j] > floor:
            shortlist[n_listed] = j
            n_listed += 1
            if n_listed == len(shortlist):
                break
    return n_listed


@_inlined
def _price_shortlist(
    size, kappa, pixel, gram, correlations, weights, atoms, x, shortlist, n_listed
):
    best, value = -1, -np.inf
    for k in range(n_listed):
        j = shortlist[k]
        dual = correlations[pixel, j] - kappa * weights[j]
        for i in range(size):
            dual -= gram[j, atoms[i]] * x[i]
        if dual > value:
            best, value = j, dual
    return best, value


@_compiled
def _make_factor(support, pixel, gram, correlations, weights, atoms, x, factor, z, u, factors, us):
    """Fill the rows of a support (a set of bits) in `factors` and `us`; False if too collinear."""
    size = np.int64(0)
    for j in range(len(weights)):
        if support >> j & 1:
            if not _enter_gram(size, j, pixel, gram, correlations, weights, atoms, x, factor, z, u):
                return False
            size += 1
    for k in range(size * (size + 1) // 2):
        factors[support, k] = factor[k]
    for k in range(size):
        us[support, k] = u[k]
    us[support, len(x)] = _sharpness(size, factor, x)
    return True


@_inlined
def _count(bits):
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


@_inlined
def _wrong_atoms(
    support,
    penalty,
    constrained,
    norm,
    pixel,
    gram,
    correlations,
    weights,
    atoms,
    x,
    factors,
    z,
    u,
    us,
):
    """Fill atoms and x with the minimiser over a support; return its size and the wrong atoms.

    The wrong atoms are bits: atoms in the support without a positive abundance, and atoms that
    should enter. 0 means that the pixel is solved, -1 that rounding prevents a solution, and -2
    that the pixel seems solved, but the Gram matrix does not resolve it.
    """
    size = np.int64(0)
    for j in range(len(weights)):
        if support >> j & 1:
            start = size * (size + 1) // 2
            value = correlations[pixel, j]
            for k in range(size):
                value -= factors[support, start + k] * z[k]
            z[size] = value * factors[support, start + size]
            u[size] = us[support, size]
            atoms[size] = j
            size += 1
    kappa = _multiplier(size, penalty, constrained, z, u)
    wrong = 0
    magnitude, explained = norm, 0.0
    for i in range(size - 1, -1, -1):  # L⁻ᵀ(z − κu)
        value = z[i] - kappa * u[i]
        explained += value * value
        for k in range(i + 1, size):
            value -= factors[support, k * (k + 1) // 2 + i] * x[k]
        x[i] = value * factors[support, i * (i + 1) // 2 + i]
        magnitude += x[i]
        if x[i] <= 0.0:
            wrong |= 1 << atoms[i]
    doubt, doubtful = GRAM_TOLERANCE * magnitude, False
    for j in range(len(weights)):
        dual = correlations[pixel, j] - kappa * weights[j]
        for i in range(size):
            dual -= gram[j, atoms[i]] * x[i]
        if support >> j & 1:
            if abs(dual) > STATIONARY_TOLERANCE * norm:
                return size, -1
        elif dual > -doubt:
            if dual > GRAM_TOLERANCE * norm:
                wrong |= 1 << j
            else:
                doubtful = True
    if wrong == 0:
        sharpness = us[support, len(x)]
        if doubtful or not _is_resolved(kappa, constrained, norm, magnitude, explained, sharpness):
            wrong = -2
    return size, wrong


@_merged
def _guess(
    penalty,
    constrained,
    norm,
    max_iter,
    pixel,
    gram,
    correlations,
    weights,
    atoms,
    x,
    factor,
    z,
    u,
    known,
    factors,
    us,
):
    """Guess supports; return the size of the last, the exchanges, and its wrong atoms."""
    size, wrong = np.int64(0), -1
    support, exchanges = (1 << len(weights)) - 1, len(weights)
    for _ in range(MOST_GUESSES):
        if known[support] == UNKNOWN:
            made = _make_factor(
                support, pixel, gram, correlations, weights, atoms, x, factor, z, u, factors, us
            )
            known[support] = USABLE if made else TOO_COLLINEAR
        if known[support] == TOO_COLLINEAR:
            break
        size, wrong = _wrong_atoms(
            support,
            penalty,
            constrained,
            norm,
            pixel,
            gram,
            correlations,
            weights,
            atoms,
            x,
            factors,
            z,
            u,
            us,
        )
        if wrong <= 0:
            break
        support ^= wrong
        exchanges += _count(wrong)
        if exchanges > max_iter or (constrained and support == 0):
            break
    return size, exchanges, wrong


@_merged
def _descend_gram(
    size,
    penalty,
    constrained,
    norm,
    max_iter,
    pixel,
    gram,
    correlations,
    weights,
    dual,
    shortlist,
    atoms,
    x,
    target,
    factor,
    z,
    u,
    cosines,
    sines,
):
    """Exchange atoms up to the minimiser; return its support's size, the exchanges, the status."""
    n_iter = 0
    n_listed = np.int64(0)
    floor = 0.0
    tolerance = GRAM_TOLERANCE * norm
    while True:
        kappa = penalty
        while size > 0:
            kappa = _aim(size, penalty, constrained, factor, z, u, target)
            gone, step = _first_to_vanish(size, x, target)
            if gone < 0:
                _arrive(size, x, target)
                break
            if gone == size - 1 and x[gone] == 0.0:  # the atom that just entered would leave again
                return size, n_iter, UNSOLVED
            _move(size, step, x, target)
            _remove(size, gone, atoms, x, factor, z, u, cosines, sines)
            size -= 1
            n_iter += 1
        best, value = _price_shortlist(
            size, kappa, pixel, gram, correlations, weights, atoms, x, shortlist, n_listed
        )
        if value <= max(floor, tolerance):
            best, value, worst = _price_gram(
                size, kappa, pixel, gram, correlations, weights, atoms, x, dual
            )
            if worst > STATIONARY_TOLERANCE * norm:
                return size, n_iter, UNSOLVED
            if value <= tolerance:
                # An atom that only rounding keeps out may be one of two similar atoms.
                magnitude = _magnitude(size, norm, x)
                resolved = value <= -GRAM_TOLERANCE * magnitude and _is_resolved(
                    kappa,
                    constrained,
                    norm,
                    magnitude,
                    _explained(size, kappa, z, u),
                    _sharpness(size, factor, target),
                )
                return size, n_iter, SOLVED if resolved else UNRESOLVED
            if len(dual) > 2 * SHORTLIST:
                floor = SHORTLIST_FACTOR * value
                n_listed = _make_shortlist(dual, floor, shortlist)
        if n_iter >= max_iter or size == len(x):
            return size, n_iter, UNSOLVED
        if not _enter_gram(size, best, pixel, gram, correlations, weights, atoms, x, factor, z, u):
            return size, n_iter, UNSOLVED
        size += 1
        n_iter += 1


@compiled_on_call(
    types.void(
        *_inputs,
        types.float64,  # penalty
        types.boolean,  # constrained
        types.int64,  # max_iter
        *_outputs,
    ),
    **_options,
)
def guess_with_gram(
    gram,
    weights,
    correlations,
    norms,
    penalty,
    constrained,
    max_iter,
    abundances,
    n_iter,
    status,
):
    """Solve the pixels whose support is soon guessed, for one penalty; the others stay open.

    Abundances must be zeros.
    """
    n_atoms = len(weights)
    atoms = np.empty(n_atoms, np.int64)
    x, z, u = np.empty(n_atoms), np.empty(n_atoms), np.empty(n_atoms)
    factor = np.empty(n_atoms * (n_atoms + 1) // 2)
    n_supports = 1 << n_atoms
    known = np.zeros(n_supports, np.uint8)
    factors, us = np.empty((n_supports, len(factor))), np.empty((n_supports, n_atoms + 1))
    for i in range(len(norms)):
        if not np.isfinite(norms[i]):
            status[0, i] = NOT_FINITE
            continue
        size, exchanges, wrong = _guess(
            penalty,
            constrained,
            norms[i],
            max_iter,
            i,
            gram,
            correlations,
            weights,
            atoms,
            x,
            factor,
            z,
            u,
            known,
            factors,
            us,
        )
        if wrong == 0 or wrong == -2:
            n_iter[0, i] = exchanges
            status[0, i] = SOLVED if wrong == 0 else UNSOLVED
            _store(size, constrained, weights, atoms, x, np.int64(0), i, abundances)


@compiled_on_call(
    types.void(
        *_inputs,
        types.float64[::1],  # penalties
        types.int64[::1],  # order
        types.boolean,  # constrained
        types.int64,  # capacity
        types.int64,  # max_iter
        *_outputs,
    ),
    **_options,
)
def solve_with_gram(
    gram,
    weights,
    correlations,
    norms,
    penalties,
    order,
    constrained,
    capacity,
    max_iter,
    abundances,
    n_iter,
    status,
):
    """Solve open pixels for every penalty in `order`, each from the solution for the previous one.

    Abundances must be zeros. An unsolved pixel gets the last feasible abundances.
    """
    atoms = np.empty(capacity, np.int64)
    x, target = np.empty(capacity), np.empty(capacity)
    z, u = np.empty(capacity), np.empty(capacity)
    cosines, sines = np.empty(capacity), np.empty(capacity)
    factor = np.empty(capacity * (capacity + 1) // 2)
    dual = np.empty(len(weights))
    shortlist = np.empty(SHORTLIST, np.int64)
    for i in range(len(norms)):
        if status[0, i] != OPEN:
            continue
        if not np.isfinite(norms[i]):
            for k in order:
                status[k, i] = NOT_FINITE
            continue
        size = np.int64(0)
        if constrained:
            j = _best_vertex(i, correlations, weights)
            if _enter_gram(size, j, i, gram, correlations, weights, atoms, x, factor, z, u):
                x[0] = 1.0 / weights[j]
                size += 1
        state = SOLVED
        for k in order:
            if state != UNSOLVED:
                size, n_iter[k, i], state = _descend_gram(
                    size,
                    penalties[k],
                    constrained,
                    norms[i],
                    max_iter,
                    i,
                    gram,
                    correlations,
                    weights,
                    dual,
                    shortlist,
                    atoms,
                    x,
                    target,
                    factor,
                    z,
                    u,
                    cosines,
                    sines,
                )
            status[k, i] = SOLVED if state == SOLVED else UNSOLVED
            _store(size, constrained, weights, atoms, x, k, i, abundances)
