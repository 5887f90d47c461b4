"""Libraries that not everyone needs, imported where they are used."""

from importlib import import_module


def require(name, purpose, install=None):
    """Import a library, or say in one sentence who needs it and how to get it.

    Parameters
    ----------
    name : str
        Of the module.
    purpose : str
        What needs it, as the start of a sentence.
    install : str, default=None
        What to install, where it is not all that scenes may need.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {name.split('.')[0]}, which is not installed; "
            f"`pip install {install or 'skunmix[scenes]'}`."
        ) from error
