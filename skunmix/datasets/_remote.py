"""Files that are downloaded once, checked and kept in a folder."""

import hashlib
import importlib.util
import os
import time
import warnings
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

from ..utils.optional import require

_TIMEOUT = 30  # seconds without an answer; the whole download may take longer


@dataclass(frozen=True)
class RemoteFile:
    """A file, with the address of its download and the sha256 of its content, in hexadecimal."""

    name: str
    url: str
    sha256: str


def local_file(remote, data_home=None, download_if_missing=True, *, n_retries=3, delay=1.0):
    """Return the path of a file with the expected content; download it if it is missing.

    The parameters are those of `fetch_jasper_ridge`, which also describes the errors.
    """
    path = _data_home(remote, data_home) / remote.name
    found = _sha256(path)
    if found == remote.sha256:
        return path
    if not download_if_missing:
        raise FileNotFoundError(
            f"{_absence(remote, path, found)}, and download_if_missing=False forbids the download; "
            f"pass True, or put the file into that folder."
        )
    return _download(remote, path, n_retries, delay)


def load_descr(name):
    """Return a description from the folder `descr`."""
    return resources.files(__package__).joinpath("descr", name).read_text(encoding="utf-8")


def _data_home(remote, data_home):
    folder = data_home if data_home is not None else os.environ.get("SKUNMIX_DATA")
    if not folder:  # an empty variable counts as not set
        folder = _import_pooch(remote).os_cache("skunmix")
    return Path(folder).expanduser().absolute()


def _sha256(path):
    """Return the hexadecimal digest of a file, or None if there is no such file."""
    if not path.exists():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _absence(remote, path, found):
    if found is None:
        return f"{remote.name} is not in {path.parent}"
    return (
        f"{path} is not the expected file: expected the sha256 {remote.sha256} of {remote.url}, "
        f"got {found}"
    )


def _import_pooch(remote):
    return require(
        "pooch",
        f"Fetching {remote.name}",
        "skunmix[data]",
        "or set SKUNMIX_DATA to a folder that holds the file",
    )


def _download(remote, path, n_retries, delay):
    """Download into a temporary folder beside `path`, check the file, and move it there."""
    download = _import_pooch(remote).HTTPDownloader(
        progressbar=importlib.util.find_spec("tqdm") is not None, timeout=_TIMEOUT
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # no file has the final name before it is complete, so that an interrupted or a parallel
        # download cannot leave a damaged file
        with TemporaryDirectory(prefix=f"{remote.name}.part-", dir=path.parent) as folder:
            part = Path(folder, remote.name)
            _download_checked(download, remote, part, n_retries, delay)
            _set_aside(remote, path)
            os.replace(part, path)
    except OSError as error:  # exceptions of requests are OSErrors, too
        raise OSError(
            f"{_absence(remote, path, _sha256(path))}, and it could not be downloaded from "
            f"{remote.url} ({type(error).__name__}: {error}); try again later, or put the file "
            f"into that folder by hand."
        ) from None  # the message has the reason; the chain behind it has sixty lines
    return path


def _download_checked(download, remote, part, n_retries, delay):
    for tries_left in range(n_retries, -1, -1):
        try:
            download(remote.url, str(part), None)
            found = _sha256(part)
            if found != remote.sha256:
                raise _WrongContent(f"expected the sha256 {remote.sha256}, got {found}")
            return
        except OSError as error:
            if tries_left == 0 or not _may_pass(error):
                raise
            time.sleep(delay)


class _WrongContent(OSError):
    """The download does not have the expected content."""


def _may_pass(error):
    """Return whether another try may help, which it does not if the server has no such file."""
    from requests import RequestException  # a dependency of pooch

    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code >= 500 or response.status_code in (408, 429)
    return isinstance(error, (RequestException, _WrongContent))


def _set_aside(remote, path):
    """Rename a file with other content, which may be the user's own; its hash is the new name."""
    found = _sha256(path)  # check again, as a parallel download may have put the right file there
    if found in (None, remote.sha256):
        return
    kept = path.with_name(f"{path.stem}.{found[:8]}{path.suffix}")
    os.replace(path, kept)
    warnings.warn(
        f"{path} was not the expected file: expected the sha256 {remote.sha256}, got {found}; it "
        f"is now {kept.name}, and {path.name} is the download from {remote.url}.",
        stacklevel=2,
    )
