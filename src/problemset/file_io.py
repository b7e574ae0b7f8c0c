"""Atomic file writes: the old file stays in place until the new one is complete."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_FOLDER_AT_FAULT = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
    errno.EFBIG,
}
OTHER_FOLDERS = ["PROBLEMSET_BUILD for the output"]
"""Which environment variables choose another folder, for error messages.

An assignment appends its own text; the last entry is used."""


class WriteError(RuntimeError):
    """A folder is read-only or full, or refuses a write for another reason."""


def write_error(folder: Path, error: OSError) -> WriteError:
    """Build a one-line error that says which folder cannot be written and what to do."""
    return WriteError(
        f"cannot write in {folder}: {error.strerror or error}; "
        "make room or make it writable, or name another folder "
        f"({OTHER_FOLDERS[-1]})"
    )


def make_folder(folder: Path) -> Path:
    """Create a folder and its parents if they do not exist.

    Raises:
        WriteError: when it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Write a file in full or not at all; the old file stays until the new one is complete.

    The temporary file is in the same folder, because a rename across disks would be a copy. It has
    the same suffix, because NumPy and Matplotlib choose the format by suffix. Two processes may
    write the same target.

    Args:
        target: the file to be created or replaced; its folder is created.

    Yields:
        The path to write to. Leaving the block without an error renames it to the target.

    Raises:
        WriteError: when the folder is read-only or full.
    """
    folder = make_folder(target.parent)
    temporary = folder / f".{target.stem}.{secrets.token_hex(4)}{target.suffix}"
    try:
        yield temporary
        os.replace(temporary, target)  # noqa: PTH105
    except OSError as error:
        # an error about some other file used inside the block says nothing about this folder
        ours = error.filename is None or Path(os.fsdecode(error.filename)) == temporary
        if ours and error.errno in _FOLDER_AT_FAULT:
            raise write_error(target.parent, error) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write(target: Path, content: str | bytes) -> None:
    """Write a file atomically; text is encoded as UTF-8, with its line ends as they are.

    Raises:
        WriteError: when the folder is read-only or full.
    """
    with atomic_path(target) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def write_if_changed(target: Path, text: str) -> None:
    """Write a text file atomically, unless it already holds this text; then its date stays too.

    Quarto runs a document once per format. Output that the second run merely repeats must not look
    newer than files made by the first.

    Raises:
        WriteError: when the folder is read-only or full.
    """
    if target.is_file() and target.read_bytes() == text.encode():
        return
    write(target, text)
