"""A submission's images as small pictures for the reader, with the wrong ones framed.

They are drawn from the submission's arrays with the same readers that the checks use. A submission
cannot decide the size of a picture: images beyond a fixed number are counted but not drawn.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from latentwalk.grading import submission
from latentwalk.grading.submission import Fault, Submission
from latentwalk.shapes import IMAGE_SIDE
from problemset.grading.score.outcome import FAILED, Score

_SCALE = 2  # picture pixels per image pixel
_FRAME, _GAP = 3, 4  # pixels
_COLUMNS = 10
_MOST = 100  # images drawn per picture
_READ = 1000  # images that are converted in order to draw some of them
_WHITE, _HAIRLINE, _RED = 254, 200, 255  # indices into the palette
_PALETTE = bytes(n for n in range(255) for _ in range(3)) + bytes((0xC6, 0x1F, 0x1F))


@dataclass(frozen=True)
class Picture:
    """Some images of a submission."""

    item: str
    """Item of the rubric, such as `2b`."""
    caption: str
    """What it shows, in the staff's words."""
    png: bytes
    """The picture; empty if there is none."""
    fault: str = ""
    """Why there is no picture; may contain text from the submission."""
    wrong: tuple[int, ...] = ()
    """Numbers of the images framed in red, from 0."""


@dataclass(frozen=True)
class _Strip:
    """Location and caption of an item's images."""

    item: str
    name: str
    leading: tuple[int | None, ...]
    caption: str
    check: str = ""
    """The check whose evidence lists the wrong ones."""


_STRIPS = (
    _Strip("2b", "images", (10,), "The ten images", "ten_images_regenerate"),
    _Strip("2e", "strip.images", (None,), "The images of the path", "path_images_regenerate"),
    _Strip("3c", "originals.images", (2,), "The two originals"),
    _Strip("3c", "strip.images", (None,), "The decoded images of the path", "codes_decode"),
    _Strip("4d", "images", (10, 10), "Ten images of each digit, a row a digit", "grid_regenerates"),
)


def pictures(found: Submission, score: Score) -> tuple[Picture, ...]:
    """Draw the images that a submission's items contain.

    Args:
        found: the submission's private copy.
        score: the outcomes of the checks; a failed one may list the numbers of wrong images.

    Returns:
        Pictures in the order of the items. Images that cannot be read become a picture without a
        PNG.
    """
    try:
        return tuple(_picture(found, strip, score) for strip in _STRIPS)
    finally:
        submission.forget()  # one process may see hundreds of submissions


def _picture(found: Submission, strip: _Strip, score: Score) -> Picture:
    try:
        images = _images(found, strip)
    except Fault as fault:
        says = str(fault).replace(f"{found.folder}/", "")  # the path of the private copy
        return Picture(strip.item, strip.caption, b"", says)
    images = images.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
    count = len(images)
    wrong = tuple(n for n in _wrong(score, strip.check) if n < count)
    caption = strip.caption
    if count > _MOST:
        caption += f" (the first {_MOST} of {count})"
    shown = images[:_MOST]
    return Picture(strip.item, caption, png(sheet(shown, wrong)), wrong=wrong)


def _images(found: Submission, strip: _Strip) -> np.ndarray:
    """Read the images (*leading, 1, 28, 28) of a strip, unless there are too many."""
    shape = (*strip.leading, 1, IMAGE_SIDE, IMAGE_SIDE)
    count = len(found.array(strip.item, strip.name, shape))
    if count > _READ:
        raise Fault(f"results/{strip.item}.npz has {count} images, expected at most {_READ}")
    return found.images(strip.item, strip.name, strip.leading)


def _wrong(score: Score, check: str) -> list[int]:
    """Image numbers that a failed check's evidence lists, from 0 and in order."""
    for outcome in score.outcomes:
        numbers = outcome.evidence.get("wrong")
        if outcome.check == check and outcome.state == FAILED and isinstance(numbers, list):
            whole = {n for n in numbers if isinstance(n, int) and not isinstance(n, bool)}
            return sorted(n for n in whole if n >= 0)
    return []


def sheet(images: np.ndarray, wrong: Sequence[int] = ()) -> np.ndarray:
    """Lay images out in rows of ten, dark ink on white.

    Args:
        images: (N, 28, 28) in [0, 1], 1 is ink, N at least 1.
        wrong: numbers of those that get a red frame; the others get a hairline.

    Returns:
        (H, W) uint8, indices into a palette of 255 greys and red.
    """
    side = IMAGE_SIDE * _SCALE
    pitch = side + 2 * _FRAME + _GAP
    columns = min(len(images), _COLUMNS)
    rows = -(-len(images) // columns)
    laid = np.full((rows * pitch - _GAP, columns * pitch - _GAP), _WHITE, np.uint8)
    greys = np.round(_WHITE * (1 - images)).astype(np.uint8)
    for n, grey in enumerate(greys.repeat(_SCALE, axis=1).repeat(_SCALE, axis=2)):
        top, left = (place * pitch for place in divmod(n, columns))
        cell = laid[top : top + side + 2 * _FRAME, left : left + side + 2 * _FRAME]
        width, colour = (_FRAME, _RED) if n in wrong else (1, _HAIRLINE)
        edge = _FRAME - width
        cell[edge : len(cell) - edge, edge : len(cell) - edge] = colour
        cell[_FRAME:-_FRAME, _FRAME:-_FRAME] = grey
    return laid


def png(pixels: np.ndarray) -> bytes:
    """Encode a picture (H, W) uint8 of indices into the palette of 255 greys and red."""
    picture = Image.fromarray(pixels, mode="P")
    picture.putpalette(_PALETTE)
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True)
    return written.getvalue()
