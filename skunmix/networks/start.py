"""Where training starts: the µ of the warm start."""

import numpy as np
import torch

# µ over λ_max(AᵀA): beyond the upper end ADMM hardly moves, below the lower it ignores x ≥ 0 for
# the first layers, and float32 runs out.
_MU_GRID = np.geomspace(1e-5, 1.0, 26)
# A larger µ makes shorter W, which one step of Adam moves by more of its length: of the starts
# that are about as good as the best, training gets furthest from the largest µ.
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


def choose_mu(make_module, spectra, abundances, endmembers):
    """Choose µ by the error of the untrained network on the training pairs.

    Parameters
    ----------
    make_module : callable
        Given µ, returns the untrained network.
    spectra : Tensor of shape (n_pixels, n_bands)
    abundances : Tensor of shape (n_pixels, n_endmembers)
    endmembers : ndarray of shape (n_endmembers, n_bands)

    Returns
    -------
    mu : float
        The largest µ of a grid from 1e-5 to 1 times λ_max(AᵀA) whose mean squared error is at
        most twice that of the best.
    """
    grid = max_eigenvalue(endmembers) * _MU_GRID
    with torch.inference_mode():
        errors = np.array(
            [
                torch.nn.functional.mse_loss(make_module(mu).eval()(spectra), abundances).item()
                for mu in grid
            ]
        )
    # not a number where float32 overflowed: no start
    errors = np.nan_to_num(errors, nan=np.inf)
    return float(grid[errors <= _ABOUT_AS_GOOD * errors.min()][-1])
