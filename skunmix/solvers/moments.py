"""Second moments of spectra from a bounded sample, and passes over spectra in blocks."""

from dataclasses import dataclass

import numpy as np

# Largest number of pixels in a sample for second moments.
N_SAMPLE = 2**14
# The same, where the noise and small gains are to be resolved.
N_SAMPLE_OF_NOISE = 2**16
# Values of a block. In float32 it takes 2 MB, which stays in the cache.
_BLOCK = 2**19
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Moments:
    """Weighted first and second moments of spectra.

    Attributes
    ----------
    n_pixels : int
        Number of pixels in the sample, all of weight above 0.
    mean : ndarray of shape (n_bands,)
    covariance : ndarray of shape (n_bands, n_bands)
        Mean of the outer products of the spectra less their mean.
    """

    n_pixels: int
    mean: np.ndarray
    covariance: np.ndarray

    @property
    def second(self):
        """Mean of the outer products of the spectra, not centred."""
        return self.covariance + np.outer(self.mean, self.mean)


def floats_of(spectra):
    """Return spectra in the smallest of float32 and float64 that holds their type."""
    exact = np.result_type(spectra.dtype, np.float32)
    return spectra.astype(exact if exact == np.float32 else np.float64, copy=False)


def row_blocks(n_rows, n_columns):
    """Return slices that cover the rows of an array, each of a few megabytes."""
    size = max(1, _BLOCK // max(1, n_columns))
    return [slice(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]


def sample_rows(n_rows, n_sample, weight=None):
    """Return the indices of an even sample of rows, all rows if there are few.

    The rows are divided into strata of equal length, and one is taken from each, at an offset that
    varies, so that an image whose width divides the length is sampled in all columns.

    Parameters
    ----------
    n_rows : int
    n_sample : int
    weight : ndarray of shape (n_rows,), default=None
        Rows of weight 0 are left out.

    Returns
    -------
    rows : ndarray of at most `n_sample` ints, increasing
    """
    n_valid = n_rows if weight is None else np.count_nonzero(weight)
    if n_valid > n_sample:
        strata = np.arange(n_sample)
        rows = ((strata + strata * _GOLDEN % 1) * (n_valid / n_sample)).astype(np.intp)
    else:
        rows = np.arange(n_valid)
    return rows if weight is None else np.flatnonzero(weight)[rows]


def second_moments(X, weight=None, n_sample=N_SAMPLE, *, rows=None):
    """Return the moments of an even sample of spectra.

    Parameters
    ----------
    X : ndarray of shape (n_pixels, n_bands)
        Spectra of any numeric type, perhaps memory-mapped. Only the sample is converted.
    weight : ndarray of shape (n_pixels,), default=None
        Weights of the pixels.
    n_sample : int
        Largest number of pixels in the sample.
    rows : ndarray of int, default=None
        The sample itself, increasing, of pixels of weight above 0.

    Returns
    -------
    moments : Moments

    Raises
    ------
    ValueError
        If the squares of the spectra overflow.
    """
    rows = sample_rows(len(X), n_sample, weight) if rows is None else rows
    n_bands = X.shape[1]
    share = np.full(len(rows), 1 / len(rows)) if weight is None else weight[rows]
    share = share / share.sum()
    everything = len(rows) == len(X)
    shift, mean, second = None, np.zeros(n_bands), np.zeros((n_bands, n_bands))
    with np.errstate(over="ignore", invalid="ignore"):
        for block in row_blocks(len(rows), n_bands):
            spectra = (X[block] if everything else X[rows[block]]).astype(np.float64)
            if shift is None:  # near the mean, so that nothing cancels
                shift = spectra.mean(axis=0)
            spectra -= shift
            mean += share[block] @ spectra
            spectra *= np.sqrt(share[block])[:, np.newaxis]
            second += spectra.T @ spectra
        covariance = second - np.outer(mean, mean)
        mean += shift
        finite = np.isfinite(covariance).all() and np.isfinite(mean @ mean)
    if not finite:
        raise ValueError(message_too_large())
    return Moments(len(rows), mean, covariance)


def with_signs(vectors):
    """Return eigenvectors, in columns, whose largest entry is positive: their sign is arbitrary."""
    peaks = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return vectors * np.where(peaks < 0, -1.0, 1.0)


def message_too_large():
    """Return the message about values whose products overflow."""
    return (
        "Expected spectra whose squares are finite, got values that are too large; leave such "
        "pixels out, or divide the spectra by a constant."
    )
