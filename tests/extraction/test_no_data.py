"""Pixels without data are told before they become endmembers."""

import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skunmix import SunSALRegressor
from skunmix.datasets import make_scene
from skunmix.extraction import (
    NFINDR,
    SPA,
    VCA,
    ArchetypalAnalysis,
    MinimumVolume,
    estimate_n_endmembers,
    estimate_noise,
    pixel_purity,
)
from skunmix.preprocessing import MinimumNoiseFraction

FINDERS = {
    "VCA": VCA(3, random_state=0).fit,
    "SPA": SPA(3).fit,
    "NFINDR": NFINDR(3, random_state=0).fit,
    "MinimumVolume": MinimumVolume(3, max_iter=1, random_state=0).fit,
    "ArchetypalAnalysis": ArchetypalAnalysis(3, n_init=2, max_iter=2, random_state=0).fit,
    "counted": SPA("hysime").fit,
    "estimate_n_endmembers": estimate_n_endmembers,
    "estimate_noise": estimate_noise,
    "MinimumNoiseFraction": MinimumNoiseFraction(2).fit,
    "pixel_purity": lambda X: pixel_purity(X, 10, random_state=0),
    "SunSALRegressor": lambda X: clone(SunSALRegressor(SPA(3))).fit(X),
}
VOID = {  # rows, value, what is told of a scene of 900 pixels
    "negative": (np.s_[[5, 17]], -9999.0, "2 of 900 pixels are negative in most bands, .* -9999"),
    "of 16 bits": (np.s_[[5]], -32768.0, "1 of 900 pixels are negative in most bands, .* -32768"),
    "in most pixels": (np.s_[:600], -1.0, "600 of 900 pixels are negative in most bands, .* -1,"),
    "saturated": (np.s_[[5]], 65535.0, "1 of 900 pixels hold 65535 in all bands"),
    "beyond": (np.s_[[5], 3], 1e37, r"1 of 900 pixels go beyond most .* nodata=1e\+37"),
    "constant": (np.s_[[5, 6]], 0.25, "2 of 900 pixels hold 0.25 in all bands"),
    "border": (np.s_[:300], 0.0, "300 of 900 pixels are zero in all bands"),
}


@pytest.fixture(scope="module")
def spectra():
    scene = make_scene(n_endmembers=3, shape=(30, 30), snr=30, random_state=0)
    return np.ascontiguousarray(scene.spectra[:, ::10])


def told(call, *args):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        call(*args)
    return [str(w.message) for w in found if "pixels" in str(w.message)]


@pytest.mark.parametrize("finder", FINDERS)
def test_a_pixel_without_data_is_told_once(spectra, finder):
    assert not told(FINDERS[finder], spectra)
    spectra = spectra.copy()
    spectra[[5, 17]] = -9999
    found = told(FINDERS[finder], spectra)
    assert len(found) == 1
    assert re.search("^2 of 900 pixels are negative.*drop them, .*nodata=-9999", found[0])


@pytest.mark.parametrize("kind", VOID)
def test_kinds_of_no_data(spectra, kind):
    where, value, message = VOID[kind]
    spectra = spectra.copy()
    spectra[where] = value
    found = told(pixel_purity, spectra, 1)
    assert len(found) == 1
    assert re.search(message, found[0])


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("value", [-9999, 0, 255, 65535, -32768])
def test_no_data_in_scaled_integers(spectra, dtype, value):
    if dtype != np.float32 and not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max:
        pytest.skip("not of this type")
    stored = np.clip(10_000 * spectra, 1, None).astype(dtype)
    assert not told(SPA(3).fit, stored)
    stored[[5, 17, 18]] = value
    assert len(told(SPA(3).fit, stored)) == 1


def test_a_pixel_of_weight_zero_is_left_out(spectra):
    spectra = spectra.copy()
    spectra[[5, 17]] = -9999
    weight = np.ones(len(spectra))
    weight[5] = 0
    assert told(SPA(3).fit, spectra, None, weight)[0].startswith("1 of 899 pixels")
    weight[17] = 0
    assert not told(SPA(3).fit, spectra, None, weight)


def variants(spectra):
    yield spectra
    yield spectra - spectra.mean(axis=0)
    yield StandardScaler().fit_transform(spectra)
    yield PCA(4).fit_transform(spectra)
    yield (10_000 * spectra).astype(np.int16)
    saturated = spectra.copy()
    saturated[:, 1] = 65535
    yield saturated
    yield np.concatenate([spectra[:50], 0.01 * spectra])  # water
    yield spectra[:1] * np.linspace(0.01, 1, 50)[:, np.newaxis]


@pytest.mark.parametrize("snr", [10, 30, np.inf])
@pytest.mark.parametrize("n_bands", [4, 224])
def test_scenes_give_no_false_alarm(snr, n_bands):
    for seed in range(3):
        scene = make_scene(n_endmembers=4, shape=(20, 20), snr=snr, random_state=seed)
        for spectra in variants(scene.spectra[:, :: 224 // n_bands]):
            assert not told(pixel_purity, spectra, 1)


def test_jasper_ridge_gives_no_false_alarm(jasper):
    for spectra in variants(jasper.spectra):
        assert not told(pixel_purity, spectra, 1)
    dark = jasper.spectra[jasper.spectra.mean(axis=1) < 0.05]
    assert not told(pixel_purity, dark, 1)
