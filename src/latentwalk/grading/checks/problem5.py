"""Problem 5: the pledge."""

import re

from latentwalk.grading.checks.shared import Staff
from latentwalk.grading.submission import Fault, Submission
from latentwalk.grading.verdicts import Verdict
from latentwalk.render.checks import pdf_text

PLEDGE = "I adhered to the Duke Community Standard in the completion of this assignment"


def pledge_is_word_for_word(submission: Submission, staff: Staff) -> Verdict:
    """5b: the PDF has the sentence."""
    return pledge(submission)


def pledge(submission: Submission) -> Verdict:
    """Say whether the PDF has the sentence, which needs nothing of the staff.

    Raises:
        Fault: there is no PDF, or it cannot be read.
    """
    file = submission.folder / "report.pdf"
    if not file.is_file():
        raise Fault("report.pdf is missing")
    try:
        text = pdf_text(file)
    except (ValueError, RuntimeError, OSError) as error:
        raise Fault(f"report.pdf cannot be read: {error}") from error
    found = PLEDGE in re.sub(r"\s+", " ", text)
    says = "the PDF has the pledge" if found else f"the PDF lacks the sentence {PLEDGE!r}"
    return Verdict(found, says, {"characters": len(text)})
