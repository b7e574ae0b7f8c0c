"""Problem 5: the pledge."""

import re

from latentwalk.checks.shared import Staff
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission

PLEDGE = "I adhered to the Duke Community Standard in the completion of this assignment"


def pledge_is_word_for_word(submission: Submission, staff: Staff) -> Verdict:
    """5b: the PDF contains the pledge."""
    return pledge(submission)


def pledge(submission: Submission) -> Verdict:
    """Check that the PDF contains the pledge; needs none of the staff's data.

    Raises:
        SubmissionError: there is no PDF, or it cannot be read.
    """
    text = submission.pdf_text()
    found = PLEDGE in re.sub(r"\s+", " ", text)
    says = "the PDF has the pledge" if found else f"the PDF lacks the sentence {PLEDGE!r}"
    return Verdict(found, says, {"characters": len(text)})
