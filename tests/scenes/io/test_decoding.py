"""Packed values, read by us as xarray and netCDF4 read them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skunmix.scenes.io.decoding import decoding_of
from skunmix.scenes.io.opening import open_source

xr = pytest.importorskip("xarray")
netCDF4 = pytest.importorskip("netCDF4")

SHAPE = 3, 4, 5
WHOLE = (slice(0, 3), slice(0, 4))
INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4"]


def spectra_of(decoding, stored):
    """Return spectra in the shape of a scene, NaN where a pixel has a value that is none."""
    spectra, valid, *_ = decoding.decode(stored)
    spectra = spectra.astype(float)
    if valid is not None:
        spectra[~valid] = np.nan
    return spectra.reshape(SHAPE)


def without_holes(spectra):
    """Return spectra, all NaN where a band is."""
    return np.where(np.isnan(spectra).any(axis=-1, keepdims=True), np.nan, spectra)


def write(path, stored, **attributes):
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(("y", "x", "band"), SHAPE):
            file.createDimension(dim, size)
        fill = attributes.pop("_FillValue", False)  # none by default, either
        variable = file.createVariable("r", stored.dtype, ("y", "x", "band"), fill_value=fill)
        variable.set_auto_maskandscale(False)
        variable.setncatts(attributes)
        variable[:] = stored
    return path


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_packed_values_are_read_as_netcdf4_reads_them(tmp_path_factory, data):
    draw = data.draw
    dtype = np.dtype(draw(st.sampled_from([*INTEGERS, "f4", "f8"])))
    integer = dtype.kind in "iu"
    limits = np.iinfo(dtype) if integer else np.finfo("f4")
    rng = np.random.RandomState(draw(st.integers(0, 2**32 - 1)))
    low, high = (limits.min, limits.max) if integer else (-100, 100)
    stored = rng.uniform(low, float(high), SHAPE).astype(dtype)
    attributes = {}
    if draw(st.booleans()):
        attributes["_FillValue"] = stored[1, 2, 3]
    if draw(st.booleans()):
        attributes["missing_value"] = stored[0, 1, 2]
    if draw(st.booleans()):
        scales = [1e-4, 0.5, -2.0]
        if dtype.itemsize <= 2:  # xarray compares others with fill values as float32
            scales.append(np.float32(0.1))
        attributes["scale_factor"] = draw(st.sampled_from(scales))
    if draw(st.booleans()):
        attributes["add_offset"] = draw(st.sampled_from([1.0, -0.25]))
    if integer and draw(st.booleans()):
        attributes["_Unsigned"] = "true"
        attributes.pop("missing_value", None)  # of which xarray does not change the sign
    if draw(st.booleans()):
        quartiles = np.sort(stored.ravel())[[15, 45]]
        which = draw(st.sampled_from(["valid_range", "valid_min", "valid_max"]))
        if "_Unsigned" not in attributes:
            attributes[which] = {"valid_min": quartiles[0], "valid_max": quartiles[1]}.get(
                which, quartiles
            )
    path = write(tmp_path_factory.mktemp("packed") / "scene.nc", stored, **attributes)
    source = open_source(path)
    found = spectra_of(source.decoding(), source.read(WHOLE)[0])
    with netCDF4.Dataset(path) as file:
        expected = np.ma.filled(file["r"][:].astype(float), np.nan)
    size = np.nanmax(np.abs(expected), initial=1.0)
    np.testing.assert_allclose(found, without_holes(expected), rtol=1e-5, atol=1e-6 * size)

    # as xarray has decoded it, and as it has not
    with xr.open_dataset(path) as decoded, xr.open_dataset(path, mask_and_scale=False) as raw:
        for array, applied in ((decoded["r"], True), (raw["r"], None)):
            packed = {"scale_factor", "add_offset"} & set(array.attrs)
            if applied is None and array.dtype.kind == "f" and packed:
                continue  # which is refused
            applied = applied if {"scale_factor", "add_offset"} & set(array.encoding) else None
            decoding = decoding_of(
                array.dtype, array.attrs, decoded=applied, encoding=array.encoding
            )
            found = spectra_of(decoding, array.values)
            np.testing.assert_allclose(found, without_holes(expected), rtol=1e-5, atol=1e-6 * size)


def test_unsigned_false(tmp_path):
    stored = np.arange(60, dtype="u1").reshape(SHAPE) + 200 - 30
    stored = stored.astype("u1")
    source = open_source(write(tmp_path / "scene.nc", stored, _Unsigned="false"))
    found = spectra_of(source.decoding(), source.read(WHOLE)[0])
    np.testing.assert_array_equal(found, stored.view("i1"))


@pytest.mark.parametrize("order", "<>")
def test_the_range_of_spectra_is_that_of_a_float_attribute(order):
    stored = np.arange(-30, 30, dtype=f"{order}i2").reshape(SHAPE)
    attributes = {"scale_factor": -0.1, "add_offset": 1.0, "valid_range": np.array([-0.9, 3.0])}
    found = spectra_of(decoding_of(stored.dtype, attributes, decoded=False), stored)
    spectra = stored * -0.1 + 1.0
    inside = (spectra >= -0.9 - 1e-9) & (spectra <= 3 + 1e-9)
    np.testing.assert_allclose(found, without_holes(np.where(inside, spectra, np.nan)), rtol=1e-6)


def test_no_data_of_the_caller_replaces_the_range():
    stored = np.arange(60, dtype="i2").reshape(SHAPE)
    attributes = {"valid_max": np.int16(10), "_FillValue": np.int16(0)}
    decoding = decoding_of(stored.dtype, attributes, decoded=False, nodata=59)
    assert np.isnan(spectra_of(decoding, stored)).any(axis=-1).sum() == 1


@pytest.mark.parametrize("value", [-9999, -9999.0, "-9999", np.float64(-9999), np.array([-9999])])
def test_fill_values_of_another_type(value):
    stored = np.full(SHAPE, 3, dtype="i2")
    stored[1, 1, 1] = -9999
    decoding = decoding_of(stored.dtype, {"_FillValue": value}, decoded=False)
    assert np.isnan(spectra_of(decoding, stored)).any(axis=-1).sum() == 1


@pytest.mark.parametrize(
    ("attributes", "match"),
    [
        ({"scale_factor": "small"}, "scale_factor is 'small', expected a finite number"),
        ({"scale_factor": 0.0}, "scale_factor is 0.0, expected a finite number other than 0"),
        ({"add_offset": np.nan}, "add_offset is nan, expected a finite number, or"),
        ({"_FillValue": "none"}, "_FillValue is 'none', expected a number"),
    ],
)
def test_attributes_that_are_no_numbers(attributes, match):
    with pytest.raises(ValueError, match=match):
        decoding_of("i2", attributes, decoded=False)


# ENVI's factor, left among attributes


def test_the_reflectance_factor_divides_integers_only():
    attributes = {"reflectance_scale_factor": "10000"}
    assert decoding_of("i2", attributes, decoded=None).scale == 1e-4
    for decoded in (None, True, False):
        with pytest.raises(ValueError, match="may have been divided already.*pass scale_factor=1"):
            decoding_of("f4", attributes, decoded=decoded)
        assert not decoding_of("f4", attributes, decoded=decoded, scale_factor=1).scaled
    with pytest.raises(ValueError, match="both a reflectance scale factor"):
        decoding_of("i2", {**attributes, "add_offset": 3.0}, decoded=None)
    decoding = decoding_of("i2", attributes, decoded=None, add_offset=0.5)
    assert (decoding.scale, decoding.offset) == (1e-4, 0.5)


def test_missing_values_take_the_sign_of_the_values():
    attributes = {"_Unsigned": "true", "missing_value": np.int8(-1)}
    decoding = decoding_of("i1", attributes, decoded=False)
    stored = np.zeros(SHAPE, dtype="i1")
    stored[0, 0, 0] = -1
    assert np.isnan(spectra_of(decoding, stored)).any(axis=-1).sum() == 1
