"""A user's folder: an ENVI scene with wavelengths and a georeference, with spaces in its name."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skunmix.cli import main
from skunmix.datasets import make_endmembers, make_mixtures

ROWS, COLS, BANDS = 12, 10, 20
NAMES = ["water", "soil", "tree"]
ORIGIN, SIZE = (500_000.0, 4_000_000.0), 30.0


def write_envi(path, cube, wavelengths=None, **fields):
    """Write a cube (rows, cols, bands) as float32, pixel by pixel, without GDAL."""
    np.ascontiguousarray(cube, "<f4").tofile(path.with_suffix(".img"))
    header = {
        "samples": cube.shape[1],
        "lines": cube.shape[0],
        "bands": cube.shape[2],
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": 4,
        "interleave": "bip",
        "byte order": 0,
        "data ignore value": -9999,
        "map info": f"{{UTM, 1, 1, {ORIGIN[0]}, {ORIGIN[1]}, {SIZE}, {SIZE}, 33, North, WGS-84}}",
    }
    if wavelengths is not None:
        header["wavelength units"] = "Nanometers"
        header["wavelength"] = f"{{{', '.join(map(str, wavelengths))}}}"
    lines = [f"{name} = {value}" for name, value in (header | fields).items()]
    path.with_suffix(".hdr").write_text("\n".join(["ENVI", *lines, ""]))


@pytest.fixture
def user(tmp_path, monkeypatch, capsys):
    """Return a scene in "my data", where the user is not, its truth, and how to run a command."""
    pytest.importorskip("rasterio")
    folder, elsewhere = tmp_path / "my data", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    endmembers = make_endmembers(3, BANDS, random_state=0).endmembers
    pixels = make_mixtures(endmembers, ROWS * COLS, snr=40, random_state=0)
    # a pure pixel of each
    abundances = np.vstack([np.eye(3), pixels.abundances[3:]])
    spectra = np.vstack([endmembers, pixels.spectra[3:]])
    cube = spectra.reshape(ROWS, COLS, BANDS)
    wavelengths = np.linspace(450, 2400, BANDS).round(1)
    write_envi(folder / "scene.hdr", cube, wavelengths)

    def run(*arguments, status=0):
        """Run a command, and return what it prints, or its error if it should fail."""
        capsys.readouterr()
        found = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert found == status, printed.err
        return printed.err if status else printed.out

    return SimpleNamespace(
        folder=folder,
        scene=folder / "scene.hdr",
        cube=cube,
        endmembers=pd.DataFrame(endmembers, index=NAMES),
        abundances=abundances.reshape(ROWS, COLS, 3),
        wavelengths=wavelengths,
        run=run,
        write_envi=write_envi,
    )


@pytest.fixture
def labels(user):
    """Return a table of the abundances of some pixels, as pandas reads it."""
    places = np.arange(0, ROWS * COLS, 3)
    rows, cols = np.unravel_index(places, (ROWS, COLS))
    table = pd.DataFrame(user.abundances[rows, cols], columns=NAMES)
    table.insert(0, "row", rows)
    table.insert(1, "col", cols)
    return table
