"""The rules of the house: who may know whom, which CONTRIBUTING describes."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import pytest

import skunmix

PACKAGE = Path(skunmix.__file__).parent
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# room -> the rooms it may know, apart from utils, which all may know
MAY_KNOW = {
    "__init__": {"regression", "unrolled"},
    "base": {"endmembers"},
    "endmembers": set(),
    "regression": {"base", "endmembers", "solvers"},
    "unrolled": {
        *("base", "endmembers", "extraction", "metrics", "networks", "regression", "solvers"),
    },
    "extraction": {"base", "solvers"},
    "model_selection": {"unrolled"},
    "solvers": set(),
    "networks": set(),
    "libraries": {"plotting", "scenes"},
    "metrics": set(),
    "datasets": set(),
    "plotting": {"extraction", "metrics", "scenes"},
    "preprocessing": {"solvers"},
    "uncertainty": set(),
    "scenes": {"preprocessing"},
    "utils": set(),
    "cli": {
        "scenes",
        "extraction",
        "libraries",
        "preprocessing",
        "plotting",
        "regression",
        "unrolled",
        "__init__",
    },
    "__main__": {"cli"},
}
MAY_IMPORT_TORCH = {"networks", "unrolled"}
COMPAT = Path("utils", "_compat.py")
LIBRARIES = {"sklearn", "skorch", "torch"}
# the attribute by which an estimator states what its parameters may be, and a selector's one method
HOOKS = {"_parameter_constraints", "_get_support_mask"}
ONLY_WHERE_USED = {
    *("matplotlib", "pandas", "polars", "pooch", "tqdm", "numba"),
    *("xarray", "rioxarray", "rasterio", "zarr", "netCDF4", "dask", "distributed"),
}

each_file = pytest.mark.parametrize("file", FILES, ids=str)


def tree_of(file):
    return ast.parse((PACKAGE / file).read_text(encoding="utf-8"))


def room_of(file):
    return file.parts[0].removesuffix(".py")


def imports_of(file, *, top_level=False):
    """Yield the absolute names that a file imports, at its top level only or anywhere."""
    tree = tree_of(file)
    package = ("skunmix", *file.parent.parts)
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parent, node.module) if node.module else parent)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def file_of(name):
    """Return the file that an absolute name of skunmix's comes from."""
    whole = name.split(".")[1:]
    for parts in (whole, whole[:-1]):
        candidates = [Path(*parts, "__init__.py")]
        if parts:
            candidates.append(Path(*parts).with_suffix(".py"))
        for file in candidates:
            if file in FILES:
                return file
    raise AssertionError(f"{name} comes from no file")


def imported_files(file):
    return {file_of(name) for name in imports_of(file) if name.split(".")[0] == "skunmix"} - {file}


def test_no_files_import_each_other():
    """Directly or by way of others, at their top level or in a function."""
    try:
        TopologicalSorter({file: imported_files(file) for file in FILES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(map(str, error.args[1])))


@each_file
def test_arrows_run_downward(file):
    known = {room_of(other) for other in imported_files(file)}
    assert known <= MAY_KNOW[room_of(file)] | {room_of(file), "utils"}


@each_file
def test_no_private_name_crosses_a_room(file):
    for name in imports_of(file):
        if name.startswith("skunmix.") and room_of(file_of(name)) != room_of(file):
            private = [n for n in name.split(".") if n.startswith("_") and not n.startswith("__")]
            assert not private, name


def private_names():
    """Return the private attributes that the classes of the three libraries have."""
    from sklearn.feature_selection import SelectorMixin
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline
    from skorch import NeuralNetRegressor
    from torch import Tensor, nn

    classes = (Pipeline, GridSearchCV, SelectorMixin, NeuralNetRegressor, nn.Module, Tensor)
    names = {name for kind in classes for name in dir(kind)}
    return {n for n in names if n.startswith("_") and not n.startswith("__")} - HOOKS


@pytest.fixture(scope="module")
def private():
    defined = {
        node.name
        for file in FILES
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.FunctionDef)
    }
    return private_names() - defined


@each_file
def test_private_names_of_the_libraries_are_in_one_file(file, private):
    if file == COMPAT:
        return
    for name in imports_of(file):
        if name.split(".")[0] in LIBRARIES:
            assert not any(part.startswith("_") for part in name.split(".")), name
    used = {node.attr for node in ast.walk(tree_of(file)) if isinstance(node, ast.Attribute)}
    assert not used & private


@each_file
def test_torch_is_imported_by_the_networks_only(file):
    roots = {name.split(".")[0] for name in imports_of(file)}
    if roots & {"torch", "skorch"}:
        assert room_of(file) in MAY_IMPORT_TORCH


@each_file
def test_extras_are_imported_where_they_are_used(file):
    at_import = {name.split(".")[0] for name in imports_of(file, top_level=True)}
    allowed = {"numba"} if file.name.endswith("_kernel.py") else set()
    assert not at_import & ONLY_WHERE_USED - allowed


def test_files_are_small():
    lengths = {
        file: len((PACKAGE / file).read_text(encoding="utf-8").splitlines()) for file in FILES
    }
    long = [str(f) for f, n in lengths.items() if n > 600 and not f.name.endswith("_kernel.py")]
    assert not long
    assert median(lengths.values()) < 200


def test_a_sunsal_fit_leaves_torch_out():
    script = """
import sys
import numpy as np
import skunmix
A = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
skunmix.SunSALRegressor(endmembers=A).fit(A).predict(A)
import skunmix.metrics, skunmix.datasets, skunmix.plotting, skunmix.preprocessing
import skunmix.scenes, skunmix.cli, skunmix.model_selection, skunmix.libraries
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
