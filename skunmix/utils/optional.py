"""Optional libraries, imported where they are used."""

from importlib import import_module


def require(name, purpose, install=None, otherwise=None):
    """Import an optional library.

    Parameters
    ----------
    name : str
        Name of the module.
    purpose : str
        What needs the library, as the subject of a sentence.
    install : str, default=None
        What to install. None is the extra for scenes.
    otherwise : str, default=None
        An alternative, as the end of the error message.

    Returns
    -------
    module : module

    Raises
    ------
    ImportError
        If it is not installed. The message says what needs it and how to install it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {name.split('.')[0]}, which is not installed; "
            f"`pip install {install or 'skunmix[scenes]'}`{f' {otherwise}' if otherwise else ''}."
        ) from error


def require_pyplot(purpose):
    """Import `matplotlib.pyplot`, as `require` does."""
    return require("matplotlib.pyplot", purpose, "skunmix[plot]")
