"""What a run leaves beside its output until this is complete, so that a killed one can go on.

Abundances are written to a raw file in which each window has its place, and only then does a line
of the journal say so, with a checksum. Whatever a kill cuts off, a window counts as done only if
its line is whole and its values are those that the line tells of. The output itself is made from
the raw file when all windows are done, inside the folder, and moved into place in one step. A file
beside the folder says so first, and goes last, so that a kill at the very end is seen, too.

The folder is for its owner alone: what it holds is trusted by the run that goes on.
"""

import errno
import json
import os
import pickle
import shutil
import tempfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_ISDIR

import numpy as np
from joblib import wrap_non_picklable_objects

from ._identity import same_model
from .io.sinks import outputs_of
from .io.windows import bounds_of

# Of the folder's contents.
VERSION = 2
_STATE, _NEW, _JOURNAL, _VALUES = "job.json", "job.new", "done.jsonl", "values.raw"
_TASK, _LOCK, _MODEL = "task.pickle", "lock", "model.pickle"
_OUTPUT = "output-"  # begins the name of the folder in which the output is made


class Checkpoint:
    """The folder of a run in progress.

    Parameters
    ----------
    output : pathlib.Path
        What the run is to make; the folder is beside it, of the same name and ``.part``.
    """

    def __init__(self, output):
        self.output = output
        self.folder = output.with_name(output.name + ".part")
        self.moved = output.with_name(output.name + ".part.moved")
        self.task = self.folder / _TASK

    def was_moved(self, state):
        """Return whether this run's output is in place, as after a kill while clearing up.

        If so, or if it is another run's, what is left of it is cleared away.
        """
        moved = _read_json(self.moved)
        if not moved or _file_identity(self.output) != moved["files"][-1]:
            return False
        self.clear()
        return difference(moved["state"], state) is None

    def is_own_output(self, path):
        """Return whether a file in place is a part of this run's output, which was cut off."""
        moved = _read_json(self.moved)
        return bool(moved) and _file_identity(path) in moved["files"]

    @contextmanager
    def locked(self):
        """Keep other processes out of the folder, for as long as this one lives.

        Raises
        ------
        BlockingIOError
            If another process is at it.
        PermissionError
            If the folder is not this user's alone.
        """
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700)
        check_private(self.folder)
        try:
            import fcntl
        except ImportError:  # Windows has no such locks, and removes no file that is open
            yield
            return
        with open_private(self.folder / _LOCK, "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BlockingIOError(
                    f"Another process is writing {self.output}, in {self.folder}; wait for it, "
                    f"or choose another output."
                ) from error
            yield

    def fitted_model(self, state):
        """Return the model that an interrupted run has fitted to its scene, or None.

        Parameters
        ----------
        state : dict
            As for `begin`.

        Raises
        ------
        ValueError
            If what was left is another run's.
        PermissionError
            If the folder is not this user's alone.
        """
        if not os.path.lexists(self.folder):
            return None
        check_private(self.folder)  # a pickle can run any code
        if self._left(state) is None:
            return None
        try:
            with open_private(self.folder / _MODEL, "rb") as file:
                return pickle.load(file)
        except FileNotFoundError:
            return None

    def begin(self, state, shape, dtype, *, resume, model=None):
        """Take up what was left, or start anew.

        Parameters
        ----------
        state : dict
            What identifies the run: "scene", "options" and "model", and "max_pixels", whose value
            of the run before is taken by one that goes on, as it is what windows were cut by.
        shape : tuple of int
            Of the abundances.
        dtype : dtype
        resume : bool
        model : estimator, default=None
            To keep for a run that goes on, where it was fitted to the scene.

        Returns
        -------
        max_pixels : int
            Most pixels of a window.

        Raises
        ------
        ValueError
            If what was left is another run's.
        OSError
            If there is too little space on the disk.
        """
        before = self._left(state) if resume else None
        if before is not None:
            state = before
        self.values = RawAbundances(self.folder / _VALUES, shape, dtype)
        self._check_space(self.values.n_bytes, before is not None)
        if before is None:
            self._clear(keep=(_LOCK,))
            try:
                self.values.allocate()
            except OSError as error:
                raise self._no_space(error) from error
            if model is not None:
                # so that an estimator of a class that is defined in a script is understood, too
                wrapped = wrap_non_picklable_objects(model, keep_wrapper=False)
                with open_private(self.folder / _MODEL, "wb") as file:
                    pickle.dump(wrapped, file)
            part = self.folder / _NEW
            with open_private(part, "w") as file:
                file.write(json.dumps(state))
            os.replace(part, self.folder / _STATE)
        self._state = state
        return state["max_pixels"]

    def _left(self, state):
        """Return the state of the run that was left, or None.

        Raises
        ------
        ValueError
            If it is another run.
        """
        before = _read_json(self.folder / _STATE)
        different = None if before is None else difference(before, state)
        if different:
            raise ValueError(
                f"{self.folder} holds an unfinished run with another {different} than this "
                f"one, so that it cannot go on; pass resume=False to start anew, or choose "
                f"another output."
            )
        return before

    def done(self):
        """Return the bounds of the windows that are done, as {bounds: whether a pixel was valid}.

        What the journal says is checked against the values.
        """
        done = {}
        try:
            with open_private(self.folder / _JOURNAL, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return done
        for line in lines:
            try:
                bounds, checksum, valid = json.loads(line)
                window = _window(bounds, self.values.shape)
                values = self.values.read(window)
            except (ValueError, TypeError, IndexError, OSError):
                continue  # cut off
            if zlib.crc32(values) == checksum:
                done[bounds_of(window)] = valid
        return done

    @contextmanager
    def journal(self):
        """Return a context with a function that writes a window's abundances and notes it."""
        with open_private(self.folder / _JOURNAL, "ab", buffering=0) as journal:
            if journal.tell():
                journal.write(b"\n")  # should the last line have been cut off

            def note(window, abundances, valid):
                abundances = np.ascontiguousarray(abundances, self.values.dtype)
                try:
                    self.values.write(window, abundances)
                    line = json.dumps([bounds_of(window), zlib.crc32(abundances), bool(valid)])
                    journal.write(line.encode() + b"\n")
                except OSError as error:
                    raise self._no_space(error) from error

            yield note

    def finish(self, write, *, overwrite):
        """Make the output, move it into place, and clear up.

        Parameters
        ----------
        write : callable
            Called with where to write it, in a folder of its own. Returns the files to be moved,
            the one that makes the output look finished last.
        overwrite : bool
            Whether another output may be in place.
        """
        self._clear_output()
        # of another name than before: a writer's threads may outlive what stopped it
        folder = Path(tempfile.mkdtemp(prefix=_OUTPUT, dir=self.folder))
        for path in outputs_of(self.output):
            if self.is_own_output(path):
                path.unlink()  # killed between the files of one output
            check_replaceable(path, overwrite)
        try:
            made = write(folder / self.output.name)
            for path in made:
                _sync(path)
        except OSError as error:
            raise self._no_space(error) from error
        moved = {"state": self._state, "files": [_file_identity(path) for path in made]}
        part = folder / self.moved.name
        with open_private(part, "w") as file:
            file.write(json.dumps(moved))
        os.replace(part, self.moved)
        for path in made:
            target = self.output.with_name(path.name)
            if target.is_dir() and not target.is_symlink():  # not to be replaced in one step
                os.replace(target, folder / "replaced")
            os.replace(path, target)
        self.clear()

    def clear(self):
        """Remove what the run has left, and nothing else."""
        if self.folder.is_dir() and not self.folder.is_symlink():
            self._clear()
        with suppress(OSError):  # where there is something in it that is not ours
            self.folder.rmdir()
        self.moved.unlink(missing_ok=True)  # last: it says that all is over

    def _clear(self, keep=()):
        self._clear_output()
        # the state first: without it nothing else counts
        for name in (_STATE, _JOURNAL, _VALUES, _TASK, _MODEL, _NEW, _LOCK):
            if name not in keep:
                (self.folder / name).unlink(missing_ok=True)

    def _clear_output(self):
        for folder in self.folder.glob(f"{_OUTPUT}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _check_space(self, n_bytes, begun):
        needed = n_bytes * (1 if begun else 2)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise OSError(
                errno.ENOSPC,
                f"{self.output} needs about {needed / 1e9:.3g} GB while it is made, but "
                f"{free / 1e9:.3g} GB are free on its disk; make room or write elsewhere",
            )

    def _no_space(self, error):
        message = (
            f"{self.output} could not be written ({error}); nothing was put in its place, and what "
            f"is done is kept in {self.folder}: make room and call again to go on"
        )
        return OSError(message) if error.errno is None else OSError(error.errno, message)


class RawAbundances:
    """Abundances (rows, cols, n_endmembers) in a file of nothing but their values.

    Parameters
    ----------
    path : pathlib.Path
    shape : tuple of int
    dtype : dtype
    """

    def __init__(self, path, shape, dtype):
        self.path, self.shape, self.dtype = path, tuple(shape), np.dtype(dtype)
        self.ndim = len(self.shape)
        self.n_bytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def allocate(self):
        """Make the file, and have the system set the space aside."""
        with open_private(self.path, "wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, max(self.n_bytes, 1))
            file.truncate(self.n_bytes)

    def read(self, window):
        """Return the abundances of a window."""
        rows, cols = window
        values = np.empty(
            (rows.stop - rows.start, cols.stop - cols.start, self.shape[2]), self.dtype
        )
        with open_private(self.path, "rb", buffering=0) as file:
            for into in self._seek(file, window, values):
                if file.readinto(into) != len(into):
                    raise OSError(f"{self.path} ends early")
        return values

    def write(self, window, values):
        """Put the abundances of a window into their place."""
        rows, cols = window
        values = np.ascontiguousarray(values, self.dtype)
        values = values.reshape(rows.stop - rows.start, cols.stop - cols.start, self.shape[2])
        with open_private(self.path, "r+b", buffering=0) as file:
            for piece in self._seek(file, window, values):
                while len(piece):
                    piece = piece[file.write(piece) :]

    def _seek(self, file, window, values):
        """Yield the bytes of a window's runs, the file standing where they belong."""
        rows, cols = window
        n_cols, n_endmembers = self.shape[1:]
        pixel = n_endmembers * self.dtype.itemsize
        whole = cols.stop - cols.start == n_cols
        for i, line in enumerate([values] if whole else values):
            file.seek(((rows.start + i) * n_cols + cols.start) * pixel)
            yield memoryview(line.reshape(-1).view(np.uint8))

    def __getitem__(self, key):
        """Read as an array is indexed, which is all that dask asks for."""
        rows, cols, endmembers = key
        window = (slice(*rows.indices(self.shape[0])), slice(*cols.indices(self.shape[1])))
        return self.read(window)[:, :, endmembers]


def check_replaceable(path, overwrite):
    """Check that an output may be put at a path.

    Raises
    ------
    FileExistsError
        If something is there, and may not be overwritten.
    IsADirectoryError
        If a directory is there that is no Zarr store.
    """
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists already; pass overwrite=True to replace it when the new one is "
            f"complete, or choose another name."
        )
    is_store = any((path / name).is_file() for name in (".zgroup", "zarr.json", ".zattrs"))
    if path.is_dir() and not path.is_symlink() and not is_store:
        raise IsADirectoryError(
            f"{path} is a directory and no Zarr store, expected an output to replace; remove it "
            f"yourself, or choose another name."
        )


def check_private(folder):
    """Check that a folder is one, of this user, into which nobody else may write.

    Raises
    ------
    NotADirectoryError, PermissionError
        If it is not.
    """
    stat = os.lstat(folder)
    if not S_ISDIR(stat.st_mode):
        raise NotADirectoryError(
            f"{folder} is not a folder, but a run keeps there what it has done; remove it, or "
            f"choose another output."
        )
    if not hasattr(os, "geteuid"):  # nothing of the kind here
        return
    if stat.st_uid != os.geteuid() or stat.st_mode & 0o022:
        whose = "belongs to another user" if stat.st_uid != os.geteuid() else "others may write to"
        raise PermissionError(
            f"{folder} {whose}, expected a folder of your own that only you may write to, since a "
            f"run trusts what it holds; remove it, or choose another output."
        )


def open_private(path, mode, buffering=-1):
    """Open a file for this user alone, unless it is a symbolic link."""

    def opener(path, flags):
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)

    return open(path, mode, buffering=buffering, opener=opener)


def difference(before, ours):
    """Return the first part in which two states differ, or None."""
    for part in ("version", "scene", "options"):
        if before.get(part) != ours[part]:
            return part
    return None if same_model(before["model"], ours["model"]) else "model"


def _window(bounds, shape):
    """Return slices of bounds that lie in an image.

    Raises
    ------
    ValueError
        If they do not.
    """
    (top, bottom), (left, right) = bounds
    if not (0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]):
        raise ValueError(f"{bounds} is no window of an image of {shape}")
    return slice(top, bottom), slice(left, right)


def _read_json(path):
    """Return what a file holds, or None if there is none or it was cut off."""
    try:
        with open_private(path, "r") as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None


def _file_identity(path):
    """Return what stays of a file when it is moved, and of no other; None if there is none."""
    try:
        stat = os.lstat(path)
    except OSError:
        return None
    return [stat.st_dev, stat.st_ino, stat.st_size]


def _sync(path):
    paths = [path] if Path(path).is_file() else [p for p in Path(path).rglob("*") if p.is_file()]
    for path in paths:
        with open(path, "r+b") as file:  # Windows syncs only what may be written
            os.fsync(file.fileno())
