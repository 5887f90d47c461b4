"""``skunmix info FILE``."""

import json

import click
import numpy as np

from ..scenes import describe_scene
from ._errors import in_one_sentence
from ._kinds import is_library, is_model
from ._models import describe_model, load_model
from ._options import opening_options
from ._unmixers import load_library

_SHOWN = 8


@click.command(short_help="Show what a scene, a spectral library or a model holds.")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all values.")
@opening_options
@click.option("--allow-pickle", is_flag=True, help="As for skunmix unmix.")
@click.option("--trust", "trusted", multiple=True, metavar="TYPE", help="As for skunmix unmix.")
@in_one_sentence
def info(file, as_json, allow_pickle, trusted, *, quiet, **opening):
    """Show size, bands, wavelengths, units, no-data values and names of FILE.

    FILE is a scene, a spectral library or a model, as for `skunmix unmix`. The values of a scene
    are not read.
    """
    if is_library(file):
        library = load_library(file)
        facts = facts_of_library(library)
        text = as_text({"library": file, **{name: _short(value) for name, value in facts.items()}})
    elif is_model(file) or allow_pickle:
        facts = describe_model(load_model(file, allow_pickle=allow_pickle, trusted=trusted))
        text = as_text({"model": file, **{name: _short(value) for name, value in facts.items()}})
    else:
        scene = describe_scene(file, **opening)
        facts, text = facts_of_scene(scene), str(scene)
    return as_json_text({"path": file, **facts}) if as_json else text


def facts_of_library(library):
    """Return the facts of a SpectralLibrary as a dict of plain values."""
    n_spectra, n_bands = library.shape
    return {
        "kind": "library",
        "n_spectra": n_spectra,
        "n_bands": n_bands,
        "wavelengths": library.wavelengths,
        "fwhm": library.fwhm,
        "names": list(library.names),
        "classes": None if library.classes is None else list(library.classes),
        "missing": int(np.isnan(library.spectra).sum()),
        "range": [float(np.nanmin(library.spectra)), float(np.nanmax(library.spectra))],
    }


def facts_of_scene(scene):
    """Return the facts of a SceneDescription as a dict of plain values."""
    return {
        "kind": "scene",
        "format": scene.format,
        "sensor": scene.sensor,
        "shape": scene.shape,
        "dtype": str(scene.dtype),
        "wavelengths": scene.wavelengths,
        "fwhm": scene.fwhm,
        "names": scene.names,
        "bad_bands": scene.bad_bands,
        "units": scene.units,
        "scale_factor": scene.scale_factor,
        "add_offset": scene.add_offset,
        "nodata": scene.nodata,
        "crs": None if scene.crs is None else str(scene.crs),
        "transform": None if scene.transform is None else tuple(scene.transform)[:6],
        "problem": scene.problem,
    }


def as_text(facts):
    """Return facts as lines, one for each that is known."""
    known = {name: value for name, value in facts.items() if value is not None}
    width = max(map(len, known), default=0) + 2
    return "\n".join(f"{name + ':':<{width}}{value}" for name, value in known.items())


def _short(value):
    """Return the value of a fact as text that fits on a line, or None."""
    if isinstance(value, np.ndarray):
        return f"{value.min():.6g} to {value.max():.6g} nm"
    if isinstance(value, dict):
        value = [f"{name}={one!r}" for name, one in value.items()]
    if isinstance(value, list):
        return ", ".join(map(str, value[:_SHOWN])) + (", …" if len(value) > _SHOWN else "")
    return value


def as_json_text(facts):
    """Return facts as JSON, in which numbers that are not finite are strings."""
    return json.dumps(_plain(facts), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value):
    """Return a value as JSON has them."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value - value != 0:  # NaN or infinite
        return str(value)
    return value if isinstance(value, (str, int, float, type(None))) else str(value)
