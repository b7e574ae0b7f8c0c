"""`grade FOLDER...`: grade submissions by the rubric."""

import argparse
import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from problemset import rubric, workspace
from problemset.assignment import Assignment
from problemset.commands.parsing import Outcome, Parser, UsageError, did_you_mean
from problemset.grading.batch import cluster, roster
from problemset.grading.batch.grade_class import GradeAll, grade_class, one_by_one
from problemset.grading.batch.job import Grader
from problemset.grading.batch.roster import Row
from problemset.grading.results import formats
from problemset.rubric import Item

_LOG = logging.getLogger(__name__)

MOST_WORKERS = 256
_HELP = """Grade submissions: recompute whatever can be recomputed, and compare.

Without FOLDER, your own report is graded: build/submission is packed from it first.
Each check runs in its own process. A person has to read proofs and discussions; the score says
how many points await a reader. rubric.yml says what is checked.

--out gets one folder for each submission:
    page.html     for the reader: every check with its evidence, pictures, fields for the marks
    score.json    every outcome with its evidence
    results.json  for Gradescope
    junit.xml     for anything that reads JUnit
    score.txt     the table

and, if there are several submissions, two files that are updated after each one:
    class.csv     one line for each submission
    class.txt     the same as a table

Run the same command again to resume after an interruption, or to grade what has changed.

Example:
    {program} grade
    {program} grade submission
    {program} grade handed-in/* --out grades --workers 4
"""
_OVERHEAD_SECONDS = 40.0  # per check, in addition to its own limit: start-up and clean-up
_FEWEST_SECONDS = 600.0  # minimum before a submission counts as hanging


def run(assignment: Assignment, arguments: Sequence[str]) -> Outcome:
    """Grade each submission and write its results.

    Raises:
        UsageError: an unknown option, or no such folder.
        PackError: no folder was named, and there is no report to pack, or it is outdated.
        RubricError: a rubric that does not add up, or names a check that does not exist.
        ClusterError: no Dask, no scheduler or no workers.
        WriteError: the results cannot be written.
    """
    program = assignment.program
    options = read_options(program, arguments)
    rubric.settings(options.rubric)  # what cannot be read is refused before PyTorch is imported
    _check_folders(assignment, options.folders)
    items = rubric.load(options.rubric, known=assignment.checks())
    text = (options.rubric or workspace.rubric_file()).read_text("utf-8")
    out = options.out or workspace.build_dir() / "grades"
    submissions = roster.places(options.folders or [_packed(assignment)], out)
    with hold_workers(options.workers, options.scheduler, limit_seconds(items)) as grade_all:
        rows = grade_class(
            assignment.reference,
            submissions,
            out,
            items,
            text,
            grader=grader(),
            grade_all=grade_all,
            again=options.again,
            notebook=options.notebook,
        )
    missing = any(row.score is None for row in rows)
    return Outcome(_text(rows, items, out), exit_code=1 if missing else 0)


def read_options(program: str, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments.

    Raises:
        UsageError: an unknown option, or workers that cannot be had.
    """
    parser = Parser(f"{program} grade", _HELP.format(program=program))
    option = parser.add_argument
    says = "Folders of the submissions; your own report if omitted."
    option("folders", type=Path, nargs="*", metavar="FOLDER", help=says)
    option(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="Folder for the results; build/grades if omitted.",
    )
    option(
        "--rubric", type=Path, metavar="FILE", help="Rubric file to use instead of the project's."
    )
    says = "Grade again even if nothing has changed since the last grading."
    option("--again", action="store_true", help=says)
    says = "Do not run the submitted notebook again, which takes minutes."
    option("--no-notebook", dest="notebook", action="store_false", help=says)
    says = "Number of grading processes on this machine; more than 1 needs Dask."
    option("--workers", type=int, metavar="N", default=1, help=says)
    says = "Address of a Dask scheduler whose workers do the grading, such as tcp://10.0.0.5:8786."
    option("--scheduler", type=str, metavar="ADDRESS", default="", help=says)
    options = parser.parse_args(arguments)
    if not 1 <= options.workers <= MOST_WORKERS:
        parser.error(f"--workers is {options.workers}, expected 1 ... {MOST_WORKERS}")
    if options.scheduler and options.workers > 1:
        parser.error("--workers is for this machine; the scheduler has its own workers")
    return options


def _check_folders(assignment: Assignment, folders: Sequence[Path]) -> None:
    """Refuse names of which none exists; a class is graded without the few that are missing."""
    program = assignment.program
    if folders and not any(os.path.lexists(folder) for folder in folders):
        first = folders[0]
        near = [path.name for path in first.parent.iterdir()] if first.parent.is_dir() else []
        meant = did_you_mean(first.name, near) or ";"
        raise UsageError(
            f"there is no folder {first}{meant} name a submission, such as one that "
            f"`{program} pack` made; `{program} grade` alone grades your own report"
        )
    from problemset.grading.hand_in import preflight  # imports NumPy, which is slow

    for folder in folders:
        if preflight.is_workplace(folder, assignment):
            _LOG.warning("%s: %s", folder, preflight.WORKPLACE.format(program=program))


def _packed(assignment: Assignment) -> Path:
    """Pack the report anew into build/submission."""
    from problemset.grading.hand_in import packing

    folder = workspace.build_dir() / "submission"
    with workspace.build_lock(), tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        packed = packing.pack(assignment, Path(scratch) / folder.name)
        shutil.rmtree(folder, ignore_errors=True)
        packed.folder.rename(folder)
    return folder


def grader() -> Grader:
    """Return the function that grades a submission, so that a test can replace it."""
    from problemset.grading.batch.grade_job import grade_job  # its libraries are slow to import

    return grade_job


def limit_seconds(items: Sequence[Item]) -> float:
    """Seconds after which a submission counts as hanging: more than all its checks may take."""
    from problemset.grading.runner.grade_submission import LIMITS, NOTEBOOK_LIMITS

    checks = sum(len(item.checks) for item in items)
    one_check = LIMITS.wall_seconds + _OVERHEAD_SECONDS
    return _FEWEST_SECONDS + NOTEBOOK_LIMITS.wall_seconds + checks * one_check


@contextlib.contextmanager
def hold_workers(workers: int, scheduler: str, seconds: float) -> Iterator[GradeAll]:
    """Provide the workers that the options ask for, and release them afterwards."""
    if scheduler:
        with cluster.existing(scheduler) as client:
            yield cluster.Dispatch(client, seconds)
    elif workers > 1:
        with cluster.local(workers) as client:
            yield cluster.Dispatch(client, seconds)
    else:
        yield one_by_one


def _text(rows: Sequence[Row], items: Sequence[Item], out: Path) -> str:
    """Format the table of one submission, or of the class."""
    if len(rows) > 1:
        return f"{roster.as_text(rows, items)}results in {out}, the table in {out / roster.CSV}"
    (row,) = rows
    if row.score is None:
        return f"{row.place.name}: not graded: {row.says}"
    before = ", graded before" if row.kept else ""
    where = f"{row.place.name} ({row.seconds:.0f} s{before}), results in {row.place.out}"
    return f"{where}\n{formats.text_table(row.score)}"
