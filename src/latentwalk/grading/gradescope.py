"""Grading on Gradescope's machine, for assets/gradescope/run_autograder.

Nothing here imports PyTorch, which belongs in the checks' own processes: the machine has little
memory, and `finish` must still work after it ran out.
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
        submission: the upload. If it consists of one folder with the submission inside, that folder
            is graded.
        work: folder for intermediate results, see `finish`.
        results: results file in Gradescope's format, to be written.

    Returns:
        The text table of the score, for the staff.

    Raises:
        IntakeError: the upload is not a folder.
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
    """Write the results of a grader that was stopped; checks that it did not reach are broken.

    Args:
        work: as passed to `run`.
        results: results file, to be written.
        why: what stopped it, in a few words.
        seconds: wall-clock time that it had.

    Returns:
        The text table of the score, for the staff.
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
    """Verify, when the machine is set up, that nothing needed for grading is missing.

    Raises:
        RubricError: the rubric names a check that does not exist.
        DataError: MNIST's test digits cannot be obtained.
        WeightsError: the staff's classifier has no valid weights.
    """
    from latentwalk.grading.checks.known import CHECKS
    from latentwalk.grading.one import staff

    items = rubric.load(known=CHECKS)
    checks = sum(len(item.checks) for item in items)
    return (
        f"ready: {checks} checks, {len(staff().test)} test digits, and a judge with valid weights"
    )


def _found(path: Path) -> Score:
    """Read the score written so far; empty if grading stopped before the first check."""
    try:
        return formats.from_json(path.read_text("utf-8"))
    except (OSError, ValueError):
        return Score()


def _with_the_rest(found: Score, why: str) -> Score:
    """Add the missing outcomes, in the rubric's order."""
    known = {(outcome.item, outcome.check): outcome for outcome in found.outcomes}
    outcomes = []
    for item in rubric.load():
        for check in item.checks:
            by_reader = check.check.startswith(contract.NOTEBOOK_CHECKS)  # not run here
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
