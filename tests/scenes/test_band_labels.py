"""Scenes whose bands come in another order than those of the model, or are others."""

import re

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from sklearn.model_selection import GridSearchCV
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


WAVELENGTHS = LABELS["wavelengths"]
REVERSED = [4, 3, 2, 1, 0]


@pytest.fixture
def library():
    return np.random.default_rng(1).uniform(0.1, 0.9, (3, 5))


def fitted(library, cube, known_by):
    """A model that knows its bands' wavelengths from one thing or another."""
    if known_by == "library":
        frame = pd.DataFrame(library, columns=WAVELENGTHS)
        return SunSALRegressor(frame).fit(cube.reshape(-1, 5))
    if known_by == "spectra":
        return SunSALRegressor(library).fit(pd.DataFrame(cube.reshape(-1, 5), columns=WAVELENGTHS))
    selector = BandSelector(wavelengths=np.array(WAVELENGTHS) / 1000, unit="um")
    model = make_pipeline(selector, SunSALRegressor(library)).fit(cube.reshape(-1, 5))
    if known_by == "search":
        return GridSearchCV(model, {}, scoring="r2", cv=2).fit(
            cube.reshape(-1, 5), model.predict(cube.reshape(-1, 5))
        )
    return model


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("known_by", ["library", "spectra", "selector", "search"])
@pytest.mark.parametrize("written", ["tags", "header", "coordinate"])
def test_wavelengths_of_a_file(tmp_path, cube, library, known_by, written):
    """Read from where files keep them, in whatever unit that says."""
    model = fitted(library, cube, known_by)
    expected = unmix(model, cube)
    for order in (range(5), REVERSED):
        shuffled = cube[..., list(order)].copy()
        wavelengths = [WAVELENGTHS[i] for i in order]
        path = tmp_path / {"tags": "s.tif", "header": "s.img", "coordinate": "s.nc"}[written]
        if written == "coordinate":
            xr.DataArray(
                shuffled,
                dims=("y", "x", "bands"),
                coords={"wavelengths": ("bands", wavelengths)},
                name="scene",
            ).to_netcdf(path)
        else:
            write(path, shuffled, None)
        if written == "tags":
            with rasterio.open(path, "r+") as dataset:
                for i, value in enumerate(wavelengths, 1):
                    dataset.update_tags(i, wavelength=value / 1000, wavelength_units="Micrometers")
        if written == "header":
            header = path.with_suffix(".hdr")
            units = "" if known_by == "library" else "wavelength units = Nanometers\n"
            names = ", ".join(f"r{i}" for i in order)  # of another kind
            text = re.sub("band names = {[^}]*}", f"band names = {{{names}}}", header.read_text())
            listed = ", ".join(map(str, wavelengths))
            header.write_text(f"{text}wavelength = {{{listed}}}\n{units}")
            path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)
        band_dim = "bands" if written == "coordinate" else "band"
        output = unmix_file(model, path, tmp_path / "a.npy", band_dim=band_dim, overwrite=True)
        np.testing.assert_allclose(np.load(output), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_raster_that_was_opened_by_rioxarray(tmp_path, cube, library):
    """Its names stay where they are when its bands are reordered; their numbers do not."""
    rioxarray = pytest.importorskip("rioxarray")
    names = LABELS["names"]
    model = SunSALRegressor(library).fit(pd.DataFrame(cube.reshape(-1, 5), columns=names))
    write(tmp_path / "s.tif", cube[..., REVERSED].copy(), names[::-1])
    scene = rioxarray.open_rasterio(tmp_path / "s.tif")
    for order in (slice(None), slice(None, None, -1), [2, 0, 4, 1, 3]):
        maps = unmix(model, scene.isel(band=order))
        np.testing.assert_allclose(maps.transpose("y", "x", ...), unmix(model, cube), atol=1e-6)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("names", [[f"Band {i}" for i in range(1, 6)], ["a", "", "c", "d", "e"]])
def test_descriptions_that_are_no_names(tmp_path, cube, library, names):
    model = SunSALRegressor(library).fit(pd.DataFrame(cube.reshape(-1, 5), columns=LABELS["names"]))
    write(tmp_path / "s.tif", cube, names)
    output = unmix_file(model, tmp_path / "s.tif", tmp_path / "a.npy")
    np.testing.assert_allclose(np.load(output), unmix(model, cube), atol=1e-6)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_scale_for_each_band_goes_with_its_band(tmp_path, cube, library):
    gain = np.array([1.0, 2.0, 4.0, 8.0, 16.0], dtype=np.float32)
    model = SunSALRegressor(library).fit(pd.DataFrame(cube.reshape(-1, 5), columns=LABELS["names"]))
    write(tmp_path / "s.tif", (cube / gain)[..., REVERSED].copy(), LABELS["names"][::-1])
    output = unmix_file(model, tmp_path / "s.tif", tmp_path / "a.npy", scale_factor=gain[REVERSED])
    np.testing.assert_allclose(np.load(output), unmix(model, cube), atol=1e-5)


# Masks


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("axis", [0, 2])
def test_a_masked_scene(tmp_path, cube, library, axis, mapped):
    """A pixel is left out where a band that is used is masked, whatever lies under the mask."""
    keep = [0, 1, 3, 4]
    model = make_pipeline(BandSelector(keep), SunSALRegressor(library[:, keep]))
    model.fit(cube.reshape(-1, 5))
    expected = unmix(model, cube)
    expected[3, 2] = np.nan
    mask = np.zeros(cube.shape, dtype=bool)
    mask[..., 2] = mask[3, 2, 4] = True
    values = np.where(mask, 1e30, cube).astype(np.float32)
    values, mask = np.moveaxis(values, 2, axis), np.moveaxis(mask, 2, axis)
    if mapped:
        np.save(tmp_path / "s.npy", values)
        values = np.load(tmp_path / "s.npy", mmap_mode="r")
    scene = np.ma.MaskedArray(values, mask)
    found = unmix(model, scene, band_dim=axis, working_memory=0.002)
    np.testing.assert_allclose(np.moveaxis(found.filled(np.nan), axis, 2), expected, atol=1e-6)


def test_masked_chunks_of_dask(cube, library):
    da = pytest.importorskip("dask.array")
    model = SunSALRegressor(library).fit(cube.reshape(-1, 5))
    mask = np.zeros(cube.shape, dtype=bool)
    mask[1, 2, 3] = True
    lazy = da.from_array(np.ma.MaskedArray(cube, mask), chunks=(2, 7, 5), asarray=False)
    found = unmix(model, xr.DataArray(lazy, dims=("y", "x", "band"))).values
    expected = unmix(model, cube)
    expected[1, 2] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_mask_that_is_masked_is_refused(cube, library):
    model = SunSALRegressor(library).fit(cube.reshape(-1, 5))
    mask = np.ma.MaskedArray(np.zeros((6, 7), dtype=bool), np.eye(6, 7, dtype=bool))
    with pytest.raises(ValueError, match="mask is a masked array with 6 masked entries"):
        unmix(model, cube, mask=mask)
