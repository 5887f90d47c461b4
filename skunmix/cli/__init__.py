"""The command line, ``skunmix``, with one module per command."""

import sys

import click

from .. import __version__
from ._endmembers import endmembers
from ._info import info
from ._train import train
from ._unmix import unmix

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skunmix", message="%(prog)s %(version)s")
def commands():
    """Hyperspectral unmixing in scikit-learn."""


for command in (info, endmembers, unmix, train):
    commands.add_command(command)


def main(argv=None):
    """Run a command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments. None takes those of the process.

    Returns
    -------
    status : int
        0, 1 after an error, which is printed in one sentence, 2 after a wrong call, or 130 after an
        interruption.
    """
    try:
        return commands.main(argv, prog_name="skunmix", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("Interrupted; run the same command again to resume.", file=sys.stderr)
        return 130
