"""Sharpness of images. Noise is sharp too, so read it together with a Frechet distance."""

import torch.nn.functional as F
from torch import Tensor

from latentwalk.data.shapes import IMAGE_SHAPE, check_range, check_shape

SMALLEST_INK = 1e-6
"""Sum of gradients below which an image counts as blank."""


def sharpness(images: Tensor) -> Tensor:
    r"""Steepness of the edges: mean gradient magnitude, weighted by the gradient magnitude itself.

    The formula $\sum \lvert\nabla x\rvert^2 / \sum \lvert\nabla x\rvert$ ignores flat areas and the
    amount of ink. It is 1 for a hard straight edge from 0 to 1, and half for the same edge at half
    contrast (a ghost in a cross-fade). It falls as the edge gets more blurred, and is 0 for a blank
    image. Thin strokes also lose contrast when they are blurred. The measure does not tell whether
    an edge is in the right place.

    Args:
        images: (B, 1, 28, 28) in [0, 1].

    Returns:
        (B,) in [0, 1].

    Source: the gradient is that of Roberts 1963 (differences along both diagonals of 2 x 2
    pixels), which keeps the magnitude at most 1; the image is padded with blank pixels.
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
