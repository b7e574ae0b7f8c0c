"""The notebook, run again: whether the outputs of a problem are those that its code produces.

`problemset.grading.runner.rerun_notebook` runs it; these checks read the recorded results.
"""

from latentwalk.checks import contract
from latentwalk.checks.shared import Staff
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission, SubmissionError


def notebook_repeats_problem_2(submission: Submission, staff: Staff) -> Verdict:
    """2e: the cells of Problem 2 reproduce their saved outputs."""
    return repeats(submission, "2")


def notebook_repeats_problem_3(submission: Submission, staff: Staff) -> Verdict:
    """3c: the cells of Problem 3 reproduce their saved outputs."""
    return repeats(submission, "3")


def notebook_repeats_problem_4(submission: Submission, staff: Staff) -> Verdict:
    """4d: the cells of Problem 4 reproduce their saved outputs."""
    return repeats(submission, "4")


def repeats(submission: Submission, problem: str) -> Verdict:
    """Compare the saved outputs of a problem's cells with those of running them again.

    Raises:
        SubmissionError: the notebook is missing, or it was not run to its end.
    """
    run = submission.notebook_run()
    cells = [cell for cell in run["cells"] if cell["problem"] == problem]
    evidence = {"cells": len(cells), "confined": ", ".join(run["confined"])}
    wrong = [f"cell {cell['number']}: {fault}" for cell in cells if (fault := _fault(cell))]
    if wrong:
        says = f"{len(wrong)} of {len(cells)} cells of Problem {problem} fail: {wrong[0]}"
        return Verdict(False, says, evidence | {"wrong": wrong})
    for item in (item for item in contract.FIGURES if item.startswith(problem)):
        if not any(cell["compared"] for cell in cells if cell["item"] == item):
            raise SubmissionError(
                f"report.ipynb has no output to compare under a heading of {item}"
            )
    says = f"all {len(cells)} cells of Problem {problem} give again what was saved"
    return Verdict(True, says, evidence)


def _fault(cell: dict) -> str:
    if cell["count"] != cell["number"]:
        got = "not at all" if cell["count"] is None else f"as number {cell['count']}"
        return f"was run {got}, expected number {cell['number']}, from top to bottom"
    return str(cell["differs"])
