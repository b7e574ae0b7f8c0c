"""Writing files so that what was there before stays until the new file is complete."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

_FOLDER_AT_FAULT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
                    errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EFBIG}  # fmt: skip
OTHER_FOLDERS = ["PROBLEMSET_BUILD for what is made"]
"""Which variables name other folders, for messages; an assignment adds its own, which is said."""


class WriteError(RuntimeError):
    """A folder is read-only, full, or otherwise refuses what has to be written."""


def write_error(folder: Path, error: OSError) -> WriteError:
    """Say in one line that a folder cannot be written, and what to do."""
    return WriteError(
        f"cannot write in {folder}: {error.strerror or error}; "
        "make room or make it writable, or name another folder "
        f"({OTHER_FOLDERS[-1]})"
    )


def make_folder(folder: Path) -> Path:
    """Create a folder with its parents, unless it is there.

    Raises:
        WriteError: when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    return folder


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Write a file in full or not at all; what was there before stays until the new one is done.

    The temporary file lies beside the target (a rename across disks is a copy) and ends in the
    same suffix (NumPy and Matplotlib go by it). Two processes may write the same target.

    Args:
        target: the file to be made or replaced; its folder is created.

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
        # an error about some other file, read inside the block, is not about this folder
        ours = error.filename is None or Path(os.fsdecode(error.filename)) == temporary
        if ours and error.errno in _FOLDER_AT_FAULT:
            raise write_error(target.parent, error) from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_if_changed(target: Path, text: str) -> None:
    """Write a text file in full, unless it holds this text: then its date stays, too.

    Quarto runs a document once for each format; what the second run would only repeat must not
    look newer than what the first has made.

    Raises:
        WriteError: when the folder is read-only or full.
    """
    if target.is_file() and target.read_bytes() == text.encode():
        return
    with atomic_path(target) as temporary:
        temporary.write_bytes(text.encode())
