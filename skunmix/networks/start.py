"""Choice of the warm start: µ and the constraint."""

import numpy as np
import torch

# µ / λ_max(AᵀA). Above these values ADMM hardly moves. Below them, it ignores x ≥ 0 in the first
# layers, and float32 is not precise enough.
_MU_GRID = np.geomspace(1e-5, 1.0, 26)
# Factor on the smallest error, up to which a start is about as good. Of these, the largest µ trains
# best: its W is smaller, so that a step of Adam changes it relatively more.
_ABOUT_AS_GOOD = 2.0


def max_eigenvalue(endmembers):
    """Return λ_max(AᵀA), the paper's µ and the L of ISTA.

    Parameters
    ----------
    endmembers : ndarray of shape (n_endmembers, n_bands)
        Spectra in rows (Aᵀ), not all zero.

    Returns
    -------
    eigenvalue : float
    """
    return float(np.linalg.norm(endmembers, ord=2) ** 2)


def choose_start(make_module, candidates, spectra, abundances, endmembers):
    """Choose µ and the constraint by the error of the untrained network on the training pairs.

    Parameters
    ----------
    make_module : callable
        Returns the untrained network for µ and a candidate.
    candidates : sequence
        Values of ``sum_to_one`` to choose from.
    spectra : Tensor of shape (n_pixels, n_bands)
    abundances : Tensor of shape (n_pixels, n_endmembers)
    endmembers : ndarray of shape (n_endmembers, n_bands)

    Returns
    -------
    mu : float
        The largest µ of a grid from 1e-5 to 1 times λ_max(AᵀA) whose mean squared error is at
        most twice that of the best µ.
    sum_to_one : object
        The candidate with the smallest error.
    """
    grid = max_eigenvalue(endmembers) * _MU_GRID

    def error(mu, candidate):
        estimate = make_module(mu, candidate).eval()(spectra)
        return torch.nn.functional.mse_loss(estimate, abundances).item()

    with torch.inference_mode():
        errors = np.array([[error(mu, candidate) for mu in grid] for candidate in candidates])
    # NaN: float32 overflowed
    errors = np.nan_to_num(errors, nan=np.inf)
    best = int(errors.min(axis=1).argmin())
    about_as_good = errors[best] <= _ABOUT_AS_GOOD * errors[best].min()
    return float(grid[about_as_good][-1]), candidates[best]
