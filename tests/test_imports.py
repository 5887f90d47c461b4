"""The house's one rule: arrows run downward, and torch is imported by those who need it only."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skunmix

PACKAGE = Path(skunmix.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# room -> the rooms it may know
MAY_KNOW = {
    "__init__": {"sunsal", "unrolled", "unrolled_cv"},
    "_callbacks": set(),
    "base": set(),
    "sunsal": {"base", "solvers"},
    "_unrolled": {"_callbacks", "base", "metrics", "networks"},
    "unrolled": {"_unrolled", "networks"},
    "_stacked_fits": {"_unrolled", "networks"},
    "unrolled_cv": {"_stacked_fits", "_unrolled", "base", "unrolled"},
    "solvers": set(),
    "networks": set(),
    "metrics": set(),
    "datasets": set(),
    "plotting": {"metrics"},
    "preprocessing": set(),
    # networks.threads alone, and where torch is in use anyway
    "scenes": {"networks"},
    "cli": {"scenes", "__version__"},
    "__main__": {"cli"},
}
MAY_IMPORT_TORCH = {"networks", "_unrolled"}
ONLY_WHERE_USED = {
    *("matplotlib", "pandas", "polars", "pooch", "tqdm", "numba"),
    *("xarray", "rioxarray", "rasterio", "zarr", "netCDF4", "dask", "distributed"),
}


def room_of(module):
    return module.parts[0].removesuffix(".py")


def imports_of(path, *, top_level=False):
    """Yield absolute names of what a module imports, at its top level only or anywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ("skunmix", *path.relative_to(PACKAGE).parent.parts)
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parent, node.module) if node.module else parent)
            yield from (f"{base}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_arrows_run_downward(module):
    room = room_of(module)
    known = {
        name.split(".")[1]
        for name in imports_of(PACKAGE / module)
        if name.startswith("skunmix.") and name.count(".") > 1
    }
    assert known <= MAY_KNOW[room] | {room}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_torch_is_imported_by_the_networks_only(module):
    roots = {name.split(".")[0] for name in imports_of(PACKAGE / module)}
    if roots & {"torch", "skorch"}:
        assert room_of(module) in MAY_IMPORT_TORCH


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_extras_are_imported_where_they_are_used(module):
    at_import = {name.split(".")[0] for name in imports_of(PACKAGE / module, top_level=True)}
    allowed = {"numba"} if module.name.endswith("_kernel.py") else set()
    assert not at_import & ONLY_WHERE_USED - allowed


def test_a_sunsal_fit_leaves_torch_out():
    script = """
import sys
import numpy as np
import skunmix
A = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
skunmix.SunSALRegressor(endmembers=A).fit(A).predict(A)
import skunmix.metrics, skunmix.datasets, skunmix.plotting, skunmix.preprocessing
import skunmix.scenes, skunmix.cli
skunmix.scenes.unmix(skunmix.SunSALRegressor(endmembers=A).fit(A), A[np.newaxis])
heavy = {"torch", "skorch", "matplotlib", "pooch", "xarray", "dask", "rasterio"}
heavy &= set(sys.modules)
assert not heavy, heavy
assert "UADMMRegressor" in dir(skunmix) and callable(skunmix.UADMMRegressor)
assert "torch" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        skunmix.nonsense  # noqa: B018
