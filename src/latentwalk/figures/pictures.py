"""Figures made of images: samples, pairs, paths, progress and the grid of digits."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from latentwalk.evaluation.readings import ClassifiedImages
from latentwalk.experiments.problem2 import GeneratorPath, Pair, TenSamples
from latentwalk.experiments.problem3 import VaePath
from latentwalk.experiments.problem4 import DigitGrid
from latentwalk.experiments.quality import (
    FITTED_SAMPLES,
    GAN_SAMPLES,
    LEARNED_SAMPLES,
    REAL,
    RECONSTRUCTIONS,
    VAE_SAMPLES,
    Quality,
)
from latentwalk.figures.rows import (
    GAP_MM,
    INPUTS_MM,
    MARGIN_MM,
    READING_MM,
    columns,
    draw_inputs,
    draw_reading,
    draw_scale,
    draw_strip,
    draw_times,
    name_row,
)
from latentwalk.figures.style import (
    ALERT,
    GAN,
    HAIRLINE,
    INK,
    MUTED,
    TEXT_WIDTH_MM,
    VAE,
    add_axes,
    draw_image,
    sheet,
    styled,
    write,
)

_SHORT = {
    REAL: "real\ndigits",
    GAN_SAMPLES: "GAN\nsamples",
    VAE_SAMPLES: "VAE\nsamples",
    FITTED_SAMPLES: "fitted\nprior",
    LEARNED_SAMPLES: "learned\nprior",
    RECONSTRUCTIONS: "recon-\nstructed",
}
"""Kinds of images, as narrow as the margin."""


@styled
def fig_ten_samples(samples: TenSamples, picked: tuple[int, int] | None = None) -> Figure:
    """Draw 2b: the images with numbers, the classifier's readings, and the inputs as colours.

    Args:
        samples: from `problem2.ten_samples`.
        picked: numbers of two images to frame, if any.
    """
    lefts, side = columns(len(samples.images))
    height = 5.0 + side + READING_MM + 2.0 + INPUTS_MM + 5.0
    figure, axes = sheet(height)
    name_row(axes, 2.2, "number")
    for n, left in enumerate(lefts):
        chosen = picked is not None and n in picked
        write(axes, left + side / 2, 2.2, str(n), 8.0, weight="bold" if chosen else "normal")
    strip = ClassifiedImages(samples.images, samples.labels, samples.confidence)
    y = draw_strip(axes, 5.0, strip, "image", path=False)
    for n in picked or ():
        draw_image(axes, samples.images[n], lefts[n], 5.0, side, frame=GAN)
    name_row(axes, 5.0 + side + READING_MM / 2, "judge")
    y = draw_inputs(axes, y + 2.0, samples.inputs, "input\n$\\epsilon$", INPUTS_MM)
    draw_scale(axes, y + 2.2)
    return figure


@styled
def fig_pair(pair: Pair) -> Figure:
    """Draw 2c: the two images at the sides, and all values of both inputs between them."""
    height, side = 43.0, 29.0
    figure, axes = sheet(height)
    names = ("start", "end")
    for n, left in enumerate((0.3, TEXT_WIDTH_MM - side - 0.3)):
        draw_image(axes, pair.images[n], left, 5.0, side)
        middle = left + side / 2
        write(axes, middle, 2.2, f"number {pair.indices[n]}: {names[n]}", 8.5)
        draw_reading(axes, middle, 34.0, int(pair.labels[n]), float(pair.confidence[n]))
    wide = TEXT_WIDTH_MM - 2 * side
    _draw_entries(add_axes(figure, side + 14.0, 8.0, wide - 20.0, 25.0), pair.inputs)
    return figure


def _draw_entries(axes: Axes, inputs: np.ndarray) -> None:
    """Draw two inputs (2, Z) as dots, with a line between the two values of each dimension."""
    entries = np.arange(1, inputs.shape[1] + 1)
    axes.axhline(0, color=HAIRLINE, linewidth=0.6, zorder=0)
    axes.vlines(entries, inputs[0], inputs[1], color=HAIRLINE, linewidth=1.6, zorder=1)
    axes.plot(entries, inputs[0], "o", color=INK, markersize=4, label=r"$\epsilon_\mathrm{start}$")
    axes.plot(
        entries,
        inputs[1],
        "o",
        markerfacecolor="white",
        markeredgecolor=INK,
        markersize=4,
        markeredgewidth=0.9,
        label=r"$\epsilon_\mathrm{end}$",
    )
    axes.set(xlabel="entry", ylabel="value", xlim=(0.3, len(entries) + 0.7))
    axes.yaxis.set_major_locator(MultipleLocator(1))
    if len(entries) <= 20:
        axes.set_xticks(entries)
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1.02),
        ncols=2,
        borderaxespad=0,
        handletextpad=0,
        columnspacing=1,
    )


@styled
def fig_generator_path(path: GeneratorPath) -> Figure:
    """Draw 2d and 2e: the inputs step by step, their images, and the cross-fade of the ends."""
    _, side = columns(len(path.times))
    height = 5.0 + INPUTS_MM + 4.0 + 2 * (side + READING_MM) + 2.0
    figure, axes = sheet(height)
    draw_times(axes, 2.2, len(path.times))
    y = draw_inputs(axes, 5.0, path.inputs, "input\n$\\epsilon_t$", INPUTS_MM) + 4.0
    y = draw_strip(axes, y, path.strip, "GAN\n$G(\\epsilon_t)$", GAN) + 2.0
    draw_strip(axes, y, path.crossfade, "pixel\nblend", MUTED)
    return figure


@styled
def fig_vae_path(path: VaePath) -> Figure:
    """Draw 3b and 3c: the codes step by step, the decoded images, and the two originals."""
    lefts, side = columns(len(path.times))
    height = 5.0 + INPUTS_MM + 4.0 + 2 * (side + READING_MM) + 2.0
    figure, axes = sheet(height)
    draw_times(axes, 2.2, len(path.times))
    y = draw_inputs(axes, 5.0, path.codes, "code\n$z_t$", INPUTS_MM) + 4.0
    y = draw_strip(axes, y, path.strip, "VAE\ndecoded", VAE) + 2.0
    name_row(axes, y + side / 2, "test\nimages")
    for n, left in enumerate((lefts[0], lefts[-1])):
        draw_image(axes, path.originals.images[n], left, y, side)
        label, confidence = int(path.originals.labels[n]), float(path.originals.confidence[n])
        draw_reading(axes, left + side / 2, y + side, label, confidence, {path.digits[n]})
        code = (r"$z_\mathrm{start}$", r"$z_\mathrm{end}$")[n]
        text = f"test image {path.indices[n]:,}, a {path.digits[n]},\nencoded as {code}"
        edge, align = (left + side + 2.5, "left") if n == 0 else (left - 2.5, "right")
        write(axes, edge, y + side / 2, text, 8.5, ha=align, linespacing=1.3)
    middle = (lefts[0] + lefts[-1] + side) / 2
    note = "above each: its reconstruction,\nthe end of the strip"
    write(axes, middle, y + side / 2, note, 8.5, color=MUTED, linespacing=1.3)
    return figure


@styled
def fig_strips(generator_path: GeneratorPath, vae_path: VaePath) -> Figure:
    """Draw the paths of both models above the cross-fade, for the front page."""
    _, side = columns(len(generator_path.times))
    figure, axes = sheet(5.0 + 3 * (side + READING_MM) + 3.0)
    draw_times(axes, 2.2, len(generator_path.times))
    y = draw_strip(axes, 5.0, generator_path.strip, "GAN", GAN) + 1.5
    y = draw_strip(axes, y, vae_path.strip, "VAE", VAE) + 1.5
    draw_strip(axes, y, generator_path.crossfade, "pixel\nblend", MUTED)
    return figure


@styled
def fig_front(generator_path: GeneratorPath, vae_path: VaePath, grid: DigitGrid) -> Figure:
    """Draw the first page's picture: both models' paths and a blend, beside the grid of digits."""
    side, gap, small = 8.6, 0.9, 3.6
    rows = (
        ("GAN", GAN, generator_path.strip.images),
        ("VAE", VAE, vae_path.strip.images),
        ("blend", MUTED, generator_path.crossfade.images),
    )
    height = len(grid.images) * (small + 0.4)
    figure, axes = sheet(height + 0.4)
    for place, (name, color, images) in enumerate(rows):
        y = 0.2 + place * (height - side) / (len(rows) - 1)
        write(axes, MARGIN_MM - 3.5, y + side / 2, name, 9.0, ha="right", color=color)
        for n, image in enumerate(images):
            draw_image(axes, image, MARGIN_MM - 1.5 + n * (side + gap), y, side)
    left = TEXT_WIDTH_MM - 0.3 - len(grid.images[0]) * (small + 0.4)
    for row, images in enumerate(grid.images):
        for column, image in enumerate(images):
            draw_image(axes, image, left + column * (small + 0.4), 0.2 + row * (small + 0.4), small)
    return figure


@styled
def fig_row(strip: ClassifiedImages, name: str) -> Figure:
    """Draw up to ten images with the classifier's readings in one row."""
    _, side = columns(len(strip.images))
    figure, axes = sheet(side + READING_MM + 1.0)
    draw_strip(axes, 0.5, strip, name, path=False)
    return figure


@styled
def fig_kinds(quality: Quality) -> Figure:
    """Draw 3d: the first images of each kind, one row per kind."""
    lefts, side = columns(len(quality.rows[0].examples))
    figure, axes = sheet(len(quality.rows) * (side + GAP_MM) + 0.3)
    for place, row in enumerate(quality.rows):
        y = 0.2 + place * (side + GAP_MM)
        name_row(axes, y + side / 2, _SHORT[row.name])
        for left, image in zip(lefts, row.examples, strict=True):
            draw_image(axes, image, left, y, side)
    return figure


@styled
def fig_progress(snapshots: Sequence[tuple[int, np.ndarray]]) -> Figure:
    """Draw a model's snapshots at some training steps, one row per step.

    Args:
        snapshots: (step, images) with images (B, 1, 28, 28), uint8 or float in [0, 1]; the first
            ten images of each are drawn.
    """
    lefts, side = columns(min(10, len(snapshots[0][1])))
    figure, axes = sheet(len(snapshots) * (side + GAP_MM) + 0.3)
    for row, (step, images) in enumerate(snapshots):
        y = 0.2 + row * (side + GAP_MM)
        name_row(axes, y + side / 2, f"step\n{step:,}")
        shown = np.asarray(images)[: len(lefts)]
        scale = 255 if shown.dtype == np.uint8 else 1
        for left, image in zip(lefts, shown, strict=True):
            draw_image(axes, image / scale, left, y, side)
    return figure


@styled
def fig_digit_grid(grid: DigitGrid) -> Figure:
    """Draw 4d: ten images of each digit, one row per digit; mark those that are misread."""
    side, gap, top, left = 10.6, 1.2, 5.5, 21.0
    rows, columns = grid.asked.shape
    figure, axes = sheet(top + rows * (side + gap))
    write(axes, left - 5.0, 2.2, "asked for", 8.5)
    right = left + columns * (side + gap) + 6.0
    write(axes, right, 2.2, "judge agrees", 8.5)
    for row in range(rows):
        y = top + row * (side + gap)
        write(axes, left - 5.0, y + side / 2, str(grid.asked[row, 0]), 12.0, weight="bold")
        agreed = int((grid.judged[row] == grid.asked[row]).sum())
        color = INK if agreed == columns else ALERT
        write(axes, right, y + side / 2, f"{agreed} of {columns}", 8.5, color=color)
        for column in range(columns):
            x, judged = left + column * (side + gap), grid.judged[row, column]
            wrong = judged != grid.asked[row, column]
            image = grid.images[row, column]
            draw_image(axes, image, x, y, side, ALERT if wrong else HAIRLINE)
            if wrong:
                write(axes, x + side - 1.3, y + 1.7, str(judged), 8.0, color=ALERT, weight="bold")
    return figure
