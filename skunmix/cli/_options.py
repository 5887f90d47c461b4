"""Options that several commands share."""

import json

import click


class KeyAndValue(click.ParamType):
    """An option KEY=VALUE."""

    name = "KEY=VALUE"

    def convert(self, value, param, ctx):
        """Split at the first equals sign."""
        if isinstance(value, tuple):
            return value
        key, separator, value = value.partition("=")
        if not separator or not key:
            self.fail(f"expected KEY=VALUE, got {key!r}", param, ctx)
        return key, value


def _typed(ctx, param, pairs):
    """Return KEY=VALUE as a dict whose values are bool or numbers if they read so, or None."""

    def typed(value):
        try:
            return json.loads(value.lower())
        except ValueError:
            return value

    return {key: typed(value) for key, value in pairs} or None


def _list_or_none(ctx, param, values):
    """Return the values of a repeated option as a list, or None if there are none."""
    return list(values) or None


# How a scene is opened: the parameters of `describe_scene`.
_OPENING = (
    click.option(
        "--band-dim",
        default="band",
        metavar="NAME",
        help="Dimension of the bands in netCDF and Zarr.",
    ),
    click.option(
        "--variable",
        metavar="NAME",
        help="Variable in netCDF, HDF5 and Zarr, as NAME or GROUP/NAME, if several have bands.",
    ),
    click.option(
        "--open-option",
        "open_options",
        type=KeyAndValue(),
        multiple=True,
        callback=_typed,
        help="Option of the reader of a sensor, such as orthorectify=true for EMIT; repeatable.",
    ),
)
# What becomes of its values: further parameters of `unmix_file` and `sample_pixels`.
_DECODING = (
    click.option(
        "--mask",
        metavar="FILE",
        type=click.Path(),
        help="Raster of the same grid, not 0 for pixels to leave out.",
    ),
    click.option(
        "--nodata",
        type=float,
        multiple=True,
        callback=_list_or_none,
        metavar="VALUE",
        help="Stored value that means no data, instead of the scene's own; repeatable.",
    ),
    click.option(
        "--scale-factor",
        type=float,
        metavar="FACTOR",
        help="Spectra are stored · factor + offset, instead of the scene's own.",
    ),
    click.option("--add-offset", type=float, metavar="OFFSET", help="See --scale-factor."),
)


def _adding(options, function):
    for option in reversed(options):
        function = option(function)
    return function


def opening_options(function):
    """Add the options that say how a scene is opened, which the command takes as `**opening`."""
    return _adding(_OPENING, function)


def reading_options(function):
    """Add the options that say how a scene is read, which the command takes as `**reading`."""
    return _adding((*_OPENING, *_DECODING), function)


def opening_of(reading):
    """Return the options of `opening_options` among those of `reading_options`."""
    return {option: reading[option] for option in ("band_dim", "variable", "open_options")}


seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of the random numbers: the same seed gives the same result.",
)
overwrite_option = click.option(
    "--overwrite", is_flag=True, help="Replace existing files when the new ones are complete."
)


_LIBRARY = (
    click.option(
        "--wavelengths",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="Wavelengths of the spectra of --endmembers, one per line, if their file has none.",
    ),
    click.option(
        "--unit",
        type=click.Choice(["nm", "um", "cm-1"]),
        help="Unit of these wavelengths, instead of that of the file.",
    ),
)


def library_options(function):
    """Add the options that say how a library is read: `wavelengths` and `unit`."""
    return _adding(_LIBRARY, function)
