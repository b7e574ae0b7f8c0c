"""Training curves: losses against steps."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from latentwalk.figures.dots import DASHED, log_axis, set_title
from latentwalk.figures.style import GAN, INK, MUTED, VAE, add_axes, blank, styled

Rows = Sequence[Mapping[str, float]]
"""Training log: each row holds `step` and the mean of each loss term since the previous row."""


def _series(rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values of the rows that have a given loss term."""
    pairs = [(row["step"], row[name]) for row in rows if name in row]
    steps, values = np.array(pairs).reshape(-1, 2).T
    return steps, values


def _count_steps(axes: Axes, rows: Rows) -> None:
    axes.set(xlabel="training step", xlim=(rows[0]["step"], rows[-1]["step"]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))


@styled
def fig_gan_losses(rows: Rows) -> Figure:
    """Draw a GAN's training curves: both losses with the level of a tie, and the slope penalty."""
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
    axes.legend(
        loc="lower left",
        ncols=3,
        bbox_to_anchor=(0, 1.01),
        borderaxespad=0,
        fontsize=8,
        handlelength=1.6,
        borderpad=0,
        columnspacing=1.4,
    )
    _count_steps(axes, rows)
    slope = add_axes(figure, 113.0, 11.0, 43.0, 34.0)
    slope.semilogy(*_series(rows, "slope_penalty"), color=INK)
    set_title(slope, "squared slope of the discriminator", "real and generated images, $R_1 + R_2$")
    log_axis(slope.yaxis, (1, 3))
    _count_steps(slope, rows)
    return figure


@styled
def fig_vae_losses(rows: Rows) -> Figure:
    """Draw a VAE's training curves: the negative bound as a stack of its two terms."""
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
        axes.annotate(
            f"{name}: {value:.1f}",
            (1, height),
            (4, 0),
            textcoords="offset points",
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
        )
    _count_steps(axes, rows)
    return figure


@styled
def fig_classifier_losses(rows: Rows) -> Figure:
    """Draw the classifier's loss and accuracy on rotated, shifted training digits."""
    figure = blank(55.0)
    loss = add_axes(figure, 11.0, 7.0, 62.0, 37.0)
    loss.semilogy(*_series(rows, "cross_entropy_nats"), color=INK)
    loss.set_title("cross-entropy, nats an image")
    log_axis(loss.yaxis, (1, 3))
    accuracy = add_axes(figure, 93.0, 7.0, 61.0, 37.0)
    steps, shares = _series(rows, "accuracy")
    accuracy.plot(steps, 100 * shares, color=INK)
    accuracy.set(title="read rightly of the jittered training digits, %", ylim=(90, 100))
    for axes in (loss, accuracy):
        _count_steps(axes, rows)
    return figure
