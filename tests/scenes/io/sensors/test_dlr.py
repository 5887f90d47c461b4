"""EnMAP and DESIS L2A as their guides describe them: values by rasterio."""

import shutil

import numpy as np
import pytest

from skunmix import SunSALRegressor
from skunmix.scenes import describe_scene, sample_pixels, unmix_file
from skunmix.scenes.io.opening import open_source

rasterio = pytest.importorskip("rasterio")

ROWS, COLS, BANDS = 21, 17, 6
WAVELENGTHS = np.array([418.42, 550.3, 902.2, 1390.4, 1650.0, 2445.5])
FWHM = np.array([7.0, 6.5, 8.0, 10.0, 11.0, 9.5])
GAINS = np.full(BANDS, 1e-4)
TRANSFORM = rasterio.transform.from_origin(370_000, 5_800_000, 30, 30)
STEM = {
    "EnMAP": "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z-",
    "DESIS": "DESIS-HSI-L2A-DT0483531728_001-20200804T143329-V0210-",
}


def metadata(mission, numbers, offsets, background=True):
    """Return an XML file as the guide of a mission describes it, shortened."""
    rows = []
    for i in numbers:
        facts = WAVELENGTHS[i - 1], FWHM[i - 1], GAINS[i - 1], offsets[i - 1]
        if mission == "EnMAP":
            names = "wavelengthCenterOfBand", "FWHMOfBand", "GainOfBand", "OffsetOfBand"
            opening, closing = f'<bandID number="{i}">', "</bandID>"
        else:
            names = "wavelengthCenterOfBand", "wavelengthWidthOfBand", "gainOfBand", "offsetOfBand"
            opening, closing = f"<band><bandNumber>{i}</bandNumber>", "</band>"
        fields = "".join(
            f"<{name}>{value!r}</{name}>" for name, value in zip(names, map(float, facts))
        )
        rows.append(opening + fields + closing)
    root = "level_X" if mission == "EnMAP" else "hsi_doc"
    fill = "<backgroundValue>-32768</backgroundValue>" if background else ""
    elsewhere = "<interiorOrientation><band><bandNumber>1</bandNumber></band></interiorOrientation>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{root}><base><level>L2A</level></base>'
        f"<specific>{fill}{elsewhere}<bandCharacterisation>{''.join(rows)}</bandCharacterisation>"
        f"</specific></{root}>"
    )


def write(folder, mission, *, numbers=range(1, BANDS + 1), offsets=None, suffix="TIF", **profile):
    rng = np.random.default_rng(0)
    offsets = np.zeros(BANDS) if offsets is None else offsets
    cube = rng.integers(100, 6000, (BANDS, ROWS, COLS)).astype("i2")
    cube[:, :4] = -32768  # the map beyond the swath
    cube[3] = -32768  # a band that the atmosphere absorbs
    image = folder / f"{STEM[mission]}SPECTRAL_IMAGE.{suffix}"
    profile = {"nodata": -32768, **profile}
    with rasterio.open(
        image,
        "w",
        driver="GTiff",
        height=ROWS,
        width=COLS,
        count=BANDS,
        dtype="int16",
        crs="EPSG:32633",
        transform=TRANSFORM,
        **profile,
    ) as dataset:
        dataset.write(cube)
    xml = folder / f"{STEM[mission]}METADATA.{'XML' if mission == 'EnMAP' else 'xml'}"
    xml.write_text(metadata(mission, numbers, offsets))
    return image, xml


@pytest.fixture(params=["EnMAP", "DESIS"])
def mission(request):
    return request.param


@pytest.fixture(params=["image", "metadata", "folder"])
def given(request):
    return request.param


def test_image_metadata_and_folder_are_the_same_product(tmp_path, mission, given):
    offsets = np.linspace(-0.01, 0.02, BANDS)
    image, xml = write(tmp_path, mission, offsets=offsets, numbers=[3, 1, 2, 6, 5, 4])
    path = {"image": image, "metadata": xml, "folder": tmp_path}[given]
    found = describe_scene(path)
    assert (found.sensor, found.path) == (f"{mission} L2A", image)
    np.testing.assert_allclose(found.wavelengths, WAVELENGTHS)
    np.testing.assert_allclose(found.fwhm, FWHM)
    np.testing.assert_allclose(found.scale_factor, GAINS)
    np.testing.assert_allclose(found.add_offset, offsets)
    assert found.bad_bands.tolist() == [3]
    assert found.nodata == (-32768,)
    assert found.transform == TRANSFORM


@pytest.mark.parametrize("profile", [{}, {"tiled": True, "blockxsize": 16, "blockysize": 16}])
def test_unmixing(tmp_path, mission, profile):
    image, xml = write(tmp_path, mission, offsets=np.linspace(-0.01, 0.02, BANDS), **profile)
    with rasterio.open(image) as dataset:
        stored = np.moveaxis(dataset.read(), 0, -1).astype(float)
    cube = (stored * GAINS + np.linspace(-0.01, 0.02, BANDS))[..., [0, 1, 2, 4, 5]]
    cube[:4] = np.nan
    model = SunSALRegressor(endmembers=cube[10, :3]).fit(cube[10])
    expected = np.full((ROWS, COLS, 3), np.nan)
    expected[4:] = model.predict(cube[4:].reshape(-1, 5)).reshape(ROWS - 4, COLS, 3)
    for path in (image, xml):
        output = unmix_file(model, path, tmp_path / "out.tif", overwrite=True)
        with rasterio.open(output) as dataset:
            np.testing.assert_allclose(np.moveaxis(dataset.read(), 0, -1), expected, atol=2e-4)
            assert dataset.transform == TRANSFORM


def test_empty_bands_are_left_out_of_samples(tmp_path, mission):
    _, xml = write(tmp_path, mission)
    sample = sample_pixels(xml, 30)
    assert list(sample.columns) == [f"{w:.10g} nm" for w in np.delete(WAVELENGTHS, 3)]
    assert sample.to_numpy().max() < 1


def test_the_fill_value_comes_from_the_metadata(tmp_path):
    write(tmp_path, "EnMAP", nodata=None)
    assert describe_scene(tmp_path).nodata == (-32768,)


def test_other_images_of_the_product_are_not_the_scene(tmp_path):
    image, _ = write(tmp_path, "EnMAP")
    shutil.copy(image, tmp_path / image.name.replace("SPECTRAL_IMAGE", "QL_PIXELMASK"))
    assert describe_scene(tmp_path).path == image


def test_an_image_without_metadata_warns(tmp_path, mission):
    image, xml = write(tmp_path, mission)
    xml.unlink()
    with pytest.warns(UserWarning, match="METADATA.XML is not beside it"):
        assert open_source(image).bands().wavelengths is None


def test_metadata_without_an_image_is_an_error(tmp_path, mission):
    image, xml = write(tmp_path, mission)
    image.unlink()
    with pytest.raises(FileNotFoundError, match="metadata without data"):
        open_source(xml)


def test_truncated_metadata_is_an_error(tmp_path, mission):
    image, xml = write(tmp_path, mission)
    xml.write_text(xml.read_text()[:-200])
    with pytest.raises(OSError, match="could not be parsed .* it may be truncated"):
        open_source(image)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.0001<", "one<", "has 'one' as"),
        ("bandCharacterisation", "bands", "no bandCharacterisation"),
    ],
)
def test_damaged_metadata_is_an_error(tmp_path, old, new, message):
    image, xml = write(tmp_path, "EnMAP")
    xml.write_text(xml.read_text().replace(old, new))
    with pytest.raises(OSError, match=message):
        open_source(image)


def test_metadata_of_other_bands_is_an_error(tmp_path, mission):
    image, _ = write(tmp_path, mission, numbers=range(1, BANDS))
    with pytest.raises(OSError, match="describes 5 bands, but .* has 6"):
        open_source(image)


def test_a_product_of_some_channels_says_which(tmp_path):
    image, xml = write(tmp_path, "EnMAP")
    with rasterio.open(image) as dataset:
        cube, profile = dataset.read(), dataset.profile
    with rasterio.open(image, "w", **{**profile, "count": 4}) as dataset:
        dataset.write(cube[[0, 1, 4, 5]])
    channels = "<expectedChannelsList>{}</expectedChannelsList>"
    lists = f"<vnir>{channels.format('1,2')}</vnir><swir>{channels.format('5,6')}</swir>"
    xml.write_text(xml.read_text().replace("</specific>", f"{lists}</specific>"))
    np.testing.assert_allclose(describe_scene(image).wavelengths, WAVELENGTHS[[0, 1, 4, 5]])


def test_another_xml_file_is_refused(tmp_path):
    path = tmp_path / "other.xml"
    path.write_text("<a/>")
    with pytest.raises(OSError, match="not the metadata of a product"):
        open_source(path)
