"""The notebook, run again: whether the outputs of a problem are those that its code produces."""

from latentwalk.checks import contract
from latentwalk.checks.shared import Staff
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission import reruns
from problemset.grading.submission.opened import Submission


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
    """Check that a second run of a problem's cells gives the outputs that were saved.

    Raises:
        SubmissionError: as in `reruns.repeats`.
    """
    figures = [item for item in contract.FIGURES if item.startswith(problem)]
    return reruns.repeats(submission, problem, figures)
