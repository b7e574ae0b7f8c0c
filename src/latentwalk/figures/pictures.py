"""Figures made of images: samples, pairs, paths, progress and the grid of digits."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latentwalk.experiments.judged import Judged
from latentwalk.experiments.problem2 import GeneratorPath, Pair, TenSamples
from latentwalk.experiments.problem3 import VaePath
from latentwalk.experiments.problem4 import DigitGrid
from latentwalk.figures.style import (
    ALERT,
    GAN,
    HAIRLINE,
    INCHES_A_MM,
    INK,
    MUTED,
    SIGNED,
    SIGNED_LIMIT,
    TEXT_WIDTH_MM,
    VAE,
    add_sheet,
    blank,
    draw_image,
    percent,
    sheet,
    styled,
    write,
)

MARGIN_MM = 15.0  # at the left, for the names of rows
GAP_MM = 1.5
INPUTS_MM = 24.0
JUDGE_MM = 8.5  # the judge's label and certainty below an image


def _columns(count: int) -> tuple[np.ndarray, float]:
    """Left edges and side of `count` square images that fill a row."""
    side = (TEXT_WIDTH_MM - MARGIN_MM - 0.3 - (count - 1) * GAP_MM) / count
    return MARGIN_MM + np.arange(count) * (side + GAP_MM), side


def _name_row(axes: Axes, y: float, name: str, color: str = INK) -> None:
    write(axes, MARGIN_MM - 2.5, y, name, 8.5, ha="right", color=color, linespacing=1.15)


def _draw_judgement(
    axes: Axes, x: float, y: float, label: int, certainty: float, expected: set[int] | None = None
) -> None:
    """Write the judge's digit and certainty below an image; a digit not expected stands out."""
    odd = expected is not None and label not in expected
    write(axes, x, y + 2.6, str(label), 10.0, color=ALERT if odd else INK, weight="bold")
    write(axes, x, y + 6.3, percent(certainty), 7.0, color=ALERT if odd else MUTED)


def _draw_strip(
    axes: Axes, y: float, strip: Judged, name: str, color: str = INK, *, path: bool = True
) -> float:
    """Draw a row of images with the judge's reading below; return where the row ends."""
    lefts, side = _columns(len(strip.images))
    expected = {int(strip.labels[0]), int(strip.labels[-1])} if path else None
    _name_row(axes, y + side / 2, name, color)
    for n, left in enumerate(lefts):
        draw_image(axes, strip.images[n], left, y, side)
        label, certainty = int(strip.labels[n]), float(strip.certainty[n])
        _draw_judgement(axes, left + side / 2, y + side, label, certainty, expected)
    return y + side + JUDGE_MM


def _draw_inputs(axes: Axes, y: float, inputs: np.ndarray, name: str, height: float) -> float:
    """Draw inputs (B, Z) as columns of colour, entry 1 on top; return where they end."""
    lefts, side = _columns(len(inputs))
    for left, column in zip(lefts, inputs, strict=True):
        extent = (left, left + side, y + height, y)
        limits = {"vmin": -SIGNED_LIMIT, "vmax": SIGNED_LIMIT}
        axes.imshow(column[:, None], cmap=SIGNED, extent=extent, aspect="auto", **limits)
    _name_row(axes, y + height / 2, name)
    entry = height / inputs.shape[1]
    for place, number in ((0.5, 1), (inputs.shape[1] - 0.5, inputs.shape[1])):
        write(axes, MARGIN_MM - 1.0, y + place * entry, str(number), 6.0, ha="right", color=MUTED)
    return y + height


def _draw_scale(axes: Axes, y: float) -> None:
    """Draw the key to the inputs' colours at the right."""
    left, width, height = TEXT_WIDTH_MM - 42.0, 30.0, 1.6
    steps = np.linspace(-1, 1, 101)[None]
    axes.imshow(steps, cmap=SIGNED, extent=(left, left + width, y + height, y), aspect="auto")
    middle = y + height / 2
    write(axes, left - 1.2, middle, f"\N{MINUS SIGN}{SIGNED_LIMIT:g}", 7.0, ha="right", color=MUTED)
    write(axes, left + width + 1.2, middle, f"{SIGNED_LIMIT:g}", 7.0, ha="left", color=MUTED)
    write(axes, left - 6.0, middle, "value of an entry", 7.0, ha="right", color=MUTED)


def _draw_times(axes: Axes, y: float, steps: int) -> None:
    lefts, side = _columns(steps)
    _name_row(axes, y, "$t$")
    for n, left in enumerate(lefts):
        text = "0" if n == 0 else "1" if n == steps - 1 else f"{n}/{steps - 1}"
        write(axes, left + side / 2, y, text, 8.0)


@styled
def fig_ten_samples(samples: TenSamples, picked: tuple[int, int] | None = None) -> Figure:
    """Draw 2b: the images with their numbers, the judge's reading, and their inputs as colours.

    Args:
        samples: from `problem2.ten_samples`.
        picked: numbers of two images to frame, if any.
    """
    lefts, side = _columns(len(samples.images))
    height = 5.0 + side + JUDGE_MM + 2.0 + INPUTS_MM + 5.0
    figure, axes = sheet(height)
    _name_row(axes, 2.2, "number")
    for n, left in enumerate(lefts):
        chosen = picked is not None and n in picked
        write(axes, left + side / 2, 2.2, str(n), 8.0, weight="bold" if chosen else "normal")
    strip = Judged(samples.images, samples.labels, samples.certainty)
    y = _draw_strip(axes, 5.0, strip, "image", path=False)
    for n in picked or ():
        draw_image(axes, samples.images[n], lefts[n], 5.0, side, frame=GAN)
    _name_row(axes, 5.0 + side + JUDGE_MM / 2, "judge")
    y = _draw_inputs(axes, y + 2.0, samples.inputs, "input\n$\\epsilon$", INPUTS_MM)
    _draw_scale(axes, y + 2.2)
    return figure


@styled
def fig_pair(pair: Pair) -> Figure:
    """Draw 2c: both images at the sides, every entry of both inputs between them."""
    height, side = 42.0, 29.0
    figure = blank(height)
    axes = add_sheet(figure, height)
    names = ("start", "end")
    for n, left in enumerate((0.3, TEXT_WIDTH_MM - side - 0.3)):
        draw_image(axes, pair.images[n], left, 5.0, side)
        middle = left + side / 2
        write(axes, middle, 2.2, f"number {pair.indices[n]}: {names[n]}", 8.5)
        _draw_judgement(axes, middle, 34.0, int(pair.labels[n]), float(pair.certainty[n]))
    box = (side + 14.0, 9.0, TEXT_WIDTH_MM - 2 * side - 20.0, height - 15.0)
    _draw_entries(figure, box, height, pair.inputs)
    return figure


def _draw_entries(
    figure: Figure, box: tuple[float, float, float, float], height: float, inputs: np.ndarray
) -> None:
    """Draw two inputs (2, Z) as dots, entry by entry, joined by the way between them."""
    left, bottom, width, tall = box
    place = (left / TEXT_WIDTH_MM, bottom / height, width / TEXT_WIDTH_MM, tall / height)
    axes = figure.add_axes(place)
    entries = np.arange(1, inputs.shape[1] + 1)
    axes.axhline(0, color=HAIRLINE, linewidth=0.6, zorder=0)
    axes.vlines(entries, inputs[0], inputs[1], color=HAIRLINE, linewidth=1.6, zorder=1)
    axes.plot(entries, inputs[0], "o", color=INK, markersize=4, label=r"$\epsilon_\mathrm{start}$")
    axes.plot(
        entries, inputs[1], "o", markerfacecolor="white", markeredgecolor=INK, markersize=4,
        markeredgewidth=0.9, label=r"$\epsilon_\mathrm{end}$",
    )  # fmt: skip
    axes.set(xlabel="entry", ylabel="value", xlim=(0.3, len(entries) + 0.7))
    if len(entries) <= 20:
        axes.set_xticks(entries)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0, handletextpad=0)
