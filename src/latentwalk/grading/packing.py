"""Make a submission from what `make report` has made: see docs/submission.md."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from latentwalk import paths, recipes
from latentwalk.grading import contract


class PackError(ValueError):
    """There is nothing to pack, or nowhere to put it."""


@dataclass(frozen=True)
class Packed:
    """What was packed."""

    folder: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    """What the contract asks for and build/ does not have."""


def pack(folder: Path) -> Packed:
    """Copy report, results and valid weights into a new folder.

    Args:
        folder: must not exist, or be empty.

    Raises:
        PackError: the folder holds something, or build/ has no report at all.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise PackError(f"{folder} is not empty; name a folder that is new or empty")
    found, missing = _sources()
    if not found.keys() & {contract.PAPER, contract.NOTEBOOK}:
        raise PackError(f"{paths.build_dir()} has no report; make it first with `make report`")
    for name, source in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return Packed(folder, tuple(sorted(found)), tuple(missing))


def _sources() -> tuple[dict[str, Path], list[str]]:
    """Find where each file of a submission comes from, and what has no source."""
    sources: dict[str, Path | None] = {}
    for file in contract.FILES:
        if file.network is None:
            sources[file.name] = paths.build_dir() / file.name
            continue
        sources[file.name] = _valid(file.network.name)
    found = {name: source for name, source in sources.items() if source and source.is_file()}
    missing = [name for name in sources if name not in found]
    for name in contract.VARIANTS:
        if source := _valid(name):
            found[f"weights/{source.name}"] = source
    return found, missing


def _valid(name: str) -> Path | None:
    """The weights that the report uses."""
    return next((path for path, found in recipes.status(name) if found.state == "valid"), None)
