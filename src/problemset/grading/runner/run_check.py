"""What runs in a check's own process: one check of one submission.

The process that requests checks also imports this module, but does not need NumPy and Pillow.
"""

import dataclasses
import functools
import os
import re
from pathlib import Path
from typing import Any

from problemset import assignment

ASSIGNMENT = "PROBLEMSET_ASSIGNMENT"
"""Environment variable with the assignment's reference, for `prepare`, which takes no arguments."""


def run(reference: str, check: str, folder: str) -> dict[str, Any]:
    """Carry out a check.

    Args:
        reference: of the assignment.
        check: name of one of its checks.
        folder: the submission's private copy.

    Returns:
        The verdict's fields; a fault of the submission becomes a failed check.
    """
    from problemset.formulas import FormulaError
    from problemset.grading.score.verdict import Verdict
    from problemset.grading.submission.opened import Submission, SubmissionError

    homework = assignment.load(reference)
    homework.before_check()
    try:
        verdict = homework.checks()[check](Submission(Path(folder)), prepared(reference))
    except (SubmissionError, FormulaError) as error:
        verdict = Verdict(False, str(error))
    return dataclasses.asdict(verdict)


def pages(folder: str) -> dict[str, int]:
    """Find the page of the PDF on which each item of the homework begins; omit items not found.

    Raises:
        SubmissionError: there is no PDF, or it cannot be read.
    """
    from problemset.grading.submission.opened import Submission

    found: dict[str, int] = {}
    for number, text in enumerate(Submission(Path(folder)).pdf_pages(), start=1):
        for item in re.findall(r"^\s*([1-9][a-z])[.)]\s", text, re.MULTILINE):
            found.setdefault(item, number)
    return found


def prepare() -> None:
    """Load what all checks need, once in each forkserver."""
    prepared(os.environ[ASSIGNMENT])


@functools.cache
def prepared(reference: str) -> Any:
    """Load what an assignment's checks need, once per process."""
    return assignment.load(reference).prepare()
