"""How crisp images are. Not how real: noise is crisp too, so read it beside a Frechet distance."""

import torch.nn.functional as F
from torch import Tensor

from latentwalk.shapes import IMAGE_SHAPE, check_range, check_shape

SMALLEST_INK = 1e-6
"""Below this an image counts as blank."""


def sharpness(images: Tensor) -> Tensor:
    r"""Steepness of the edges: the mean gradient magnitude, each place weighted by its gradient.

    $\sum \lvert\nabla x\rvert^2 / \sum \lvert\nabla x\rvert$, so that flat areas and the amount
    of ink do not count: 1 for a hard straight edge from 0 to 1, half for the same edge at half
    contrast (a ghost in a cross-fade), less the wider the edge is blurred, 0 for a blank image.
    Thin strokes lose contrast as well when they are blurred. It does not see whether an edge is
    in the right place.

    Args:
        images: (B, 1, 28, 28) in [0, 1].

    Returns:
        (B,) in [0, 1].

    Source: the gradient is that of Roberts 1963 (differences along both diagonals of 2 x 2
    pixels), which keeps the magnitude at most 1; the image is continued by blank pixels.
    """
    _check_images(images)
    x = F.pad(images, (1, 1, 1, 1))
    falling = x[..., 1:, 1:] - x[..., :-1, :-1]
    rising = x[..., :-1, 1:] - x[..., 1:, :-1]
    squared = (0.5 * (falling.square() + rising.square())).flatten(1)  # (B, 29 * 29)
    return squared.sum(dim=1) / squared.sqrt().sum(dim=1).clamp(min=SMALLEST_INK)


def _check_images(images: Tensor) -> None:
    check_shape("images", images, (None, *IMAGE_SHAPE))
    check_range("images", images, 0, 1)
