"""Trained models of the report: recipes, weights files and training."""
