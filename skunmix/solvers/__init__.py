"""Solvers of constrained sparse regression (CSR): arrays in, arrays out.

For each spectrum y, they minimise ½‖y − Ax‖² + λ‖x‖₁ subject to x ≥ 0, and optionally to Σx = 1.
"""

from ._solution import CSRSolution, normalize_abundances
from .active_set import csr_active_set, csr_path
from .admm import ADMMFactorization, csr_admm
from .ista import csr_ista
from .optimality import csr_objective, csr_optimality

__all__ = [
    "ADMMFactorization",
    "CSRSolution",
    "csr_active_set",
    "csr_admm",
    "csr_ista",
    "csr_objective",
    "csr_optimality",
    "csr_path",
    "normalize_abundances",
]
