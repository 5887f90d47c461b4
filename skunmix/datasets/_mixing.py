"""Random abundances, brightness and noise of simulated scenes."""

import numpy as np
from scipy.ndimage import gaussian_filter

MAX_DRAWS = 1000


def draw_patches(shape, patch_size, fractions, n_endmembers, rng):
    """Return sharp maps of abundances, of shape (rows, columns, n_endmembers)."""
    rows, columns = (-(-side // patch_size) for side in shape)
    patches = np.zeros((rows * columns, n_endmembers))
    for patch in patches:
        patch[rng.permutation(n_endmembers)[: len(fractions)]] = fractions
    maps = patches.reshape(rows, columns, n_endmembers)
    maps = maps.repeat(patch_size, axis=0).repeat(patch_size, axis=1)
    return maps[: shape[0], : shape[1]]


def blur(maps, sigma, window):
    """Return maps after a Gaussian filter, rescaled to sum to one."""
    if sigma > 0:
        radius = window // 2
        maps = gaussian_filter(maps, (sigma, sigma, 0), mode="constant", radius=(radius, radius, 0))
    return maps / maps.sum(axis=2, keepdims=True)


def bound(abundances, largest):
    """Return abundances of at most `largest`, on the line to the even mixture of endmembers."""
    even = 1 / abundances.shape[1]
    excess = abundances.max(axis=1, keepdims=True) - even
    kept = np.minimum(1.0, (largest - even) / np.maximum(excess, np.finfo(float).tiny))
    # the minimum takes away rounding only
    return np.minimum(np.where(kept < 1, even + kept * (abundances - even), abundances), largest)


def draw_sparse(n_pixels, n_endmembers, fewest, most, concentration, largest, rng):
    """Return abundances of shape (n_pixels, n_endmembers), `fewest` to `most` of them in a row."""
    n_active = rng.randint(fewest, most + 1, size=n_pixels)
    weights = _draw_dirichlet(n_active, most, concentration, rng)
    if largest is not None:
        for _ in range(MAX_DRAWS):
            (beyond,) = np.nonzero(weights.max(axis=1) > largest)
            if beyond.size == 0:
                break
            weights[beyond] = _draw_dirichlet(n_active[beyond], most, concentration, rng)
        else:
            raise ValueError(
                f"Expected abundances of at most {largest:g}, got {beyond.size} pixels with a "
                f"larger one after {MAX_DRAWS} draws; pass a larger max_abundance, n_active or "
                f"concentration."
            )
    abundances = np.zeros((n_pixels, n_endmembers))
    for row, pixel_weights in zip(abundances, weights):
        row[rng.permutation(n_endmembers)[:most]] = pixel_weights
    return abundances


def _draw_dirichlet(n_active, most, concentration, rng):
    """Return rows of `most` weights that sum to one, the first `n_active` of each above 0."""
    weights = rng.gamma(concentration, size=(len(n_active), most))
    weights[np.arange(most) >= n_active[:, np.newaxis]] = 0.0
    # a very small concentration underflows, and its limit is a pure pixel
    weights[weights.sum(axis=1) == 0, 0] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


def vary_brightness(spectra, variation, rng):
    """Return spectra times log-normal factors of mean 1 and this deviation, and the factors."""
    if variation == 0:
        return spectra, np.ones(len(spectra))
    variance = np.log1p(variation**2)  # of the logarithm
    brightness = rng.lognormal(-variance / 2, np.sqrt(variance), size=len(spectra))
    return brightness[:, np.newaxis] * spectra, brightness


def add_noise(spectra, snr, rng):
    """Return spectra with white noise at `snr` dB, and its standard deviation."""
    if snr is None or snr == np.inf:
        return spectra, 0.0
    if not np.isfinite(snr):
        raise ValueError(
            f"Expected snr as a ratio in dB, or None for no noise, got {snr}; pass a number."
        )
    power = np.mean(np.sum(spectra**2, axis=1))
    noise_std = np.sqrt(power / 10 ** (snr / 10) / spectra.shape[1])
    return spectra + noise_std * rng.standard_normal(spectra.shape), float(noise_std)
