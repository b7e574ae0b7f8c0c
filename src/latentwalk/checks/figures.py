"""2b, 2e, 3c, 4d: the figures show the images that were submitted as arrays.

The notebook's figure is searched for the images, and the PDF for that figure.
"""

import numpy as np

from latentwalk.checks import shared
from latentwalk.checks.networks import open_images
from latentwalk.checks.shared import Staff
from latentwalk.data.shapes import IMAGE_SHAPE, NUM_CLASSES
from problemset.grading.evidence import template_match
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.figures import is_in_pdf, pictures_of
from problemset.grading.submission.opened import Submission

LOOKED_AT = 6
"""Number of pictures searched per heading, largest first; each search takes seconds."""


def figure_shows_2b(submission: Submission, staff: Staff) -> Verdict:
    """2b: the figure shows the ten images."""
    return shows(submission, "2b", open_images(submission, "2b", "images", (shared.STEPS,)))


def figure_shows_2e(submission: Submission, staff: Staff) -> Verdict:
    """2e: the figure shows the images of the path, in order."""
    images = open_images(submission, "2e", "strip.images", (None,))
    return shows(submission, "2e", images, in_order=True)


def figure_shows_3c(submission: Submission, staff: Staff) -> Verdict:
    """3c: the figure shows the decoded images, in order."""
    images = open_images(submission, "3c", "strip.images", (None,))
    return shows(submission, "3c", images, in_order=True)


def figure_shows_4d(submission: Submission, staff: Staff) -> Verdict:
    """4d: the figure shows the hundred images."""
    grid = open_images(submission, "4d", "images", (NUM_CLASSES, shared.STEPS))
    return shows(submission, "4d", grid.reshape(-1, *IMAGE_SHAPE))


def shows(submission: Submission, item: str, images: np.ndarray, in_order: bool = False) -> Verdict:
    """Look for images (N, 1, 28, 28) in an item's pictures, and for that picture in the PDF.

    Raises:
        SubmissionError: as in `pictures_of`, or there is no PDF.
    """
    pictures = pictures_of(submission, item)
    absent, shown = list(range(len(images))), pictures[0]
    for picture in pictures[:LOOKED_AT]:
        found = template_match.missing(picture, images[:, 0], in_order)
        # the picture that shows most of the images counts as the figure
        if len(found) < len(absent):
            absent, shown = found, picture
        if not absent:
            break
    evidence = {"images": len(images), "not found": absent, "pixels": list(shown.size)}
    if absent:
        says = f"{len(absent)} of {len(images)} images of results/{item}.npz are not "
        says += f"in the figure of {item}" + (", or not in order" if in_order else "")
        return Verdict(False, says, evidence)
    if not is_in_pdf(submission, shown):
        return Verdict(False, f"report.pdf does not have the notebook's figure of {item}", evidence)
    says = f"the figure of {item} shows all {len(images)} images, in the notebook and in the PDF"
    return Verdict(True, says, evidence)
