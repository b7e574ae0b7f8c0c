"""Open submitted files safely: without following links, blocking, or reading without limit."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_PIECE_BYTES = 1 << 18
# O_NOFOLLOW: a link may replace the file after it was checked. O_NONBLOCK: opening a pipe must not
# wait for a writer.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class RefusedError(ValueError):
    """Submitted data is not used; the message is one line: what was found and what was expected.

    The message does not name the file; the caller adds the name.
    """


def shown(text: object, most: int = 2000) -> str:
    r"""Format untrusted text as one printable line.

    Line breaks, control characters, and bytes that are not UTF-8 are shown as `\n`, `\x1b`,
    `\udcff`. Two different names therefore never look the same, unless they are shortened.

    Args:
        text: a name, or any other object; its `str` is formatted.
        most: maximum number of characters; a longer result is cut and ends in `...`. The names that
            a file system allows fit the default.
    """
    line = repr(str(text))[1:-1]
    return line if len(line) <= most else line[: most - 3] + "..."


def check_positive(limits: object) -> None:
    """Refuse limits that are not positive whole numbers; on/off settings are accepted.

    Args:
        limits: a dataclass of limits.

    Raises:
        ValueError: names the limit.
    """
    for name, value in vars(limits).items():
        if not isinstance(value, int) or value < (0 if isinstance(value, bool) else 1):
            raise ValueError(f"{name} is {value!r}, expected a whole number of at least 1")


def kind_of(name: str | Path, folder: int | None = None) -> str:
    """Determine an entry's kind without opening it: `a file`, `a folder`, `a symbolic link` ...

    Args:
        name: a path, or the name of an entry of `folder`.
        folder: descriptor of an open folder.

    Raises:
        RefusedError: when there is no such entry, or it cannot be examined.
    """
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError as error:
        raise RefusedError(f"cannot be opened: {error.strerror or error}") from error
    return _KINDS.get(stat.S_IFMT(mode), "something unknown")


def _open(name: str | Path, folder: int | None, expected: str) -> int:
    """Open an entry of the expected kind only: opening a device can have side effects."""
    kind = kind_of(name, folder)
    if kind != expected:
        raise RefusedError(f"is {kind}, expected {expected}")
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=folder)
    except OSError as error:
        why = error.strerror or error
        raise RefusedError(f"cannot be opened: {why}, expected {expected} to read") from error
    # checked again, because the entry may have been replaced in between
    kind = _KINDS.get(stat.S_IFMT(os.fstat(descriptor).st_mode), "something unknown")
    if kind != expected:
        os.close(descriptor)
        raise RefusedError(f"became {kind} while it was opened, expected {expected}")
    return descriptor


@contextlib.contextmanager
def open_folder(name: str | Path, folder: int | None = None) -> Iterator[int]:
    """Hold a folder open, so that all entries come from it even if its path changes later.

    Args:
        name: a path, or the name of an entry of `folder`. Links are followed except in its last
            part.
        folder: descriptor of an open folder.

    Yields:
        The descriptor.

    Raises:
        RefusedError: when it is missing, a link, not a folder, or cannot be opened.
    """
    descriptor = _open(name, folder, "a folder")
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def open_file(
    name: str | Path, folder: int | None = None, most: int | None = None
) -> Iterator[tuple[int, int]]:
    """Hold a regular file open for reading.

    Args:
        name: a path, or the name of an entry of `folder`. Links are followed except in its last
            part.
        folder: descriptor of an open folder.
        most: maximum size in bytes.

    Yields:
        The descriptor, and the file's size in bytes.

    Raises:
        RefusedError: when it is missing, a link, not a regular file, too large, or cannot be
            opened.
    """
    descriptor = _open(name, folder, "a file")
    try:
        size = os.fstat(descriptor).st_size
        if most is not None and size > most:
            raise RefusedError(f"has {size} bytes, expected at most {most}")
        yield descriptor, size
    finally:
        os.close(descriptor)


def pieces(descriptor: int, size: int) -> Iterator[bytes]:
    """Read an open file piece by piece.

    Args:
        descriptor: of the file.
        size: its size in bytes when it was opened; no more bytes than these are yielded.

    Raises:
        RefusedError: when the size has changed, or a read fails.
    """
    left = size
    while True:
        try:
            # one byte more than there should be, to notice a file that grows
            piece = os.read(descriptor, min(_PIECE_BYTES, left + 1))
        except OSError as error:
            raise RefusedError(f"cannot be read: {error.strerror or error}") from error
        left -= len(piece)
        if left < 0 or (left and not piece):
            change = "grew" if left < 0 else "shrank"
            raise RefusedError(f"{change} while it was read, expected {size} bytes throughout")
        if not piece:
            return
        yield piece


def read(path: Path, most: int) -> bytes:
    """Read the whole content of a regular file.

    Args:
        path: the file; links are followed except in its last part.
        most: maximum size in bytes.

    Raises:
        RefusedError: when it is missing, a link, not a regular file, too large, or changes
            meanwhile.
    """
    with open_file(path, most=most) as (descriptor, size):
        return b"".join(pieces(descriptor, size))
