"""Files that a command writes: checked before the work starts, and complete or absent."""

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path


def check_writable(path, *, overwrite, what):
    """Check that a file can be written, before the work for it starts.

    Parameters
    ----------
    path : str or path-like
    overwrite : bool
        Whether it may exist.
    what : str
        Description of the file, for error messages.

    Returns
    -------
    path : pathlib.Path
        The absolute path.

    Raises
    ------
    FileExistsError
        If it exists, and `overwrite` is False.
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder.
    PermissionError
        If its folder cannot be written to.
    """
    path = Path(path).absolute()
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, expected a file for {what}; add a name.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent} for {path.name}; create it.")
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} exists already; pass overwrite=True to replace it, or choose another name for "
            f"{what}."
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(
            f"The folder {path.parent} cannot be written to, expected a place for {path.name}; "
            f"choose another folder, or change its permissions."
        )
    return path


def check_apart(path, others):
    """Check that an output is none of the files that a command reads or writes.

    Parameters
    ----------
    path : path-like
    others : dict of {str: path-like or None}
        Other files, by description.

    Raises
    ------
    ValueError
        If it is one of them.
    """
    for what, other in others.items():
        if other is not None and Path(path).resolve() == Path(other).resolve():
            raise ValueError(
                f"{path} is {what} too, so that writing would destroy it; choose another name."
            )


@contextmanager
def replacing(*paths):
    """Return a context with temporary files that replace the given ones if no error is raised.

    Parameters
    ----------
    *paths : pathlib.Path
        Files of one folder. The last is the one that others look for, and appears last.

    Yields
    ------
    temporary : list of pathlib.Path
        With the names of the given files, in a temporary folder beside them.
    """
    with tempfile.TemporaryDirectory(dir=paths[0].parent, prefix=f".{paths[0].name}.") as folder:
        temporary = [Path(folder, path.name) for path in paths]
        yield temporary
        for source, path in zip(temporary, paths):
            source.replace(path)
