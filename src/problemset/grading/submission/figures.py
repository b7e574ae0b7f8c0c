"""The figures of a submission: those of its notebook, and whether its PDF has them, too."""

from PIL import Image

from problemset.grading.evidence import outputs
from problemset.grading.score.verdict import Verdict
from problemset.grading.submission.opened import Submission, SubmissionError

SAME_SHAPE = 0.02
"""Largest relative change of a figure's aspect ratio between notebook and PDF."""
INK = 64
"""Least difference between the darkest and the lightest of a figure's 256 levels."""
RESIZED = 4
"""Factor by which the resolution is reduced to compare a figure that has another size in the
PDF."""


def pictures_of(submission: Submission, item: str) -> list[Image.Image]:
    """Read the pictures under an item's heading in the notebook, largest first.

    Raises:
        SubmissionError: there are none, or there is no notebook.
    """
    cells = [c for c in submission.notebook_cells() if c.item == item and not c.training]
    found = [picture for cell in cells for picture in outputs.pictures(cell.outputs)]
    if not found:
        raise SubmissionError(f"report.ipynb has no picture under a heading of {item}")
    return sorted(found, key=lambda picture: -picture.width * picture.height)


def is_in_pdf(submission: Submission, picture: Image.Image) -> bool:
    """Whether the PDF shows a picture of the notebook, at whatever size.

    Raises:
        SubmissionError: there is no PDF, or it cannot be read.
    """
    return any(_is(picture, other) for other in submission.pdf_pictures())


def in_both(submission: Submission, item: str) -> Verdict:
    """Look in the PDF for the largest picture under an item's heading in the notebook.

    A blank picture does not count.

    Raises:
        SubmissionError: as in `pictures_of` and `is_in_pdf`.
    """
    picture = pictures_of(submission, item)[0]
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    levels = [level for level, count in enumerate(paper.convert("L").histogram()) if count]
    evidence = {"pixels": list(picture.size)}
    if levels[-1] - levels[0] < INK:
        return Verdict(False, f"the notebook's figure of {item} is blank", evidence)
    if not is_in_pdf(submission, picture):
        return Verdict(False, f"report.pdf does not have the notebook's figure of {item}", evidence)
    return Verdict(True, f"the figure of {item} is in the notebook and in the PDF", evidence)


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
