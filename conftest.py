"""What holds for the tests and for the examples in docstrings."""

import os
import sys

import pytest

# pytest's processes share the cores: each takes one thread where none is asked for
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def close_figures(monkeypatch):
    """Draw figures without a screen, and close them."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
