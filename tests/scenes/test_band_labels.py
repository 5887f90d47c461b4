"""Scenes whose bands come in another order than those of the model, or are others."""

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from sklearn.pipeline import make_pipeline

from skunmix import SunSALRegressor
from skunmix.preprocessing import BandSelector
from skunmix.scenes import unmix, unmix_file

LABELS = {
    "names": ["blue", "green", "red", "nir", "swir"],
    "wavelengths": [490.0, 560.5, 665.25, 842.0, 1610.0],
}


@pytest.fixture(params=LABELS)
def labels(request):
    return LABELS[request.param]


@pytest.fixture
def cube():
    return np.random.default_rng(0).uniform(0.1, 0.9, (6, 7, 5)).astype(np.float32)


@pytest.fixture
def model(cube, labels):
    """Fitted on labelled spectra, whose third band it does not use."""
    endmembers = np.random.default_rng(1).uniform(0.1, 0.9, (3, 5))
    spectra = pd.DataFrame(cube.reshape(-1, 5), columns=labels)
    if isinstance(labels[0], str):
        keep = [0, 1, 3, 4]
        selector = BandSelector(keep)
        return make_pipeline(selector, SunSALRegressor(endmembers[:, keep])).fit(spectra)
    return SunSALRegressor(endmembers).fit(spectra)


def write(path, cube, labels):
    """Write a scene in the format of its suffix."""
    if path.suffix == ".nc":
        array = xr.DataArray(cube, dims=("y", "x", "band"), coords={"band": labels}, name="scene")
        array.to_netcdf(path)
        return
    driver = {".tif": "GTiff", ".img": "ENVI"}[path.suffix]
    profile = {"driver": driver, "height": 6, "width": 7, "count": 5, "dtype": cube.dtype}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(np.moveaxis(cube, -1, 0))
        if labels is not None:
            dataset.descriptions = [str(label) for label in labels]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("suffix", [".tif", ".img", ".nc"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_bands_of_a_file_are_matched(tmp_path, cube, model, labels, suffix, order):
    path = tmp_path / f"scene{suffix}"
    shuffled = cube[..., order].copy()
    # where the model does not look, and where it does
    shuffled[1, 1, order.index(2)] = np.nan
    shuffled[2, 2, order.index(3)] = np.nan
    write(path, shuffled, [labels[i] for i in order])
    found = np.load(unmix_file(model, path, tmp_path / "abundances.npy"))
    expected = unmix(model, cube)
    expected[2, 2] = np.nan
    if not isinstance(labels[0], str):
        expected[1, 1] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("chunks", [None, {"band": -1, "y": 2}])
def test_bands_of_an_array_are_matched(cube, model, labels, chunks):
    scene = xr.DataArray(cube, dims=("y", "x", "band"), coords={"band": labels})
    reversed_ = scene[..., ::-1]
    if chunks:
        reversed_ = reversed_.chunk(chunks)
    np.testing.assert_allclose(unmix(model, reversed_), unmix(model, cube), atol=1e-6)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_other_bands_are_refused(tmp_path, cube, model, labels):
    others = [*labels[:4], "cirrus" if isinstance(labels[0], str) else 1373.5]
    scene = xr.DataArray(cube, dims=("y", "x", "band"), coords={"band": others})
    message = f"fitted on.*{labels[4]}.*{others[4]}"
    with pytest.raises(ValueError, match=message):
        unmix(model, scene)
    write(tmp_path / "scene.tif", cube, others)
    with pytest.raises(ValueError, match=message):
        unmix_file(model, tmp_path / "scene.tif", tmp_path / "abundances.npy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scene.tif"]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("names", [None, ["Band 1", "Band 2", "Band 3", "Band 4", "Band 5"]])
def test_bands_that_nobody_named_are_taken_in_order(tmp_path, cube, model, names):
    write(tmp_path / "scene.tif", cube, names)
    found = np.load(unmix_file(model, tmp_path / "scene.tif", tmp_path / "abundances.npy"))
    np.testing.assert_allclose(found, unmix(model, cube), atol=1e-6)
