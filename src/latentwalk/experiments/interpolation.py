"""Paths between two points: straight and variance-preserving; and two baselines in pixel space.

These are pure functions of tensors, without networks. The first and the last point of every path
equal its end points exactly. Interpolate only the random input of a network, not its label: append
a one-hot label to every step afterwards.
"""

import torch
from torch import Tensor

from latentwalk.data.shapes import IMAGE_SHAPE, NUM_PIXELS, check_shape


def lerp(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Interpolate linearly from start to end in equal steps: (1 - t) start + t end.

    Args:
        start: (Z,), or (P, Z) for P pairs at once.
        end: the same shape.
        steps: number of points, including both ends; at least 2.

    Returns:
        (S, Z), or (P, S, Z) for pairs.

    Raises:
        ValueError: fewer than 2 steps, other ranks, different shapes, integer or non-finite values.
    """
    _check_ends(start, end, steps)
    t = _times(start, steps)  # (S, 1)
    return _pin_ends(torch.lerp(start.unsqueeze(-2), end.unsqueeze(-2), t), start, end)


def variance_preserving(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Interpolate linearly, and divide each point by sqrt(t^2 + (1 - t)^2).

    For independent standard normal ends, every point of the path is standard normal too. The middle
    of `lerp` has only half the variance, so it lies where the network was hardly trained.

    Args, Returns, Raises: as for `lerp`.

    Source: Agustsson et al. 2019, "Optimal transport maps for distribution preserving operations
    on latent spaces of generative models".
    """
    path = lerp(start, end, steps)  # (..., S, Z)
    t = _times(start, steps)  # (S, 1)
    return _pin_ends(path / (t.square() + (1 - t).square()).sqrt(), start, end)


def share_as_short(size: int, squared_norm: float) -> float:
    """Share of standard normal vectors that are at most as long as a vector.

    The middle between two independent ones has half their variance, so its squared norm is size / 2
    on average. In few dimensions many vectors are that short. In many dimensions almost none are,
    so a network is almost never trained near the middle.

    Args:
        size: number of dimensions of the vectors.
        squared_norm: of the vector.
    """
    # the squared norm has a chi-squared distribution
    half, norm = torch.tensor([size / 2, squared_norm / 2], dtype=torch.float64)
    return float(torch.special.gammainc(half, norm))


def crossfade(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Blend two images by `lerp` on their pixels: a baseline that shows two ghosts midway.

    Args:
        start: (1, 28, 28) in [0, 1], or (P, 1, 28, 28).
        end: the same shape.
        steps: number of images, including both ends; at least 2.

    Returns:
        (S, 1, 28, 28), or (P, S, 1, 28, 28) for pairs.
    """
    return _as_images(lerp(_as_pixels("start", start), _as_pixels("end", end), steps))


def jump(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """Show the first image for half of the steps, then the second: a baseline that never blends.

    Args, Returns: as for `crossfade`; with an odd number of steps the middle one shows the end.
    """
    fade = crossfade(start, end, steps)
    step_axis = fade.dim() - len(IMAGE_SHAPE) - 1
    shown = (torch.arange(steps, device=fade.device) >= steps // 2).long() * (steps - 1)
    return fade.index_select(step_axis, shown)


def _check_ends(start: Tensor, end: Tensor, steps: int) -> None:
    if steps < 2:
        raise ValueError(f"steps is {steps}, expected at least 2: the two ends are steps too")
    if start.dim() not in (1, 2):
        raise ValueError(f"start has shape {tuple(start.shape)}, expected (Z,) or (P, Z)")
    check_shape("end", end, start.shape)
    if not (start.is_floating_point() and end.is_floating_point()):
        raise ValueError(f"ends are {start.dtype} and {end.dtype}, expected floating-point values")
    if not bool(start.isfinite().all() and end.isfinite().all()):
        raise ValueError("an end point has values that are not finite, expected finite values")


def _times(like: Tensor, steps: int) -> Tensor:
    return torch.linspace(0, 1, steps, dtype=like.dtype, device=like.device).unsqueeze(1)  # (S, 1)


def _pin_ends(path: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Overwrite the first and last points with the exact ends, in place of rounded values."""
    path[..., 0, :], path[..., -1, :] = start, end
    return path


def _as_pixels(name: str, images: Tensor) -> Tensor:
    pairs = (None,) if images.dim() > len(IMAGE_SHAPE) else ()
    check_shape(name, images, (*pairs, *IMAGE_SHAPE))
    return images.flatten(start_dim=-len(IMAGE_SHAPE))  # (..., H * W)


def _as_images(pixels: Tensor) -> Tensor:
    check_shape("pixels", pixels, (*[None] * (pixels.dim() - 1), NUM_PIXELS))
    return pixels.unflatten(-1, IMAGE_SHAPE)
