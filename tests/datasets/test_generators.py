import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import convolve2d
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.utils import Bunch

from skunmix.datasets import make_endmembers, make_mixtures, make_scene

LIBRARY = make_endmembers(5, 40, random_state=7)
GENERATORS = [
    lambda random_state: make_endmembers(3, 30, random_state=random_state).endmembers,
    lambda random_state: make_scene(shape=(12, 9), random_state=random_state).spectra,
    lambda random_state: make_mixtures(LIBRARY, 20, random_state=random_state).spectra,
]


def smallest_angle(spectra):
    cosines = cosine_similarity(spectra)[np.triu_indices(len(spectra), k=1)]
    return np.degrees(np.arccos(cosines.max()))


# --- what all of them share


@pytest.mark.parametrize("generate", GENERATORS)
def test_random_state_fixes_everything(generate):
    np.testing.assert_array_equal(generate(3), generate(3))
    np.testing.assert_array_equal(generate(np.random.RandomState(3)), generate(3))
    assert not np.array_equal(generate(3), generate(4))
    assert not np.array_equal(generate(None), generate(None))


@pytest.mark.parametrize("generate", GENERATORS)
@pytest.mark.parametrize("random_state", [None, 0])
def test_the_global_generator_is_left_alone(generate, random_state):
    np.random.seed(5)
    expected = np.random.random_sample(3)
    np.random.seed(5)
    first = generate(random_state)
    np.testing.assert_array_equal(np.random.random_sample(3), expected)
    # nor does it determine anything
    np.random.seed(5)
    assert np.array_equal(generate(random_state), first) == (random_state == 0)


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
def test_return_X_y(make):
    bunch = make(LIBRARY, random_state=0)
    spectra, abundances = make(LIBRARY, random_state=0, return_X_y=True)
    np.testing.assert_array_equal(spectra, bunch.spectra)
    np.testing.assert_array_equal(abundances, bunch.abundances)


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
def test_names_and_wavelengths_are_kept(make):
    spectra = LIBRARY.endmembers
    frame = pd.DataFrame(spectra, index=list("abcde"))
    library = Bunch(endmembers=spectra, endmember_names=list("vwxyz"), wavelengths=np.arange(40.0))

    made = make(spectra, random_state=0)
    assert made.endmember_names == [f"endmember{i}" for i in range(5)]
    assert made.wavelengths is None
    assert make(frame, random_state=0).endmember_names == list("abcde")
    made = make(library, random_state=0)
    assert made.endmember_names == list("vwxyz")
    np.testing.assert_array_equal(made.wavelengths, np.arange(40.0))
    # the scene's own Bunch is a library as well
    assert make(made, random_state=0).endmember_names == list("vwxyz")
    np.testing.assert_array_equal(made.endmembers, spectra)
    assert not np.shares_memory(made.endmembers, spectra)


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
@pytest.mark.parametrize("snr", [0.0, 15.0, 30.0])
def test_noise_has_the_variance_of_its_snr(make, snr):
    noisy = make(LIBRARY, snr=snr, random_state=0)
    clean = noisy.abundances @ noisy.endmembers
    noise = noisy.spectra - clean
    variance = np.mean(np.linalg.norm(clean, axis=1) ** 2) / 10 ** (snr / 10) / 40
    assert noisy.noise_std == pytest.approx(variance**0.5)
    # 1,000 pixels or more: the standard error of a band's variance is below 5 %
    np.testing.assert_allclose(noise.var(axis=0), variance, rtol=0.2)
    assert noise.var() == pytest.approx(variance, rel=0.03)
    assert abs(noise.mean()) < 4 * noisy.noise_std / noise.size**0.5
    # white: bands are not correlated
    assert np.abs(np.corrcoef(noise.T) - np.eye(40)).max() < 0.2


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
@pytest.mark.parametrize("snr", [None, np.inf])
def test_no_noise(make, snr):
    made = make(LIBRARY, snr=snr, random_state=0)
    np.testing.assert_array_equal(made.spectra, made.abundances @ LIBRARY.endmembers)
    assert made.noise_std == 0.0
    assert "without noise" in made.DESCR


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
@pytest.mark.parametrize(
    ("endmembers", "message"),
    [
        ([[0.1, np.nan], [0.2, 0.3]], "endmembers contains NaN"),
        ([0.1, 0.2], "2D array"),
        (Bunch(data=1), "Expected a Bunch with the attribute `endmembers`.*with data"),
    ],
)
def test_bad_endmembers(make, endmembers, message):
    with pytest.raises(ValueError, match=message):
        make(endmembers)


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
@pytest.mark.parametrize("snr", [np.nan, -np.inf])
def test_bad_snr(make, snr):
    with pytest.raises(ValueError, match="ratio in dB"):
        make(LIBRARY, snr=snr)


# --- make_endmembers


@settings(max_examples=25, deadline=None)
@given(
    n_endmembers=st.integers(1, 12),
    n_bands=st.integers(20, 300),
    min_angle=st.floats(0, 10),
    seed=st.integers(0, 2**32 - 1),
)
def test_endmembers_are_reflectances_apart(n_endmembers, n_bands, min_angle, seed):
    library = make_endmembers(n_endmembers, n_bands, min_angle=min_angle, random_state=seed)
    assert library.endmembers.shape == (n_endmembers, n_bands)
    assert library.endmembers.min() >= 0
    assert library.endmembers.max() <= 1
    assert len(set(library.endmember_names)) == n_endmembers
    np.testing.assert_allclose(library.wavelengths, np.linspace(0.4, 2.5, n_bands))
    if n_endmembers > 1:
        assert smallest_angle(library.endmembers) > min_angle


def test_min_angle_is_what_keeps_them_apart():
    near = make_endmembers(150, 50, min_angle=0, random_state=0).endmembers
    apart = make_endmembers(150, 50, min_angle=12, random_state=0).endmembers
    assert smallest_angle(near) < 12 < smallest_angle(apart)


def test_endmembers_are_smooth_and_absorb():
    spectra = make_endmembers(20, 2101, random_state=0).endmembers
    # a step of 1 nm changes a reflectance by little, yet each has structure
    assert np.abs(np.diff(spectra, axis=1)).max() < 0.03
    assert np.ptp(spectra, axis=1).min() > 0.1


def test_the_same_materials_in_other_bands():
    wavelengths = np.linspace(0.4, 2.5, 101)
    coarse = make_endmembers(4, wavelengths=wavelengths[::-5], random_state=0)
    fine = make_endmembers(4, 101, random_state=0)
    np.testing.assert_allclose(coarse.endmembers, fine.endmembers[:, ::-5])
    # and the first four of more
    more = make_endmembers(7, 101, random_state=0)
    np.testing.assert_array_equal(more.endmembers[:4], fine.endmembers)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"wavelengths": [400, 2500]}, "400 to 2500; divide nanometres by 1000"),
        ({"wavelengths": [0.2, 1.0]}, "got 0.2 to 1"),
        ({"wavelengths": [[0.4, 1.0]]}, r"shape \(n_bands,\), got \(1, 2\)"),
        ({"wavelengths": [0.4, np.nan]}, "wavelengths contains NaN"),
        ({"n_bands": 1}, "got 1, and no further one"),
        ({"n_endmembers": 0}, "'n_endmembers' parameter of make_endmembers"),
        ({"min_angle": 90}, "'min_angle' parameter of make_endmembers"),
    ],
)
def test_bad_library(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_endmembers(**parameters)


# --- make_scene


def test_the_papers_scene():
    scene = make_scene(random_state=0)
    assert scene.spectra.shape == (10_000, 224)
    assert scene.abundances.shape == (10_000, 6)
    assert scene.endmembers.shape == (6, 224)
    assert scene.shape == (100, 100)
    assert scene.wavelengths.shape == (224,)
    assert "15 dB" in scene.DESCR
    assert "0.8, 0.2" in scene.DESCR
    # 100 patches, which differ
    centres = scene.abundances.reshape(100, 100, 6)[5::10, 5::10].reshape(100, 6)
    assert len(np.unique(centres.round(1), axis=0)) > 20
    # every ordered pair of 6 endmembers is as likely: 100 / 6 patches each on average
    assert np.bincount(centres.argmax(axis=1), minlength=6).min() > 4


def test_patches_before_the_filter():
    scene = make_scene(sigma=0, shape=(30, 50), random_state=0)
    maps = scene.abundances.reshape(30, 50, 6)
    np.testing.assert_array_equal(np.sort(scene.abundances), [[0, 0, 0, 0, 0.2, 0.8]] * 1500)
    blocks = maps.reshape(3, 10, 5, 10, 6)
    np.testing.assert_array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape))


@pytest.mark.parametrize(("sigma", "window"), [(2**0.5, 11), (3.0, 5), (0.5, 11)])
def test_the_filter_is_a_convolution_rescaled(sigma, window):
    # patches smaller than the window: else a mirror at the image's edge would give the same
    layout = {"shape": (30, 20), "patch_size": 4, "random_state": 1}
    sharp = make_scene(LIBRARY, sigma=0, **layout).abundances.reshape(30, 20, 5)
    offset = np.arange(window) - window // 2
    kernel = np.exp(-(offset[:, np.newaxis] ** 2 + offset**2) / (2 * sigma**2))
    blurred = np.stack([convolve2d(band, kernel, mode="same") for band in sharp.T], axis=2)
    blurred = blurred.swapaxes(0, 1) / blurred.swapaxes(0, 1).sum(axis=2, keepdims=True)
    scene = make_scene(LIBRARY, sigma=sigma, window=window, **layout)
    np.testing.assert_allclose(scene.abundances.reshape(30, 20, 5), blurred, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    patch_size=st.integers(1, 12),
    fractions=st.sampled_from([(1.0,), (0.8, 0.2), (0.5, 0.3, 0.2)]),
    sigma=st.floats(0, 4),
    seed=st.integers(0, 100),
)
def test_abundances_are_abundances(shape, patch_size, fractions, sigma, seed):
    scene = make_scene(
        LIBRARY,
        shape=shape,
        patch_size=patch_size,
        fractions=fractions,
        sigma=sigma,
        random_state=seed,
    )
    assert scene.shape == shape
    assert scene.abundances.shape == (shape[0] * shape[1], 5)
    assert scene.abundances.min() >= 0
    np.testing.assert_allclose(scene.abundances.sum(axis=1), 1, rtol=1e-12)


def test_a_few_endmembers_of_a_library():
    library = make_endmembers(30, 50, random_state=0)
    scene = make_scene(library, n_endmembers=6, random_state=0)
    assert len(set(scene.endmember_names)) == 6
    for name, spectrum in zip(scene.endmember_names, scene.endmembers):
        np.testing.assert_array_equal(spectrum, library.endmembers[int(name.lstrip("endmbr"))])
    assert make_scene(library, n_endmembers=6, random_state=1).endmember_names != (
        scene.endmember_names
    )
    assert make_scene(n_endmembers=3, shape=(10, 10)).endmembers.shape == (3, 224)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"shape": (100,)}, r"two integers of at least 1, got \(100,\)"),
        ({"shape": (0, 5)}, "two integers of at least 1"),
        ({"shape": (2.5, 5)}, "two integers of at least 1"),
        ({"fractions": (0.8, 0.3)}, r"sum to one.*\[0.8, 0.3\]"),
        ({"fractions": (1.2, -0.2)}, "at least 0"),
        ({"fractions": [1 / 6] * 6}, "at least 6 endmembers.*got 5"),
        ({"window": 10}, "odd.*got 10; pass 11"),
        ({"n_endmembers": 9}, "n_endmembers of at most 5.*got 9"),
        ({"sigma": -1}, "'sigma' parameter of make_scene"),
        ({"patch_size": 0}, "'patch_size' parameter of make_scene"),
    ],
)
def test_bad_scene(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_scene(LIBRARY, **parameters)


# --- make_mixtures


@settings(max_examples=25, deadline=None)
@given(
    n_pixels=st.integers(1, 60),
    ends=st.tuples(st.integers(1, 5), st.integers(1, 5)).map(sorted).map(tuple),
    concentration=st.sampled_from([1e-6, 0.1, 1.0, 50.0]),
    seed=st.integers(0, 100),
)
def test_mixtures_are_sparse_abundances(n_pixels, ends, concentration, seed):
    abundances = make_mixtures(
        LIBRARY, n_pixels, n_active=ends, concentration=concentration, random_state=seed
    ).abundances
    assert abundances.shape == (n_pixels, 5)
    assert abundances.min() >= 0
    np.testing.assert_allclose(abundances.sum(axis=1), 1, rtol=1e-12)
    n_active = (abundances > 0).sum(axis=1)
    assert n_active.max() <= ends[1]
    if concentration >= 1:  # else some underflow to zero
        assert n_active.min() >= ends[0]


def test_a_number_of_active_endmembers_for_each_pixel():
    n_active = (make_mixtures(LIBRARY, 900, n_active=(2, 4), random_state=0).abundances > 0).sum(1)
    counts = np.bincount(n_active)
    assert len(counts) == 5
    assert counts[:2].sum() == 0
    assert counts[2:].min() > 240  # 300 ± 14 each
    assert (make_mixtures(LIBRARY, 50, n_active=2).abundances > 0).sum() == 100
    assert (make_mixtures(LIBRARY, 50).abundances > 0).all()


@pytest.mark.parametrize("concentration", [0.3, 1.0, 8.0])
def test_abundances_have_the_moments_of_a_dirichlet(concentration):
    abundances = make_mixtures(LIBRARY, 20_000, concentration=concentration, random_state=0)
    abundances = abundances.abundances
    # Dirichlet(c, …, c) of dimension k: mean 1/k, variance (k - 1) / (k² (k c + 1))
    np.testing.assert_allclose(abundances.mean(axis=0), 1 / 5, rtol=0.05)
    np.testing.assert_allclose(abundances.var(axis=0), 4 / (25 * (5 * concentration + 1)), rtol=0.1)


def test_every_endmember_of_a_big_library_is_mixed():
    endmembers = np.random.RandomState(0).uniform(size=(240, 50))
    mixtures = make_mixtures(endmembers, 2500, n_active=9, snr=30, random_state=0)
    times = (mixtures.abundances > 0).sum(axis=0)
    # 2500 × 9 / 240 ≈ 94 ± 9.5
    assert times.min() > 55
    assert times.max() < 140


@pytest.mark.parametrize("n_active", [0, 6, (0, 2), (3, 2), (2, 6), (1, 2, 3), (1.5, 2)])
def test_bad_n_active(n_active):
    with pytest.raises(ValueError, match=r"n_active.*(1 to the 5|parameter of make_mixtures)"):
        make_mixtures(LIBRARY, n_active=n_active)


# --- no pure pixels, and varying brightness


def test_old_calls_draw_what_they_drew():
    # values of the first version
    mixtures = make_mixtures(LIBRARY, 2000, n_active=(2, 4), concentration=0.7, random_state=3)
    scene = make_scene(LIBRARY, shape=(20, 20), random_state=3)
    np.testing.assert_allclose(
        mixtures.spectra[::700, [3, 30]],
        [
            [0.5256787270008246, 0.7001697869081245],
            [0.3275562892417787, 0.6366448531077514],
            [0.36943549323875224, 0.6623576031758882],
        ],
        rtol=1e-12,
    )
    np.testing.assert_allclose(
        scene.spectra[::150, [3, 30]],
        [
            [0.6458512506188725, 0.694546062737492],
            [0.46984800686201056, 0.7398516057990067],
            [0.49399731795252705, 0.9276225932235136],
        ],
        rtol=1e-12,
    )
    np.testing.assert_array_equal(mixtures.brightness, np.ones(2000))
    np.testing.assert_array_equal(scene.brightness, np.ones(400))


@settings(max_examples=25, deadline=None)
@given(
    max_abundance=st.floats(0.21, 1.0),
    fractions=st.sampled_from([(1.0,), (0.8, 0.2), (0.5, 0.3, 0.2)]),
    sigma=st.floats(0, 4),
    seed=st.integers(0, 100),
)
def test_a_scene_without_pure_pixels(max_abundance, fractions, sigma, seed):
    layout = {"shape": (15, 12), "fractions": fractions, "sigma": sigma, "random_state": seed}
    pure = make_scene(LIBRARY, **layout).abundances
    bounded = make_scene(LIBRARY, max_abundance=max_abundance, **layout).abundances
    assert bounded.max() <= max_abundance
    assert bounded.min() >= 0
    np.testing.assert_allclose(bounded.sum(axis=1), 1, rtol=1e-12)
    # the others are left alone
    within = pure.max(axis=1) <= max_abundance
    np.testing.assert_array_equal(bounded[within], pure[within])
    # a pixel that moves goes as far as the bound, straight towards the even mixture
    beyond = pure.max(axis=1) > max_abundance
    np.testing.assert_allclose(bounded[beyond].max(axis=1), max_abundance, rtol=1e-12)
    line = (bounded - 1 / 5) * (pure.max(axis=1) - 1 / 5)[:, np.newaxis]
    np.testing.assert_allclose(
        line[beyond], (pure - 1 / 5)[beyond] * (max_abundance - 1 / 5), atol=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(
    max_abundance=st.floats(0.75, 1.0),
    ends=st.tuples(st.integers(2, 5), st.integers(2, 5)).map(sorted).map(tuple),
    concentration=st.sampled_from([0.5, 1.0, 50.0]),
    seed=st.integers(0, 100),
)
def test_mixtures_without_pure_pixels(max_abundance, ends, concentration, seed):
    abundances = make_mixtures(
        LIBRARY,
        60,
        n_active=ends,
        concentration=concentration,
        max_abundance=max_abundance,
        random_state=seed,
    ).abundances
    assert abundances.max() <= max_abundance
    assert abundances.min() >= 0
    np.testing.assert_allclose(abundances.sum(axis=1), 1, rtol=1e-12)
    n_active = (abundances > 0).sum(axis=1)
    assert n_active.min() >= ends[0]
    assert n_active.max() <= ends[1]


def test_bounded_mixtures_are_the_dirichlet_within_the_bound():
    draw = {"n_active": 3, "concentration": 0.6}
    pure = make_mixtures(LIBRARY, 30_000, random_state=0, **draw).abundances
    bounded = make_mixtures(LIBRARY, 20_000, max_abundance=0.7, random_state=1, **draw).abundances
    within = pure[pure.max(axis=1) <= 0.7]
    assert 5000 < len(within) < 25_000  # else the test would show nothing
    for moment in (1, 2, 3):
        np.testing.assert_allclose(
            (bounded**moment).mean(axis=0), (within**moment).mean(axis=0), rtol=0.06
        )
    np.testing.assert_allclose(
        np.quantile(bounded.max(axis=1), [0.1, 0.5, 0.9]),
        np.quantile(within.max(axis=1), [0.1, 0.5, 0.9]),
        atol=0.01,
    )


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
@pytest.mark.parametrize("variation", [0.1, 0.5])
def test_brightness_varies(make, variation):
    plain = make(LIBRARY, snr=None, random_state=0)
    varied = make(LIBRARY, snr=None, brightness_variation=variation, random_state=0)
    np.testing.assert_array_equal(varied.abundances, plain.abundances)
    np.testing.assert_allclose(
        varied.spectra, varied.brightness[:, np.newaxis] * plain.spectra, rtol=1e-12
    )
    # 1,000 pixels or more: five standard errors
    assert varied.brightness.min() > 0
    assert varied.brightness.mean() == pytest.approx(1, abs=5 * variation / 1000**0.5)
    assert varied.brightness.std() == pytest.approx(variation, rel=0.2)
    # the logarithm is symmetric
    logarithm = np.log(varied.brightness)
    assert abs(np.mean((logarithm - logarithm.mean()) ** 3)) / logarithm.std() ** 3 < 0.4
    assert f"brightness of 1 ± {variation}" in varied.DESCR


@pytest.mark.parametrize("make", [make_scene, make_mixtures])
def test_noise_has_the_snr_of_the_varied_spectra(make):
    noisy = make(LIBRARY, brightness_variation=0.8, snr=20, random_state=0)
    clean = noisy.brightness[:, np.newaxis] * (noisy.abundances @ noisy.endmembers)
    noise = noisy.spectra - clean
    assert noise.std() == pytest.approx(noisy.noise_std, rel=0.03)
    power = np.mean(np.linalg.norm(clean, axis=1) ** 2)
    assert 10 * np.log10(power / (40 * noise.var())) == pytest.approx(20, abs=0.2)


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (make_scene, {"max_abundance": 0.2}, "above 1 / 5.*5 endmembers.*got 0.2"),
        (make_mixtures, {"max_abundance": 0.1}, "above 1 / 5.*got 0.1"),
        (make_mixtures, {"max_abundance": 0.5, "n_active": (2, 5)}, "above 1 / 2.*2 active"),
        (make_mixtures, {"max_abundance": 0.99, "n_active": 1}, "above 1 / 1.*got 0.99"),
        (
            make_mixtures,
            {"max_abundance": 0.51, "n_active": 2, "concentration": 1e-3},
            "at most 0.51, got .* pixels with a larger one after 1000 draws",
        ),
        (make_scene, {"max_abundance": 1.1}, "'max_abundance' parameter of make_scene"),
        (make_mixtures, {"brightness_variation": -0.1}, "'brightness_variation' parameter"),
    ],
)
def test_bad_bound_or_brightness(make, parameters, message):
    with pytest.raises(ValueError, match=message):
        make(LIBRARY, **parameters)
