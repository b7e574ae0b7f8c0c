"""Grading on Gradescope: the archive that is uploaded, and what runs there."""
