import numpy as np
import pytest
from scipy.io import savemat

from skunmix.datasets import load_mat_scene

ROWS, COLUMNS, BANDS = 2, 3, 4
IMAGE = np.arange(ROWS * COLUMNS * BANDS, dtype=np.uint16).reshape(ROWS, COLUMNS, BANDS)
MAPS = np.random.RandomState(0).dirichlet([1, 1], size=(ROWS, COLUMNS))
ENDMEMBERS = np.random.RandomState(1).uniform(size=(2, BANDS))


def columns(image):
    """Return pixels as columns in column-major order, as MATLAB's reshape does."""
    return np.array([image[i % ROWS, i // ROWS] for i in range(ROWS * COLUMNS)]).T


SPECTRA = {"Y": columns(IMAGE), "nRow": np.uint8(ROWS), "nCol": np.uint8(COLUMNS)}
REFERENCE = {
    "A": columns(MAPS),
    "M": ENDMEMBERS.T,
    "cood": np.array([["#1 Soil"], ["2-tree"]], dtype=object),
}


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        savemat(tmp_path / name, content)
        return tmp_path / name

    return write


@pytest.mark.parametrize("separate", [True, False])
def test_pixels_in_row_major_order(write, separate):
    bands = {"SlectBands": np.array([[4], [5], [7], [9]], dtype=np.uint8)}
    if separate:
        scene = load_mat_scene(
            write("scene.mat", SPECTRA | bands), str(write("end.mat", REFERENCE))
        )
    else:
        scene = load_mat_scene(write("scene.mat", SPECTRA | bands | REFERENCE))
    assert scene.shape == (ROWS, COLUMNS)
    assert scene.scale == 23
    np.testing.assert_array_equal(scene.spectra.reshape(ROWS, COLUMNS, -1), IMAGE / 23)
    np.testing.assert_array_equal(scene.abundances.reshape(ROWS, COLUMNS, -1), MAPS)
    np.testing.assert_array_equal(scene.endmembers, ENDMEMBERS)
    assert scene.endmember_names == ["Soil", "tree"]
    assert scene.bands.tolist() == [4, 5, 7, 9]
    assert scene.wavelengths is None
    assert "scene.mat" in scene.DESCR
    assert all(scene[name].flags.c_contiguous for name in ("spectra", "abundances", "endmembers"))


def test_samson_has_floats_in_v(write):
    content = {"V": columns(IMAGE) / 50, "nRow": ROWS, "nCol": COLUMNS}
    scene = load_mat_scene(write("samson_1.mat", content))
    np.testing.assert_array_equal(scene.spectra.reshape(ROWS, COLUMNS, -1), IMAGE / 50)
    assert scene.scale == 1
    assert scene.abundances is scene.endmembers is scene.endmember_names is scene.bands is None


def test_no_names(write):
    reference = {name: REFERENCE[name] for name in "AM"}
    scene = load_mat_scene(write("scene.mat", SPECTRA), write("end.mat", reference))
    assert scene.endmember_names == ["endmember0", "endmember1"]


@pytest.mark.parametrize(
    ("spectra", "reference", "message"),
    [
        ({"X": [[1]]}, None, "scene.mat with the arrays Y or V, nRow and nCol, got X; pass"),
        ({"Y": columns(IMAGE)}, None, "nRow and nCol, got Y"),
        (SPECTRA | {"nCol": 4}, None, r"Y of shape \(n_bands, 8\).*2 × 4, got \(4, 6\)"),
        (SPECTRA | {"Y": IMAGE}, None, r"Y of shape.*got \(2, 3, 4\)"),
        (SPECTRA, {"M": ENDMEMBERS.T}, "end.mat with the arrays A and M, got M"),
        (SPECTRA, REFERENCE | {"M": ENDMEMBERS}, r"M of shape \(4, n_end.*got \(2, 4\) and \(2, 6"),
        (SPECTRA, REFERENCE | {"A": columns(MAPS)[:, :5]}, r"got \(4, 2\) and \(2, 5\)"),
    ],
)
def test_other_formats(write, spectra, reference, message):
    path = write("scene.mat", spectra)
    with pytest.raises(ValueError, match=message):
        load_mat_scene(path, None if reference is None else write("end.mat", reference))


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.mat"):
        load_mat_scene(tmp_path / "none.mat")


@pytest.mark.parametrize("content", [b"", b"<html>Not found</html>" * 20])
def test_no_mat_file(tmp_path, content):
    path = tmp_path / "scene.mat"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"Expected .*scene.mat as a .mat file, got another"):
        load_mat_scene(path)


def test_matlab_7_3(tmp_path):
    path = tmp_path / "scene.mat"
    # the header of such a file, which is HDF5
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(ValueError, match=r"before MATLAB's 7.3.*`save -v7`"):
        load_mat_scene(path)
