"""Charts of measurements: image quality for 3d and label agreement for 4d."""

from matplotlib.figure import Figure

from latentwalk.experiments.problem4 import Agreement
from latentwalk.experiments.quality import Quality
from latentwalk.figures.dots import DASHED, draw_estimates, log_axis, model_color, name_lines
from latentwalk.figures.style import GAN, INK, MUTED, add_axes, blank, styled


@styled
def fig_quality(quality: Quality) -> Figure:
    """Draw 3d: Frechet distance over the floor, sharpness, and the classifier's confidence."""
    figure = blank(47.0)
    rows = quality.rows
    colors = [INK if row.name.startswith("real") else model_color(row.name) for row in rows]
    panels = (
        ("Fr\u00e9chet distance over the floor", [row.ratio for row in rows], 31.0, 56.0),
        ("sharpness of edges", [row.sharpness for row in rows], 95.0, 27.0),
        ("judge\u2019s certainty", [row.confidence for row in rows], 130.0, 27.0),
    )
    for title, estimates, left, width in panels:
        axes = add_axes(figure, left, 7.0, width, 33.0)
        draw_estimates(axes, estimates, colors)
        axes.axvline(estimates[0].value, color=MUTED, linewidth=0.8, linestyle=DASHED, zorder=0)
        axes.margins(x=0.1)
        axes.set_title(title)
    ratio = figure.axes[0]
    ratio.set_xscale("log")
    log_axis(ratio.xaxis, (1, 2, 5))
    for line, (row, color) in list(enumerate(zip(rows, colors, strict=True)))[1:]:
        value = row.ratio.value
        text = f"{value:.0f}" if value >= 10 else f"{value:.1f}"
        ratio.annotate(
            text,
            (value, line),
            (0, 4),
            ha="center",
            textcoords="offset points",
            fontsize=7.5,
            color=color,
        )
    name_lines(ratio, [row.name for row in rows], colors)
    return figure


@styled
def fig_agreement(agreement: Agreement) -> Figure:
    """Supplement 4d: draw the share of images that are read as requested, for each digit."""
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
    axes.annotate(
        f"all digits\n{overall:.2f} %",
        (1, overall),
        (4, 0),
        va="center",
        fontsize=8,
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
    )
    axes.set(xlabel="digit asked for", ylabel="read as asked for, %", xticks=digits)
    axes.set(xlim=(-0.5, len(shares) - 0.5), ylim=(None, 100))
    return figure
