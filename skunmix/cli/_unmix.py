"""``skunmix unmix MODEL SCENE OUT``."""

from contextlib import nullcontext

import click

from ..utils.optional import require
from ._errors import in_terms_of_flags, sentence
from ._models import load_model


class _KeyAndValue(click.ParamType):
    name = "KEY=VALUE"

    def convert(self, value, param, ctx):
        """Split at the first equals sign."""
        if isinstance(value, tuple):
            return value
        key, separator, value = value.partition("=")
        if not separator or not key:
            self.fail(f"expected KEY=VALUE, got {key!r}", param, ctx)
        return key, value


@click.command(
    short_help="Unmix a scene into maps of abundances.",
    epilog="MODEL is a file of skops. A pickle, as joblib writes, can run any code when it is "
    "loaded: --allow-pickle is for files that you trust.",
)
@click.argument("model", metavar="MODEL", type=click.Path())
@click.argument("scene", metavar="SCENE", type=click.Path())
@click.argument("out", metavar="OUT", type=click.Path())
@click.option(
    "--band-dim", default="band", metavar="NAME", help="Dimension of the bands in netCDF and Zarr."
)
@click.option(
    "--variable", metavar="NAME", help="Variable of netCDF and Zarr, where several have bands."
)
@click.option(
    "--mask",
    metavar="FILE",
    type=click.Path(),
    help="Raster of the same grid, not 0 where a pixel is left out.",
)
@click.option(
    "--nodata",
    type=float,
    multiple=True,
    metavar="VALUE",
    help="Stored value that stands for no data, in place of the scene's own; repeatable.",
)
@click.option(
    "--scale-factor",
    type=float,
    metavar="FACTOR",
    help="Spectra are stored · factor + offset; in place of the scene's own.",
)
@click.option("--add-offset", type=float, metavar="OFFSET", help="See --scale-factor.")
@click.option("-j", "--n-jobs", type=int, metavar="N", help="Processes; -1 means all processors.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Let the workers of a dask.distributed cluster do the work.",
)
@click.option(
    "--working-memory",
    type=float,
    default=256,
    show_default=True,
    metavar="MIB",
    help="For the windows under way.",
)
@click.option("--no-resume", "resume", flag_value=False, default=True, help="Start anew.")
@click.option("--overwrite", is_flag=True, help="Replace OUT when the new one is complete.")
@click.option(
    "--creation-option",
    "creation_option",
    type=_KeyAndValue(),
    multiple=True,
    help="For the writer, such as compress=deflate; repeatable.",
)
@click.option(
    "--allow-pickle",
    is_flag=True,
    help="Load MODEL even if it is a pickle, which can run any code.",
)
@click.option(
    "--trust",
    "trusted",
    multiple=True,
    metavar="TYPE",
    help="Trust this type in MODEL, too; repeatable.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--traceback", is_flag=True, help="Print errors in full.")
def unmix(model, scene, out, *, scheduler, allow_pickle, trusted, quiet, traceback, **options):
    """Unmix SCENE by MODEL into maps of abundances, OUT, in the same grid.

    SCENE is ENVI, GeoTIFF, netCDF (.nc), Zarr (.zarr) or NumPy (.npy); OUT is GeoTIFF (.tif),
    ENVI (.hdr or .img), netCDF, Zarr or NumPy, by its suffix. Interrupted, the same command goes
    on where it was. Nothing appears under the name of OUT before it is complete.
    """
    options["nodata"] = list(options["nodata"]) or None
    options["creation_options"] = dict(options.pop("creation_option"))
    try:
        with _cluster(scheduler):
            from ..scenes import unmix_file

            estimator = load_model(model, allow_pickle=allow_pickle, trusted=trusted)
            path = unmix_file(estimator, scene, out, progress=not quiet, **options)
    except Exception as error:
        if traceback:
            raise
        message = in_terms_of_flags(sentence(error), click.get_current_context().command)
        raise click.ClickException(message) from error
    if not quiet:
        click.echo(path)


def _cluster(scheduler):
    """Return a context in which a cluster's client is in force, if one is named."""
    if scheduler is None:
        return nullcontext()
    return require("distributed", "--scheduler", "dask[distributed]").Client(scheduler)
