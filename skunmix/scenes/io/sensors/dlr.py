"""EnMAP and DESIS Level 2A: a GeoTIFF of spectra, and METADATA.XML beside it."""

import re
import warnings
from dataclasses import replace

import numpy as np

from ..bands import Bands
from ..sources import RasterSource
from .xml import number, parse

_IMAGE = re.compile(r"(.*)SPECTRAL_IMAGE(_COG)?\.tiff?", flags=re.IGNORECASE)
_METADATA = re.compile(r"(.*)METADATA\.xml", flags=re.IGNORECASE)
# A band's element and its fields, by mission.
_FIELDS = {
    "EnMAP": (
        "bandID",
        "number",
        "wavelengthCenterOfBand",
        "FWHMOfBand",
        "GainOfBand",
        "OffsetOfBand",
    ),
    "DESIS": (
        *("band", "bandNumber", "wavelengthCenterOfBand", "wavelengthWidthOfBand"),
        *("gainOfBand", "offsetOfBand"),
    ),
}
# Pixels with data that decide whether a band is empty everywhere, and windows that are searched.
_ENOUGH, _WINDOWS = 64, 16


def is_spectral_image(path):
    """Return whether a raster is the image of a product, by its name or the metadata beside it."""
    return _IMAGE.fullmatch(path.name) is not None


def metadata_in(folder):
    """Return the metadata of the product in a folder, or None."""
    found = [p for p in folder.iterdir() if _METADATA.fullmatch(p.name) and matches(p)]
    return found[0] if len(found) == 1 else None


def matches(path):
    """Return whether an XML file is the metadata of a product."""
    return path.is_file() and b"bandCharacterisation" in path.read_bytes()


def open_product(path, options):
    """Return the source of a product, given its image or its metadata."""
    image, metadata = _files(path)
    if metadata is None:
        warnings.warn(
            f"{image.name} seems to be the image of an EnMAP or DESIS product, but its "
            f"METADATA.XML is not beside it, so that wavelengths, scale and bad bands are unknown; "
            f"put it there.",
            UserWarning,
            stacklevel=5,
        )
        return RasterSource(image)
    return DlrSource(image, metadata)


def _files(path):
    """Return image and metadata, given one of them."""
    is_image = is_spectral_image(path)
    stem = (_IMAGE if is_image else _METADATA).fullmatch(path.name)
    if stem is None:  # metadata by another name
        raise OSError(f"Expected a name that ends in METADATA.XML, got {path}; rename it.")
    wanted = _METADATA if is_image else _IMAGE
    found = [
        other
        for other in sorted(path.parent.iterdir())
        if (m := wanted.fullmatch(other.name)) and m[1].lower() == stem[1].lower()
    ]
    if is_image:
        return path, found[0] if found else None
    if not found:
        raise FileNotFoundError(
            f"{path} is metadata without data: expected {stem[1]}SPECTRAL_IMAGE.TIF beside it."
        )
    return found[0], path


class DlrSource(RasterSource):
    """An image of EnMAP or DESIS with the wavelengths, scales and fill value of its metadata."""

    def __init__(self, image, metadata):
        super().__init__(image)
        self._metadata = metadata
        root = parse(metadata)
        table = root.find(".//bandCharacterisation")
        elements = {m: [] if table is None else table.findall(f[0]) for m, f in _FIELDS.items()}
        mission = next((m for m, found in elements.items() if found), None)
        if mission is None:
            raise OSError(f"{metadata} has no bandCharacterisation; it may be damaged.")
        self.sensor = f"{mission} {(root.findtext('.//base/level') or '').strip()}".strip()
        _, numbering, *names = _FIELDS[mission]
        numbers, rows = [], []
        for element in elements[mission]:
            numbers.append(element.get(numbering) or element.findtext(numbering))
            rows.append([number(element, name, metadata) for name in names])
        facts = np.array(rows)[self._chosen(root, numbers)]
        wavelengths, fwhm, gain, offset = facts.T
        background = root.findtext(".//backgroundValue")
        if background is not None and not self.attributes["nodata"]:
            self.attributes["nodata"] = [float(background)]
        self.attributes |= {"scales": tuple(gain), "offsets": tuple(offset)}
        self._bands = Bands(wavelengths, fwhm if (fwhm > 0).all() else None)
        self._bands = replace(self._bands, good=self._good())

    def _chosen(self, root, numbers):
        """Return the places of the image's bands among those of the metadata."""
        n_bands = self.shape[2]
        numbers = [int(float(text)) if text else i for i, text in enumerate(numbers, start=1)]
        order = np.argsort(numbers, kind="stable")
        if len(order) == n_bands:
            return order
        delivered = [
            int(text)
            for channels in root.iter("expectedChannelsList")
            for text in re.findall(r"\d+", channels.text or "")
        ]
        if len(delivered) == n_bands and set(delivered) <= set(numbers):
            return np.array([numbers.index(i) for i in sorted(delivered)])
        raise OSError(
            f"{self._metadata.name} describes {len(numbers)} bands, but {self.path.name} has "
            f"{n_bands}; they belong to different products, or one is truncated."
        )

    def _good(self):
        """Return which bands have data, as those that absorb are filled in all pixels, or None."""
        decoding = self.decoding()
        n_rows, n_cols, n_bands = self.shape
        height, width = min(n_rows, 8), min(n_cols, 256)
        has_data, n_seen = np.zeros(n_bands, dtype=bool), 0
        # from the middle outwards, as the corners of the map are empty
        for i in np.argsort(np.abs(np.arange(_WINDOWS) - _WINDOWS // 2), kind="stable"):
            row = int(i * max(n_rows - height, 0) / (_WINDOWS - 1))
            col = int(i * max(n_cols - width, 0) / (_WINDOWS - 1))
            values, _ = self.read((slice(row, row + height), slice(col, col + width)))
            filled = np.isin(values.reshape(-1, n_bands), decoding.nodata)
            has_data |= ~filled.all(axis=0)
            n_seen += int((~filled.all(axis=1)).sum())
            if n_seen >= _ENOUGH:
                break
        return None if has_data.all() or not has_data.any() else has_data

    def files(self):
        """Return the files of the product that are read."""
        return sorted({*super().files(), self._metadata})

    def band_labels(self):
        """Return the wavelengths of the bands, and their names if the image has some."""
        return [*super().band_labels(), *self._bands.labels()]
