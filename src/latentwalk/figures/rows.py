"""Building blocks of the picture figures: rows of images, readings, inputs and names."""

import numpy as np
from matplotlib.axes import Axes

from latentwalk.evaluation.readings import ClassifiedImages
from latentwalk.figures.style import (
    ALERT,
    INK,
    MUTED,
    SIGNED,
    SIGNED_LIMIT,
    TEXT_WIDTH_MM,
    draw_frame,
    draw_image,
    percent,
    write,
)

MARGIN_MM = 15.0  # on the left, for the row names
GAP_MM = 1.5
INPUTS_MM = 24.0
READING_MM = 8.5  # the classifier's label and confidence below an image


def columns(count: int) -> tuple[np.ndarray, float]:
    """Left edges and side length, in mm, of `count` square images that fill a row."""
    side = (TEXT_WIDTH_MM - MARGIN_MM - 0.3 - (count - 1) * GAP_MM) / count
    return MARGIN_MM + np.arange(count) * (side + GAP_MM), side


def name_row(axes: Axes, y: float, name: str, color: str = INK) -> None:
    """Write a row's name on the left of a sheet."""
    write(axes, MARGIN_MM - 2.5, y, name, 8.5, ha="right", color=color, linespacing=1.15)


def draw_reading(
    axes: Axes, x: float, y: float, label: int, confidence: float, expected: set[int] | None = None
) -> None:
    """Write the digit read and the confidence below an image; mark an unexpected digit."""
    odd = expected is not None and label not in expected
    write(axes, x, y + 2.6, str(label), 10.0, color=ALERT if odd else INK, weight="bold")
    write(axes, x, y + 6.3, percent(confidence), 7.0, color=ALERT if odd else MUTED)


def draw_strip(
    axes: Axes, y: float, strip: ClassifiedImages, name: str, color: str = INK, *, path: bool = True
) -> float:
    """Draw a row of images with the digits read below; return the y where the row ends."""
    lefts, side = columns(len(strip.images))
    expected = {int(strip.labels[0]), int(strip.labels[-1])} if path else None
    name_row(axes, y + side / 2, name, color)
    for n, left in enumerate(lefts):
        draw_image(axes, strip.images[n], left, y, side)
        label, confidence = int(strip.labels[n]), float(strip.confidence[n])
        draw_reading(axes, left + side / 2, y + side, label, confidence, expected)
    return y + side + READING_MM


def draw_inputs(axes: Axes, y: float, inputs: np.ndarray, name: str, height: float) -> float:
    """Draw inputs (B, Z) as columns of colour, entry 1 on top; return the y where they end."""
    lefts, side = columns(len(inputs))
    for left, column in zip(lefts, inputs, strict=True):
        extent = (left, left + side, y + height, y)
        drawn = axes.imshow(column[:, None], cmap=SIGNED, extent=extent, aspect="auto")
        drawn.set_clim(-SIGNED_LIMIT, SIGNED_LIMIT)
        draw_frame(axes, left, y, side, height)
    name_row(axes, y + height / 2, name)
    entry = height / inputs.shape[1]
    for place, number in ((0.5, 1), (inputs.shape[1] - 0.5, inputs.shape[1])):
        write(axes, MARGIN_MM - 1.0, y + place * entry, str(number), 6.0, ha="right", color=MUTED)
    return y + height


def draw_scale(axes: Axes, y: float) -> None:
    """Draw the colour scale of the inputs on the right."""
    left, width, height = TEXT_WIDTH_MM - 42.0, 30.0, 1.6
    steps = np.linspace(-1, 1, 101)[None]
    axes.imshow(steps, cmap=SIGNED, extent=(left, left + width, y + height, y), aspect="auto")
    draw_frame(axes, left, y, width, height)
    middle = y + height / 2
    write(axes, left - 1.2, middle, f"\N{MINUS SIGN}{SIGNED_LIMIT:g}", 7.0, ha="right", color=MUTED)
    write(axes, left + width + 1.2, middle, f"{SIGNED_LIMIT:g}", 7.0, ha="left", color=MUTED)
    write(axes, left - 6.0, middle, "value of an entry", 7.0, ha="right", color=MUTED)


def draw_times(axes: Axes, y: float, steps: int) -> None:
    """Write the time t of every step above its column."""
    lefts, side = columns(steps)
    name_row(axes, y, "$t$")
    for n, left in enumerate(lefts):
        text = "0" if n == 0 else "1" if n == steps - 1 else f"{n}/{steps - 1}"
        write(axes, left + side / 2, y, text, 8.0)
