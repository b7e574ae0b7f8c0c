"""Run the checks of one submission, and its notebook, each in a process of its own."""
