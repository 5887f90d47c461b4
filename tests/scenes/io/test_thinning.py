"""Thinned scenes."""

import numpy as np
import pytest

from skunmix.scenes.io.opening import open_source
from skunmix.scenes.io.thinning import thinned

rasterio = pytest.importorskip("rasterio")


@pytest.mark.parametrize("tiles", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 32}])
@pytest.mark.parametrize("side", [1, 7, 50, 1000])
def test_every_kth_pixel(tmp_path, monkeypatch, tiles, side):
    monkeypatch.setattr("skunmix.scenes.io.thinning._BLOCK_PIXELS", 600)
    values = np.random.RandomState(0).uniform(size=(83, 61, 2)).astype("f4")
    profile = {"driver": "GTiff", "height": 83, "width": 61, "count": 2, "dtype": "float32"}
    profile["transform"] = rasterio.transform.from_origin(0, 0, 2, 2)
    with rasterio.open(tmp_path / "a.tif", "w", **profile, **tiles) as dataset:
        dataset.write(np.moveaxis(values, -1, 0))
    step = -(-83 // side)
    image = thinned(open_source(tmp_path / "a.tif"), side)
    np.testing.assert_array_equal(image, values[::step, ::step])
