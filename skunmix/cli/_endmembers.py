"""``skunmix endmembers SCENE -n N -o FILE``."""

from inspect import signature

import click
import numpy as np

from ._errors import in_one_sentence
from ._kinds import check_is_scene
from ._options import opening_of, overwrite_option, reading_options, seed_option
from ._outputs import check_apart
from ._quicklook import check_picture, save_picture
from ._spectra import check_spectra_output, write_spectra

# name -> class in skunmix.extraction
_METHODS = {
    "vca": "VCA",
    "spa": "SPA",
    "nfindr": "NFINDR",
    "minimum-volume": "MinimumVolume",
    "archetypes": "ArchetypalAnalysis",
    "blind": "BlindUnmixer",
}
_COUNTS = ("elbow", "hysime", "hfc", "nwhfc")


class _Count(click.ParamType):
    name = "N|METHOD"

    def convert(self, value, param, ctx):
        """Return a positive int, or the name of a method that counts endmembers."""
        if isinstance(value, int) or value in _COUNTS:
            return value
        if not (value.isascii() and value.isdecimal() and int(value)):
            self.fail(
                f"expected a positive number, or one of {', '.join(_COUNTS)}, got {value!r}",
                param,
                ctx,
            )
        return int(value)


@click.command(short_help="Extract the spectra of endmembers from a scene.")
@click.argument("scene", metavar="SCENE", type=click.Path())
@click.option(
    "-n",
    "--n-endmembers",
    type=_Count(),
    required=True,
    help=f"How many endmembers, or the method that counts them: {', '.join(_COUNTS)}.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(),
    required=True,
    help="ENVI spectral library (.sli, with .hdr beside it), .csv or .npy.",
)
@click.option(
    "--method",
    type=click.Choice(list(_METHODS)),
    default="vca",
    show_default=True,
    help="How to find them. blind takes minimum-volume or archetypes, whichever fits the scene.",
)
@click.option(
    "--plot", metavar="PNG", type=click.Path(), help="Also draw the spectra (.png, .pdf, …)."
)
@click.option(
    "--n-pixels",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="N",
    help="Pixels to draw from all over the scene; draw more if important pixels are rare.",
)
@reading_options
@seed_option
@overwrite_option
@in_one_sentence
def endmembers(
    scene, n_endmembers, output, method, plot, n_pixels, *, seed, overwrite, quiet, **reading
):
    """Extract the spectra of endmembers from SCENE, and write them to FILE.

    SCENE is a file as for `skunmix unmix`, which takes FILE as --endmembers. Wavelengths are
    written in nm.
    """
    check_is_scene(scene)
    output = check_spectra_output(output, overwrite=overwrite)
    files = {"the scene": scene, "the scene's mask": reading["mask"]}
    check_apart(output, files)
    if plot is not None:
        plot = check_picture(plot, overwrite=overwrite, flag="--plot")
        check_apart(plot, {**files, "the output": output})
    from .. import extraction
    from ..scenes import describe_scene, sample_pixels

    bands = describe_scene(scene, **opening_of(reading))
    kind = getattr(extraction, _METHODS[method])
    seeded = {"random_state": seed} if "random_state" in signature(kind).parameters else {}
    pixels = sample_pixels(scene, n_pixels, random_state=seed, **reading)
    extractor = kind(n_endmembers, **seeded).fit(pixels)
    found, names = extractor.endmembers_, list(extractor.get_feature_names_out())
    kept = np.arange(bands.n_bands)
    if found.shape[1] < bands.n_bands:  # a sample has no bad bands
        kept = np.delete(kept, bands.bad_bands)
    wavelengths, fwhm, band_names = (
        None if values is None else np.asarray(values)[kept]
        for values in (bands.wavelengths, bands.fwhm, bands.names)
    )
    write_spectra(output, found, names, wavelengths, fwhm, band_names)
    if plot is None:
        return output
    from ..plotting import EndmemberDisplay

    display = EndmemberDisplay.from_predictions(
        found, wavelengths=wavelengths, unit="nm", endmember_names=names
    )
    save_picture(display.figure_, plot)
    return f"{output}\n{plot}"
