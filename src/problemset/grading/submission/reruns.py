"""The notebook, run again: whether the outputs of a problem are those that its code produces.

`problemset.grading.runner.rerun_notebook` runs it; checks read here what it recorded.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission, SubmissionError


def repeats(submission: Submission, problem: str, showing: Iterable[str]) -> Verdict:
    """Check that a second run of a problem's cells gives the outputs that were saved.

    Args:
        submission: its notebook has been run.
        problem: number of the problem, such as `2`.
        showing: items of the problem under whose headings there must be something to compare.

    Raises:
        SubmissionError: the notebook is missing, was not run to its end, or shows nothing for an
            item.
    """
    run = submission.notebook_run()
    cells = [cell for cell in run["cells"] if cell["problem"] == problem]
    evidence = {"cells": len(cells), "confined": ", ".join(run["confined"])}
    wrong = [f"cell {cell['number']}: {fault}" for cell in cells if (fault := _fault(cell))]
    if wrong:
        says = f"{len(wrong)} of {len(cells)} cells of Problem {problem} fail: {wrong[0]}"
        return Verdict(False, says, evidence | {"wrong": wrong})
    for item in showing:
        if not any(cell["compared"] for cell in cells if cell["item"] == item):
            raise SubmissionError(
                f"report.ipynb has no output to compare under a heading of {item}"
            )
    says = f"all {len(cells)} cells of Problem {problem} give the saved outputs again"
    return Verdict(True, says, evidence)


def _fault(cell: Mapping[str, Any]) -> str:
    if cell["count"] != cell["number"]:
        got = "not at all" if cell["count"] is None else f"as number {cell['count']}"
        return f"was run {got}, expected number {cell['number']}, from top to bottom"
    return str(cell["differs"])
