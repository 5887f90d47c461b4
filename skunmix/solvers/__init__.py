"""Solvers of constrained sparse regression (CSR): arrays in, arrays out.

For each spectrum y, they minimise ½‖y − Ax‖² + λ‖x‖₁ subject to x ≥ 0, and optionally to Σx = 1.
`least_squares` and `lasso` do so without x ≥ 0. `mesma` chooses
from a library with several spectra in each group.
"""

from ._solution import CSRSolution, normalize_abundances
from .active_set import csr_active_set, csr_path
from .admm import ADMMFactorization, csr_admm
from .intervals import least_squares_intervals
from .ista import csr_ista
from .least_squares import LeastSquaresFactorization, lasso, least_squares
from .mesma import MESMASolution, count_models, mesma
from .optimality import csr_objective, csr_optimality
from .whitening import Whitening

__all__ = [
    "ADMMFactorization",
    "CSRSolution",
    "LeastSquaresFactorization",
    "MESMASolution",
    "Whitening",
    "count_models",
    "csr_active_set",
    "csr_admm",
    "csr_ista",
    "csr_objective",
    "csr_optimality",
    "csr_path",
    "lasso",
    "least_squares",
    "least_squares_intervals",
    "mesma",
    "normalize_abundances",
]
