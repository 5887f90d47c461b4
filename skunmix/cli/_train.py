"""``skunmix train SCENE --labels LABELS -o MODEL``."""

import click
from sklearn.pipeline import make_pipeline

from ..preprocessing import BandSelector
from ..scenes import describe_scene, labelled_pixels
from ..utils.optional import require
from ._errors import in_one_sentence
from ._kinds import check_is_scene
from ._matching import in_bands_of
from ._options import (
    library_options,
    opening_of,
    overwrite_option,
    reading_options,
    seed_option,
)
from ._outputs import check_apart, check_writable, replacing
from ._unmixers import load_library

# name -> class in skunmix
_METHODS = {"uadmm": "UADMMRegressor", "ista": "ISTANetRegressor"}


@click.command(short_help="Train a network on pixels whose abundances are known.")
@click.argument("scene", metavar="SCENE", type=click.Path())
@click.option(
    "--labels",
    metavar="TABLE|RASTER",
    type=click.Path(),
    required=True,
    help="Known abundances. A table (.csv) has the columns row and col, from 0, or x and y in the "
    "CRS of the scene, and one for each endmember. A raster on the grid of the scene has a band "
    "for each endmember, NaN or no-data where unknown.",
)
@click.option(
    "-o",
    "--output",
    metavar="MODEL",
    type=click.Path(),
    required=True,
    help="File of the model (.skops).",
)
@click.option(
    "--endmembers",
    metavar="FILE",
    type=click.Path(),
    help="Spectra of the endmembers, named as in the labels. They are estimated from the labels if "
    "there are none.",
)
@click.option(
    "--method",
    type=click.Choice(list(_METHODS)),
    default="uadmm",
    show_default=True,
    help="Network: unrolled ADMM or unrolled ISTA.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=0),
    metavar="N",
    help="Passes over the labelled pixels, instead of the method's own number.",
)
@library_options
@reading_options
@seed_option
@overwrite_option
@in_one_sentence
def train(
    scene,
    labels,
    output,
    endmembers,
    method,
    epochs,
    *,
    wavelengths,
    unit,
    seed,
    overwrite,
    quiet,
    **reading,
):
    """Train a network on the pixels of SCENE whose abundances are known, and save it as MODEL.

    `skunmix unmix SCENE -o OUT --model MODEL` unmixes with it.
    """
    sio = require("skops.io", "Saving a model", "skops")
    check_is_scene(scene)
    if not output.lower().endswith(".skops"):
        raise ValueError(f"Expected a model with the suffix .skops, got {output}; rename it.")
    output = check_writable(output, overwrite=overwrite, what="the model")
    check_apart(output, {"the scene": scene, "the file of labels": labels})
    if endmembers is None and (wavelengths, unit) != (None, None):
        raise click.UsageError("Expected --wavelengths and --unit with --endmembers, got none.")
    library = None
    if endmembers is not None:
        library = load_library(endmembers, wavelengths=wavelengths, unit=unit)
    spectra, abundances = labelled_pixels(scene, labels, **reading)
    model = _make_network(method, epochs, seed)
    if library is not None:
        _check_names(library.names, abundances.columns, endmembers)
        library, covered = in_bands_of(library, describe_scene(scene, **opening_of(reading)))
        if len(covered) < spectra.shape[1] and not quiet:
            lost = spectra.shape[1] - len(covered)
            click.echo(f"{lost} bands that the library does not cover are left out.", err=True)
        model = make_pipeline(BandSelector(covered), model.set_params(endmembers=library))
    model.fit(spectra, abundances)
    with replacing(output) as (temporary,):
        sio.dump(model, temporary)
    n_pixels, n_endmembers = abundances.shape
    result = f"{output}: {n_endmembers} endmembers, trained on {n_pixels} pixels"
    network = model if library is None else model[-1]
    if network.fallback_ is not None:
        solver = "FCLS" if network.fallback_.sum_to_one is True else "SunSAL"
        result += f"; {solver} answers, as the network is not clearly better on labels held out"
    return result


def _check_names(found, expected, path):
    """Raise unless the endmembers have the names that the labels have, in any order."""
    if sorted(found) != sorted(map(str, expected)):
        raise ValueError(
            f"Expected spectra with the names of the labels, {', '.join(expected)}, in {path}, got "
            f"{', '.join(found)}; rename them."
        )


def _make_network(method, epochs, seed):
    """Return an untrained network."""
    import skunmix

    kind = getattr(skunmix, _METHODS[method])
    return kind(random_state=seed, **({} if epochs is None else {"max_epochs": epochs}))
