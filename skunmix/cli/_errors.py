"""Errors and warnings of the command line: one sentence each, which names flags."""

import logging
import re
import warnings
from contextlib import contextmanager
from functools import wraps

import click


def in_one_sentence(function):
    """Add --quiet and --traceback to a command, and print its errors and warnings as sentences.

    The command takes `quiet`, and returns what to print unless it is quiet.
    """

    @click.option("-q", "--quiet", is_flag=True, help="Print errors and warnings only.")
    @click.option("--traceback", is_flag=True, help="Print errors with their traceback.")
    @wraps(function)
    def run(*args, quiet, traceback, **kwargs):
        command = click.get_current_context().command

        shown = set()

        def show(message, category, *args, **kwargs):
            if category.__name__ == "NotGeoreferencedWarning":
                return  # the maps of such a scene have no georeference either
            text = in_terms_of_flags(sentence(message), command)
            # the sample and the scene may give the same warning with other numbers
            kind = re.sub(r"[\d.]+", "", text)
            if kind not in shown:
                click.echo(f"Warning: {text}", err=True)
            shown.add(kind)

        try:
            with warnings.catch_warnings(), _progress_on_stderr(quiet):
                warnings.showwarning = show
                result = function(*args, quiet=quiet, **kwargs)
        except click.ClickException:
            raise
        except Exception as error:
            if traceback:
                raise
            raise click.ClickException(in_terms_of_flags(sentence(error), command)) from error
        if not quiet:
            click.echo(result)

    return run


@contextmanager
def _progress_on_stderr(quiet):
    """Return a context in which what scenes report of units and bands is printed, a line each."""
    logger = logging.getLogger("skunmix.scenes")
    handler = logging.Handler(logging.INFO)
    handler.emit = lambda record: click.echo(record.getMessage(), err=True)
    level = logger.level
    if not quiet:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def in_terms_of_flags(message, command):
    """Return a message with the flags of a click command in place of the parameters of Python."""
    for option in command.params:
        if isinstance(option, click.Option):
            flag = max(option.opts, key=len)
            # a repeated option holds one value of a parameter, such as creation_options
            for parameter in (f"{option.name}s", option.name):
                message = _named(message, parameter, flag, option.is_flag)
    return message


def _named(message, parameter, flag, is_flag):
    """Return a message with a flag in place of the name of a parameter."""
    if is_flag:
        value = not flag.startswith("--no-")
        message = message.replace(f"{parameter}={value}", flag)
        return message.replace(f"{parameter}={not value}", f"no {flag}")
    message = re.sub(rf"\b{parameter}=", f"{flag} ", message)
    if "_" in parameter:
        return re.sub(rf"\b{parameter}\b", flag, message)
    # a name that is also a word, such as mask
    verbs = r"(?<=\bas )|(?<=\bpass )|(?<=\bcheck )|(?<=\blower )"
    return re.sub(rf"(?:^|{verbs}){parameter}\b", flag, message)


def sentence(error):
    """Return the message of an exception."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    return str(error) or type(error).__name__
