"""Spectra and abundances of labelled pixels."""

import numpy as np
import pandas as pd
import pytest

from skunmix.scenes import labelled_pixels

rasterio = pytest.importorskip("rasterio")
PROFILE = {
    "driver": "GTiff",
    "crs": "EPSG:32633",
    "transform": rasterio.transform.from_origin(5e5, 4e6, 30, 20),
}


@pytest.fixture
def cube():
    cube = np.random.RandomState(0).uniform(size=(6, 5, 4)).astype(np.float32)
    cube[5, 4, 1] = -1
    return cube


def write(path, values, **profile):
    profile = {**PROFILE, **profile}
    values = np.asarray(values)
    rows, cols, count = values.shape
    with rasterio.open(
        path, "w", height=rows, width=cols, count=count, dtype=values.dtype, **profile
    ) as dataset:
        dataset.write(np.moveaxis(values, -1, 0))


@pytest.fixture
def scene(tmp_path, cube):
    write(tmp_path / "scene.tif", cube, nodata=-1)
    return tmp_path / "scene.tif"


@pytest.fixture
def read(scene, tmp_path):
    """Return a function that reads pixels by the text of a table."""

    def read(*lines, **options):
        (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return labelled_pixels(scene, tmp_path / "labels.csv", **options)

    return read


def test_a_table_with_rows_and_columns(read, cube):
    spectra, abundances = read("row,col,soil,tree", "5,0,1,0", "0,3,0.25,0.75")
    np.testing.assert_array_equal(spectra, cube[[5, 0], [0, 3]])
    assert abundances.to_dict("list") == {"soil": [1, 0.25], "tree": [0, 0.75]}


def test_a_table_with_coordinates(read, cube):
    """As rasterio places them."""
    with rasterio.open(read.__closure__[0].cell_contents) as dataset:
        x, y = rasterio.transform.xy(dataset.transform, [5, 0], [0, 3])
    spectra, _ = read("soil,Y,tree,X", f"1,{y[0]},0,{x[0]}", f"0,{y[1]},1,{x[1]}")
    np.testing.assert_array_equal(spectra, cube[[5, 0], [0, 3]])


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_dialects(read, scene, cube, separator, ending):
    """Of tables that spreadsheets write, with a mark at the beginning."""
    lines = ["\ufeff# plots of 2021", "Line, Sample ,soil,tree", "5,0,1,0"]
    text = ending.join(lines).replace(",", separator) + ending
    path = scene.with_name("labels.csv")
    path.write_bytes(text.encode())
    spectra, abundances = labelled_pixels(scene, path)
    np.testing.assert_array_equal(spectra, cube[[5], [0]])
    assert list(abundances) == ["soil", "tree"]


def test_a_raster(scene, cube):
    labels = np.full((6, 5, 2), np.nan)
    labels[3, 2], labels[0, 4] = (0.5, 0.5), (0, 1)
    path = scene.with_name("labels.tif")
    write(path, labels)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = ("soil", "tree")
    spectra, abundances = labelled_pixels(scene, path)
    np.testing.assert_array_equal(spectra, cube[[0, 3], [4, 2]])
    assert abundances.to_dict("list") == {"soil": [0, 0.5], "tree": [1, 0.5]}


def test_a_raster_of_percent_with_a_scale(scene, cube):
    labels = np.full((6, 5, 2), 255, np.uint8)
    labels[3, 2] = 30, 70
    path = scene.with_name("labels.tif")
    write(path, labels, nodata=255)
    with pytest.raises(ValueError, match=r"sum to one in labels.tif, got 100 \(in percent\?\)"):
        labelled_pixels(scene, path)
    with rasterio.open(path, "r+") as dataset:
        dataset.scales = (0.01, 0.01)
    _, abundances = labelled_pixels(scene, path)
    np.testing.assert_allclose(abundances, [[0.3, 0.7]], atol=1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["row,col,a,b", "6,0,1,0", "0,0,1,0"], r"got row 6, column 0 in entry 0 .*1 of 2 are out"),
        (["row,col,a,b", "-1,0,1,0"], "got row -1, column 0"),
        (["x,y,a,b", "0,0,1,0"], "1 of 1 are outside"),
        (["row,col,a,b", "5,4,1,0", "0,0,1,0"], "got 1 of 2 on pixels without data.*row 5, col"),
        (["row,col,a,b", "1,1,0.5,0.4"], r"sum to one in labels.csv, got 0.9 in row 1, column 1"),
        (["row,col,a,b", "1,1,50,50"], r"got 100 \(in percent\?\)"),
        (["row,col,a,b", "1,1,1.2,-0.2"], "at least 0 in labels.csv, got -0.2 in row 1"),
        (["row,col,a,b", "1,1,1,0", "2,2,,1"], "got 'nan' in column 'a' of entry 1"),
        (["row,col,a,b", "1,1,yes,0"], "got 'yes' in column 'a' of entry 0"),
        (["row,col,a,b", "1.5,1,1,0"], "whole numbers as row and col"),
        (["row,col,a,b", "1,1,1,0", "1,1,0,1"], "each pixel once .*got row 1, column 1 2 times"),
        (["line,pixel,a,b", "1,1,1,0"], "got line, pixel, a, b; name the two"),
        (["row,col,x,y,a", "1,1,1,1,1"], "or x and y, in labels.csv, got both"),
        (["row,col", "1,1"], "got none beside row and col"),
        (["row,col,a,b"], "labels no pixel"),
        ([""], "could not be read as a table|expected a CSV"),
    ],
)
def test_tables_that_are_refused(read, lines, message):
    with pytest.raises(ValueError, match=message):
        read(*lines)


def test_pixels_under_a_mask_are_refused(read, scene):
    mask = np.zeros((6, 5), bool)
    mask[2, 3] = True
    with pytest.raises(ValueError, match="on pixels without data, the first in row 2, column 3"):
        read("row,col,a,b", "1,1,1,0", "2,3,1,0", mask=mask)


def test_rasters_that_are_refused(scene):
    path = scene.with_name("labels.tif")
    write(path, np.zeros((5, 5, 2)))
    with pytest.raises(ValueError, match=r"grid of \(6, 5\) rows and columns, got \(5, 5\)"):
        labelled_pixels(scene, path)
    shifted = rasterio.transform.from_origin(5e5 + 30, 4e6, 30, 20)
    write(path, np.zeros((6, 5, 2)), transform=shifted)
    with pytest.raises(ValueError, match="must have the scene's grid"):
        labelled_pixels(scene, path)
    write(path, np.full((6, 5, 2), np.nan))
    with pytest.raises(ValueError, match="labels no pixel"):
        labelled_pixels(scene, path)


def test_coordinates_need_a_georeference(tmp_path, cube):
    np.save(tmp_path / "scene.npy", cube)
    (tmp_path / "labels.csv").write_text("x,y,a\n1,1,1\n")
    with pytest.raises(ValueError, match="has no georeference"):
        labelled_pixels(tmp_path / "scene.npy", tmp_path / "labels.csv")


def test_the_scale_of_the_scene_is_applied(tmp_path, cube):
    np.save(tmp_path / "scene.npy", cube)
    (tmp_path / "labels.csv").write_text("row,col,a\n1,1,1\n")
    spectra, _ = labelled_pixels(
        tmp_path / "scene.npy", tmp_path / "labels.csv", scale_factor=0.5, add_offset=1
    )
    np.testing.assert_allclose(spectra, cube[[1], [1]] / 2 + 1, rtol=1e-6)


def test_many_labels_in_any_order(scene, cube, tmp_path):
    """As read one by one, from blocks of a tiled raster."""
    rng = np.random.RandomState(1)
    large = rng.uniform(size=(70, 90, 3)).astype(np.float32)
    write(tmp_path / "large.tif", large, tiled=True, blockxsize=32, blockysize=16)
    places = rng.permutation(70 * 90)[:500]
    rows, cols = np.unravel_index(places, (70, 90))
    table = pd.DataFrame({"row": rows, "col": cols, "a": 1.0})
    table.to_csv(tmp_path / "labels.csv", index=False)
    spectra, _ = labelled_pixels(tmp_path / "large.tif", tmp_path / "labels.csv")
    np.testing.assert_array_equal(spectra, large[rows, cols])
