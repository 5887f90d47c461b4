"""Unmixers by the names that the command line gives them."""

from ..regression import SunSALRegressor

# name -> parameters of SunSALRegressor
METHODS = {
    "fcls": {"lam": 0, "sum_to_one": True},
    "nnls": {"lam": 0},
    "sunsal": {},
}


def make_unmixer(endmembers, scene, *, method=None, lam=None, seed=0, **reading):
    """Return an unmixer that is not fitted yet.

    Parameters
    ----------
    endmembers : str
        Path of a spectral library, or a number of endmembers to extract.
    scene : path-like
    method : str, default=None
        None means "fcls".
    lam : float, default=None
        λ of "sunsal".
    seed : int, default=0
        Of the extractor.
    **reading : dict
        `band_dim` and `variable` of the scene.

    Returns
    -------
    estimator : object
    """
    parameters = METHODS[method or "fcls"] | ({} if lam is None else {"lam": lam})
    if _is_count(endmembers):
        from ..extraction import VCA

        return SunSALRegressor(VCA(int(endmembers), random_state=seed), **parameters)
    raise NotImplementedError


def _is_count(endmembers):
    return endmembers.isascii() and endmembers.lstrip("+-").isdecimal()
