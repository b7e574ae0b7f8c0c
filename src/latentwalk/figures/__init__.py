"""Figures in one style: each fig_*(result) returns a matplotlib Figure, neither shown nor saved."""

from latentwalk.figures.charts import fig_agreement, fig_quality
from latentwalk.figures.losses import fig_classifier_losses, fig_gan_losses, fig_vae_losses
from latentwalk.figures.pictures import (
    fig_digit_grid,
    fig_generator_path,
    fig_pair,
    fig_progress,
    fig_strips,
    fig_ten_samples,
    fig_vae_path,
)
from latentwalk.figures.style import use_in_notebook
from latentwalk.figures.walks import fig_along_paths, fig_smoothness, fig_steady_and_real

__all__ = [
    "fig_agreement",
    "fig_along_paths",
    "fig_classifier_losses",
    "fig_digit_grid",
    "fig_gan_losses",
    "fig_generator_path",
    "fig_pair",
    "fig_progress",
    "fig_quality",
    "fig_smoothness",
    "fig_steady_and_real",
    "fig_strips",
    "fig_ten_samples",
    "fig_vae_losses",
    "fig_vae_path",
    "use_in_notebook",
]
