"""Cache of complete gradings, so that an interrupted class run can resume.

The record `graded.json` is written last. Results count as complete if it exists, every file matches
it, and at least one check was carried out. Anything else in the folder comes from an interrupted
grading and is graded again.
"""

import functools
import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from problemset import assignment, file_io
from problemset.grading.results import formats
from problemset.grading.score.outcome import BROKEN, TO_BE_READ, Score
from problemset.grading.submission import safe_files
from problemset.grading.submission.intake import Intake
from problemset.grading.submission.safe_files import RefusedError

RECORD = "graded.json"
VERSION = 1  # version of the record
_LARGEST = 64 << 20  # bytes per result file


@dataclass(frozen=True)
class CachedGrade:
    """Complete results of a submission."""

    digest: str
    """Digest of the submission, the rubric and the grader."""
    seconds: float
    """Wall-clock time that grading took."""
    score: Score


@functools.cache
def grader(reference: str) -> str:
    """SHA-256 over the packages' versions and source, and what else an assignment's grader uses.

    Results of another grader are never reused, neither from this disk nor from another machine.

    Args:
        reference: of the assignment.
    """
    homework = assignment.load(reference)
    sources: dict[str, str] = {}
    for package in homework.packages:
        folder, paths = _source(package)
        for path in paths:
            name = f"{package}/{path.relative_to(folder).as_posix()}"
            sources[name] = _sha256(path.read_bytes())
    versions = {package: _version(package) for package in homework.packages}
    return _digest(version=versions, sources=sources, identity=homework.identity())


def _source(package: str) -> tuple[Path, list[Path]]:
    """Folder and files of a package, or of a module that is a single file."""
    module = importlib.import_module(package)
    file = Path(str(module.__file__))
    if not hasattr(module, "__path__"):
        return file.parent, [file]
    kinds = (".py", ".css", ".html")
    return file.parent, [path for path in file.parent.rglob("*") if path.suffix in kinds]


def _version(package: str) -> str:
    """The version of a package; empty for one that is not installed as a distribution."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def digest(grader: str, rubric: str, intake: Intake, notebook: bool = True) -> str:
    """SHA-256 over everything that decides the results of a submission.

    Args:
        grader: from `grader()`.
        rubric: the text of the rubric.
        intake: the submission's private copy.
        notebook: whether the notebook is run.
    """
    found = {name: _sha256((intake.folder / name).read_bytes()) for name in intake.files}
    return _digest(
        grader=grader,
        rubric=rubric,
        files=found,
        refused=intake.refused,
        ignored=intake.ignored,
        notebook=notebook,
    )


def write(out: Path, of: str, seconds: float, results: Mapping[str, bytes]) -> Score:
    """Write the results of a submission, and a record that they are complete.

    Args:
        out: the submission's own result folder.
        of: from `digest`.
        seconds: wall-clock time that grading took.
        results: content by file name; `score.json` is one of them.

    Raises:
        WriteError: the folder is read-only or full; the old record has been removed by then.
        ValueError: `score.json` is not a score.
    """
    score = formats.from_json(results["score.json"].decode("utf-8"))
    # first, so that a mixture of old and new files never counts as complete
    try:
        (file_io.make_folder(out) / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise file_io.write_error(out, error) from error
    for name, content in results.items():
        file_io.write(out / name, content)
    found = {name: _sha256(content) for name, content in results.items()}
    record = {"version": VERSION, "digest": of, "seconds": seconds, "files": found}
    carried_out = [o for o in score.outcomes if o.state not in (BROKEN, TO_BE_READ)]
    if carried_out or not score.possible:  # otherwise this machine lacks what every check needs
        file_io.write(out / RECORD, json.dumps(record, indent=1).encode("ascii") + b"\n")
    return score


def read(out: Path) -> CachedGrade | None:
    """Read the results in a folder; None unless they are complete."""
    try:
        record = json.loads(safe_files.read(out / RECORD, _LARGEST))
        if record["version"] != VERSION:
            return None
        found = {name: safe_files.read(out / name, _LARGEST) for name in record["files"]}
        if {name: _sha256(content) for name, content in found.items()} != record["files"]:
            return None
        score = formats.from_json(found["score.json"].decode("utf-8"))
        return CachedGrade(str(record["digest"]), float(record["seconds"]), score)
    except (RefusedError, ValueError, KeyError, TypeError, AttributeError):
        return None  # foreign or incomplete: grade again


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(**parts: Any) -> str:
    return _sha256(json.dumps(parts, sort_keys=True).encode("ascii"))
