"""The homework as the one object that `problemset` works with.

The functions import PyTorch only when they are called, because the processes that hand out and
collect checks do without it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentwalk import paths
from latentwalk.checks import contract
from problemset.assignment import Assignment, Check, NotebookEnvironment

if TYPE_CHECKING:
    from problemset.grading.results.thumbnails import Thumbnail
    from problemset.grading.score.outcome import Score
    from problemset.grading.submission.opened import Submission


def _checks() -> Mapping[str, Check]:
    from latentwalk.checks.registry import CHECKS

    return CHECKS


def _prepare() -> Any:
    from latentwalk.checks import grader

    return grader.staff()


def _before_check() -> None:
    from latentwalk.checks import grader

    grader.use_threads()


def _identity() -> str:
    from latentwalk.checks import grader

    return grader.identity()


def _prepare_report() -> None:
    from latentwalk.model_zoo import parallel

    parallel.train_missing()


def _lay_out_notebook(source: Path, work: Path) -> None:
    from latentwalk.checks import grader

    grader.lay_out_notebook(source, work)


def _readable() -> tuple[Path, ...]:
    from latentwalk.checks import grader

    return grader.readable_by_notebook()


def _archive_files() -> Mapping[str, Path]:
    from latentwalk.checks import grader

    return grader.archive_files()


def _notebook_files() -> Mapping[str, Mapping[str, Path]]:
    from latentwalk.checks import grader

    return {"latentwalk": grader.notebook_files()}


def _thumbnails(submission: "Submission", score: "Score") -> "tuple[Thumbnail, ...]":
    from latentwalk.checks import thumbnails

    return thumbnails.thumbnails(submission, score)


ASSIGNMENT = Assignment(
    reference="latentwalk.assignment:ASSIGNMENT",
    program="latentwalk",
    title="Introduction to Deep Learning, Fall 2017, Unit 3: GANs and VAEs on MNIST",
    files=contract.FILES,
    checks=_checks,
    notebook_checks=contract.NOTEBOOK_CHECKS,
    prepare=_prepare,
    before_check=_before_check,
    identity=_identity,
    prepare_report=_prepare_report,
    where_to_start="`latentwalk init FOLDER` writes one",
    report_help=(
        "Weights that are valid for the current code, configuration and data are used as they are "
        "(build/weights before assets/weights). Models without valid weights are trained first, "
        "with progress bars.\n"
    ),
    makes_report="make report",
    training_items=contract.TRAINING_ITEMS,
    notebook=NotebookEnvironment(_lay_out_notebook, paths.environment_within, _readable),
    thumbnails=_thumbnails,
    check_pack=contract.check_weights,
    archive_files=_archive_files,
    notebook_files=_notebook_files,
    environment=paths.as_environment,
)
