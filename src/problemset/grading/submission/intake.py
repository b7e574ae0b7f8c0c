"""Take a submission in: copy the files of the contract, and parse JSON safely.

Anything else in the folder is listed and otherwise ignored. Nothing in it is run, followed or
trusted.
"""

import contextlib
import itertools
import json
import math
import os
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from problemset import file_io
from problemset.grading.submission import safe_files
from problemset.grading.submission.safe_files import RefusedError

# Files that any submission may have, by folder ("" is the submission itself); the assignment may
# name more. Hidden files are not taken in: they come from editors, interrupted writes and file
# managers.
_WANTED = {
    "": re.compile(r"report\.pdf|report\.ipynb|student\.yml"),
    "results/": re.compile(r"[^.].*\.(npz|json)", re.DOTALL),
    "weights/": re.compile(r"[^.].*\.safetensors", re.DOTALL),
}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# possessive quantifiers: a long string without an end must not cause backtracking
_JSON_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?P<end>"?)|[\[\]{}]', re.DOTALL)
_INTEGER_DIGITS = 300  # any integer of this length is also finite as a float


class IntakeError(ValueError):
    """A submission is not a folder, or a JSON file is not usable."""


@dataclass(frozen=True)
class IntakeLimits:
    """Limits on what is copied from a submission."""

    file_bytes: int = 64 << 20
    """Size of one file."""
    total_bytes: int = 256 << 20
    """Size of all files together."""
    files: int = 300
    """Number of copied files."""
    entries: int = 2000
    """Number of names in one folder; a folder with more is refused as a whole."""
    ignored: int = 100
    """Number of ignored names that are listed; one more line counts the rest."""

    def __post_init__(self) -> None:
        safe_files.check_positive(self)


@dataclass(frozen=True)
class Intake:
    """Result of taking a submission in."""

    folder: Path
    """The private copy, with the same layout; no other user can read or write it."""
    files: tuple[str, ...]
    """Files in the copy, such as `report.pdf` and `results/2b.npz`: plain names, in the order
    read."""
    refused: dict[str, str]
    """Reasons by name, each one line: files of the contract that cannot be used, and entries that
    are neither a file nor a folder. `.` is the submission itself."""
    ignored: tuple[str, ...]
    """Files and folders that the contract does not name, each shown as one line."""


@dataclass
class _Taking:
    """An intake in progress."""

    copy: Path
    limits: IntakeLimits
    names: Collection[str]
    files: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    total_bytes: int = 0

    def visit(self, folder: int, prefix: str) -> None:
        """Process an open folder in order of name; the folders of the contract come last."""
        try:
            names = _names(folder, self.limits.entries)
        except RefusedError as error:
            self.refused[prefix.rstrip("/") or "."] = str(error)
            return
        inner = [name for name in names if self.has_files(f"{prefix}{name}/")]
        for name in names:
            if name not in inner:
                with self.noting(prefix + name):
                    self.take(folder, prefix, name)
        for name in inner:
            with self.noting(prefix + name), safe_files.open_folder(name, folder) as opened:
                (self.copy / prefix / name).mkdir()
                self.visit(opened, f"{prefix}{name}/")

    def has_files(self, folder: str) -> bool:
        """Whether the contract has files in a folder, given as a path that ends in a slash."""
        return folder in _WANTED or any(name.startswith(folder) for name in self.names)

    def is_wanted(self, prefix: str, name: str) -> bool:
        """Whether the contract has a file of this name."""
        pattern = _WANTED.get(prefix)
        return prefix + name in self.names or bool(pattern and pattern.fullmatch(name))

    @contextlib.contextmanager
    def noting(self, name: str) -> Iterator[None]:
        """Record a refusal under a name and continue."""
        try:
            yield
        except RefusedError as error:
            self.refused[safe_files.shown(name)] = str(error)

    def take(self, folder: int, prefix: str, name: str) -> None:
        """Copy an entry that the contract names; list a harmless other one as ignored."""
        if not self.is_wanted(prefix, name):
            kind = safe_files.kind_of(name, folder)
            if kind not in ("a file", "a folder"):
                raise RefusedError(f"is {kind}, expected only files and folders")
            self.ignored.append(safe_files.shown(prefix + name))
            return
        if not _PLAIN_NAME.fullmatch(name):
            raise RefusedError("has an unusual name, expected letters, digits, '-', '_' and '.'")
        with safe_files.open_file(name, folder, self.limits.file_bytes) as (descriptor, size):
            self.check_room(size)
            _write(self.copy / prefix / name, safe_files.pieces(descriptor, size))
        self.total_bytes += size
        self.files.append(prefix + name)

    def check_room(self, size: int) -> None:
        """Refuse a file of this size if it would exceed the submission's limits."""
        if len(self.files) >= self.limits.files:
            raise RefusedError(f"is one file too many, expected at most {self.limits.files}")
        if self.total_bytes + size > self.limits.total_bytes:
            got = f"has {size} bytes after {self.total_bytes} of other files"
            raise RefusedError(f"{got}, expected at most {self.limits.total_bytes} together")


def _names(folder: int, most: int) -> list[str]:
    try:
        with os.scandir(folder) as found:
            names = [entry.name for entry in itertools.islice(found, most + 1)]
    except OSError as error:
        raise RefusedError(f"cannot be listed: {error.strerror or error}") from error
    if len(names) > most:
        raise RefusedError(f"holds more than {most} names, expected at most {most}")
    return sorted(names)


def _write(target: Path, content: Iterable[bytes]) -> None:
    """Write a new file in full, or leave none."""
    try:
        with target.open("xb") as stream:
            stream.writelines(content)
    except OSError as error:
        message = (
            f"cannot write {target}: {error.strerror or error}; make room, or make it writable"
        )
        raise file_io.WriteError(message) from error
    except RefusedError:
        target.unlink()
        raise


def take_in(
    folder: Path,
    scratch: Path,
    limits: IntakeLimits = IntakeLimits(),
    names: Collection[str] = (),
) -> Intake:
    """Copy the contract's files, so that later changes to the originals have no effect.

    The contract: `report.pdf`, `report.ipynb`, `student.yml`, `results/*.npz`, `results/*.json`,
    `weights/*.safetensors`, and what the assignment names. A missing file is not an error here. An
    unusable file is refused individually: symbolic links are not followed, pipes not waited for,
    devices not opened.

    Args:
        folder: the submission; it is only read. Links are followed except in its last part.
        scratch: where the private folder is created; created if needed. The caller removes it.
        limits: how much is taken in.
        names: further files, such as `data/times.csv`.

    Returns:
        What was copied, and what was refused or ignored.

    Raises:
        IntakeError: when `folder` is missing, a link, not a folder, or cannot be opened.
        WriteError: when `scratch` cannot be written.
    """
    try:
        with safe_files.open_folder(folder) as opened:
            copy = Path(tempfile.mkdtemp(prefix="submission-", dir=file_io.make_folder(scratch)))
            taking = _Taking(copy, limits, names)
            taking.visit(opened, "")
    except RefusedError as error:
        raise IntakeError(f"submission {safe_files.shown(folder)}: {error}") from error
    more = len(taking.ignored) - limits.ignored
    rest = (f"... and {more} more",) if more > 0 else ()
    ignored = (*taking.ignored[: limits.ignored], *rest)
    return Intake(copy, tuple(taking.files), taking.refused, ignored)


def inner_submission(
    folder: Path, names: Collection[str], limits: IntakeLimits = IntakeLimits()
) -> Path | None:
    """Find the single subfolder that is the submission, if `folder` itself is not one.

    This happens when somebody packs the folder instead of its content.

    Args:
        folder: what was submitted.
        names: files and folders at the top of a submission.
        limits: how many names are examined.

    Returns:
        A subfolder, not a link, that contains one of these names; None if `folder` itself does, or
        if none or several subfolders do.

    Raises:
        OSError: `folder` does not exist, or cannot be listed.
    """
    with os.scandir(folder) as found:
        entries = list(itertools.islice(found, limits.entries))
    if any(entry.name in names for entry in entries):
        return None
    folders = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    inner = [path for path in folders if any((path / name).exists() for name in names)]
    return inner[0] if len(inner) == 1 else None


def read_json(path: Path, max_bytes: int = 8 << 20, max_depth: int = 32) -> Any:
    """Read a JSON file from an untrusted source.

    Besides invalid JSON these are refused: numbers that are not finite as a float, the constants
    NaN and Infinity, names that occur twice in an object, and text that cannot be printed as UTF-8.

    Args:
        path: the file, not a link.
        max_bytes: size of the file; parsing can take 30 times as much memory.
        max_depth: nesting depth of lists and objects; `[]` has depth 1.

    Returns:
        The content as dicts, lists, texts, numbers, booleans and None.

    Raises:
        IntakeError: one line that names the file, what was found and what was expected.
    """
    try:
        text = safe_files.read(path, max_bytes).decode("utf-8-sig")  # editors may add a BOM
        _check_tokens(text, max_depth)
        return json.loads(
            text,
            object_pairs_hook=_distinct,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except RefusedError as error:
        raise IntakeError(f"{safe_files.shown(path)}: {error}") from error
    except (ValueError, RecursionError) as error:  # from decoding and parsing
        why = safe_files.shown(error, 200)
        raise IntakeError(f"{safe_files.shown(path)}: is not JSON in UTF-8 ({why})") from error


def _check_tokens(text: str, max_depth: int) -> None:
    """Refuse deep nesting and unprintable text before the parser sees them."""
    depth = 0
    for token in _JSON_TOKEN.finditer(text):
        start = token[0][0]
        if start == '"':
            if not token["end"]:  # also stops the search from restarting at each quote
                raise RefusedError("has text that does not end, expected a closing quote")
            if "\\u" in token[0]:  # half of a surrogate pair cannot be printed
                json.loads(token[0]).encode("utf-8")
        else:
            depth += 1 if start in "[{" else -1
        if depth > max_depth:
            raise RefusedError(f"nests more than {max_depth} deep, expected at most {max_depth}")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise RefusedError(f"has '{safe_files.shown(name, 80)}' twice, expected each name once")
        content[name] = value
    return content


def _integer(digits: str) -> int:
    count = len(digits.removeprefix("-"))
    if count > _INTEGER_DIGITS:  # int() itself refuses some thousand digits
        got = f"has an integer of {count} digits"
        raise RefusedError(f"{got}, expected at most {_INTEGER_DIGITS}")
    return int(digits)


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise RefusedError(
            f"has the number {safe_files.shown(number, 40)}, expected finite numbers"
        )
    return value
