"""Figures made of numbers: losses, quality, smoothness and label agreement."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from latentwalk.evaluation.intervals import Estimate
from latentwalk.experiments.problem4 import Agreement
from latentwalk.experiments.quality import Quality
from latentwalk.experiments.smoothness import Smoothness
from latentwalk.figures.style import (
    GAN,
    HAIRLINE,
    INK,
    MUTED,
    VAE,
    add_axes,
    blank,
    styled,
)

Rows = Sequence[Mapping[str, float]]
"""A training's record: each row holds `step` and loss parts, means since the row before."""

KEY_MEASURES = {
    "steadiness": ("steadiness", "higher: even and straight steps"),
    "realism": ("realism of the worst step", "higher is better"),
    "label_switches": ("label switches", "1 is least between two digits"),
    "third_digit_steps": ("steps read as a third digit", "lower is better"),
    "certainty_drop": ("certainty lost midway", "lower is better"),
    "sharpness_drop": ("sharpness lost midway", "lower is better"),
}
"""The measures that are drawn: their title, and how to read them."""
ALONG = {
    "certainty": ("judge\u2019s certainty", "its probability of what it reads"),
    "sharpness": ("sharpness", "over that of a real digit"),
    "nearest_real": ("distance to the nearest real digit", "over that of a real digit"),
}
"""What is drawn step by step along the paths."""
DASHED = (0, (4, 3))
INTERVAL: dict[str, Any] = {"linewidth": 1.8, "solid_capstyle": "butt"}


def _color(name: str) -> str:
    return GAN if name.startswith("GAN") else VAE if name.startswith("VAE") else MUTED


def _series(rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of the rows that have a loss part."""
    pairs = [(row["step"], row[name]) for row in rows if name in row]
    steps, values = np.array(pairs).reshape(-1, 2).T
    return steps, values


def _count_steps(axes: Axes, rows: Rows) -> None:
    axes.set(xlabel="training step", xlim=(rows[0]["step"], rows[-1]["step"]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))


def _log_axis(axis: Axis, multiples: tuple[int, ...]) -> None:
    """Count in powers of ten, with plain numbers at some multiples of them."""
    axis.set_major_locator(LogLocator(subs=multiples))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _title(axes: Axes, title: str, reading: str) -> None:
    """Write a title, and below it how to read the panel."""
    axes.set_title(title, pad=12.0)
    axes.annotate(reading, (0, 1), (0, 3.5), xycoords="axes fraction", color=MUTED,
                  textcoords="offset points", fontsize=7.5)  # fmt: skip


@styled
def fig_gan_losses(rows: Rows) -> Figure:
    """Draw a GAN's training: both losses beside the level of a tie, and the slope penalty."""
    figure = blank(56.0)
    axes = add_axes(figure, 9.0, 11.0, 92.0, 34.0)
    for name, label, color in (
        ("generator_nats", "generator", GAN),
        ("discriminator_nats", "discriminator", INK),
    ):
        axes.plot(*_series(rows, name), color=color, label=label)
    tie = "ln 2: a tie"
    axes.axhline(math.log(2), color=MUTED, linewidth=0.8, linestyle=DASHED, label=tie)
    axes.set_title("losses, nats a pair of images", pad=14.0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower left", ncols=3, bbox_to_anchor=(0, 1.01), borderaxespad=0, fontsize=8,
                handlelength=1.6, borderpad=0, columnspacing=1.4)  # fmt: skip
    _count_steps(axes, rows)
    slope = add_axes(figure, 113.0, 11.0, 43.0, 34.0)
    slope.semilogy(*_series(rows, "slope_penalty"), color=INK)
    _title(slope, "squared slope of the discriminator", "real and generated images, $R_1 + R_2$")
    _log_axis(slope.yaxis, (1, 3))
    _count_steps(slope, rows)
    return figure


@styled
def fig_vae_losses(rows: Rows) -> Figure:
    """Draw a VAE's training: the negative bound, split in its two parts that lie on one another."""
    figure = blank(55.0)
    axes = add_axes(figure, 9.0, 7.0, 122.0, 37.0)
    steps, kl = _series(rows, "kl_nats")
    _, total = _series(rows, "negative_elbo_nats")
    axes.fill_between(steps, 0, kl, color=VAE, alpha=0.55, linewidth=0)
    axes.fill_between(steps, kl, total, color=VAE, alpha=0.2, linewidth=0)
    axes.plot(steps, total, color=VAE)
    axes.set(title=r"negative bound on $\log\,p(x)$, nats an image", ylim=(0, 1.6 * total[-1]))
    parts = (
        (kl[-1] / 2, "divergence from\nthe prior", kl[-1]),
        ((kl[-1] + total[-1]) / 2, "reconstruction", total[-1] - kl[-1]),
        (total[-1], "sum", total[-1]),
    )
    for height, name, value in parts:
        axes.annotate(f"{name}: {value:.1f}", (1, height), (4, 0), textcoords="offset points",
                      xycoords=("axes fraction", "data"), va="center", fontsize=8)  # fmt: skip
    _count_steps(axes, rows)
    return figure


@styled
def fig_classifier_losses(rows: Rows) -> Figure:
    """Draw the judge's training: loss and accuracy on turned and shifted training digits."""
    figure = blank(55.0)
    loss = add_axes(figure, 11.0, 7.0, 62.0, 37.0)
    loss.semilogy(*_series(rows, "cross_entropy_nats"), color=INK)
    loss.set_title("cross-entropy, nats an image")
    _log_axis(loss.yaxis, (1, 3))
    accuracy = add_axes(figure, 93.0, 7.0, 61.0, 37.0)
    steps, shares = _series(rows, "accuracy")
    accuracy.plot(steps, 100 * shares, color=INK)
    accuracy.set(title="read rightly of the jittered training digits, %", ylim=(90, 100))
    for axes in (loss, accuracy):
        _count_steps(axes, rows)
    return figure


def _draw_estimates(axes: Axes, estimates: Sequence[Estimate], colors: Sequence[str]) -> None:
    """Draw a dot and its interval on each line, the first on top."""
    for line, (estimate, color) in enumerate(zip(estimates, colors, strict=True)):
        ends = [estimate.low, estimate.high]
        axes.plot(ends, [line, line], color=color, alpha=0.55, clip_on=False, **INTERVAL)
        axes.plot([estimate.value], [line], "o", color=color, markersize=4.2, clip_on=False)
    axes.set_ylim(len(estimates) - 0.4, -0.6)
    axes.set_yticks(range(len(estimates)), labels=[])
    axes.grid(axis="y", color=HAIRLINE, linewidth=0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_axisbelow(True)


def _name_lines(axes: Axes, names: Sequence[str], colors: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), labels=list(names), fontsize=8.5)
    for label, color in zip(axes.get_yticklabels(), colors, strict=True):
        label.set_color(color)


@styled
def fig_quality(quality: Quality) -> Figure:
    """Draw 3d: distance to real digits over the floor, sharpness and the judge's certainty."""
    figure = blank(43.0)
    rows = quality.rows
    colors = [INK if row.name.startswith("real") else _color(row.name) for row in rows]
    panels = (
        ("Fr\u00e9chet distance over the floor", [row.ratio for row in rows], 31.0, 56.0),
        ("sharpness of edges", [row.sharpness for row in rows], 95.0, 27.0),
        ("judge\u2019s certainty", [row.certainty for row in rows], 130.0, 27.0),
    )
    for title, estimates, left, width in panels:
        axes = add_axes(figure, left, 7.0, width, 29.0)
        _draw_estimates(axes, estimates, colors)
        axes.axvline(estimates[0].value, color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=0)
        axes.margins(x=0.1)
        axes.set_title(title)
    ratio = figure.axes[0]
    ratio.set_xscale("log")
    _log_axis(ratio.xaxis, (1, 2, 5))
    for line, (row, color) in list(enumerate(zip(rows, colors, strict=True)))[1:]:
        value = row.ratio.value
        text = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
        ratio.annotate(text, (value, line), (0, 4), ha="center",
                       textcoords="offset points", fontsize=7.5, color=color)  # fmt: skip
    _name_lines(ratio, [row.name for row in rows], colors)
    return figure


@styled
def fig_smoothness(smoothness: Smoothness) -> Figure:
    """Draw 3e: six measures of the paths of both models, of the control and of the nulls."""
    figure = blank(90.0)
    rows = smoothness.rows
    colors = [_color(row.name) for row in rows]
    for panel, (name, (title, reading)) in enumerate(KEY_MEASURES.items()):
        axes = add_axes(figure, 36.0 + 42.0 * (panel % 3), 10.0 + 44.0 * (panel // 3), 37.0, 28.0)
        estimates = [row.measures[name] for row in rows]
        _draw_estimates(axes, estimates, colors)
        _title(axes, title, reading)
        axes.set_xlim(left=min(0.0, *(estimate.low for estimate in estimates)))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        if panel % 3 == 0:
            _name_lines(axes, [row.name for row in rows], colors)
    return figure


@styled
def fig_along_paths(smoothness: Smoothness) -> Figure:
    """Draw beside 3e: how real the images are at each step, averaged over the paths."""
    figure = blank(62.0)
    times = np.linspace(0, 1, smoothness.num_steps)
    looks = ("-", "-", (0, (1, 1)), "-", (0, (4, 2)))
    for panel, (name, (title, reading)) in enumerate(ALONG.items()):
        axes = add_axes(figure, 9.0 + 51.5 * panel, 10.0, 41.0, 30.0)
        for row, look in zip(smoothness.rows, looks, strict=True):
            values = getattr(row, name)
            axes.plot(times, values, color=_color(row.name), linestyle=look, label=row.name)
        _title(axes, title, reading)
        axes.set(xlabel="$t$", xlim=(0, 1), xticks=(0, 0.5, 1))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="lower center", ncols=3,
                  fontsize=8, handlelength=1.8, columnspacing=1.4, borderaxespad=0.1)  # fmt: skip
    return figure


@styled
def fig_agreement(agreement: Agreement) -> Figure:
    """Draw beside 4d: the share of each digit that the judge reads as asked for."""
    figure = blank(50.0)
    axes = add_axes(figure, 14.0, 3.0, 128.0, 36.0)
    shares, lows, highs = (
        [100 * getattr(estimate, part) for estimate in agreement.per_digit]
        for part in ("value", "low", "high")
    )
    digits = range(len(shares))
    axes.vlines(digits, lows, highs, color=GAN, linewidth=1.8, alpha=0.55, clip_on=False)
    axes.plot(digits, shares, "o", color=GAN, markersize=4.5, clip_on=False)
    overall = 100 * agreement.overall.value
    axes.axhline(overall, color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=0)
    axes.annotate(f"all digits\n{overall:.2f} %", (1, overall), (4, 0), va="center", fontsize=8,
                  xycoords=("axes fraction", "data"), textcoords="offset points")  # fmt: skip
    axes.set(xlabel="digit asked for", ylabel="read as asked for, %", xticks=digits)
    axes.set(xlim=(-0.5, len(shares) - 0.5), ylim=(None, 100))
    return figure
