"""A user's script, which `mypy --strict` must accept; `.ci/run package` checks it."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from skunmix import ISTANetRegressor, SunSALRegressor, SunSALRegressorCV, UADMMRegressor
from skunmix.datasets import make_endmembers, make_mixtures
from skunmix.extraction import VCA, pixel_purity
from skunmix.metrics import abundance_rmse, match_endmembers, signal_to_reconstruction_error
from skunmix.model_selection import StackedGridSearchCV
from skunmix.preprocessing import BandSelector, MinimumNoiseFraction
from skunmix.scenes import sample_pixels, unmix, unmix_file
from skunmix.solvers import CSRSolution, csr_active_set

endmembers: NDArray[np.float64] = make_endmembers(4, 50, random_state=0).endmembers
mixtures = make_mixtures(endmembers, 100, random_state=0)
spectra: NDArray[np.float64] = mixtures.spectra
truth: NDArray[np.float64] = mixtures.abundances

# what `fit` returns is the estimator, and abundances are arrays
sunsal = SunSALRegressor(endmembers=endmembers, lam=1e-3, sum_to_one="normalize").fit(spectra)
assert_type(sunsal, SunSALRegressor)
abundances = sunsal.predict(spectra)
assert_type(abundances, NDArray[Any])
assert_type(sunsal.inverse_transform(abundances), NDArray[Any])
assert_type(sunsal.score(spectra, truth), float)
assert_type(SunSALRegressorCV(endmembers).fit(spectra, truth), SunSALRegressorCV)
print(SunSALRegressor(endmembers=VCA(4)).fit(spectra.tolist()).get_feature_names_out())

# metrics and solvers
rmse: float = abundance_rmse(truth, abundances)
assert_type(signal_to_reconstruction_error(truth, abundances), float)
assert_type(csr_active_set(spectra, endmembers, sum_to_one=True), CSRSolution)
found = VCA(4, random_state=0).fit(spectra).endmembers_
order = match_endmembers(endmembers, found)
print(rmse, order, pixel_purity(spectra, 100))


def train_and_map(scene: Path) -> Path:
    """Train two networks, and unmix a cube and a file with them."""
    network = UADMMRegressor(endmembers, max_epochs=2, random_state=0).fit(spectra, truth)
    assert_type(network, UADMMRegressor)
    search = StackedGridSearchCV(ISTANetRegressor(endmembers), {"lam": [0.0, 1e-3]})
    search.fit(spectra, truth)
    selected = BandSelector(exclude=[0]).fit(spectra).transform(spectra)
    print(MinimumNoiseFraction(3).fit(selected), unmix(network, spectra.reshape(10, 10, -1)))
    print(sample_pixels(scene, 100).shape)
    return unmix_file(network, scene, scene.with_suffix(".tif"), overwrite=True)


def mistakes() -> None:
    """Call functions wrongly, which mypy must find: an ignore without an error is an error."""
    SunSALRegressor(endmembers=endmembers, lamb=1e-3)  # type: ignore[call-arg]
    SunSALRegressor(endmembers=endmembers, lam="large")  # type: ignore[arg-type]
    unmix_file(sunsal, "scene.hdr", 3)  # type: ignore[arg-type]
    signal_to_reconstruction_error(truth)  # type: ignore[call-arg]
