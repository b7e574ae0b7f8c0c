"""2b, 2e, 3c, 4d: the figures show the images that were submitted as arrays.

The notebook's figure is searched for the images, and the PDF for that figure.
"""

import numpy as np
from PIL import Image

from latentwalk.checks import shared
from latentwalk.checks.networks import open_images
from latentwalk.checks.shared import Staff
from latentwalk.shapes import IMAGE_SHAPE, NUM_CLASSES
from problemset.grading.evidence import outputs, template_match
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission, SubmissionError

LOOKED_AT = 6
"""Number of pictures searched per heading, largest first; each search takes seconds."""
SAME_SHAPE = 0.02
"""Largest relative change of a figure's aspect ratio between notebook and PDF."""
RESIZED = 4
"""Factor by which the resolution is reduced to compare a figure that has another size in the
PDF."""


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
        if len(found) < len(absent):
            absent, shown = found, picture
        if not absent:
            break
    evidence = {"images": len(images), "not found": absent, "pixels": list(shown.size)}
    if absent:
        says = f"{len(absent)} of {len(images)} images of results/{item}.npz are not "
        says += f"in the figure of {item}" + (", or not in order" if in_order else "")
        return Verdict(False, says, evidence)
    if not any(_is(shown, other) for other in submission.pdf_pictures()):
        return Verdict(False, f"report.pdf does not have the notebook's figure of {item}", evidence)
    says = f"the figure of {item} shows all {len(images)} images, in the notebook and in the PDF"
    return Verdict(True, says, evidence)


def pictures_of(submission: Submission, item: str) -> list[Image.Image]:
    """Read the pictures under an item's heading in the notebook, largest first.

    Raises:
        SubmissionError: there are none, or there is no notebook.
    """
    cells = [cell for cell in submission.notebook_cells() if cell.item == item]
    found = [picture for cell in cells for picture in outputs.pictures(cell.outputs)]
    if not found:
        raise SubmissionError(f"report.ipynb has no picture under a heading of {item}")
    return sorted(found, key=lambda picture: -picture.width * picture.height)


def _is(shown: Image.Image, other: Image.Image) -> bool:
    """Whether a picture of the PDF, at whatever size, is the given one of the notebook."""
    ratio = (other.width / other.height) / (shown.width / shown.height)
    if abs(ratio - 1) > SAME_SHAPE:
        return False
    papers = []
    for picture in (shown, other.resize(shown.size)):
        papers.append(Image.new("RGB", shown.size, "white"))
        mask = shown.getchannel("A")  # the PDF stores the mask separately
        papers[-1].paste(picture.convert("RGB"), mask=mask)
    if other.size != shown.size:  # resizing blurs every edge
        papers = [paper.reduce(RESIZED) for paper in papers]
    return outputs.look_the_same(*papers)
