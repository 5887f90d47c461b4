"""What a run leaves beside its output until this is complete, so that a killed one can go on.

Abundances are written to a raw file in which each window has its place, and only then does a line
of the journal say so, with a checksum. Whatever a kill cuts off, a window counts as done only if
its line is whole and its values are those that the line tells of. The output itself is made from
the raw file when all windows are done, inside the folder, and moved into place in one step.
"""

import errno
import json
import os
import shutil
import tempfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from .io.sinks import outputs_of

# Of the folder's contents.
VERSION = 1
_STATE, _NEW, _JOURNAL, _VALUES = "job.json", "job.new", "done.jsonl", "values.raw"
_TASK, _LOCK, _MOVED = "task.pickle", "lock", "moved.json"
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
        self.task = self.folder / _TASK

    def was_moved(self, state):
        """Return whether this run's output is in place, as after a kill while clearing up.

        If so, or if it is another run's, what is left of it is cleared away.
        """
        moved = _read_json(self.folder / _MOVED)
        if not moved or _file_identity(self.output) != moved["files"][-1]:
            return False
        self.clear()
        return _difference(moved["state"], state) is None

    def is_own_output(self, path):
        """Return whether a file in place is a part of this run's output, which was cut off."""
        moved = _read_json(self.folder / _MOVED)
        return bool(moved) and _file_identity(path) in moved["files"]

    @contextmanager
    def locked(self):
        """Keep other processes out of the folder, for as long as this one lives.

        Raises
        ------
        BlockingIOError
            If another process is at it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            import fcntl
        except ImportError:  # Windows has no such locks, and removes no file that is open
            yield
            return
        with open(self.folder / _LOCK, "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BlockingIOError(
                    f"Another process is writing {self.output}, in {self.folder}; wait for it, "
                    f"or choose another output."
                ) from error
            yield

    def begin(self, state, shape, dtype, *, resume):
        """Take up what was left, or start anew.

        Parameters
        ----------
        state : dict
            What identifies the run: "scene", "options" and "model", and "max_pixels", which a run
            that goes on takes from the one before.
        shape : tuple of int
            Of the abundances.
        dtype : dtype
        resume : bool

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
        path = self.folder / _STATE
        before = _read_json(path) if resume else None
        if before is not None:
            different = _difference(before, state)
            if different:
                raise ValueError(
                    f"{self.folder} holds an unfinished run with another {different} than this "
                    f"one, so that it cannot go on; pass resume=False to start anew, or choose "
                    f"another output."
                )
            state = before
        self.values = RawAbundances(self.folder / _VALUES, shape, dtype)
        self._check_space(self.values.n_bytes, before is not None)
        if before is None:
            self._clear(keep=(_LOCK,))
            try:
                self.values.allocate()
            except OSError as error:
                raise self._no_space(error) from error
            part = self.folder / _NEW
            part.write_text(json.dumps(state))
            os.replace(part, path)
        self._state = state
        return state["max_pixels"]

    def done(self, windows):
        """Return the windows that are done, as {number: whether a pixel was valid}.

        What the journal says is checked against the values.
        """
        done = {}
        try:
            lines = (self.folder / _JOURNAL).read_bytes().split(b"\n")
        except FileNotFoundError:
            return done
        for line in lines:
            try:
                number, checksum, valid = json.loads(line)
                values = self.values.read(windows[number])
            except (ValueError, TypeError, IndexError, OSError):
                continue  # cut off
            if zlib.crc32(values) == checksum:
                done[number] = valid
        return done

    @contextmanager
    def journal(self):
        """Return a context with a function that writes a window's abundances and notes it."""
        with open(self.folder / _JOURNAL, "ab", buffering=0) as journal:
            if journal.tell():
                journal.write(b"\n")  # should the last line have been cut off

            def note(number, window, abundances, valid):
                abundances = np.ascontiguousarray(abundances, self.values.dtype)
                try:
                    self.values.write(window, abundances)
                    line = json.dumps([number, zlib.crc32(abundances), bool(valid)])
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
            if path.exists() and not overwrite:
                raise exists_already(path)
        try:
            made = write(folder / self.output.name)
            for path in made:
                _sync(path)
        except OSError as error:
            raise self._no_space(error) from error
        moved = {"state": self._state, "files": [_file_identity(path) for path in made]}
        (self.folder / _MOVED).write_text(json.dumps(moved))
        for path in made:
            target = self.output.with_name(path.name)
            if target.is_dir():  # not to be replaced in one step
                os.replace(target, folder / "replaced")
            os.replace(path, target)
        self.clear()

    def clear(self):
        """Remove what the run has left, and nothing else."""
        self._clear()
        with suppress(OSError):  # where there is something in it that is not ours
            self.folder.rmdir()

    def _clear(self, keep=()):
        self._clear_output()
        # the state first: without it nothing else counts; and last what says it is all over
        for name in (_STATE, _JOURNAL, _VALUES, _TASK, _NEW, _LOCK, _MOVED):
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
        with open(self.path, "wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, max(self.n_bytes, 1))
            file.truncate(self.n_bytes)

    def read(self, window):
        """Return the abundances of a window."""
        rows, cols = window
        values = np.empty(
            (rows.stop - rows.start, cols.stop - cols.start, self.shape[2]), self.dtype
        )
        with open(self.path, "rb", buffering=0) as file:
            for into in self._seek(file, window, values):
                if file.readinto(into) != len(into):
                    raise OSError(f"{self.path} ends early")
        return values

    def write(self, window, values):
        """Put the abundances of a window into their place."""
        rows, cols = window
        values = np.ascontiguousarray(values, self.dtype)
        values = values.reshape(rows.stop - rows.start, cols.stop - cols.start, self.shape[2])
        with open(self.path, "r+b", buffering=0) as file:
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


def exists_already(path):
    """Return the error for an output that is there."""
    return FileExistsError(
        f"{path} exists already; pass overwrite=True to replace it when the new one is complete, "
        f"or choose another name."
    )


def _difference(before, ours):
    """Return the first part in which two states differ, or None."""
    for part in ("version", "scene", "options"):
        if before[part] != ours[part]:
            return part
    return None if _same_model(before["model"], ours["model"]) else "model"


def _same_model(before, ours):
    if {**before, "probe": None} != {**ours, "probe": None}:
        return False
    before, ours = np.asarray(before["probe"]), np.asarray(ours["probe"])
    return before.shape == ours.shape and np.allclose(
        before, ours, rtol=1e-6, atol=1e-6, equal_nan=True
    )


def _read_json(path):
    """Return what a file holds, or None if there is none or it was cut off."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def _file_identity(path):
    """Return what stays of a file when it is moved, and of no other; None if there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return [stat.st_dev, stat.st_ino, stat.st_size]


def _sync(path):
    paths = [path] if Path(path).is_file() else [p for p in Path(path).rglob("*") if p.is_file()]
    for path in paths:
        with open(path, "r+b") as file:  # Windows syncs only what may be written
            os.fsync(file.fileno())
