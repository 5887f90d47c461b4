"""A small scene with holes, and what an estimator makes of it, pixel by pixel."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skunmix import SunSALRegressor
from skunmix.datasets import make_endmembers, make_mixtures

ROWS, COLS, BANDS = 23, 17, 12


@pytest.fixture(scope="session")
def small():
    """Return a model, a cube of float32 with NaN and -9999, and its abundances."""
    endmembers = make_endmembers(3, BANDS, random_state=0).endmembers
    spectra = make_mixtures(endmembers, ROWS * COLS, snr=30, random_state=0).spectra
    names = ["water", "soil", "tree"]
    model = SunSALRegressor(endmembers=pd.DataFrame(endmembers, index=names)).fit(spectra)
    spectra = spectra.astype(np.float32)
    expected = np.vstack([model.predict(row[np.newaxis]) for row in spectra])
    cube, expected = spectra.reshape(ROWS, COLS, BANDS), expected.reshape(ROWS, COLS, 3)
    cube[2, 3, 5] = np.nan
    cube[4, :, 0] = -9999
    cube[22, 16, 11] = np.inf
    expected[2, 3] = expected[4] = expected[22, 16] = np.nan
    for array in (cube, expected):
        array.setflags(write=False)
    return SimpleNamespace(
        model=model, cube=cube, expected=expected, endmembers=endmembers, names=names
    )


@pytest.fixture(scope="session")
def check(small):
    """Return a function that compares abundances (rows, cols, endmembers) with those expected."""

    def check(abundances, atol=1e-6):
        np.testing.assert_allclose(np.asarray(abundances), small.expected, rtol=0, atol=atol)

    return check
