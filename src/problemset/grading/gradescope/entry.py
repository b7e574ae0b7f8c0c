"""Grading on Gradescope's machine, for assets/gradescope/run_autograder.

Nothing here imports what the checks need, which belongs in their own processes: the machine has
little memory, and `finish` must still work after it ran out.
"""

import json
import time
from pathlib import Path

from problemset import file_io, rubric
from problemset.assignment import Assignment
from problemset.grading.results import formats
from problemset.grading.runner import outcomes
from problemset.grading.runner.grade_submission import grade_submission
from problemset.grading.score.outcome import JSON, Score
from problemset.grading.submission.intake import inner_submission


def run(assignment: Assignment, submission: Path, work: Path, results: Path) -> str:
    """Grade a submission.

    Args:
        assignment: says which checks there are.
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
    inner = inner_submission(submission, assignment.top_level)
    folder = inner or submission
    score = grade_submission(assignment, folder, work, rubric.load(), notebook=False)
    content = formats.gradescope(score, time.monotonic() - started)
    if inner is not None:
        content["output"] = f"Graded: the one folder of the upload. {content['output']}"
    _write(results, content)
    return formats.text_table(score)


def finish(assignment: Assignment, work: Path, results: Path, why: str, seconds: float) -> str:
    """Write the results of a grader that was stopped; checks that it did not reach are broken.

    Args:
        assignment: as passed to `run`.
        work: as passed to `run`.
        results: results file, to be written.
        why: what stopped it, in a few words.
        seconds: wall-clock time that it had.

    Returns:
        The text table of the score, for the staff.
    """
    found = _found(work / "score.json")
    score = _with_the_rest(assignment, found, why)
    content = formats.gradescope(score, seconds)
    content["output"] = (
        f"Grading did not come to its end: {why}. {len(found.outcomes)} of {len(score.outcomes)} "
        f"parts were graded, so this score is no judgement: course staff must look at it and grade "
        f"again. {content['output']}"
    )
    _write(results, content)
    return formats.text_table(score)


def ready(assignment: Assignment) -> str:
    """Verify, when the machine is set up, that nothing needed for grading is missing.

    Raises:
        RubricError: the rubric names a check that does not exist.
        ValueError, OSError: what the checks need cannot be loaded.
    """
    items = rubric.load(known=assignment.checks())
    checks = sum(len(item.checks) for item in items)
    return f"ready: {checks} checks, {assignment.prepare()}"


def _found(path: Path) -> Score:
    """Read the score written so far; empty if grading stopped before the first check."""
    try:
        return formats.from_json(path.read_text("utf-8"))
    except (OSError, ValueError):
        return Score()


def _with_the_rest(assignment: Assignment, found: Score, why: str) -> Score:
    """Add the missing outcomes, in the rubric's order."""
    known = {(each.item, each.check): each for each in found.outcomes}
    everything = []
    for item in rubric.load():
        unreached = [
            outcomes.of_check(item, check, "to be read", outcomes.NOT_RUN)
            if check.check in assignment.notebook_checks
            else outcomes.of_check(item, check, "broken", f"not reached: {why}")
            for check in item.checks
        ]
        unreached += [outcomes.of_reader(item, {})] if item.reader else []
        everything += [known.get((each.item, each.check), each) for each in unreached]
    return Score(tuple(everything))


def _write(results: Path, content: dict[str, JSON]) -> None:
    file_io.write(results, json.dumps(content, indent=1, allow_nan=False) + "\n")
