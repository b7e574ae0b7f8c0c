"""Build a submission from the rendered report and its results in the build folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from problemset import workspace
from problemset.assignment import Assignment, PackError
from problemset.file_io import make_folder
from problemset.grading.hand_in import made_from, wheels
from problemset.grading.submission.layout import NOTEBOOK, PAPER


@dataclass(frozen=True)
class Packed:
    """Result of packing."""

    folder: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    """Files that the contract asks for but build/ does not have."""


def pack(assignment: Assignment, folder: Path) -> Packed:
    """Copy the files of a submission into a new folder.

    Args:
        assignment: says which files, and where each comes from.
        folder: must not exist, or be empty.

    Raises:
        PackError: the folder is not empty or is a file; build/ has no report, or one that was not
            made from the current results, weights and texts.
    """
    if folder.exists() and not folder.is_dir():
        raise PackError(f"{folder} is a file; name a folder that is new or empty")
    if folder.is_dir() and any(folder.iterdir()):
        raise PackError(f"{folder} is not empty; name a folder that is new or empty")
    found, missing = _sources(assignment)
    if not found.keys() & {PAPER, NOTEBOOK}:
        makes = assignment.makes_report
        raise PackError(f"{workspace.build_dir()} has no report; make it first with `{makes}`")
    # before anything is copied, so that a refusal leaves no half-packed folder
    made_from.check(assignment)
    assignment.check_pack(found)
    further = assignment.notebook_files() if NOTEBOOK in found else {}
    for name, source in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if NOTEBOOK in found:
        code = make_folder(folder / wheels.FOLDER)
        for package in assignment.packages:
            wheels.write(package, code, further.get(package, {}))
    return Packed(folder, tuple(sorted(found)), tuple(missing))


def _sources(assignment: Assignment) -> tuple[dict[str, Path], list[str]]:
    """Find the source of each file of a submission, and the files that have none."""
    found: dict[str, Path] = {}
    folders = (workspace.build_dir(), workspace.project_root())
    for file in assignment.files:
        places = [file.source()] if file.source else [folder / file.name for folder in folders]
        source = next((place for place in places if place and place.is_file()), None)
        if source is not None:
            found[file.name] = source
    missing = [f.name for f in assignment.files if f.name not in found and not f.optional]
    return found, missing
