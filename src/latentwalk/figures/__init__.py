"""fig_*(result) -> matplotlib Figure, in one style: they draw, and compute, show and save nothing."""
