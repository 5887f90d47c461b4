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
    epilog="MODEL is a file of skops. A pickle, such as joblib's, can run any code when it is "
    "loaded: use --allow-pickle only for files that you trust.",
)
@click.argument("model", metavar="MODEL", type=click.Path())
@click.argument("scene", metavar="SCENE", type=click.Path())
@click.argument("out", metavar="OUT", type=click.Path())
@click.option(
    "--band-dim", default="band", metavar="NAME", help="Dimension of the bands in netCDF and Zarr."
)
@click.option(
    "--variable",
    metavar="NAME",
    help="Variable in netCDF, HDF5 and Zarr, as NAME or GROUP/NAME, if several have bands.",
)
@click.option(
    "--mask",
    metavar="FILE",
    type=click.Path(),
    help="Raster of the same grid, not 0 for pixels to leave out.",
)
@click.option(
    "--nodata",
    type=float,
    multiple=True,
    metavar="VALUE",
    help="Stored value that means no data, instead of the scene's own; repeatable.",
)
@click.option(
    "--scale-factor",
    type=float,
    metavar="FACTOR",
    help="Spectra are stored · factor + offset, instead of the scene's own.",
)
@click.option("--add-offset", type=float, metavar="OFFSET", help="See --scale-factor.")
@click.option("-j", "--n-jobs", type=int, metavar="N", help="Processes; -1 means all processors.")
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Use the workers of a dask.distributed cluster.",
)
@click.option(
    "--working-memory",
    type=float,
    default=256,
    show_default=True,
    metavar="MIB",
    help="Memory for the windows that are processed at once.",
)
@click.option("--no-resume", "resume", flag_value=False, default=True, help="Do not resume.")
@click.option("--overwrite", is_flag=True, help="Replace OUT when the new file is complete.")
@click.option(
    "--creation-option",
    "creation_option",
    type=_KeyAndValue(),
    multiple=True,
    help="Option of the writer, such as compress=deflate; repeatable.",
)
@click.option(
    "--open-option",
    "open_option",
    type=_KeyAndValue(),
    multiple=True,
    help="Option of the reader of a sensor's product, such as orthorectify=true; repeatable.",
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
    help="Also trust this type in MODEL; repeatable.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.option("--traceback", is_flag=True, help="Print errors with their traceback.")
def unmix(model, scene, out, *, scheduler, allow_pickle, trusted, quiet, traceback, **options):
    """Unmix SCENE with MODEL into maps of abundances, OUT, in the same grid.

    SCENE is ENVI, GeoTIFF, netCDF (.nc), Zarr (.zarr) or NumPy (.npy). The suffix of OUT determines
    its format: GeoTIFF (.tif), ENVI (.hdr or .img), netCDF, Zarr or NumPy. After an interruption,
    the same command resumes. OUT appears under its name only when it is complete.
    """
    options["nodata"] = list(options["nodata"]) or None
    for name in ("creation_option", "open_option"):
        options[f"{name}s"] = dict(options.pop(name))
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
    """Return a context with a client of the cluster, if an address is given."""
    if scheduler is None:
        return nullcontext()
    return require("distributed", "--scheduler", "dask[distributed]").Client(scheduler)
