"""Build the archive that makes Gradescope grade with this project: see docs/gradescope.md.

Its root holds the two scripts of assets/gradescope/ and what they need: the packages, the rubric,
and what the assignment adds, such as weights and data.
"""

import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from problemset import file_io, rubric, workspace
from problemset.assignment import Assignment

SCRIPTS = ("run_autograder", "setup.sh")
CARRIED = ("src", "LICENSE", "constraints.txt", "pyproject.toml", "rubric.yml")
INDEX_NAME = "pytorch-index"
_SAME_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip archive can store
_UNIX = 3


class AutograderError(ValueError):
    """The archive cannot be built."""


@dataclass(frozen=True)
class Built:
    """The archive that was written."""

    path: Path
    names: tuple[str, ...]
    """Names of its files."""


def build(assignment: Assignment, target: Path, pytorch_index: str = "") -> Built:
    """Write the archive; the same project gives the same bytes.

    Args:
        assignment: says what else is needed.
        target: the zip file to be created or replaced.
        pytorch_index: address of a package index with CPU-only builds of PyTorch, which are a tenth
            the size of the usual ones; only pip's own index if omitted.

    Raises:
        AutograderError: this is not a clone, or a file is missing.
        RubricError: the rubric names a check that does not exist.
        WriteError: the archive cannot be written.
    """
    rubric.load(known=assignment.checks())
    root = workspace.project_root()
    sources = {name: root / "assets" / "gradescope" / name for name in SCRIPTS}
    sources |= {name: root / name for name in _tracked(root)}
    sources |= assignment.archive_files()
    content = {name: _read(path) for name, path in sources.items()}
    if pytorch_index:
        content[INDEX_NAME] = f"{pytorch_index}\n".encode()
    with file_io.atomic_path(target) as temporary:
        _write_zip(temporary, content)
    return Built(target, tuple(sorted(content)))


def _tracked(root: Path) -> Iterator[str]:
    """Names of the required files that git tracks in the clone."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--", *CARRIED]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise AutograderError(
            f"git cannot list the files of {root} ({error}); run this in a git clone"
        ) from error
    names = done.stdout.decode().split("\0")[:-1]
    absent = [top for top in CARRIED if not any(name.split("/")[0] == top for name in names)]
    if absent:
        raise AutograderError(
            f"git does not track {absent[0]} in {root}, expected a complete clone"
        )
    yield from names


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AutograderError(f"{path} cannot be read: {error.strerror or error}") from error


def _write_zip(path: Path, content: dict[str, bytes]) -> None:
    """Write entries sorted, without times, and readable by all; the two scripts are executable."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data_bytes in sorted(content.items()):
            entry = zipfile.ZipInfo(name, _SAME_TIME)
            entry.create_system = _UNIX
            entry.external_attr = (0o100755 if name in SCRIPTS else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data_bytes, compresslevel=9)
