"""Charts for 3e: steadiness and realism of the paths, and measures at each step."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from latentwalk.experiments.smoothness import (
    BLENDS,
    GAN_PATHS,
    INVERTED_PATHS,
    JUMPS,
    PRIOR_PATHS,
    ROUND_PATHS,
    VAE_PATHS,
    Smoothness,
)
from latentwalk.figures.dots import draw_estimates, model_color, name_lines, set_title
from latentwalk.figures.style import HAIRLINE, MUTED, add_axes, blank, styled

KEY_MEASURES = {
    "steadiness": ("steadiness", "higher: even and straight steps"),
    "realism": ("realism of the worst step", "higher is better"),
    "label_switches": ("label switches", "1 is least between two digits"),
    "third_digit_steps": ("steps read as a third digit", "lower is better"),
    "certainty_drop": ("certainty lost midway", "lower is better"),
    "sharpness_drop": ("sharpness lost midway", "lower is better"),
}
"""The measures to draw, with a title and a note on how to read each."""
LOOKS = {
    GAN_PATHS: "-",
    INVERTED_PATHS: (0, (1, 1)),
    VAE_PATHS: "-",
    PRIOR_PATHS: (0, (1, 1)),
    BLENDS: "-",
    JUMPS: (0, (4, 2)),
}
"""Line styles of the paths whose means at each step are drawn; the models set the colours."""
ALONG = {
    "confidence": ("judge\u2019s certainty", "its probability of what it reads"),
    "sharpness": ("sharpness", "over that of a real digit"),
    "nearest_real": ("distance to the nearest real digit", "over that of a real digit"),
}
"""The measures to draw step by step, with a title and a note on each."""
MARKERS = {
    GAN_PATHS: "o",
    ROUND_PATHS: "s",
    INVERTED_PATHS: "^",
    VAE_PATHS: "o",
    PRIOR_PATHS: "s",
    BLENDS: "X",
    JUMPS: "D",
}


@styled
def fig_steady_and_real(smoothness: Smoothness) -> Figure:
    """Draw the overview of 3e: steadiness against the realism of a path's worst step."""
    figure = blank(66.0)
    axes = add_axes(figure, 13.0, 4.0, 88.0, 50.0)
    _draw_margins(axes, smoothness)
    for row in smoothness.rows:
        color, x, y = model_color(row.name), row.measures["steadiness"], row.measures["realism"]
        axes.plot([x.low, x.high], [y.value, y.value], color=color, linewidth=1.0)
        axes.plot([x.value, x.value], [y.low, y.high], color=color, linewidth=1.0)
        axes.plot(
            [x.value],
            [y.value],
            MARKERS[row.name],
            color=color,
            markersize=5.5,
            linestyle="none",
            label=row.name,
        )
    farthest = max(row.measures["steadiness"].high for row in smoothness.rows)
    axes.set(xlabel="steadiness: even and straight steps", xlim=(0, 1.25 * farthest), ylim=(0, 1))
    axes.set_ylabel("realism of the worst step")
    axes.annotate(
        "both: a good walk",
        (0.985, 0.965),
        ha="right",
        va="top",
        color=MUTED,
        fontsize=8,
        xycoords="axes fraction",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
    axes.legend(
        loc="center left",
        bbox_to_anchor=(1.03, 0.5),
        fontsize=8.5,
        labelspacing=0.9,
        handletextpad=0.4,
        borderaxespad=0,
    )
    return figure


def _draw_margins(axes: Axes, smoothness: Smoothness) -> None:
    """Draw contours of equal margin, which have corners because the margin is a minimum."""
    means = {row.name: row.measures for row in smoothness.rows}
    steady, real = (
        [means[null][measure].value for null in (JUMPS, BLENDS)]
        for measure in ("steadiness", "realism")
    )
    for margin in (0, 0.2, 0.4, 0.6, 0.8, 1):
        x = steady[0] + margin * (steady[1] - steady[0])
        y = real[1] + margin * (real[0] - real[1])
        axes.plot([x, x, 2], [2, y, y], color=HAIRLINE, linewidth=0.5, zorder=0)
        axes.annotate(
            f"{margin:g}",
            (x, 1),
            (0, 2),
            color=MUTED,
            fontsize=7,
            ha="center",
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
        )


@styled
def fig_smoothness(smoothness: Smoothness) -> Figure:
    """Draw 3e: six measures of the paths of both models, of the controls and of the baselines."""
    figure = blank(106.0)
    rows = smoothness.rows
    colors = [model_color(row.name) for row in rows]
    for panel, (name, (title, reading)) in enumerate(KEY_MEASURES.items()):
        axes = add_axes(figure, 36.0 + 42.0 * (panel % 3), 10.0 + 52.0 * (panel // 3), 37.0, 36.0)
        estimates = [row.measures[name] for row in rows]
        draw_estimates(axes, estimates, colors)
        set_title(axes, title, reading)
        axes.set_xlim(left=min(0.0, *(estimate.low for estimate in estimates)))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        if panel % 3 == 0:
            name_lines(axes, [row.name for row in rows], colors)
    return figure


@styled
def fig_along_paths(smoothness: Smoothness) -> Figure:
    """Supplement 3e: draw the realism of the images at each step, averaged over the paths."""
    figure = blank(62.0)
    times = np.linspace(0, 1, smoothness.num_steps)
    rows = [row for row in smoothness.rows if row.name in LOOKS]
    for panel, (name, (title, reading)) in enumerate(ALONG.items()):
        axes = add_axes(figure, 9.0 + 51.5 * panel, 10.0, 41.0, 30.0)
        for row in rows:
            axes.plot(
                times,
                getattr(row, name),
                color=model_color(row.name),
                label=row.name,
                linestyle=LOOKS[row.name],
            )
        set_title(axes, title, reading)
        axes.set(xlabel="$t$", xlim=(0, 1), xticks=(0, 0.5, 1))
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        loc="lower center",
        ncols=3,
        fontsize=8,
        handlelength=1.8,
        columnspacing=1.4,
        borderaxespad=0.1,
    )
    return figure
