"""The folder of an unfinished run, from which the next call resumes.

The abundances of each window are written to their place in a raw file. Only then is a line with a
checksum added to the journal, so that a window counts as done only if its line is complete and its
values have this checksum, whenever the run was killed. When all windows are done, the output is
written inside the folder, and moved into place in one step. A file beside the folder records this
move before it happens, and is removed last.

Only its owner may write to the folder, because a run trusts its contents.
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

# Version of the folder's contents.
VERSION = 3
_STATE, _NEW, _JOURNAL, _VALUES = "job.json", "job.new", "done.jsonl", "values.raw"
_TASK, _LOCK, _MODEL = "task.pickle", "lock", "model.pickle"
_OUTPUT = "output-"  # prefix of the folder in which the output is written


class Checkpoint:
    """The folder of an unfinished run: the path of its output, with ``.part`` appended."""

    def __init__(self, output):
        self.output = output
        self.folder = output.with_name(output.name + ".part")
        self.moved = output.with_name(output.name + ".part.moved")
        self.task = self.folder / _TASK

    def was_moved(self, state):
        """Return whether this run's output is in place, but the folder was not removed yet.

        The rest of that run, or of another run that ended so, is removed.
        """
        moved = _read_json(self.moved)
        if not moved or _file_identity(self.output) != moved["files"][-1]:
            return False
        self.clear()
        return difference(moved["state"], state) is None

    def is_own_output(self, path):
        """Return whether a file in place is a part of this run's output."""
        moved = _read_json(self.moved)
        return bool(moved) and _file_identity(path) in moved["files"]

    @contextmanager
    def locked(self):
        """Return a context that locks the folder for this process.

        Raises
        ------
        BlockingIOError
            If another process has locked it.
        PermissionError
            If another user may write to the folder.
        """
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700)
        check_private(self.folder)
        try:
            import fcntl
        except ImportError:  # Windows, which has no such locks, but removes no open file
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
            If the folder holds another run.
        PermissionError
            If others may write to the folder.
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
        """Resume the run, or start it.

        Parameters
        ----------
        state : dict
            Identity of the run ("scene", "options", "model"), and "max_pixels", which cuts the
            windows. A resumed run keeps its earlier value.
        shape : tuple of int
            Shape of the abundances.
        dtype : dtype
        resume : bool
        model : estimator, default=None
            Model that was fitted to the scene, to keep for a resumed run.

        Returns
        -------
        max_pixels : int
            Largest number of pixels of a window.

        Raises
        ------
        ValueError
            If the folder holds another run.
        OSError
            If the disk has too little space.
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
            _write_json(self.folder / _STATE, state, self.folder / _NEW)
        self._state = state
        return state["max_pixels"]

    def _left(self, state):
        """Return the state of the run that was left, or None.

        Raises
        ------
        ValueError
            If the folder holds another run.
        """
        before = _read_json(self.folder / _STATE)
        different = None if before is None else difference(before, state)
        if different:
            raise ValueError(
                f"{self.folder} holds an unfinished run with another {different} than this "
                f"one, so that it cannot be resumed; pass resume=False to start again, or "
                f"choose another output."
            )
        return before

    def done(self):
        """Return the bounds of the windows that are done, as {bounds: whether a pixel was valid}.

        Checksums in the journal are compared with the values.
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
                continue  # an incomplete line
            if zlib.crc32(values) == checksum:
                done[bounds_of(window)] = valid
        return done

    @contextmanager
    def journal(self):
        """Return a context with a function that writes and records a window's abundances."""
        with open_private(self.folder / _JOURNAL, "ab", buffering=0) as journal:
            if journal.tell():
                journal.write(b"\n")  # the last line may be incomplete

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
        """Write the output, move it into place, and remove the folder.

        Parameters
        ----------
        write : callable
            Writes the output to a path in an empty folder, and returns the files to be moved. The
            last of them makes the output appear complete.
        overwrite : bool
            Whether an existing output may be replaced.
        """
        self._clear_output()
        # a new name, because threads of an interrupted writer may still be running
        folder = Path(tempfile.mkdtemp(prefix=_OUTPUT, dir=self.folder))
        for path in outputs_of(self.output):
            if self.is_own_output(path):
                path.unlink()  # killed while moving the files of one output
            check_replaceable(path, overwrite)
        try:
            made = write(folder / self.output.name)
            for path in made:
                _sync(path)
        except OSError as error:
            raise self._no_space(error) from error
        moved = {"state": self._state, "files": [_file_identity(path) for path in made]}
        _write_json(self.moved, moved, folder / self.moved.name)
        for path in made:
            target = self.output.with_name(path.name)
            if target.is_dir() and not target.is_symlink():  # os.replace cannot replace it
                os.replace(target, folder / "replaced")
            os.replace(path, target)
        self.clear()

    def clear(self):
        """Remove the files of the run, and nothing else."""
        if self.folder.is_dir() and not self.folder.is_symlink():
            self._clear()
        with suppress(OSError):  # other files in it
            self.folder.rmdir()
        self.moved.unlink(missing_ok=True)  # last, because it marks the end

    def _clear(self, keep=()):
        self._clear_output()
        # the state first, because the rest is ignored without it
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
                f"{self.output} needs about {needed / 1e9:.3g} GB while it is written, but "
                f"{free / 1e9:.3g} GB are free on its disk; free space, or choose another disk",
            )

    def _no_space(self, error):
        message = (
            f"{self.output} could not be written ({error}), and was not changed; {self.folder} "
            f"keeps the windows that are done: free space, and call again to resume"
        )
        return OSError(message) if error.errno is None else OSError(error.errno, message)


class RawAbundances:
    """Abundances (rows, cols, n_endmembers) in a file that holds only their values."""

    def __init__(self, path, shape, dtype):
        self.path, self.shape, self.dtype = path, tuple(shape), np.dtype(dtype)
        self.ndim = len(self.shape)
        self.n_bytes = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def allocate(self):
        """Create the file, and reserve its space on the disk."""
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
                    raise OSError(f"{self.path} is truncated")
        return values

    def write(self, window, values):
        """Write the abundances of a window to their place."""
        rows, cols = window
        values = np.ascontiguousarray(values, self.dtype)
        values = values.reshape(rows.stop - rows.start, cols.stop - cols.start, self.shape[2])
        with open_private(self.path, "r+b", buffering=0) as file:
            for piece in self._seek(file, window, values):
                while len(piece):
                    piece = piece[file.write(piece) :]

    def _seek(self, file, window, values):
        """Yield the bytes of a window's contiguous parts, after seeking to each of them."""
        rows, cols = window
        n_cols, n_endmembers = self.shape[1:]
        pixel = n_endmembers * self.dtype.itemsize
        whole = cols.stop - cols.start == n_cols
        for i, line in enumerate([values] if whole else values):
            file.seek(((rows.start + i) * n_cols + cols.start) * pixel)
            yield memoryview(line.reshape(-1).view(np.uint8))

    def __getitem__(self, key):
        """Return a slice of the abundances, for dask."""
        rows, cols, endmembers = key
        window = (slice(*rows.indices(self.shape[0])), slice(*cols.indices(self.shape[1])))
        return self.read(window)[:, :, endmembers]


def check_replaceable(path, overwrite):
    """Check that an output may be written to a path.

    Raises
    ------
    FileExistsError
        If the path exists and may not be overwritten.
    IsADirectoryError
        If it is a directory, but not a Zarr store.
    """
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists already; pass overwrite=True to replace it when the new file is "
            f"complete, or choose another name."
        )
    is_store = any((path / name).is_file() for name in (".zgroup", "zarr.json", ".zattrs"))
    if path.is_dir() and not path.is_symlink() and not is_store:
        raise IsADirectoryError(
            f"{path} is a directory but not a Zarr store, expected an output to replace; remove "
            f"it yourself, or choose another name."
        )


def check_private(folder):
    """Check that a path is a folder of this user, to which nobody else may write.

    Raises
    ------
    NotADirectoryError, PermissionError
        If it is not.
    """
    stat = os.lstat(folder)
    if not S_ISDIR(stat.st_mode):
        raise NotADirectoryError(
            f"Expected a folder at {folder} for the unfinished run, got a file or link; remove it, "
            f"or choose another output."
        )
    if not hasattr(os, "geteuid"):  # Windows
        return
    is_own = stat.st_uid == os.geteuid()
    if not is_own or stat.st_mode & 0o022:
        problem = "is writable by others" if is_own else "belongs to another user"
        raise PermissionError(
            f"{folder} {problem}, expected a folder that only you may write to, because a run "
            f"trusts its contents; remove it, or choose another output."
        )


def open_private(path, mode, buffering=-1):
    """Open a file that only this user may read or write, unless it is a symbolic link."""

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
    """Return bounds as slices, or raise ValueError if they are not inside the image."""
    (top, bottom), (left, right) = bounds
    if not (0 <= top < bottom <= shape[0] and 0 <= left < right <= shape[1]):
        raise ValueError(f"{bounds} are not the bounds of a window of an image of {shape}")
    return slice(top, bottom), slice(left, right)


def _read_json(path):
    """Return the contents of a file, or None if it does not exist or is incomplete."""
    try:
        with open_private(path, "r") as file:
            return json.loads(file.read())
    except (OSError, ValueError):
        return None


def _write_json(path, content, part):
    """Write a file in one step, by way of a partial file."""
    with open_private(part, "w") as file:
        file.write(json.dumps(content))
    os.replace(part, path)


def _file_identity(path):
    """Return what identifies a file, also after it was moved, or None if it does not exist."""
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
