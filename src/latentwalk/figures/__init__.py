"""Figures in one style: each fig_*(result) returns a matplotlib Figure, neither shown nor saved."""
