"""Grade one submission: each check in its own process, with results written after each one."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from problemset import file_io
from problemset.assignment import Assignment
from problemset.grading.results import formats
from problemset.grading.runner import outcomes, rerun_notebook, run_check
from problemset.grading.sandbox import isolation
from problemset.grading.sandbox.isolation import Ended, Limits
from problemset.grading.score.outcome import CheckOutcome, CheckStatus, Score
from problemset.grading.submission.intake import Intake, take_in
from problemset.grading.submission.layout import NOTEBOOK, NOTEBOOK_RUN, PAPER
from problemset.rubric import Item, ItemCheck

LIMITS = Limits(wall_seconds=120, cpu_seconds=240, memory_bytes=768 << 20)
"""Limits per check."""
NOTEBOOK_LIMITS = Limits(
    wall_seconds=1500, cpu_seconds=3000, memory_bytes=6 << 30, file_bytes=256 << 20, processes=200
)
"""Limits for running the notebook, including its kernel; the report's own takes three to six
minutes and 2 GiB on two quiet cores, and twice that beside other work."""
Run = Callable[..., Ended]


def open_server(assignment: Assignment) -> isolation.Server:
    """Create a server that has loaded what the checks need; use it in a `with` block."""
    return isolation.Server(
        prepare=[run_check.prepare],
        environment={**assignment.environment(), run_check.ASSIGNMENT: assignment.reference},
        packages=assignment.packages,
        folders=[str(assignment.folder)],
    )


def grade_submission(
    assignment: Assignment,
    folder: Path,
    out: Path,
    items: Sequence[Item],
    *,
    limits: Limits = LIMITS,
    notebook: bool = True,
    run: Run | None = None,
    intake: Intake | None = None,
) -> Score:
    """Grade a submission.

    Args:
        assignment: says which checks there are.
        folder: the submission; it is read once, and nothing in it is run except the notebook.
        out: folder for `score.json`, which is rewritten after every check.
        items: the rubric.
        limits: limits per check.
        notebook: whether to run the notebook; if not, the points of its checks await a reader.
        run: runs a function in isolation; defaults to that of a temporary server.
        intake: the submission's private copy, if it has already been taken in.

    Raises:
        IntakeError: the submission is not a folder.
        WriteError: `out` cannot be written.
    """
    note = formats.write_after_each(file_io.make_folder(out) / "score.json")
    score = Score()
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="problemset-grading-"))
        intake = intake or take_in(folder, Path(scratch), names=assignment.names)
        run = run or stack.enter_context(open_server(assignment)).run
        pages = _pages(run, intake, limits)
        of_notebook = assignment.notebook_checks
        asked = any(check.check in of_notebook for item in items for check in item.checks)
        notebook = notebook and assignment.notebook is not None
        unable = _run_notebook(assignment, run, intake) if notebook and asked else ""
        for item in items:
            for check in item.checks:
                if check.check in of_notebook and not notebook:
                    score = note(outcomes.of_check(item, check, "to be read", outcomes.NOT_RUN))
                elif check.check in of_notebook and unable:
                    score = note(outcomes.of_check(item, check, "broken", unable))
                else:
                    arguments = {
                        "reference": assignment.reference,
                        "check": check.check,
                        "folder": str(intake.folder),
                    }
                    ended = run(run_check.run, arguments, limits)
                    score = note(_outcome(item, check, ended, intake))
            if item.reader:
                score = note(outcomes.of_reader(item, pages))
    return score


def _pages(run: Run, intake: Intake, limits: Limits) -> dict[str, int]:
    """Page of the PDF on which each item begins, for its reader; empty if unknown."""
    if PAPER not in intake.files:
        return {}
    ended = run(run_check.pages, {"folder": str(intake.folder)}, limits)
    return ended.value if isinstance(ended.value, dict) else {}


def _run_notebook(assignment: Assignment, run: Run, intake: Intake) -> str:
    """Run the notebook and save the result in the private copy; return why that was impossible.

    A failure that is the notebook's own fault is saved as such.
    """
    if NOTEBOOK not in intake.files:
        return ""
    arguments = {"reference": assignment.reference, "folder": str(intake.folder)}
    ended = run(rerun_notebook.rerun, arguments, NOTEBOOK_LIMITS)
    noted = ended.value
    if ended.state != "returned":
        # being unreadable or reaching a limit is the notebook's own fault; other errors are not
        own_fault = ended.says.startswith("IntakeError") or ended.state not in ("raised", "crashed")
        if not own_fault:
            return f"could not be carried out ({ended.state}): {ended.says}"
        noted = {"fault": ended.says}
    (intake.folder / NOTEBOOK_RUN).write_text(json.dumps(noted), "utf-8")
    return ""


def _outcome(item: Item, check: ItemCheck, ended: Ended, intake: Intake) -> CheckOutcome:
    value = ended.value if ended.state == "returned" else None
    if not isinstance(value, dict):
        says = f"could not be carried out ({ended.state}): {ended.says}"
        return outcomes.of_check(item, check, "broken", says)
    says = str(value["says"])
    # a refused file looks missing to the check, so say why it was refused
    refused = [why for name, why in intake.refused.items() if name in says]
    if refused:
        says = f"{says} (refused: {refused[0]})"
    state: CheckStatus = "passed" if value["passed"] else "failed"
    return outcomes.of_check(item, check, state, says, value["evidence"])
