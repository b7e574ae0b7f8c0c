"""Small pictures of a submission's images for the reader, with the wrong ones framed.

A submission cannot decide the size of a picture: images beyond a fixed number are counted but not
drawn.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from problemset.grading.score.outcome import FAILED, Score

_SCALE = 2  # picture pixels per image pixel
_FRAME, _GAP = 3, 4  # pixels
_COLUMNS = 10
_MOST = 100  # images drawn per picture
_WHITE, _HAIRLINE, _RED = 254, 200, 255  # indices into the palette
_PALETTE = bytes(n for n in range(255) for _ in range(3)) + bytes((0xC6, 0x1F, 0x1F))


@dataclass(frozen=True)
class Thumbnail:
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


def draw(item: str, caption: str, images: np.ndarray, score: Score, check: str = "") -> Thumbnail:
    """Draw images, with a red frame around those that a check refused.

    Args:
        item: of the rubric.
        caption: what the picture shows.
        images: (N, S, S) in [0, 1], 1 is ink, N at least 1.
        score: what the checks found.
        check: name of the check whose evidence lists the wrong images.
    """
    wrong = tuple(n for n in _wrong(score, check) if n < len(images))
    if len(images) > _MOST:
        caption += f" (the first {_MOST} of {len(images)})"
    return Thumbnail(item, caption, png(sheet(images[:_MOST], wrong)), wrong=wrong)


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
        images: (N, S, S) in [0, 1], 1 is ink, N at least 1.
        wrong: numbers of those that get a red frame; the others get a hairline.

    Returns:
        (H, W) uint8, indices into a palette of 255 greys and red.
    """
    side = images.shape[-1] * _SCALE
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
