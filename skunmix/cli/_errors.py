"""Errors in the shell's terms: one sentence, which names flags."""

import re

import click


def in_terms_of_flags(message, command):
    """Return a message in which parameters of Python are named as the flags of a command.

    Parameters
    ----------
    message : str
    command : click.Command
        Whose options are called as the parameters of the function behind it.

    Returns
    -------
    message : str
    """
    for option in command.params:
        if isinstance(option, click.Option):
            flag = max(option.opts, key=len)
            # an option that is repeated is one value of a parameter that takes several
            for parameter in (f"{option.name}s", option.name):
                message = _named(message, parameter, flag, option.is_flag)
    return message


def _named(message, parameter, flag, is_flag):
    """Return a message with the name of a parameter, where it is meant, as a flag."""
    if is_flag:
        value = not flag.startswith("--no-")
        message = message.replace(f"{parameter}={value}", flag)
        return message.replace(f"{parameter}={not value}", f"no {flag}")
    message = re.sub(rf"\b{parameter}=", f"{flag} ", message)
    if "_" in parameter:
        return re.sub(rf"\b{parameter}\b", flag, message)
    # a name that is a word, too
    return re.sub(rf"(?:^|(?<=\bas )|(?<=\bpass )|(?<=\bcheck )){parameter}\b", flag, message)


def sentence(error):
    """Return what an exception says."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    return str(error) or type(error).__name__
