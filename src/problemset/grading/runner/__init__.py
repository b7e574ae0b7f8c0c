"""Run the checks of one submission, and its notebook, each in its own process."""
