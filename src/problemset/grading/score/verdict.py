"""The verdict of a check, and comparisons that several checks share."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

PIXEL_MEAN, PIXEL_MAX = 0.005, 0.1
"""Largest allowed difference of regenerated pixels, on average and at most. Another processor, a
GPU or bfloat16 stays far below both; a different image lies far above."""
STRAIGHT = 1e-4
"""Largest allowed distance of a point from its place on the line, as a fraction of the ends'
largest difference; float32 stays far below it."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of one check."""

    passed: bool
    says: str
    """One sentence: what was found and, if that differs, what was expected."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """Numbers that support the verdict, as JSON values."""


def same_images(got: np.ndarray, again: np.ndarray, what: str) -> Verdict:
    """Compare submitted images with those that the submitted network makes of the same inputs.

    Args:
        got: (N, 1, 28, 28) as submitted.
        again: (N, 1, 28, 28) as generated now.
        what: name of the images in messages.
    """
    off = np.abs(got.astype(np.float64) - again).reshape(len(got), -1)
    means, largest = off.mean(axis=1), off.max(axis=1)
    wrong = np.flatnonzero((means > PIXEL_MEAN) | (largest > PIXEL_MAX)).tolist()
    evidence = {"mean_difference": float(means.max()), "largest_difference": float(largest.max())}
    if not wrong:
        says = f"{what}: all {len(got)} are what the weights generate from the inputs"
        return Verdict(True, says, evidence)
    numbers = ", ".join(str(n) for n in wrong[:10])
    return Verdict(
        False,
        f"{what}: {len(wrong)} of {len(got)} are not what the weights generate from the inputs "
        f"(numbers {numbers}, from 0; pixels differ by up to {largest.max():.2f})",
        evidence | {"wrong": wrong},
    )


def straight_line(points: np.ndarray, start: np.ndarray, end: np.ndarray, what: str) -> Verdict:
    """Check that points (S, Z) are equally spaced on the line from `start` to `end` (Z,)."""
    ideal = np.linspace(start.astype(np.float64), end.astype(np.float64), len(points))
    scale = float(np.abs(end - start).max())
    off = float(np.abs(points - ideal).max())
    evidence = {"largest_deviation": off, "largest_difference_of_the_ends": scale}
    if scale == 0:
        return Verdict(
            False, f"{what}: both ends are the same point, so there is no path", evidence
        )
    if off <= STRAIGHT * scale:
        says = f"{what}: {len(points)} equally spaced points on the straight line"
        return Verdict(True, says, evidence)
    return Verdict(
        False,
        f"{what}: points lie up to {off / scale:.2g} of the ends' difference away from "
        "equally spaced points on the straight line",
        evidence,
    )


def exact_ends(points: np.ndarray, start: np.ndarray, end: np.ndarray, what: str) -> Verdict:
    """Check that the first and last of points (S, Z) equal `start` and `end` (Z,), bit for bit."""
    first, last = np.array_equal(points[0], start), np.array_equal(points[-1], end)
    evidence = {"start_is_exact": bool(first), "end_is_exact": bool(last)}
    if first and last:
        return Verdict(True, f"{what}: both ends are exact", evidence)
    if np.array_equal(points[0], end) and np.array_equal(points[-1], start):
        return Verdict(False, f"{what}: start and end are swapped", evidence)
    wrong = " and ".join(n for n, fine in (("start", first), ("end", last)) if not fine)
    return Verdict(False, f"{what}: its {wrong} differs from the picked input", evidence)
