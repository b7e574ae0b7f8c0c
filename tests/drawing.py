"""Simple shapes that stand in for digits where a test must not need the data."""

import torch
import torch.nn.functional as F

from latentwalk.data.shapes import IMAGE_SIDE

AXIS = torch.arange(IMAGE_SIDE, dtype=torch.float32)


def discs(parameters):
    """Parameters (..., 3): row, column and radius, to anti-aliased discs (..., 1, 28, 28)."""
    row, column, radius = (parameters[..., i, None, None] for i in range(3))
    distance = ((AXIS[:, None] - row).square() + (AXIS - column).square()).sqrt()
    return (radius - distance + 0.5).clamp(0, 1).unsqueeze(-3)


def draw_discs(count, rng):
    """Discs well inside the frame, and their parameters (count, 3)."""
    low, high = torch.tensor([8.0, 8.0, 3.0]), torch.tensor([19.0, 19.0, 6.0])
    parameters = low + (high - low) * torch.rand(count, 3, generator=rng)
    return discs(parameters), parameters


def rings_and_bars():
    """Four thin-stroked shapes (4, 1, 28, 28): a ring, a cross, a diagonal, a bar."""
    outer, inner = discs(torch.tensor([[14.0, 14, 8], [14.0, 14, 6]]))
    bar = torch.zeros(1, IMAGE_SIDE, IMAGE_SIDE)
    bar[:, 5:23, 13:15] = 1
    cross = torch.maximum(bar, bar.transpose(1, 2))
    diagonal = (1.7 - (AXIS[:, None] - AXIS).abs()).clamp(0, 1)
    diagonal[:5], diagonal[23:] = 0, 0
    return torch.stack([outer - inner, cross, diagonal[None], bar])


def blur(images, sigma):
    """Gaussian blur of (B, 1, 28, 28)."""
    kernel = torch.exp(-torch.arange(-9.0, 10).square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    rows = F.conv2d(images, kernel.view(1, 1, 1, -1), padding=(0, 9))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1), padding=(9, 0)).clamp(0, 1)
