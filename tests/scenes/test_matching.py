"""Bands of a scene and of endmembers with wavelengths find each other."""

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skunmix import SunSALRegressor
from skunmix.libraries import SpectralLibrary
from skunmix.preprocessing import BandSelector, SpectralResampler
from skunmix.scenes import sample_pixels, unmix, unmix_file

NM = np.arange(350.0, 2501.0, 5)  # of the library
CENTRES = np.linspace(400, 2400, 60)  # of the scene
NAMES = ["grass", "soil", "water"]


def spectra_at(nm):
    """Return three spectra with features that are broad for the bands."""
    t = (np.asarray(nm, dtype=float) - 350) / 2150
    return np.array(
        [0.3 + 0.2 * np.sin(7 * t), 0.2 + 0.3 * t, 0.1 + 0.1 * np.exp(-((t - 0.4) ** 2) / 0.02)]
    )


def abundances_and_cube(nm=CENTRES, fwhm=None):
    rng = np.random.default_rng(0)
    abundances = rng.dirichlet(np.ones(3), (4, 5))
    pure = SpectralLibrary(spectra_at(NM), NAMES, NM).resample(nm, fwhm).spectra
    return abundances, abundances @ pure


def write_envi(path, cube, nm, unit="Nanometers", **fields):
    np.moveaxis(cube, -1, 0).astype("<f4").tofile(path.with_suffix(".img"))
    rows, cols, bands = cube.shape
    header = {
        "samples": cols,
        "lines": rows,
        "bands": bands,
        "header offset": 0,
        "data type": 4,
        "interleave": "bsq",
        "byte order": 0,
        **{name.replace("_", " "): value for name, value in fields.items()},
    }
    if nm is not None:
        header |= {"wavelength units": unit, "wavelength": listed(nm)}
    text = "".join(f"{name} = {value}\n" for name, value in header.items())
    path.with_suffix(".hdr").write_text("ENVI\n" + text)
    return path.with_suffix(".hdr")


def listed(values):
    return "{" + ", ".join(f"{value:.6f}" for value in values) + "}"


def model(endmembers):
    return SunSALRegressor(endmembers=endmembers, lam=0, sum_to_one=True)


LIBRARY = SpectralLibrary(spectra_at(NM), NAMES, NM)


def test_a_library_is_resampled_to_a_scene(tmp_path, caplog):
    pytest.importorskip("rasterio")
    fwhm = np.full(60, 25.0)
    expected, cube = abundances_and_cube(fwhm=fwhm)
    scene = write_envi(
        tmp_path / "scene", cube, CENTRES / 1000, "Micrometers", fwhm=listed(fwhm / 1e3)
    )
    with caplog.at_level(logging.INFO, "skunmix.scenes"):
        out = unmix_file(model(LIBRARY), scene, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-4)
    assert "60 of 60 bands are used" in caplog.text
    assert "431 bands (350 to 2500 nm)" in caplog.text


def test_bad_bands_and_bands_without_cover_are_left_out(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    bad = (CENTRES > 1350) & (CENTRES < 1450)
    cube[..., bad] = np.nan  # they do not matter
    cube[..., CENTRES < 500] = 1e3
    scene = write_envi(tmp_path / "scene", cube, CENTRES, bbl=listed(~bad))
    short = LIBRARY.select(wavelengths=(500, 2500))
    out = unmix_file(model(short), scene, tmp_path / "out.tif")
    with rasterio.open(out) as dataset:
        np.testing.assert_allclose(np.moveaxis(dataset.read(), 0, -1), expected, atol=2e-3)
        assert dataset.descriptions == tuple(NAMES)
        report = dataset.tags()["unmixing"]
    n_bad, n_short = bad.sum(), (CENTRES < 500).sum()
    assert f"{60 - n_bad - n_short} of 60 bands are used" in report
    assert f"{n_bad} that the scene marks as bad are left out" in report
    assert f"{n_short} that the endmembers do not cover are left out" in report


@pytest.mark.parametrize("suffix", [".hdr", ".nc"])
def test_the_output_says_how_bands_were_matched(tmp_path, suffix):
    pytest.importorskip("rioxarray")
    _, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    out = unmix_file(model(LIBRARY), scene, tmp_path / f"out{suffix}")
    if suffix == ".hdr":
        assert "are resampled to scene.img: 60 of 60 bands" in out.read_text()
    else:
        xr = pytest.importorskip("xarray")
        with xr.open_dataset(out) as dataset:
            assert "60 of 60 bands" in dataset["abundance"].attrs["unmixing"]


def test_gaps_of_one_spectrum_leave_bands_out(tmp_path):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    spectra = spectra_at(NM)
    spectra[1, (NM > 1000) & (NM < 1200)] = -1.23e34
    cube[..., (CENTRES > 1040) & (CENTRES < 1160)] += 0.5  # further than a width from the ends
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    library = SpectralLibrary(spectra, NAMES, NM)
    out = unmix_file(model(library), scene, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-2)


def test_a_frame_with_wavelengths_is_resampled_too(tmp_path):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    for frame in (LIBRARY.to_frame(), LIBRARY.to_frame().T):
        out = unmix_file(model(frame), scene, tmp_path / "out.npy", overwrite=True)
        np.testing.assert_allclose(np.load(out), expected, atol=1e-4)


def test_a_frame_with_more_than_the_scenes_bands_is_not_smoothed(tmp_path):
    """As a library: bands of the scene's own sensor are taken as they are."""
    nm = np.concatenate([CENTRES, [2450.0]])
    rough = np.random.default_rng(0).uniform(0.1, 0.9, (3, len(nm)))
    true = np.random.default_rng(1).dirichlet(np.ones(3), (4, 5))
    scene = write_envi(tmp_path / "scene.hdr", true @ rough[:, :-1], CENTRES)
    frame = pd.DataFrame(rough, index=NAMES, columns=[f"{one} nm" for one in nm])
    for i, endmembers in enumerate((frame, SpectralLibrary(rough, NAMES, nm))):
        found = np.load(unmix_file(model(endmembers), scene, tmp_path / f"{i}.npy", progress=False))
        np.testing.assert_allclose(found, true, atol=1e-5)


def test_a_frame_with_the_scenes_labels_is_aligned_as_before(tmp_path):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    frame = pd.DataFrame(LIBRARY.resample(CENTRES).spectra, index=NAMES, columns=CENTRES.round(6))
    out = unmix_file(model(frame.iloc[:, ::-1]), scene, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-4)


def test_a_band_selector_keeps_its_effect(tmp_path):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    cube[..., 20:25] = 0.9
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    keep = np.r_[0:20, 25:60]
    out = unmix_file(make_pipeline(BandSelector(keep), model(LIBRARY)), scene, tmp_path / "o.npy")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-4)


def test_a_dataarray_with_wavelengths():
    xr = pytest.importorskip("xarray")
    expected, cube = abundances_and_cube()
    scene = xr.DataArray(
        cube, dims=("y", "x", "band"), coords={"wavelength": ("band", CENTRES / 1000)}
    )
    scene["wavelength"].attrs["units"] = "um"
    found = unmix(model(LIBRARY), scene)
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert list(found["endmember"].values) == NAMES
    assert "60 of 60 bands" in found.attrs["unmixing"]


def test_a_library_that_does_not_cover_the_scene(tmp_path):
    pytest.importorskip("rasterio")
    _, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, CENTRES + 2500)
    with pytest.raises(ValueError, match=r"cover the bands of scene.img, from 2900 to 4900 nm"):
        unmix_file(model(LIBRARY), scene, tmp_path / "out.npy")


def test_a_scene_without_wavelengths(tmp_path):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, None)
    with pytest.raises(ValueError, match=r"have no wavelengths by which to resample it; pass lib"):
        unmix_file(model(LIBRARY), scene, tmp_path / "out.npy")
    with pytest.raises(ValueError, match=r"have no wavelengths by which to resample"):
        unmix(model(LIBRARY), cube)
    found = unmix(model(LIBRARY.resample(CENTRES)), cube)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_radiance_scene_warns_of_magnitudes(tmp_path):
    pytest.importorskip("rasterio")
    _, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube * 1e4, CENTRES)
    with pytest.warns(UserWarning, match="magnitude|units"):
        unmix_file(model(LIBRARY), scene, tmp_path / "out.npy")


def test_repeated_names_are_numbered(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    _, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    library = SpectralLibrary(spectra_at(NM), ["grass", "grass", "soil"], NM)
    out = unmix_file(model(library), scene, tmp_path / "out.tif")
    with rasterio.open(out) as dataset:
        assert dataset.descriptions == ("grass", "grass (2)", "soil")


def test_spectra_with_wavelengths_as_labels():
    expected, cube = abundances_and_cube()
    frame = pd.DataFrame(cube.reshape(20, 60), columns=[f"{nm / 1000} µm" for nm in CENTRES])
    fitted = model(LIBRARY).fit(frame)
    np.testing.assert_allclose(fitted.predict(frame), expected.reshape(20, 3), atol=1e-6)
    assert list(fitted.get_feature_names_out()) == NAMES
    resampler = SpectralResampler(NM, CENTRES, source_unit="nm", target_unit="nm")
    np.testing.assert_allclose(fitted.endmembers_, resampler.fit_transform(spectra_at(NM)))
    with pytest.raises(ValueError, match="library does not fit the bands of the spectra .*BandSel"):
        model(LIBRARY.select(wavelengths=(500, 900))).fit(frame)


def test_a_library_is_never_transposed():
    square = LIBRARY.resample(CENTRES)
    with pytest.raises(ValueError, match="Expected a library in the 3 bands"):
        model(square).fit(np.ones((7, 3)))


def test_a_sample_has_the_wavelengths_that_a_library_needs(tmp_path):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    names = "{" + ", ".join(f"channel {i}a" for i in range(60)) + "}"
    scene = write_envi(tmp_path / "scene", cube, CENTRES, band_names=names)
    unmixer = model(LIBRARY)
    pixels = sample_pixels(scene, estimator=unmixer)
    found = unmixer.fit(pixels).predict(pixels)
    np.testing.assert_allclose(found, expected.reshape(20, 3), atol=1e-4)


@pytest.mark.parametrize("order", [slice(None, None, -1), np.r_[30:60, 0:30]])
def test_bands_of_a_scene_in_any_order(tmp_path, order):
    pytest.importorskip("rasterio")
    expected, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube[..., order], CENTRES[order])
    out = unmix_file(model(LIBRARY), scene, tmp_path / "out.npy")
    np.testing.assert_allclose(np.load(out), expected, atol=1e-3)


def test_the_same_run_gives_the_same_file(tmp_path):
    pytest.importorskip("rasterio")
    _, cube = abundances_and_cube()
    scene = write_envi(tmp_path / "scene", cube, CENTRES)
    once = np.load(unmix_file(model(LIBRARY), scene, tmp_path / "out.npy"))
    again = unmix_file(model(LIBRARY), scene, tmp_path / "out.npy", overwrite=True)
    np.testing.assert_array_equal(np.load(again), once)
