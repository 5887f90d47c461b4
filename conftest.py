"""Figures of the tests and of the examples in docstrings: drawn without a screen, then closed."""

import sys

import pytest


@pytest.fixture(autouse=True)
def close_figures(monkeypatch):
    """Leave no figure open."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
