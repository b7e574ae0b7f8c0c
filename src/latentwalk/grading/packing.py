"""Build a submission from the output of `make report`: see docs/submission.md."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latentwalk import checkpoints
from latentwalk.grading import contract
from latentwalk.model_zoo import weights_files
from problemset import workspace


class PackError(ValueError):
    """There is nothing to pack or nowhere to put it, or the parts do not belong together."""


@dataclass(frozen=True)
class Packed:
    """Result of packing."""

    folder: Path
    files: tuple[str, ...]
    missing: tuple[str, ...]
    """Files that the contract asks for but build/ does not have."""


def pack(folder: Path) -> Packed:
    """Copy report, results and valid weights into a new folder.

    Args:
        folder: must not exist, or be empty.

    Raises:
        PackError: the folder is not empty or is a file; build/ has no report, or one that was not
            made from the current results, weights and texts.
    """
    if folder.exists() and not folder.is_dir():
        raise PackError(f"{folder} is a file; name a folder that is new or empty")
    if folder.is_dir() and any(folder.iterdir()):
        raise PackError(f"{folder} is not empty; name a folder that is new or empty")
    found, missing = _sources()
    if not found.keys() & {contract.PAPER, contract.NOTEBOOK}:
        raise PackError(f"{workspace.build_dir()} has no report; make it first with `make report`")
    _check_newest(found)
    _check_weights(found)
    for name, source in found.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return Packed(folder, tuple(sorted(found)), tuple(missing))


def _sources() -> tuple[dict[str, Path], list[str]]:
    """Find the source of each file of a submission, and the files that have none."""
    sources: dict[str, Path | None] = {}
    for file in contract.FILES:
        if file.network is None:
            sources[file.name] = workspace.build_dir() / file.name
            continue
        sources[file.name] = weights_files.valid_file(file.network.name)
    found = {name: source for name, source in sources.items() if source and source.is_file()}
    missing = [name for name in sources if name not in found]
    for name in contract.VARIANTS:
        if source := weights_files.valid_file(name):
            found[f"weights/{source.name}"] = source
    return found, missing


def _check_newest(found: Mapping[str, Path]) -> None:
    """Refuse a report older than its inputs: `make report` failed, or has to be run again."""
    reports = [found[name] for name in (contract.PAPER, contract.NOTEBOOK) if name in found]
    report = min(reports, key=_written)
    texts = [path for path in (workspace.report_file(), workspace.student_file()) if path.is_file()]
    results = [path for name, path in found.items() if name.startswith("results/")]
    for path in (*texts, *results):
        if _written(path) > _written(report):
            raise PackError(f"{path} is newer than {report}; run `make report` once more")


def _check_weights(found: Mapping[str, Path]) -> None:
    """Refuse arrays that were made with other weights than those packed with them."""
    for archive in (path for path in found.values() if path.suffix == ".npz"):
        record = archive.with_suffix(".json")  # written by `cache.save`
        if not record.is_file():
            continue
        weights = json.loads(record.read_text("utf-8"))["made_from"]["weights"]
        for name, _, digest in (word.partition(":") for word in weights.split()):
            packed = found.get(f"weights/{name}.safetensors")
            if packed and not checkpoints.load_weights(packed)[1].network_digest.startswith(digest):
                raise PackError(
                    f"{archive} was made with other weights than {packed}; give the same "
                    "LATENTWALK_WEIGHTS as to `make report`, or run that once more"
                )


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns
