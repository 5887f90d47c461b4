"""Bounds on how far the objective of given abundances is above its minimum.

With nearly collinear endmembers, a small gradient does not show the minimum. If a step along an
endmember at an angle θ to those in use would bring the reconstruction nearer to the spectrum by ρ,
the gradient is only ρ sinθ. These bounds therefore use the decrease of the objective along such
steps, plus the largest decrease that rounding may hide.
"""

import numpy as np

# Largest excess over the minimum, relative to the objective. It is half of the 1e-8 that a
# certificate promises, because rounding also changes the estimate of it.
LARGEST_SHARE = 5e-9
# Rounding error of a residual, relative to the terms that are subtracted.
ROUNDING = 2e-15
# Rounding error of a direction, relative to the sine of the angle between the terms.
_ROUNDING_OF_DIRECTION = 1e-15
# In float64, endmembers with a smaller sine to the others count as linearly dependent.
_DEPENDENT = 1e-13


class Resolution:
    """The properties of the endmembers that the bounds need, computed once for all pixels.

    `norms` are those of the endmembers, with a positive value for an endmember of zeros.
    """

    def __init__(self, endmembers, norms, sum_to_one):
        self.endmembers, self.norms, self.sum_to_one = endmembers, norms, sum_to_one
        atoms = endmembers / norms[:, np.newaxis]
        # smallest cosine between an endmember and their mean: if positive, Σ‖aⱼ‖xⱼ ≤ ‖Ax‖ / lean
        mean = atoms.mean(axis=0)
        self.lean = (atoms @ mean).min() / (np.linalg.norm(mean) or 1.0)
        self.lengths = norms
        if sum_to_one:  # one more band of constant value, which steps that keep the sum cancel
            band = np.quantile(norms, 0.5, method="lower")
            self.lengths = np.hypot(norms, band)
            atoms = np.column_stack([endmembers, np.full(len(norms), band)])
            atoms /= self.lengths[:, np.newaxis]
        self.least_sine = 0.0
        if len(atoms) <= atoms.shape[1]:
            self.least_sine = np.linalg.svd(atoms, compute_uv=False)[-1]

    def is_doubtful(self, seems, length, distance, x, residual, gradient, objective, lam):
        """Return for each pixel whether its objective may be too high by `LARGEST_SHARE` of it.

        All arguments have one row or value for each pixel: whether it seems optimal (if not, the
        result is False), the norms of the spectrum and of the residual, x, y − Ax, the gradient
        with λ or, with the constraint, its multiplier, the objective, and λ.
        """
        rounding = ROUNDING * (length + np.abs(x) @ self.norms)
        allowed = 2 * LARGEST_SHARE * objective
        # for λ = 0, a residual within rounding is the optimum
        open_ = seems & ((lam > 0) | (distance > rounding))
        open_ &= ~self._is_bounded(x, gradient, length, rounding, allowed)
        doubtful = np.zeros(len(x), dtype=bool)
        pixels = np.flatnonzero(open_)
        if len(pixels):
            lowers = self._lowers_on_simplex if self.sum_to_one else self._lowers
            allowed = allowed + rounding**2
            doubtful[pixels] = lowers(*(rows[pixels] for rows in (x, residual, lam, allowed)))
        return doubtful

    def _is_bounded(self, x, gradient, spectrum, rounding, allowed):
        """Return whether a bound shows that the objective is within the allowed excess.

        A step d lowers twice the objective by −2gᵀd − ‖Ad‖², which is at most (‖g‖/s)² with the
        smallest singular value s of A, and at most 2 max|g| Σ|d|.
        """
        lengths, gradient = x * self.lengths, gradient / self.lengths
        slopes, linear = _split(lengths, gradient)
        slopes += rounding[:, np.newaxis]
        least_sine = self.least_sine if self.least_sine > _DEPENDENT else 0.0
        if self.sum_to_one:
            steepest, path = (slopes * self.lengths).max(axis=1), 2.0
        else:
            steepest = slopes.max(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                path = spectrum / max(self.lean, 0.0) + lengths.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            bounded = linear + (np.linalg.norm(slopes, axis=1) / least_sine) ** 2 <= allowed
        return bounded | (linear + 2 * steepest * path <= allowed)

    def _lowers(self, x, residual, lam, allowed):
        """Return whether steps along the endmembers in use, and one more, lower it by too much."""
        return _lowers(self.endmembers, self.norms, x, residual, lam, allowed)

    def _lowers_on_simplex(self, x, residual, lam, allowed):
        """Return the same for steps that keep the sum.

        Each step moves abundance from the endmember with the largest abundance to the others.
        """
        result = np.zeros(len(x), dtype=bool)
        vertices = np.argmax(x, axis=1)
        for vertex in np.unique(vertices):
            pixels = np.flatnonzero(vertices == vertex)
            others = np.arange(len(self.norms)) != vertex
            edges = self.endmembers[others] - self.endmembers[vertex]
            norms = np.linalg.norm(edges, axis=1)
            norms[norms == 0] = 1.0
            result[pixels] = _lowers(
                edges,
                norms,
                x[np.ix_(pixels, others)],
                *(rows[pixels] for rows in (residual, lam, allowed)),
            )
        return result


def _lowers(endmembers, norms, x, residual, lam, allowed):
    atoms, weights = endmembers / norms[:, np.newaxis], 1.0 / norms
    lengths = x * norms
    slopes = lam[:, np.newaxis] * weights - residual @ atoms.T
    linear = _split(lengths, slopes)[1]
    supports, group_of = np.unique(lengths > np.maximum(slopes, 0.0), axis=0, return_inverse=True)
    lowered = np.zeros(len(x))
    for group, support in enumerate(supports):
        pixels = np.flatnonzero(np.ravel(group_of) == group)
        lowered[pixels] = _attainable(atoms, weights, support, residual[pixels], lam[pixels])
    return linear + lowered > allowed


def _split(lengths, slopes):
    """Return the slopes that steps may follow, and the decrease of twice the objective on others.

    The others are abundances that should become zero, and are nearer to zero than their slope.
    """
    ends = (slopes > 0) & (lengths <= slopes)
    linear = 2 * np.sum(np.maximum(lengths, 0.0) * slopes, axis=1, where=ends)
    return np.where(ends, 0.0, np.abs(slopes)), linear


def _attainable(atoms, weights, support, residual, lam):
    """Return the decrease of twice the objective to the minimiser on a support and one more atom.

    With the singular value decomposition A_P = V S Uᵀ of the atoms in the support, it moves the
    reconstruction by U(Uᵀr − λS⁻¹Vᵀc). Then an atom a = Uw + a⊥ moves it by
    (a⊥ᵀr − λ(c − wᵀS⁻¹Vᵀc)) / ‖a⊥‖.
    """
    distance = np.linalg.norm(residual, axis=1)
    V, S, basis = np.linalg.svd(atoms[support], full_matrices=False)
    kept = S > _DEPENDENT
    V, S, basis = V[:, kept], S[kept], basis[kept]
    u = (V.T @ weights[support]) / S
    move = residual @ basis.T - np.outer(lam, u)
    hidden = _ROUNDING_OF_DIRECTION * distance / S.min(initial=1.0)
    lowered = (np.linalg.norm(move, axis=1) + hidden) ** 2

    outside, weights = atoms[~support], weights[~support]
    w = outside @ basis.T
    rest = outside - w @ basis
    rest -= (rest @ basis.T) @ basis
    sines = np.linalg.norm(rest, axis=1)
    independent = sines > _DEPENDENT
    if not independent.any():
        return lowered
    w, rest, sines, weights = (rows[independent] for rows in (w, rest, sines, weights))
    gains = ((residual - move @ basis) @ rest.T - np.outer(lam, weights - w @ u)) / sines
    gains += _ROUNDING_OF_DIRECTION * distance[:, np.newaxis] / sines
    return lowered + np.maximum(gains, 0.0).max(axis=1) ** 2
