"""``skunmix unmix SCENE -o OUT``."""

from contextlib import nullcontext

import click

from ..utils.estimators import endmember_names
from ..utils.optional import require
from ._errors import in_one_sentence
from ._kinds import check_is_scene
from ._models import load_model
from ._options import (
    KeyAndValue,
    library_options,
    overwrite_option,
    reading_options,
    seed_option,
)
from ._outputs import check_apart
from ._quicklook import check_picture, draw_maps
from ._unmixers import METHODS, is_count, make_unmixer

# Of intervals, if the command line gives no number.
_COVERAGE = 0.9


class _Coverage(click.ParamType):
    name = "COVERAGE"

    def convert(self, value, param, ctx):
        """Return a number between 0 and 1."""
        try:
            coverage = float(value)
        except ValueError:
            self.fail(
                f"expected a number between 0 and 1, got {value!r}; put the option behind SCENE, "
                f"or write --interval=0.9",
                param,
                ctx,
            )
        if not 0 < coverage < 1:
            self.fail(f"expected a number between 0 and 1, got {value}", param, ctx)
        return coverage


@click.command(
    short_help="Unmix a scene into maps of abundances.",
    epilog="The form `skunmix unmix MODEL SCENE OUT` is the same as `skunmix unmix SCENE -o OUT "
    "--model MODEL`. MODEL is a file of skops. A pickle, such as joblib's, can run any code when "
    "it is loaded: use --allow-pickle only for files that you trust.",
)
@click.argument("paths", metavar="SCENE", nargs=-1, type=click.Path())
@click.option("-o", "--output", metavar="OUT", type=click.Path(), help="File of the maps.")
@click.option(
    "--endmembers",
    metavar="FILE|N",
    help="Spectra of the endmembers: a spectral library, or how many to extract from the scene.",
)
@click.option(
    "--method",
    type=click.Choice(list(METHODS)),
    help="How to unmix with --endmembers: fcls (abundances that sum to one; the default), nnls "
    "(non-negative), sunsal (sparse), mesma (one spectrum of each material in a pixel; spectra of "
    "a material have the same class, or the same name).",
)
@click.option(
    "--lam",
    type=click.FloatRange(min=0),
    metavar="λ",
    help="Weight of the sparsity term of --method sunsal, in squared units of the spectra. "
    "[default: 0.001]",
)
@click.option("--model", metavar="MODEL", type=click.Path(), help="Fitted model, instead.")
@click.option(
    "--interval",
    "coverage",
    type=_Coverage(),
    is_flag=False,
    flag_value=_COVERAGE,
    metavar="[COVERAGE]",
    help="Also write lower and upper maps: intervals that hold this share of the abundances, "
    f"{_COVERAGE} if there is no number. Those of --endmembers are of noise alone; a "
    "ConformalUnmixer as --model also knows the errors of its model.",
)
@click.option(
    "--quicklook",
    metavar="PNG",
    type=click.Path(),
    help="Also draw the maps into a picture (.png, .pdf, .svg, …).",
)
@library_options
@reading_options
@seed_option
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
@overwrite_option
@click.option(
    "--creation-option",
    "creation_option",
    type=KeyAndValue(),
    multiple=True,
    help="Option of the writer, such as compress=deflate; repeatable.",
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
@in_one_sentence
def unmix(
    paths,
    output,
    endmembers,
    method,
    lam,
    model,
    quicklook,
    *,
    wavelengths,
    unit,
    seed,
    scheduler,
    allow_pickle,
    trusted,
    quiet,
    **options,
):
    """Unmix SCENE into maps of abundances, OUT, in the same grid.

    SCENE is ENVI, GeoTIFF, netCDF (.nc), Zarr (.zarr) or NumPy (.npy). The suffix of OUT determines
    its format: GeoTIFF (.tif), ENVI (.hdr or .img), netCDF, Zarr or NumPy. After an interruption,
    the same command resumes. OUT appears under its name only when it is complete.

    Give exactly one of --endmembers and --model.
    """
    scene, output, model = _scene_output_model(paths, output, model, endmembers)
    check_is_scene(scene)
    _check_method(method, lam, model, options["coverage"])
    _check_library(endmembers, wavelengths, unit)
    options["creation_options"] = dict(options.pop("creation_option"))
    if quicklook is not None:
        quicklook = check_picture(quicklook, overwrite=options["overwrite"], flag="--quicklook")
        check_apart(quicklook, {"the scene": scene, "the output": output})
    with _cluster(scheduler):
        from ..scenes import unmix_file

        if model is not None:
            estimator = load_model(model, allow_pickle=allow_pickle, trusted=trusted)
        else:
            estimator = make_unmixer(
                endmembers, method=method, lam=lam, seed=seed, wavelengths=wavelengths, unit=unit
            )
        path = unmix_file(estimator, scene, output, progress=not quiet, **options)
    if quicklook is None:
        return path
    intervals = options["coverage"] is not None
    draw_maps(path, quicklook, endmember_names(estimator), intervals=intervals)
    return f"{path}\n{quicklook}"


def _scene_output_model(paths, output, model, endmembers):
    """Return the three paths of either form of the command."""
    if len(paths) == 3 and (output, model, endmembers) == (None, None, None):
        model, scene, output = paths
        return scene, output, model
    if len(paths) != 1:
        raise click.UsageError(
            f"Expected SCENE -o OUT with --endmembers or --model, or MODEL SCENE OUT, got "
            f"{len(paths)} paths{_among(output=output, endmembers=endmembers, model=model)}."
        )
    if output is None:
        raise click.UsageError("Expected an output, got none; pass it as -o OUT.")
    if (endmembers is None) == (model is None):
        raise click.UsageError(
            f"Expected exactly one of --endmembers and --model, got "
            f"{'neither' if model is None else 'both'}; pass spectra, or their number, as "
            f"--endmembers, or a fitted model as --model."
        )
    return paths[0], output, model


def _among(**options):
    given = [f"--{name}" for name, value in options.items() if value is not None]
    return f" and {', '.join(given)}" if given else ""


def _check_method(method, lam, model, coverage):
    if model is not None and (method, lam) != (None, None):
        raise click.UsageError(
            f"Expected {'--lam' if method is None else '--method'} with --endmembers, got a model, "
            f"which has its own; drop the option."
        )
    if lam is not None and method != "sunsal":
        raise click.UsageError(
            f"Expected --lam with --method sunsal, got --method {method or 'fcls'}, which has no "
            f"λ; drop --lam, or pass --method sunsal."
        )
    if coverage is not None and method == "mesma":
        raise click.UsageError(
            "Expected --interval with --method fcls, nnls or sunsal, got --method mesma, which has "
            "no intervals; drop --interval, or pass another method."
        )


def _check_library(endmembers, wavelengths, unit):
    if (wavelengths, unit) != (None, None) and (endmembers is None or is_count(endmembers)):
        flag = "--unit" if wavelengths is None else "--wavelengths"
        raise click.UsageError(
            f"Expected {flag} with a file as --endmembers, got none; drop the option."
        )


def _cluster(scheduler):
    """Return a context with a client of the cluster, if an address is given."""
    if scheduler is None:
        return nullcontext()
    return require("distributed", "--scheduler", "dask[distributed]").Client(scheduler)
