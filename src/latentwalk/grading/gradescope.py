"""Grading on Gradescope's machine, for assets/gradescope/run_autograder.

Nothing here imports PyTorch, whose place is in each check's own process: the machine has little
memory, and `finish` has to work when there was too little of it.
"""

import json
import time
from pathlib import Path

from latentwalk.grading import contract
from latentwalk.grading.grade import grade
from problemset import file_io, rubric
from problemset.grading.results import formats
from problemset.grading.score.outcome import JSON, CheckOutcome, Score
from problemset.grading.submission.intake import inner_submission


def run(submission: Path, work: Path, results: Path) -> str:
    """Grade a submission.

    Args:
        submission: what was uploaded. When that is one folder with the submission inside, the
            inner one is graded.
        work: folder for what is found on the way, see `finish`.
        results: of Gradescope's form, to be written.

    Returns:
        The table of the score, for the staff.

    Raises:
        IntakeError: what was uploaded is no folder.
        WriteError: the results cannot be written.
    """
    started = time.monotonic()
    inner = inner_submission(submission, contract.TOP_LEVEL)
    score = grade(inner or submission, work, rubric.load(), notebook=False)
    content = formats.gradescope(score, time.monotonic() - started)
    if inner is not None:
        content["output"] = f"Graded: the one folder of the upload. {content['output']}"
    _write(results, content)
    return formats.text_table(score)


def finish(work: Path, results: Path, why: str, seconds: float) -> str:
    """Write what a grader that was stopped has found; a check that it did not reach is broken.

    Args:
        work: as `run` got it.
        results: to be written.
        why: what stopped it, in a few words.
        seconds: that it had.

    Returns:
        The table, for the staff.
    """
    found = _found(work / "score.json")
    score = _with_the_rest(found, why)
    content = formats.gradescope(score, seconds)
    content["output"] = (
        f"Grading did not come to its end: {why}. {len(found.outcomes)} of {len(score.outcomes)} "
        f"parts were graded, so this score is no judgement: course staff must look at it and grade "
        f"again. {content['output']}"
    )
    _write(results, content)
    return formats.text_table(score)


def ready() -> str:
    """Make sure, when the machine is set up, that nothing is missing for grading.

    Raises:
        RubricError: the rubric names a check that there is not.
        DataError: MNIST's test digits cannot be had.
        WeightsError: the judge has no valid weights.
    """
    from latentwalk.grading.checks.known import CHECKS
    from latentwalk.grading.one import staff

    items = rubric.load(known=CHECKS)
    checks = sum(len(item.checks) for item in items)
    return (
        f"ready: {checks} checks, {len(staff().test)} test digits, and a judge with valid weights"
    )


def _found(path: Path) -> Score:
    """Read what was written after each check; nothing, if it was stopped before the first."""
    try:
        return formats.from_json(path.read_text("utf-8"))
    except (OSError, ValueError):
        return Score()


def _with_the_rest(found: Score, why: str) -> Score:
    """Add what is not there yet, in the rubric's order."""
    known = {(outcome.item, outcome.check): outcome for outcome in found.outcomes}
    outcomes = []
    for item in rubric.load():
        for check in item.checks:
            by_reader = check.check.startswith(contract.NOTEBOOK_CHECKS)  # which is not run here
            unreached = CheckOutcome(
                check.check, item.id, check.shows.rstrip("."), check.points,
                "to be read" if by_reader else "broken",
                "the notebook is not run here" if by_reader else f"not reached: {why}",
            )  # fmt: skip
            outcomes.append(known.get((item.id, check.check), unreached))
        if item.reader:
            asks = " ".join(item.asks.split())
            unread = CheckOutcome("reader", item.id, item.title, item.reader, "to be read", asks)
            outcomes.append(known.get((item.id, "reader"), unread))
    return Score(tuple(outcomes))


def _write(results: Path, content: dict[str, JSON]) -> None:
    with file_io.atomic_path(results) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", "utf-8")
