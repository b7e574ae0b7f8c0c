"""Run checks in separate processes, and notebooks in confined ones."""
