"""The images that a submission shows, drawn for the page of its results.

They are read from the submission's arrays with the same readers that the checks use.
"""

from dataclasses import dataclass

import numpy as np

from latentwalk.checks import networks
from latentwalk.checks.networks import open_images
from latentwalk.data.shapes import IMAGE_SIDE
from problemset.grading.results.thumbnails import Thumbnail, draw
from problemset.grading.score.outcome import Score
from problemset.grading.submission.opened import Submission, SubmissionError

_READ = 1000  # images that are converted in order to draw some of them


@dataclass(frozen=True)
class _Strip:
    """Location and caption of an item's images."""

    item: str
    name: str
    leading: tuple[int | None, ...]
    caption: str
    check: str = ""
    """The check whose evidence lists the wrong images."""


_STRIPS = (
    _Strip("2b", "images", (10,), "The ten images", "ten_images_regenerate"),
    _Strip("2e", "strip.images", (None,), "The images of the path", "path_images_regenerate"),
    _Strip("3c", "originals.images", (2,), "The two originals"),
    _Strip("3c", "strip.images", (None,), "The decoded images of the path", "codes_decode"),
    _Strip("4d", "images", (10, 10), "Ten images of each digit, a row a digit", "grid_regenerates"),
)


def thumbnails(found: Submission, score: Score) -> tuple[Thumbnail, ...]:
    """Draw the images that a submission's items contain.

    Args:
        found: the submission's private copy.
        score: the outcomes of the checks; a failed one may list the numbers of wrong images.

    Returns:
        Thumbnails in the order of the items. Images that cannot be read become a picture without a
        PNG.
    """
    try:
        return tuple(_picture(found, strip, score) for strip in _STRIPS)
    finally:
        networks.forget()  # one process may see hundreds of submissions


def _picture(found: Submission, strip: _Strip, score: Score) -> Thumbnail:
    try:
        images = _images(found, strip).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    except SubmissionError as error:
        says = str(error).replace(f"{found.folder}/", "")  # where the private copy lies
        return Thumbnail(strip.item, strip.caption, b"", says)
    return draw(strip.item, strip.caption, images, score, strip.check)


def _images(found: Submission, strip: _Strip) -> np.ndarray:
    """Read the images (*leading, 1, 28, 28) of a strip, unless there are too many."""
    shape = (*strip.leading, 1, IMAGE_SIDE, IMAGE_SIDE)
    count = len(found.array(strip.item, strip.name, shape))
    if count > _READ:
        raise SubmissionError(
            f"results/{strip.item}.npz has {count} images, expected at most {_READ}"
        )
    return open_images(found, strip.item, strip.name, strip.leading)
