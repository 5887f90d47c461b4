"""Error messages of the command line, which name flags."""

import re

import click


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
    return re.sub(rf"(?:^|(?<=\bas )|(?<=\bpass )|(?<=\bcheck )){parameter}\b", flag, message)


def sentence(error):
    """Return the message of an exception."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror if error.filename is None else f"{error.strerror}: {error.filename}"
    return str(error) or type(error).__name__
