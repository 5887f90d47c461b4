import numpy as np
import pytest

from skunmix.utils.validation import fill_values


def reflectance(scale=1.0):
    return scale * np.random.default_rng(0).uniform(-0.01, 0.9, (4, 20))


@pytest.mark.parametrize(
    ("fill", "scale"),
    [
        (-1.23e34, 1.0),
        (-1.23e34, 1e4),
        (np.float32(-3.4028235e38), 1.0),
        (9.96921e36, 1.0),
        (-9999, 1.0),
        (-9999, 1e4),  # of scaled reflectance
        (-999, 100.0),
        (-32768, 1e4),
        (-99, 1.0),
        (-1e7, 1.0),
        (65535, 1.0),
        (1e12, 1e4),
    ],
)
def test_fill_values_are_found(fill, scale):
    spectra = reflectance(scale)
    for where in (np.s_[1, 3], np.s_[1, 3:9], np.s_[:, 5], np.s_[2]):
        held = spectra.copy()
        held[where] = fill
        np.testing.assert_array_equal(fill_values(held), held == fill)


def test_fill_values_of_two_kinds():
    spectra = reflectance()
    spectra[0, :3], spectra[2, 5] = -9999, -999
    np.testing.assert_array_equal(fill_values(spectra), spectra < -1)
    held = np.round(reflectance(1e4)).astype(np.int16)
    held[0, 0] = -32768
    np.testing.assert_array_equal(fill_values(held), held == -32768)


@pytest.mark.parametrize(
    "spectra",
    [
        reflectance(),
        reflectance(1e4),
        np.round(reflectance(1e4)),
        np.round(reflectance(1e4)).astype(np.int16),
        np.round(np.abs(reflectance(6e4))).astype(np.uint16),
        -reflectance(1e4),
        np.random.default_rng(1).normal(size=(5, 30)) * 1e4,
        np.round(np.random.default_rng(1).normal(size=(5, 30)) * 1e4),
        np.eye(4) * 1e6,
        np.eye(4) * -9998,
        np.zeros((2, 3)),
        np.full((2, 3), 5000.0),
        np.array([[-9999.0, -8000.0, 4.0]]),
        np.array([[1000.0, 0.5, 0.2], [3.0, 2.0, 1.0]]),  # a bright line
        np.array([[-12.0, 0.1, 0.2]]),
        np.empty((0, 3)),
        reflectance(1e20),  # photons
        reflectance(1e-9),
    ],
)
def test_measurements_are_left_alone(spectra):
    assert not fill_values(spectra).any()
