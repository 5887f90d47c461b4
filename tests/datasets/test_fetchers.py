import hashlib
import os
import shutil
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat
from sklearn.metrics.pairwise import cosine_similarity

from skunmix.datasets import (
    _fetchers,
    _remote,
    fetch_jasper_ridge,
    fetch_urban,
    fetch_usgs_library,
    make_scene,
)
from skunmix.datasets._remote import RemoteFile, local_file

CONTENT = bytes(range(256)) * 200
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers each request by the next of `answers`, the last one for ever."""

    def __init__(self, answers):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.n_requests = 0

    def remote(self):
        return RemoteFile("file.mat", f"http://127.0.0.1:{self.server_port}/some/path", SHA256)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = self.server.answers[min(self.server.n_requests, len(self.server.answers) - 1)]
        self.server.n_requests += 1
        if isinstance(answer, int):
            self.send_error(answer)
            return
        body, announced = answer
        self.send_response(200)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


WHOLE = (CONTENT, len(CONTENT))
CUT_OFF = (CONTENT[:5000], len(CONTENT))
OTHER = (b"other", 5)


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        servers.append(Server(answers))
        threading.Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _no_settings(request, monkeypatch, tmp_path):
    """Keep the tests that serve themselves out of the user's data home, and off any proxy."""
    if {"jasper", "usgs"} & set(request.fixturenames):
        return
    monkeypatch.delenv("SKUNMIX_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)


@pytest.fixture
def without_pooch(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)  # so that importing it fails


def content_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- the file


def test_downloads_once(serve, tmp_path):
    server = serve(WHOLE)
    home = tmp_path / "new" / "home"
    for _ in range(2):
        path = local_file(server.remote(), home)
        assert path == home / "file.mat"
        assert content_of(home) == {"file.mat": CONTENT}
    assert server.n_requests == 1


@pytest.mark.parametrize("with_tqdm", [True, False])
def test_progress_bar_if_there_is_tqdm(serve, tmp_path, capfd, monkeypatch, with_tqdm):
    pytest.importorskip("tqdm")
    if not with_tqdm:
        monkeypatch.setattr(_remote.importlib.util, "find_spec", lambda name: None)
    local_file(serve(WHOLE).remote(), tmp_path)
    assert ("100%" in capfd.readouterr().err) == with_tqdm


def test_where_the_file_is_looked_for(serve, tmp_path, monkeypatch):
    remote = serve(WHOLE).remote()
    given, named = tmp_path / "given", tmp_path / "named"
    assert local_file(remote) == tmp_path / "cache" / "skunmix" / "file.mat"
    monkeypatch.setenv("SKUNMIX_DATA", "")
    assert local_file(remote) == tmp_path / "cache" / "skunmix" / "file.mat"
    monkeypatch.setenv("SKUNMIX_DATA", str(named))
    assert local_file(remote) == named / "file.mat"
    assert local_file(remote, str(given)) == local_file(remote, given) == given / "file.mat"
    assert content_of(given) == content_of(named) == {"file.mat": CONTENT}

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert local_file(remote, "~/given") == given / "file.mat"
    monkeypatch.chdir(tmp_path)
    assert local_file(remote, "given") == given / "file.mat"


def test_not_asked_to_download(serve, tmp_path):
    server = serve(WHOLE)
    with pytest.raises(FileNotFoundError, match="is not in .*home, and download_if_missing=False"):
        local_file(server.remote(), tmp_path / "home", download_if_missing=False)
    assert not (tmp_path / "home").exists()

    (tmp_path / "file.mat").write_bytes(b"mine")
    found = hashlib.sha256(b"mine").hexdigest()
    with pytest.raises(
        OSError, match=f"not the expected file: expected the sha256 {SHA256}.*got {found}"
    ):
        local_file(server.remote(), tmp_path, download_if_missing=False)
    assert content_of(tmp_path) == {"file.mat": b"mine"}
    assert server.n_requests == 0


@pytest.mark.parametrize("hiccup", [CUT_OFF, OTHER, 500, 503, 429])
def test_tries_again(serve, tmp_path, hiccup):
    server = serve(hiccup, hiccup, WHOLE)
    assert local_file(server.remote(), tmp_path, n_retries=2, delay=0).read_bytes() == CONTENT
    assert server.n_requests == 3
    assert list(content_of(tmp_path)) == ["file.mat"]


@pytest.mark.parametrize(
    ("failure", "n_requests", "message"),
    [
        (CUT_OFF, 3, "IncompleteRead"),
        (OTHER, 3, f"expected the sha256 {SHA256}, got {hashlib.sha256(b'other').hexdigest()}"),
        (503, 3, "503"),
        (404, 1, "404"),  # asking again does not help
    ],
)
@pytest.mark.parametrize("mine", [True, False])
def test_gives_up_and_leaves_all_as_it_was(serve, tmp_path, failure, n_requests, message, mine):
    server = serve(failure)
    if mine:
        (tmp_path / "file.mat").write_bytes(b"mine")
    before = content_of(tmp_path)
    with pytest.raises(OSError, match=f"could not be downloaded.*{message}.*by hand") as caught:
        local_file(server.remote(), tmp_path, n_retries=2, delay=0)
    assert ("not the expected file" if mine else "file.mat is not in") in str(caught.value)
    assert str(caught.value).count("\n") == 0
    assert content_of(tmp_path) == before
    assert server.n_requests == n_requests


def test_no_server(serve, tmp_path):
    server = serve(WHOLE)
    remote = server.remote()
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="could not be downloaded.*ConnectionError"):
        local_file(remote, tmp_path, n_retries=0)
    assert content_of(tmp_path) == {}


def test_interrupted_by_the_user(tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch")

    def interrupt(self, url, output_file, pooch):
        Path(output_file).write_bytes(CONTENT[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupt)
    with pytest.raises(KeyboardInterrupt):
        local_file(RemoteFile("file.mat", "http://127.0.0.1", SHA256), tmp_path)
    assert content_of(tmp_path) == {}


def test_another_file_of_that_name_is_kept_aside(serve, tmp_path):
    (tmp_path / "file.mat").write_bytes(b"mine")
    kept = f"file.{hashlib.sha256(b'mine').hexdigest()[:8]}.mat"
    with pytest.warns(UserWarning, match=f"not the expected file.*now {kept}"):
        path = local_file(serve(WHOLE).remote(), tmp_path)
    assert path.read_bytes() == CONTENT
    assert content_of(tmp_path) == {"file.mat": CONTENT, kept: b"mine"}


def test_a_folder_that_cannot_be(serve, tmp_path):
    (tmp_path / "occupied").write_text("a file, not a folder")
    with pytest.raises(OSError, match=r"could not be downloaded.*(FileExists|NotADirectory)"):
        local_file(serve(WHOLE).remote(), tmp_path / "occupied")


@pytest.mark.usefixtures("without_pooch")
def test_without_pooch(serve, tmp_path):
    remote = serve(WHOLE).remote()
    # to be downloaded, or to be looked for in the user's cache
    for home in (tmp_path, None):
        with pytest.raises(ImportError, match=r"needs pooch.*`pip install skunmix\[data\]`"):
            local_file(remote, home)
    assert content_of(tmp_path) == {}
    # not needed for a file that is there, nor to say that one is not
    with pytest.raises(FileNotFoundError, match="download_if_missing=False"):
        local_file(remote, tmp_path, download_if_missing=False)
    (tmp_path / "file.mat").write_bytes(CONTENT)
    assert local_file(remote, tmp_path) == tmp_path / "file.mat"


# --- the fetchers, on files made up


def made_up(monkeypatch, serve, constant, tmp_path, **content):
    savemat(tmp_path / "made_up.mat", content)
    body = (tmp_path / "made_up.mat").read_bytes()
    server = serve((body, len(body)))
    url = server.remote().url
    sha256 = hashlib.sha256(body).hexdigest()
    monkeypatch.setattr(
        _fetchers, constant, replace(getattr(_fetchers, constant), url=url, sha256=sha256)
    )


def test_jasper_ridge_from_column_major(monkeypatch, serve, tmp_path):
    rows, columns, n_bands = 2, 3, 4
    image = np.arange(rows * columns * n_bands, dtype=np.uint16).reshape(rows, columns, n_bands)
    maps = np.random.RandomState(0).uniform(size=(rows, columns, 2))
    M = np.array([[5300.0, 0], [0, 5300], [1, 2], [3, 4]])
    made_up(
        monkeypatch,
        serve,
        "_JASPER_RIDGE",
        tmp_path,
        Y=image.reshape(-1, n_bands, order="F").T,
        A=maps.reshape(-1, 2, order="F").T,
        M=M,
        nRow=np.uint8(rows),
        nCol=np.uint8(columns),
        cood=np.array([["1-tree"], ["2-water"]], dtype=object),
        SlectBands=np.array([[4], [5], [7], [9]], dtype=np.uint8),
    )
    scene = fetch_jasper_ridge(data_home=tmp_path / "home")
    np.testing.assert_array_equal(scene.spectra.reshape(rows, columns, -1), image / 23)
    np.testing.assert_array_equal(scene.abundances.reshape(rows, columns, -1), maps)
    np.testing.assert_allclose(scene.endmembers, M.T * 5300 / 23)
    assert scene.shape == (rows, columns)
    assert scene.endmember_names == ["tree", "water"]
    assert scene.bands.tolist() == [4, 5, 7, 9]
    X, y = fetch_jasper_ridge(data_home=tmp_path / "home", return_X_y=True)
    np.testing.assert_array_equal(X, scene.spectra)
    np.testing.assert_array_equal(y, scene.abundances)


def test_usgs_library_sorted_and_pruned(monkeypatch, serve, tmp_path):
    datalib = np.array(
        [  # wavelength, resolution, channel, then spectra: the third is near the first
            [0.4, 0.01, 1, 1.0, 0.0, 1.0, 0.0],
            [0.6, 0.02, 2, 0.0, 1.0, 0.05, 1.0],
            [0.5, 0.03, -1.23e34, 0.0, 0.0, 0.0, 1.0],
        ]
    )
    names = np.array(
        [list(f"{name:<10}\n".encode()) for name in ["wave", "res", "n", "a 1", "b", "c", "d"]],
        dtype=np.uint8,
    )
    made_up(monkeypatch, serve, "_USGS_LIBRARY", tmp_path, datalib=datalib, names=names)
    library = fetch_usgs_library(data_home=tmp_path / "home")
    assert library.wavelengths.tolist() == [0.4, 0.5, 0.6]
    assert library.resolution.tolist() == [0.01, 0.03, 0.02]
    assert library.bands.tolist() == [1, 3, 2]
    assert library.endmember_names == ["a 1", "b", "c", "d"]
    np.testing.assert_array_equal(library.endmembers, datalib[[0, 2, 1], 3:].T)
    # atan(0.05) = 2.9° between a and c, 45° between b and d
    for min_angle, kept in [(2.8, "abcd"), (2.9, "abd"), (44.9, "abd"), (45.1, "ab")]:
        pruned = fetch_usgs_library(data_home=tmp_path / "home", min_angle=min_angle)
        assert "".join(name[0] for name in pruned.endmember_names) == kept
        assert pruned.endmembers.shape == (len(kept), 3)


@pytest.mark.parametrize("n_endmembers", [4, 6])
def test_urban_from_two_files(monkeypatch, serve, tmp_path, n_endmembers):
    rows, columns, n_bands = 2, 3, 5
    rng = np.random.RandomState(0)
    image = rng.randint(1, 1000, size=(rows, columns, n_bands)).astype(np.uint16)
    maps = rng.dirichlet(np.ones(n_endmembers), size=(rows, columns))
    endmembers = rng.uniform(size=(n_endmembers, n_bands))
    made_up(
        monkeypatch,
        serve,
        "_URBAN",
        tmp_path,
        Y=image.reshape(-1, n_bands, order="F").T,
        nRow=rows,
        nCol=columns,
    )
    monkeypatch.setattr(_fetchers, "_REFERENCE", _fetchers._URBAN_REFERENCES[n_endmembers], False)
    made_up(
        monkeypatch,
        serve,
        "_REFERENCE",
        tmp_path,
        A=maps.reshape(-1, n_endmembers, order="F").T,
        M=endmembers.T,
    )
    monkeypatch.setitem(_fetchers._URBAN_REFERENCES, n_endmembers, _fetchers._REFERENCE)

    scene = fetch_urban(n_endmembers=n_endmembers, data_home=tmp_path / "home")
    np.testing.assert_array_equal(
        scene.spectra.reshape(rows, columns, -1), image / float(image.max())
    )
    np.testing.assert_array_equal(scene.abundances.reshape(rows, columns, -1), maps)
    np.testing.assert_array_equal(scene.endmembers, endmembers)
    assert scene.DESCR.startswith("Urban")
    assert sorted(content_of(tmp_path / "home")) == [
        f"urban_end{n_endmembers}.mat",
        "urban_r162.mat",
    ]
    X, y = fetch_urban(n_endmembers=n_endmembers, data_home=tmp_path / "home", return_X_y=True)
    np.testing.assert_array_equal(X, scene.spectra)
    np.testing.assert_array_equal(y, scene.abundances)


def test_urban_has_no_other_reference(tmp_path):
    with pytest.raises(ValueError, match="n_endmembers 4 or 6.*got 5"):
        fetch_urban(n_endmembers=5, data_home=tmp_path)


@pytest.mark.parametrize("fetch", [fetch_jasper_ridge, fetch_urban, fetch_usgs_library])
def test_parameters(fetch, tmp_path):
    with pytest.raises(FileNotFoundError, match="download_if_missing=False"):
        fetch(data_home=tmp_path, download_if_missing=False)
    with pytest.raises(ValueError, match="'data_home' parameter of fetch_"):
        fetch(data_home=3)
    with pytest.raises(ValueError, match="'n_retries' parameter of fetch_"):
        fetch(n_retries=-1)


@pytest.mark.parametrize(
    ("remote", "host", "part"),
    [
        (_fetchers._JASPER_RIDGE, "raw.githubusercontent.com", 5),
        (_fetchers._USGS_LIBRARY, "raw.githubusercontent.com", 5),
        (_fetchers._URBAN, "huggingface.co", 7),
        (_fetchers._URBAN_REFERENCES[4], "huggingface.co", 7),
        (_fetchers._URBAN_REFERENCES[6], "huggingface.co", 7),
    ],
)
def test_addresses_are_pinned(remote, host, part):
    # a commit of 40 digits, not a branch whose content may change
    commit = remote.url.split("/")[part]
    assert remote.url.startswith(f"https://{host}/")
    assert len(commit) == 40
    assert set(commit) <= set("0123456789abcdef")
    assert len(remote.sha256) == 64


# --- real data


def test_jasper_ridge(jasper):
    assert jasper.spectra.shape == (10_000, 198)
    assert jasper.abundances.shape == (10_000, 4)
    assert jasper.endmembers.shape == (4, 198)
    assert jasper.shape == (100, 100)
    assert jasper.endmember_names == ["tree", "water", "dirt", "road"]
    assert jasper.wavelengths is None
    assert len(jasper.bands) == 198
    assert jasper.bands[[0, -1]].tolist() == [4, 219]
    assert jasper.spectra.dtype == jasper.abundances.dtype == jasper.endmembers.dtype == float
    assert all(getattr(jasper, name).flags.c_contiguous for name in ("spectra", "abundances"))
    assert jasper.spectra.min() == 0.0
    assert jasper.spectra.max() == 1.0
    assert jasper.abundances.min() >= 0
    np.testing.assert_allclose(jasper.abundances.sum(axis=1), 1, atol=1e-12)
    assert "licence" in jasper.DESCR


def test_jasper_ridge_as_it_is_usually_shown(jasper):
    tree, water, _, road = jasper.abundances.T.reshape(4, *jasper.shape)
    # the water runs from the upper to the lower edge, left of the middle; the road is on the right
    assert (water[:, 20:45].max(axis=1) > 0.9).all()
    assert (water[:, 65:] > 0.3).mean() < 0.01
    assert np.average(np.arange(100), weights=road.sum(axis=0)) > 60
    assert tree[:60, :10].mean() > 0.5
    # and spectra are in the same order: water is dark in the near infrared
    infrared = jasper.spectra[:, 100].reshape(jasper.shape)
    assert infrared[water > 0.9].max() < 0.3 * infrared[tree > 0.9].min()


def test_jasper_ridge_endmembers_are_on_the_scale_of_the_spectra(jasper):
    # those of tree, dirt and road are pixels of the image, but for the first band
    for name in ("tree", "dirt", "road"):
        spectrum = jasper.endmembers[jasper.endmember_names.index(name)]
        distance = np.abs(jasper.spectra - spectrum)[:, 1:].max(axis=1)
        assert distance.min() < 1e-12
    rebuilt = jasper.abundances @ jasper.endmembers
    error = np.linalg.norm(rebuilt - jasper.spectra) / np.linalg.norm(jasper.spectra)
    assert 0.15 < error < 0.17  # as DESCR says


def test_usgs_library(usgs):
    assert usgs.endmembers.shape == (498, 224)
    assert len(set(usgs.endmember_names)) == 498
    assert usgs.endmember_names[0] == "Acmite NMNH133746"
    assert usgs.endmember_names[-1] == "Walnut_Leaf SUN (Green)"
    assert all(name == name.strip() for name in usgs.endmember_names)
    assert (np.diff(usgs.wavelengths) > 0).all()
    assert usgs.wavelengths[[0, -1]].round(3).tolist() == [0.383, 2.508]
    assert ((usgs.resolution > 0.008) & (usgs.resolution < 0.02)).all()
    assert sorted(usgs.bands) == list(range(1, 225))
    assert usgs.endmembers.min().round(3) == 0.005
    assert usgs.endmembers.max().round(3) == 1.018
    assert "licence" in usgs.DESCR
    # a green leaf: the red edge is at 0.7 µm
    leaf = usgs.endmembers[-1]
    edge = np.abs(np.diff(leaf)).argmax()
    assert 0.68 < usgs.wavelengths[edge] < 0.75


def test_usgs_library_pruned_as_in_the_literature(usgs):
    library = fetch_usgs_library(download_if_missing=False, min_angle=4.44)
    assert library.endmembers.shape == (240, 224)
    cosines = cosine_similarity(library.endmembers) - 2 * np.eye(240)
    assert np.degrees(np.arccos(cosines.max())) > 4.44
    rows = [usgs.endmember_names.index(name) for name in library.endmember_names]
    np.testing.assert_array_equal(library.endmembers, usgs.endmembers[rows])
    # and each of those left out is that near to one that is kept
    angles = np.degrees(
        np.arccos(cosine_similarity(usgs.endmembers, library.endmembers).clip(-1, 1))
    )
    assert (np.delete(angles, rows, axis=0).min(axis=1) <= 4.44).all()


def test_a_scene_of_six_measured_spectra(usgs):
    scene = make_scene(usgs, n_endmembers=6, random_state=0)
    assert scene.spectra.shape == (10_000, 224)
    assert set(scene.endmember_names) < set(usgs.endmember_names)
    np.testing.assert_array_equal(scene.wavelengths, usgs.wavelengths)


def test_a_data_home_with_the_file_needs_no_network(jasper, tmp_path, monkeypatch):
    shutil.copy(Path(os.environ["SKUNMIX_DATA"], "jasper_ridge.mat"), tmp_path)
    monkeypatch.setattr(_remote, "_download", None)
    X, _ = fetch_jasper_ridge(data_home=tmp_path, return_X_y=True)
    np.testing.assert_array_equal(X, jasper.spectra)
