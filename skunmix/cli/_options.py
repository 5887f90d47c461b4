"""Options that several commands share."""

import click


def _list_or_none(ctx, param, values):
    """Return the values of a repeated option as a list, or None if there are none."""
    return list(values) or None


# How a scene is read: the parameters that `unmix_file` and `sample_pixels` have in common.
_READING = (
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


def reading_options(function):
    """Add the options that say how a scene is read, which the command takes as `**reading`."""
    for option in reversed(_READING):
        function = option(function)
    return function


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
    for option in reversed(_LIBRARY):
        function = option(function)
    return function
