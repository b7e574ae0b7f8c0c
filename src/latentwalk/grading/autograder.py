"""Build the archive that makes Gradescope grade with this project: see docs/gradescope.md.

Its root holds the two scripts of assets/gradescope/ and what they need: the package, the rubric,
the weights of the staff's classifier, and MNIST's test digits if this machine has them.
"""

import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from latentwalk import data, mnist_files, paths
from latentwalk.grading.checks.known import CHECKS
from latentwalk.model_zoo import weights_files
from problemset import file_io, rubric, workspace

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
    has_digits: bool
    """Whether it contains MNIST's test digits; otherwise setup.sh downloads them."""


def build(target: Path, pytorch_index: str = "") -> Built:
    """Write the archive; the same project gives the same bytes.

    Args:
        target: the zip file to be created or replaced.
        pytorch_index: address of a package index with CPU-only builds of PyTorch, which are a tenth
            the size of the usual ones; only pip's own index if omitted.

    Raises:
        AutograderError: this is not a clone, a file is missing, or the staff's classifier has no
            valid weights.
        RubricError: the rubric names a check that does not exist.
        WriteError: the archive cannot be written.
    """
    rubric.load(known=CHECKS)
    root = workspace.project_root()
    sources = {name: root / "assets" / "gradescope" / name for name in SCRIPTS}
    sources |= {name: root / name for name in _tracked(root)}
    sources["assets/weights/classifier.safetensors"] = _judge()
    digits = {f"mnist/{path.name}": path for path in _test_digits()}
    content = {name: _read(path) for name, path in (sources | digits).items()}
    if pytorch_index:
        content[INDEX_NAME] = f"{pytorch_index}\n".encode()
    with file_io.atomic_path(target) as temporary:
        _write_zip(temporary, content)
    return Built(target, tuple(sorted(content)), bool(digits))


def _tracked(root: Path) -> Iterator[str]:
    """Names of the required files that git tracks in the clone."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--", *CARRIED]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise AutograderError(
            f"git cannot list the files of {root} ({error}); the archive is made from a clone"
        ) from error
    names = done.stdout.decode().split("\0")[:-1]
    absent = [top for top in CARRIED if not any(name.split("/")[0] == top for name in names)]
    if absent:
        raise AutograderError(f"git does not track {absent[0]} in {root}, expected a whole clone")
    yield from names


def _judge() -> Path:
    if valid := weights_files.valid_file("classifier"):
        return valid
    reason = weights_files.status("classifier")[-1][1].reason
    raise AutograderError(
        f"the judge has no valid weights ({reason}); `latentwalk train classifier` makes them"
    )


def _test_digits() -> list[Path]:
    """The two files of the test set, verified; empty if this machine does not have them."""
    wanted, folder = data.files_of("test"), paths.data_cache()
    if named := paths.user_data_dir():
        folder = mnist_files.from_user(named, folder, wanted)
    if mnist_files.lacking(folder, wanted):
        return []
    return [folder / file.name for file in wanted]


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
