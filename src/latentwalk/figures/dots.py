"""Helpers for charts: dots with intervals on named lines, titles, logarithmic axes, colours."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from latentwalk.evaluation.intervals import Estimate
from latentwalk.figures.style import GAN, HAIRLINE, MUTED, VAE

DASHED = (0, (4, 3))
INTERVAL: dict[str, Any] = {"linewidth": 1.8, "solid_capstyle": "butt"}


def model_color(name: str) -> str:
    """Return the colour of the model that a row's name begins with."""
    return GAN if name.startswith("GAN") else VAE if name.startswith("VAE") else MUTED


def log_axis(axis: Axis, multiples: tuple[int, ...]) -> None:
    """Format a logarithmic axis with plain numbers at some multiples of the powers of ten."""
    axis.set_major_locator(LogLocator(subs=multiples))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def set_title(axes: Axes, title: str, reading: str) -> None:
    """Write a title, and below it a note on how to read the panel."""
    axes.set_title(title, pad=12.0)
    axes.annotate(
        reading,
        (0, 1),
        (0, 3.5),
        xycoords="axes fraction",
        color=MUTED,
        textcoords="offset points",
        fontsize=7.5,
    )


def draw_estimates(axes: Axes, estimates: Sequence[Estimate], colors: Sequence[str]) -> None:
    """Draw a dot with its interval on each line; the first line is on top."""
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


def name_lines(axes: Axes, names: Sequence[str], colors: Sequence[str]) -> None:
    """Write a name next to each line."""
    axes.set_yticks(range(len(names)), labels=list(names), fontsize=8.5)
    for label, color in zip(axes.get_yticklabels(), colors, strict=True):
        label.set_color(color)
