"""Sentinel-2 Level 2A in the SAFE format: one JPEG 2000 file per band, and MTD_MSIL2A.xml."""

import re

import numpy as np

from ....utils.optional import require
from ..bands import Bands
from ..gdal import GDAL_CACHE, gdal_cache, open_raster
from ..options import take_choice
from ..sources import Source
from .xml import number, parse, starts_with

_METADATA = "MTD_MSIL2A.xml"
_RESOLUTIONS = (10, 20, 60)
_BAND = re.compile(r".*_(B\d[\dA])_(\d\d)m\.(?:jp2|tiff?)", flags=re.IGNORECASE)
# Since this processing baseline, products have offsets.
_WITH_OFFSETS = 4.0


def metadata_in(folder):
    """Return the metadata of the product in a folder, or None."""
    path = folder / _METADATA
    return path if path.is_file() else None


def matches(path):
    """Return whether an XML file is the metadata of a product."""
    return starts_with(path, "Level-2A_User_Product")


def open_product(path, options):
    """Return the source of a product; the option `resolution` is 10, 20 or 60 m."""
    return Sentinel2Source(path, take_choice(options, "resolution", _RESOLUTIONS, 20))


class Sentinel2Source(Source):
    """The bands of one resolution of a product as one cube, by ascending wavelength.

    Products hold bands of 10 m at 20 m too, and those of 20 m at 60 m.
    """

    kind = "SAFE"
    open_options = ("resolution",)

    def __init__(self, metadata, resolution):
        super().__init__(metadata.parent)
        self._metadata = metadata
        root = parse(metadata)
        images = self._images(resolution)
        facts = {name: self._facts(root, name) for name in images}
        names = sorted(facts, key=lambda name: facts[name][0])
        self._paths = [images[name] for name in names]
        wavelengths, fwhm, scale, offset = np.array([facts[name] for name in names]).T
        self._bands = Bands(
            wavelengths if np.isfinite(wavelengths).all() else None,
            fwhm if np.isfinite(fwhm).all() else None,
            names=names,
        )
        datasets = self._datasets()
        sizes = {(d.height, d.width) for d in datasets}
        if len(sizes) != 1 or any(d.count != 1 for d in datasets):
            raise OSError(f"The bands of {self.path} differ in size, {sorted(sizes)}.")
        self.shape = (*next(iter(sizes)), len(names))
        self.dtype = np.dtype(np.result_type(*(d.dtypes[0] for d in datasets)))
        self.chunk_shape = datasets[0].block_shapes[0]
        self.chunk_bytes = int(np.prod(self.chunk_shape)) * self.bytes_per_pixel()
        self.where = f"{self.path.name} at {resolution} m"
        self.sensor = root.findtext(".//SPACECRAFT_NAME") or "Sentinel-2"
        self.attributes = {
            "nodata": self._special(root) or [0],
            "scale_factor": scale,
            "add_offset": offset,
            "units": "reflectance",
        }

    def _images(self, resolution):
        """Return the files of the bands of this resolution, by name of the band."""
        found = {}
        for path in sorted(self.path.glob("GRANULE/*/IMG_DATA/**/*")):
            match = _BAND.fullmatch(path.name)
            if match and int(match[2]) == resolution:
                found.setdefault(match[1].upper(), []).append(path)
        if not found:
            raise OSError(
                f"{self.path} has no bands at {resolution} m in GRANULE/*/IMG_DATA; check whether "
                f"it is complete, or pass another resolution, {_RESOLUTIONS}."
            )
        twice = [name for name, paths in found.items() if len(paths) > 1]
        if twice:
            raise OSError(
                f"{self.path} has several files of band {twice[0]}, expected one granule."
            )
        return {name: paths[0] for name, paths in found.items()}

    def _facts(self, root, name):
        """Return wavelength, width, scale and offset of a band."""
        quantification = number(root, ".//BOA_QUANTIFICATION_VALUE", self._metadata)
        physical = f"B{name[1:].lstrip('0')}"
        described = root.find(f".//Spectral_Information[@physicalBand='{physical}']")
        band_id, center, width = None, np.nan, np.nan
        if described is not None:
            band_id = described.get("bandId")
            center = number(described, "Wavelength/CENTRAL", self._metadata)
            width = _width(described)
        offsets = {e.get("band_id"): e.text for e in root.iter("BOA_ADD_OFFSET")}
        baseline = root.findtext(".//PROCESSING_BASELINE") or "0"
        if band_id not in offsets and (offsets or float(baseline) >= _WITH_OFFSETS):
            raise OSError(
                f"{self._metadata} gives no BOA_ADD_OFFSET for band {name}, but its processing "
                f"baseline {baseline} has offsets; it may be damaged."
            )
        return center, width, 1 / quantification, float(offsets.get(band_id, 0)) / quantification

    def _special(self, root):
        """Return the stored values that mean no data or saturation."""
        wanted = ("NODATA", "SATURATED")
        return [
            number(special, "SPECIAL_VALUE_INDEX", self._metadata)
            for special in root.iter("Special_Values")
            if (special.findtext("SPECIAL_VALUE_TEXT") or "").strip() in wanted
        ]

    def _datasets(self):
        """Return the handles of this thread."""
        if getattr(self._local, "datasets", None) is None:
            require("rasterio", f"Reading {self.path.name}")
            self._local.datasets = [open_raster(path) for path in self._paths]
        return self._local.datasets

    def _read(self, window):
        rows, cols = window
        shape = rows.stop - rows.start, cols.stop - cols.start
        planes = np.empty((self.shape[2], *shape), self.dtype)
        with gdal_cache(max(GDAL_CACHE, 2 * self.chunk_bytes)):
            for dataset, plane in zip(self._datasets(), planes):
                dataset.read(1, window=window, out=plane)
        return np.moveaxis(planes, 0, -1), None

    def files(self):
        """Return the files that are read."""
        return [self._metadata, *self._paths]

    def bands(self):
        """Return wavelengths, widths and names of the bands."""
        return self._bands

    def band_labels(self):
        """Return the names and the wavelengths of the bands."""
        return self._bands.labels()

    def grid(self):
        """Return CRS and transform of the tile."""
        dataset = self._datasets()[0]
        return {"crs": dataset.crs, "transform": dataset.transform}

    def template(self):
        """Return an unread DataArray with the coordinates of the tile."""
        rioxarray = require("rioxarray", f"Writing the grid of {self.path.name} to netCDF or Zarr")
        first = rioxarray.open_rasterio(self._paths[0])
        return first.isel(band=0, drop=True).expand_dims(band=self.shape[2])


def _width(described):
    """Return the full width at half maximum of a band's spectral response, or NaN."""
    values = described.findtext("Spectral_Response/VALUES")
    step = described.findtext("Spectral_Response/STEP")
    if not values or not step:
        return np.nan
    response = np.array(values.split(), dtype=float)
    above = np.flatnonzero(response >= response.max() / 2)
    return float(step) * (above[-1] - above[0] + 1)
