"""Random generators."""

import numpy as np
from sklearn.utils import check_random_state


def generator(random_state):
    """Return the generator of a `random_state`.

    None is a new one. In `check_random_state` it is NumPy's global one, which belongs to the user.

    Parameters
    ----------
    random_state : int, RandomState instance or None

    Returns
    -------
    rng : RandomState
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
