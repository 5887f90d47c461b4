"""What finds endmembers in an image: the extractors of skunmix, and those of other packages.

Each is a function of (spectra, n_endmembers, seed) that returns an `Extraction`.
"""

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from sklearn.decomposition import NMF

import skunmix
from skunmix.extraction import (
    NFINDR,
    SPA,
    VCA,
    ArchetypalAnalysis,
    BlindUnmixer,
    MinimumVolume,
)

try:
    import spectral
except ImportError:
    spectral = None
try:
    import pysptools.eea as pysptools
except ImportError:
    pysptools = None
try:
    with contextlib.redirect_stdout(io.StringIO()):
        import archetypes
except ImportError:
    archetypes = None

N_SKEWERS = 1000  # random directions of the pixel purity index
N_ARCHETYPE_PIXELS = 1000


@dataclass(frozen=True)
class Extraction:
    """Endmembers of shape (n_endmembers, n_bands), and abundances if the method finds them, too."""

    endmembers: np.ndarray
    abundances: np.ndarray | None = None


@dataclass(frozen=True)
class Method:
    """A way to find endmembers."""

    name: str
    extract: Callable
    missing: str = ""


def _extractor(make):
    def extract(spectra, n_endmembers, seed):
        model = make(n_endmembers, seed).fit(spectra)
        predict = getattr(model, "predict", None)
        return Extraction(model.endmembers_, None if predict is None else predict(spectra))

    return extract


def _ppi(spectra, n_endmembers, seed):
    # it draws from NumPy's global generator
    np.random.seed(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        counts = spectral.ppi(spectra[:, np.newaxis], N_SKEWERS).ravel()
    return Extraction(spectra[np.argsort(-counts, kind="stable")[:n_endmembers]])


def _smacc(spectra, n_endmembers, seed):
    with contextlib.redirect_stdout(io.StringIO()):
        endmembers, _, _ = spectral.smacc(spectra, n_endmembers)
    return Extraction(endmembers)


def _pysptools(name):
    def extract(spectra, n_endmembers, seed):
        np.random.seed(seed)
        with contextlib.redirect_stdout(io.StringIO()):
            options = {"numSkewers": N_SKEWERS} if name == "PPI" else {}
            found = getattr(pysptools, name)().extract(
                spectra[:, np.newaxis], n_endmembers, **options
            )
        return Extraction(np.asarray(found))

    return extract


def _archetypes(spectra, n_endmembers, seed):
    rows = np.random.RandomState(seed).permutation(len(spectra))[:N_ARCHETYPE_PIXELS]
    model = archetypes.AA(n_endmembers, init="furthest_sum", random_state=seed)
    return Extraction(model.fit(spectra[rows]).archetypes_)


def _nmf(spectra, n_endmembers, seed):
    model = NMF(n_endmembers, init="nndsvda", max_iter=500, random_state=seed)
    factors = model.fit_transform(np.maximum(spectra, 0.0))
    # the scale of each factor is arbitrary: take that at which abundances sum to one, on the whole
    scale = nnls(factors, np.ones(len(factors)))[0]
    return Extraction(model.components_ / np.where(scale > 0, scale, 1.0)[:, np.newaxis])


def _networks():
    # benchmarks/blind.py compares the network with its start in detail
    if "UADMMBlindUnmixer" not in skunmix.__all__:
        return []
    return [
        Method(
            "UADMMBlindUnmixer",
            _extractor(
                lambda n, seed: skunmix.UADMMBlindUnmixer(
                    VCA(n, random_state=seed), random_state=seed
                )
            ),
        )
    ]


def methods():
    """Return all methods, those of skunmix first."""
    spy = "" if spectral else "pip install spectral"
    pst = "" if pysptools else "pip install pysptools"
    return [
        Method("VCA", _extractor(lambda n, seed: VCA(n, random_state=seed))),
        Method("SPA", _extractor(lambda n, seed: SPA(n))),
        Method("NFINDR", _extractor(lambda n, seed: NFINDR(n, random_state=seed))),
        Method("MinimumVolume", _extractor(lambda n, seed: MinimumVolume(n, random_state=seed))),
        Method(
            "ArchetypalAnalysis",
            _extractor(lambda n, seed: ArchetypalAnalysis(n, random_state=seed)),
        ),
        Method("BlindUnmixer", _extractor(lambda n, seed: BlindUnmixer(n, random_state=seed))),
        *_networks(),
        Method("SPy ppi", _ppi, missing=spy),
        Method("SPy smacc", _smacc, missing=spy),
        *(
            Method(f"pysptools {name}", _pysptools(name), missing=pst)
            for name in ("PPI", "NFINDR", "ATGP", "FIPPI")
        ),
        Method(
            f"archetypes AA, {N_ARCHETYPE_PIXELS:,} px",
            _archetypes,
            missing="" if archetypes else "pip install archetypes",
        ),
        Method("sklearn NMF", _nmf),
    ]


def extract_quietly(method, spectra, n_endmembers, seed):
    """Extract without warnings: the table shows what has not converged."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return method.extract(spectra, n_endmembers, seed)
