"""The folder of an assignment: its report, rubric and student file, and everything built from them.

All environment variables are optional; an empty one counts as unset. An assignment may add a prefix
of its own, see `ENVIRONMENT_PREFIXES`:
    PROBLEMSET_ROOT: the folder of report.qmd, if it is not at or above the current folder.
    PROBLEMSET_BUILD: the folder for everything that is built, instead of build/ in the project.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from problemset.file_io import make_folder, write_error

_LOG = logging.getLogger(__name__)

INSTALLED: list[Path] = []
"""Folders in which installed homework packages bring rubric, weights and a report's sources, for
whoever works outside a project."""
ENVIRONMENT_PREFIXES = ["PROBLEMSET"]
"""Prefixes of the environment variables; the one added last takes precedence."""

_LOCK_HELD = "PROBLEMSET_BUILD_LOCKED"  # set while build_lock() is held, for child processes


class ProjectNotFoundError(RuntimeError):
    """A required folder was not found, or an environment variable names no folder."""


class BuildBusyError(RuntimeError):
    """Another process is using build/ and the caller chose not to wait."""


def folder_from_environment(name: str) -> Path | None:
    """Return the folder that a variable names, such as `BUILD`; None if it is unset."""
    for prefix in reversed(ENVIRONMENT_PREFIXES):
        if value := os.environ.get(f"{prefix}_{name}", "").strip():
            return Path(value).expanduser().absolute()
    return None


def _variable(name: str) -> str:
    return f"{ENVIRONMENT_PREFIXES[-1]}_{name}"


def project_root() -> Path:
    """The folder that holds report.qmd, assets/ and build/.

    Tried in this order: the variable `ROOT` with any prefix; the nearest folder at or above the
    current one that holds report.qmd and _quarto.yml; the source tree from which the package runs;
    the current folder, if an installed homework brings what it lacks.

    Raises:
        ProjectNotFoundError: when none is found, or `ROOT` is not a folder.
    """
    if named := folder_from_environment("ROOT"):
        if not named.is_dir():
            raise ProjectNotFoundError(
                f"{_variable('ROOT')} is {named}, which is not a folder; "
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
    if INSTALLED:
        return here
    raise ProjectNotFoundError(
        f"no report.qmd with _quarto.yml in {here} or above it; "
        f"change into the project's folder, or set {_variable('ROOT')} to it"
    )


def project_file(name: str) -> Path:
    """A file or folder of the project, or the one that an installed homework brings instead."""
    own = project_root() / name
    brought = (folder / name for folder in INSTALLED)
    return own if own.exists() else next((path for path in brought if path.exists()), own)


def build_dir() -> Path:
    """Folder for everything that is built: the variable `BUILD`, or build/ in the project."""
    return folder_from_environment("BUILD") or project_root() / "build"


def results_dir() -> Path:
    """Saved results of the experiments, one or two files per item."""
    return build_dir() / "results"


def student_file() -> Path:
    """The file for the student's name, hours and pledge."""
    return project_root() / "student.yml"


def report_file() -> Path:
    """The source document of the report."""
    return project_root() / "report.qmd"


def rubric_file() -> Path:
    """The rubric."""
    return project_file("rubric.yml")


def _try_lock(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def build_lock(wait: bool = True) -> Iterator[None]:
    """Lock build/, so that two commands at once do not do the same work twice.

    The lock is released when the block ends or the process dies. A nested block does not wait, not
    even one in a child process such as the kernel that runs the report.

    Args:
        wait: whether to wait for the other process; otherwise raise.

    Raises:
        BuildBusyError: when another process holds the lock and `wait` is false.
        WriteError: when build/ cannot be written.
    """
    lock_file = make_folder(build_dir()) / ".lock"
    if os.environ.get(_LOCK_HELD) == str(lock_file):
        yield
        return
    try:
        handle = lock_file.open("a+", encoding="utf-8")
    except OSError as error:
        raise write_error(lock_file.parent, error) from error
    with handle:  # closing it releases the lock
        if not _try_lock(handle):
            handle.seek(0)
            busy = f"process {handle.read().strip() or 'unknown'} is working in {lock_file.parent}"
            if not wait:
                raise BuildBusyError(f"{busy}; wait for it to end, or set {_variable('BUILD')}")
            _LOG.info("%s; waiting for it to end", busy)
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        os.environ[_LOCK_HELD] = str(lock_file)
        try:
            yield
        finally:
            del os.environ[_LOCK_HELD]
