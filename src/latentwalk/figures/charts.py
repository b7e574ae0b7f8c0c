"""Chart of how often the classifier reads the requested digit, for 4d."""

from matplotlib.figure import Figure

from latentwalk.experiments.problem4 import Agreement
from latentwalk.figures.dots import DASHED
from latentwalk.figures.style import GAN, MUTED, add_axes, blank, styled


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
