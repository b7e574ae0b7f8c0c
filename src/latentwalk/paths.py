"""Where everything lies: the only module that knows folders and environment variables.

Environment variables, each optional; an empty one counts as not set:
    LATENTWALK_ROOT: the folder of report.qmd, when it is not above the current folder.
    LATENTWALK_BUILD: where everything made goes, instead of build/ in the project.
    LATENTWALK_DATA: a folder with MNIST's four files, used instead of any download.
    LATENTWALK_CACHE: where MNIST is kept, instead of ~/.cache/latentwalk/mnist.
    LATENTWALK_WEIGHTS: a folder whose weights are used as they are, of any configuration and seed.
"""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

Say = Callable[[str], None]
"""Takes one line for the reader; the command line prints it, a test collects it."""

_LOCK_HELD = "LATENTWALK_BUILD_LOCKED"  # set while build_lock() is held, for child processes
_FOLDER_AT_FAULT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM,
                    errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EFBIG}  # fmt: skip


class ProjectNotFoundError(RuntimeError):
    """A folder that is needed was not found, or what the environment names is none."""


class WriteError(RuntimeError):
    """A folder is read-only, full, or otherwise refuses what has to be written."""


class BuildBusyError(RuntimeError):
    """Another process works in build/ and the caller did not want to wait."""


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name, "").strip()
    return Path(value).expanduser().absolute() if value else None


def project_root() -> Path:
    """The folder that holds report.qmd, assets/ and build/.

    In this order: $LATENTWALK_ROOT; the nearest folder at or above the current one that holds
    report.qmd and _quarto.yml; the source tree from which the package runs.

    Raises:
        ProjectNotFoundError: when there is none, or $LATENTWALK_ROOT is not a folder.
    """
    if named := _from_environment("LATENTWALK_ROOT"):
        if not named.is_dir():
            raise ProjectNotFoundError(
                f"LATENTWALK_ROOT is {named}, which is not a folder; "
                "set it to the folder that holds report.qmd, or unset it"
            )
        return named
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "report.qmd").is_file() and (folder / "_quarto.yml").is_file():
            return folder
    source_tree = Path(__file__).resolve().parents[2]
    if (source_tree / "pyproject.toml").is_file() and (source_tree / "src").is_dir():
        return source_tree
    raise ProjectNotFoundError(
        f"no report.qmd with _quarto.yml in {here} or above it; "
        "change into the project's folder, or set LATENTWALK_ROOT to it"
    )


def data_cache() -> Path:
    """The folder in which MNIST is kept between runs.

    Raises:
        ProjectNotFoundError: when the user has no home folder and LATENTWALK_CACHE is not set.
    """
    if named := _from_environment("LATENTWALK_CACHE"):
        return named
    try:
        return Path.home() / ".cache" / "latentwalk" / "mnist"
    except RuntimeError as error:
        raise ProjectNotFoundError(
            "this user has no home folder to keep MNIST in; set LATENTWALK_CACHE to a folder"
        ) from error


def user_data_dir() -> Path | None:
    """The folder in which the user says MNIST lies ($LATENTWALK_DATA), if any."""
    return _from_environment("LATENTWALK_DATA")


def build_dir() -> Path:
    """Everything made: $LATENTWALK_BUILD, else build/ in the project."""
    return _from_environment("LATENTWALK_BUILD") or project_root() / "build"


def as_environment() -> dict[str, str]:
    """Give project, build and cache as variables, for a process that has no home of its own."""
    folders = {
        "LATENTWALK_ROOT": project_root(),
        "LATENTWALK_BUILD": build_dir(),
        "LATENTWALK_CACHE": data_cache(),
    }
    if named := user_data_dir():
        folders["LATENTWALK_DATA"] = named
    return {name: str(folder.resolve()) for name, folder in folders.items()}


def folders_within(folder: Path) -> dict[str, Path]:
    """Give a folder for each of them in one, by the last word of the variable's name."""
    names = ("root", "build", "data", "cache", "weights")
    return {name: folder.resolve() / name for name in names}


def environment_within(folder: Path) -> dict[str, str]:
    """Give `folders_within` as variables, for a process that is kept in there."""
    return {
        f"LATENTWALK_{name.upper()}": str(place) for name, place in folders_within(folder).items()
    }


def results_dir() -> Path:
    """The saved results of the experiments, one file or two an item."""
    return build_dir() / "results"


def checkpoints_dir() -> Path:
    """Half-finished trainings that can be resumed."""
    return build_dir() / "checkpoints"


def built_weights_dir() -> Path:
    """Weights trained on this machine."""
    return build_dir() / "weights"


def given_weights_dir() -> Path | None:
    """Weights that the user wants used as they are ($LATENTWALK_WEIGHTS), if any.

    Raises:
        ProjectNotFoundError: the variable names something else than a folder.
    """
    named = _from_environment("LATENTWALK_WEIGHTS")
    if named is not None and not named.is_dir():
        raise ProjectNotFoundError(
            f"LATENTWALK_WEIGHTS is {named}, which is not a folder; set it to the folder that "
            "holds your weights, or unset it"
        )
    return named


def released_weights_dir() -> Path:
    """Weights that the repository carries."""
    return project_root() / "assets" / "weights"


def student_file() -> Path:
    """Name, hours and pledge, filled in by the reader."""
    return project_root() / "student.yml"


def report_file() -> Path:
    """The document itself."""
    return project_root() / "report.qmd"


def rubric_file() -> Path:
    """What is graded, item by item."""
    return project_root() / "rubric.yml"


def _write_error(folder: Path, error: OSError) -> WriteError:
    return WriteError(
        f"cannot write in {folder}: {error.strerror or error}; "
        "make room or make it writable, or name another folder (LATENTWALK_BUILD for what is made, "
        "LATENTWALK_CACHE for MNIST)"
    )


def make_folder(folder: Path) -> Path:
    """Create a folder with its parents, unless it is there.

    Raises:
        WriteError: when it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _write_error(folder, error) from error
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
            raise _write_error(target.parent, error) from error
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


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def build_lock(say: Say | None = None, wait: bool = True) -> Iterator[None]:
    """Hold build/ alone, so that two commands at once do not do the same work twice.

    The lock goes when the block ends or the process dies. A block inside the block, also one in
    a child process (the kernel that runs the report), passes through at once.

    Args:
        say: gets one line before a wait.
        wait: wait for the other process, else raise.

    Raises:
        BuildBusyError: when another process holds it and `wait` is false.
        WriteError: when build/ cannot be written.
    """
    lock_file = make_folder(build_dir()) / ".lock"
    if os.environ.get(_LOCK_HELD) == str(lock_file):
        yield
        return
    try:
        handle = lock_file.open("a+", encoding="utf-8")
    except OSError as error:
        raise _write_error(lock_file.parent, error) from error
    with handle:  # closing it releases the lock
        if not _try_lock(handle):
            handle.seek(0)
            busy = f"process {handle.read().strip() or 'unknown'} is working in {lock_file.parent}"
            if not wait:
                raise BuildBusyError(f"{busy}; wait for it to end, or set LATENTWALK_BUILD")
            if say is not None:
                say(f"{busy}; waiting for it to end")
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        os.environ[_LOCK_HELD] = str(lock_file)
        try:
            yield
        finally:
            del os.environ[_LOCK_HELD]
