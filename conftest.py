"""What holds for the tests and for the examples in docstrings."""

import importlib.util
import os
import sys

import numpy as np
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


@pytest.fixture
def folder_of_files(tmp_path):
    """Return a folder with the files of the guide and the front page.

    scene.hdr has 224 bands, library.sli three named spectra of other bands, plots.csv abundances.
    scene.tif is the same scene if there is rasterio.
    """
    from skunmix.datasets import make_scene

    scene = make_scene(
        n_endmembers=3, shape=(50, 80), fractions=(1.0,), sigma=1.0, snr=30, random_state=0
    )
    np.save(tmp_path / "scene.npy", scene.spectra.reshape(*scene.shape, -1))
    scene.spectra.astype("<f4").tofile(tmp_path / "scene.img")
    wavelengths = np.linspace(400, 2400, 224).round(3)
    fields = {"samples": 80, "lines": 50, "bands": 224, "data type": 4, "interleave": "bip"}
    _write_header(tmp_path / "scene.hdr", wavelengths, fields)
    finer = np.linspace(420, 2300, 300).round(3)
    library = np.array([np.interp(finer, wavelengths, one) for one in scene.endmembers])
    library.astype("<f4").tofile(tmp_path / "library.sli")
    fields = {"samples": 300, "lines": 3, "bands": 1, "data type": 4, "interleave": "bsq"}
    fields |= {"file type": "ENVI Spectral Library", "spectra names": "{soil, tree, water}"}
    _write_header(tmp_path / "library.hdr", finer, fields)
    places = np.arange(0, len(scene.spectra), 20)
    _write_geotiff(tmp_path / "scene.tif", scene)
    table = np.column_stack([places // 80, places % 80, scene.abundances[places]])
    header = "row,col,soil,tree,water"
    np.savetxt(tmp_path / "plots.csv", table, delimiter=",", header=header, comments="")
    return tmp_path


def _write_geotiff(path, scene):
    if not importlib.util.find_spec("rasterio"):
        return
    import rasterio

    height, width = scene.shape
    spectra = scene.spectra.T.reshape(-1, height, width).astype("float32")
    grid = {"crs": "EPSG:32633", "transform": rasterio.Affine(30, 0, 500_000, 0, -30, 4_000_000)}
    fields = {"height": height, "width": width, "count": len(spectra), "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", **fields, **grid) as dataset:
        dataset.write(spectra)


def _write_header(path, wavelengths, fields):
    fields = {**fields, "header offset": 0, "byte order": 0, "wavelength units": "Nanometers"}
    fields["wavelength"] = "{" + ", ".join(map(str, wavelengths)) + "}"
    path.write_text("ENVI\n" + "".join(f"{name} = {value}\n" for name, value in fields.items()))
