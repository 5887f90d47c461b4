"""The command line: ``skunmix unmix MODEL SCENE OUT``."""

import argparse
import sys

from . import __version__


def main(argv=None):
    """Run a command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        0, or 1 after an error, of which one sentence is printed.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
        return 130
    except Exception as error:
        if arguments.traceback:
            raise
        print(f"skunmix: {_sentence(error)}", file=sys.stderr)
        return 1


def load_model(path):
    """Load a fitted estimator or pipeline from a file that joblib or pickle wrote.

    Like every pickle such a file can run any code: load only what you trust.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    estimator : object

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds something else.
    """
    import joblib

    expected = "expected a fitted estimator or pipeline saved by joblib.dump(model, path)"
    try:
        model = joblib.load(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no model at {path}; {expected}.") from None
    except Exception as error:  # bytes that are no pickle raise all kinds
        raise ValueError(
            f"{path} could not be loaded as a model ({type(error).__name__}: {error}); {expected}, "
            f"by the same versions of the libraries."
        ) from error
    if not callable(getattr(model, "predict", None)):
        raise ValueError(f"{path} holds a {type(model).__name__} without `predict`; {expected}.")
    return model


def _unmix(arguments):
    from .scenes import unmix_file

    if arguments.scheduler is not None:
        from .utils import require

        distributed = require("distributed", "--scheduler", "dask[distributed]")
        client = distributed.Client(arguments.scheduler)  # stays in force from here on
    else:
        client = None
    try:
        path = unmix_file(
            load_model(arguments.model),
            arguments.scene,
            arguments.out,
            band_dim=arguments.band_dim,
            variable=arguments.variable,
            mask=arguments.mask,
            nodata=arguments.nodata,
            scale_factor=arguments.scale_factor,
            add_offset=arguments.add_offset,
            n_jobs=arguments.n_jobs,
            working_memory=arguments.working_memory,
            resume=arguments.resume,
            overwrite=arguments.overwrite,
            progress=not arguments.quiet,
            creation_options=dict(arguments.creation_option),
        )
    finally:
        if client is not None:
            client.close()
    if not arguments.quiet:
        print(path)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="skunmix", description="Hyperspectral unmixing in scikit-learn."
    )
    parser.add_argument("--version", action="version", version=f"skunmix {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    unmix = commands.add_parser(
        "unmix",
        help="unmix a scene into maps of abundances",
        description="Unmix a scene on disk, window by window, into abundances in the same grid. "
        "Interrupted, the same command goes on where it was; nothing appears under the name of "
        "the output before it is complete.",
    )
    add = unmix.add_argument
    add("model", metavar="MODEL", help="a fitted estimator or pipeline, saved by joblib.dump")
    add(
        "scene",
        metavar="SCENE",
        help="ENVI, GeoTIFF, …, netCDF (.nc), Zarr (.zarr) or NumPy (.npy)",
    )
    add("out", metavar="OUT", help="GeoTIFF (.tif), ENVI (.hdr), netCDF, Zarr or NumPy, by suffix")
    add("--band-dim", default="band", help="dimension of the bands in netCDF and Zarr")
    add("--variable", help="variable of netCDF and Zarr, where several have bands")
    add("--mask", metavar="FILE", help="raster of the same grid, not 0 where a pixel is left out")
    add("--nodata", type=float, nargs="+", metavar="VALUE", help="in place of what the scene says")
    add(
        "--scale-factor",
        type=float,
        help="spectra are stored · factor + offset; in place of the scene's",
    )
    add("--add-offset", type=float)
    add("-j", "--n-jobs", type=int, default=None, help="processes; -1 means all processors")
    add(
        "--scheduler", metavar="ADDRESS", help="let the workers of a dask.distributed cluster do it"
    )
    add("--working-memory", type=float, default=256, metavar="MIB", help="for windows under way")
    add("--no-resume", dest="resume", action="store_false", help="start anew")
    add("--overwrite", action="store_true", help="replace OUT, when the new one is complete")
    add(
        "--creation-option",
        type=_key_and_value,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for the writer, such as compress=deflate",
    )
    add("-q", "--quiet", action="store_true", help="print nothing but errors")
    add("--traceback", action="store_true", help="print errors in full")
    unmix.set_defaults(run=_unmix)
    return parser


def _key_and_value(text):
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"expected KEY=VALUE, got {text!r}")
    return key, value


def _sentence(error):
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    return str(error) or type(error).__name__
